use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::audit::{AuditLog, Filter};
use crate::db::Db;
use crate::model::{Clock as _, Fault, FaultKind, ManualClock, Phase, Protocol};
use crate::reliability::alarm::SLOT;
use crate::reliability::{Detail, End, Observation, Recorder, What};
use crate::task::Tasks;

struct House {
    alarms: Alarms,
    clock: Arc<ManualClock>,
    db: Db,
    mark: Option<Timestamp>,
    /// Slots that have passed.
    passed: i64,
    _folder: tempfile::TempDir,
}

/// A day of slots.
const DAY: i64 = 288;

/// What goes on in a slot.
#[derive(Clone, Copy)]
struct Traffic {
    slower: f64,
    refused: usize,
    reset: usize,
}

const USUAL: Traffic = Traffic { slower: 1.0, refused: 0, reset: 0 };

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("db")).await.unwrap();
        // A Monday.
        let clock = Arc::new(ManualClock::new("2026-03-02T00:00:00Z".parse().unwrap()));
        let alarms = Alarms::new(db.clone(), clock.clone(), Terms::default());
        Self { alarms, clock, db, mark: None, passed: 0, _folder: folder }
    }

    /// So many slots go by, six connections in each. They are observed, recorded and rolled up as in the service.
    async fn pass(&mut self, slots: i64, traffic: Traffic) {
        let tasks = Tasks::new();
        let recorder = Recorder::start(self.db.clone(), &tasks);
        for number in self.passed..self.passed + slots {
            // Mornings are slower, and no two are alike.
            let hour = number % DAY / 12;
            let wobble = 1.0 + 0.04 * (number * 7 % 11 - 5) as f64;
            let setup = 0.2 * wobble * if (6..12).contains(&hour) { 1.4 } else { 1.0 } * traffic.slower;
            for one in 0..6_usize {
                let what = if one < traffic.refused || (one == 0 && number % 100 == 0) {
                    What::never_ready(&Fault::new(Phase::Connect, FaultKind::Refused, "no"))
                } else {
                    let reset = End::Failed(Phase::Transfer, FaultKind::Reset);
                    let end = if one < traffic.reset { reset } else { End::Clean };
                    let (setup, phases) = (Some(Duration::from_secs_f64(setup)), Vec::new());
                    What::Connection { setup, phases, held: Duration::from_secs(5), end }
                };
                recorder.record(self.seen(self.clock.now() + SignedDuration::from_secs(40 * one as i64), what));
            }
            self.clock.advance(SLOT);
        }
        self.passed += slots;
        assert!(tasks.drain(Duration::from_secs(60)).await);
        assert_eq!(recorder.dropped(), 0);
        self.look().await;
    }

    /// The slot that has just passed is over for long enough.
    async fn look(&mut self) {
        let grace = SignedDuration::from_secs(30);
        self.clock.advance(grace);
        self.alarms.look(&mut self.mark).await.unwrap();
        self.clock.advance(-grace);
    }

    fn seen(&self, at: Timestamp, what: What) -> Observation {
        let endpoint = "old.example:21".to_owned();
        Observation { at, protocol: Protocol::Ftp, role: Role::Client, endpoint, what, detail: Detail::default() }
    }

    /// Four days of usual traffic.
    async fn learnt() -> Self {
        let mut house = Self::new().await;
        for _ in 0..4 {
            house.pass(DAY, USUAL).await;
        }
        house
    }

    async fn all(&self) -> Vec<Alarm> {
        self.alarms.list(10).await.unwrap()
    }
}

/// Steady traffic with its daily wave and single failures rings nothing in a week; a shift of the set-up time does, is told
/// with what it rests on, and is over when things are as usual again.
#[tokio::test]
async fn a_shift_begins_an_alarm_that_ends_by_itself() {
    let mut house = House::learnt().await;
    for _ in 0..3 {
        house.pass(DAY, USUAL).await;
    }
    assert_eq!(house.all().await, [], "a week of steady traffic");
    let [watched] = &house.alarms.watched(Timestamp::UNIX_EPOCH).await.unwrap()[..] else { panic!() };
    assert_eq!((&*watched.place.endpoint, watched.learning.len()), ("old.example:21", 0));

    let began = house.clock.now();
    for _ in 0..6 {
        house.pass(1, Traffic { slower: 2.0, ..USUAL }).await;
    }
    let [alarm] = &house.all().await[..] else { panic!("{:?}", house.all().await) };
    assert_eq!((alarm.sign, alarm.ended), (Sign::SetupTime, None));
    // The sum may have been rising by chance a little before.
    assert!((began - SLOT * 3..=began).contains(&alarm.since), "{alarm:?}");
    assert!(alarm.noticed > began && alarm.noticed <= house.clock.now() + SLOT, "{alarm:?}");
    assert!((alarm.seen / alarm.usual - 2.0).abs() < 0.2, "{alarm:?}");
    // It rests on what was observed since: every slot, with six times each.
    assert!(alarm.evidence.len() >= 3 && alarm.evidence[0].at == alarm.since, "{:?}", alarm.evidence);
    assert!(alarm.evidence.iter().all(|slot| (slot.ready, slot.tried) == (6, 6)), "{:?}", alarm.evidence);
    assert!(alarm.sentence().starts_with("set-up takes 4"), "{}", alarm.sentence());
    assert_eq!(house.alarms.get(alarm.id).await.unwrap(), *alarm);

    for _ in 0..24 {
        house.pass(1, USUAL).await;
    }
    let [alarm] = &house.all().await[..] else { panic!() };
    assert!(matches!(alarm.ended, Some((at, Ending::Normal)) if at > alarm.noticed), "{alarm:?}");
    let log = AuditLog::new(house.db.clone(), house.clock.clone());
    let told = log.page(&Filter { limit: 10, ..Filter::default() }).await.unwrap();
    let told: Vec<_> = told.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(told, ["alarm-ended", "alarm-began"]);
}

#[tokio::test]
async fn failures_and_resets_ring_after_a_restart_too() {
    let mut house = House::learnt().await;
    // Another process: nothing is remembered but what was kept.
    house.mark = None;
    house.pass(6, Traffic { refused: 2, ..USUAL }).await;
    let [alarm] = &house.all().await[..] else { panic!("{:?}", house.all().await) };
    assert_eq!((alarm.sign, alarm.evidence.iter().map(|slot| slot.failed).max()), (Sign::Errors, Some(2)));
    house.pass(6, Traffic { reset: 2, ..USUAL }).await;
    let signs: Vec<_> = house.all().await.iter().map(|alarm| alarm.sign).collect();
    assert!(signs.contains(&Sign::Resets), "{signs:?}");
    // Nothing is counted twice.
    let before = house.all().await;
    house.mark = None;
    house.look().await;
    assert_eq!(house.all().await, before);
}

#[tokio::test]
async fn what_nobody_uses_and_what_stays_is_put_away() {
    let mut house = House::learnt().await;
    house.pass(6, Traffic { refused: 6, ..USUAL }).await;
    assert_eq!(house.all().await[0].ended, None);
    house.clock.advance(SignedDuration::from_hours(25));
    house.passed += 300;
    house.look().await;
    assert!(matches!(house.all().await[0].ended, Some((_, Ending::Forgotten))));
    // It goes on: that is another alarm, since what is usual is still known.
    house.pass(6, Traffic { refused: 2, ..USUAL }).await;
    assert_eq!((house.all().await.len(), house.all().await[0].ended), (2, None));
    for _ in 0..7 {
        house.pass(DAY, Traffic { refused: 2, ..USUAL }).await;
    }
    assert!(matches!(house.all().await[0].ended, Some((_, Ending::Relearnt))));
    house.pass(DAY, Traffic { refused: 2, ..USUAL }).await;
    assert_eq!(house.all().await.len(), 2, "that is what is usual now");
}

#[test]
fn what_changed_is_told_in_one_sentence() {
    let place = Place { family: "SFTP", role: Role::Door, endpoint: "sftp".into() };
    let at = Timestamp::UNIX_EPOCH;
    let mut alarm = Alarm {
        id: AlarmId(1),
        place,
        sign: Sign::Resets,
        since: at,
        noticed: at,
        ended: None,
        usual: 0.001,
        seen: 0.2,
        evidence: Vec::new(),
    };
    assert_eq!(
        alarm.sentence(),
        "20.0 % of connections are reset instead of 0.1 % for clients at the door sftp (SFTP)"
    );
    (alarm.sign, alarm.usual, alarm.seen, alarm.place.role) = (Sign::SetupTime, 0.25, 1.26, Role::Client);
    assert_eq!(alarm.sentence(), "set-up takes 1.3 s instead of 250 ms at sftp (SFTP)");
}
