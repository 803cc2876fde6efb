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
    /// What is connected to.
    endpoints: Vec<String>,
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
        let endpoints = vec!["old.example:21".to_owned()];
        Self { alarms, clock, db, mark: None, passed: 0, endpoints, _folder: folder }
    }

    /// So many slots go by, six connections to each endpoint in each, and then early warning looks at them.
    async fn pass(&mut self, slots: i64, traffic: Traffic) {
        self.happen(slots, traffic).await;
        self.look().await;
    }

    /// They are observed, recorded and rolled up as in the service.
    async fn happen(&mut self, slots: i64, traffic: Traffic) {
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
                let at = self.clock.now() + SignedDuration::from_secs(40 * one as i64);
                for endpoint in &self.endpoints {
                    recorder.record(Self::seen(at, endpoint, what.clone()));
                }
            }
            self.clock.advance(SLOT);
        }
        self.passed += slots;
        assert!(tasks.drain(Duration::from_secs(60)).await);
        assert_eq!(recorder.dropped(), 0);
    }

    /// The slot that has just passed is over for long enough.
    async fn look(&mut self) {
        let grace = SignedDuration::from_secs(30);
        self.clock.advance(grace);
        self.alarms.look(&mut self.mark).await.unwrap();
        self.clock.advance(-grace);
    }

    fn seen(at: Timestamp, endpoint: &str, what: What) -> Observation {
        let endpoint = endpoint.to_owned();
        Observation { at, protocol: Protocol::Ftp, role: Role::Client, endpoint, what, detail: Detail::default() }
    }

    /// Four days of usual traffic.
    async fn learnt() -> Self {
        Self::learnt_of(&["old.example:21"]).await
    }

    async fn learnt_of(endpoints: &[&str]) -> Self {
        let mut house = Self::new().await;
        house.endpoints = endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect();
        for _ in 0..4 {
            house.pass(DAY, USUAL).await;
        }
        house
    }

    async fn all(&self) -> Vec<Alarm> {
        self.alarms.list(10).await.unwrap()
    }

    /// Those of an endpoint, the one that goes on first.
    async fn of(&self, endpoint: &str) -> Vec<Alarm> {
        self.all().await.into_iter().filter(|alarm| alarm.place.endpoint == endpoint).collect()
    }

    /// Changes something behind the back of early warning.
    async fn meddle(&self, statement: &'static str) {
        let changed = sqlx::query(statement).execute(&mut *self.db.statement().await.unwrap()).await.unwrap();
        assert!(changed.rows_affected() > 0, "{statement}");
    }

    /// How far which endpoint has been seen, and what is known of it.
    async fn watches(&self) -> Vec<(String, i64, String)> {
        let query = "SELECT endpoint, until, state FROM watches ORDER BY endpoint";
        sqlx::query_as(query).fetch_all(self.db.read()).await.unwrap()
    }

    /// The same, rounded: being kept and read again changes the last digit.
    async fn known(&self) -> Vec<(String, i64, serde_json::Value)> {
        let known = |(endpoint, until, state): (String, i64, String)| (endpoint, until, rounded(&state));
        self.watches().await.into_iter().map(known).collect()
    }
}

fn rounded(state: &str) -> serde_json::Value {
    fn round(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Array(all) => all.iter_mut().for_each(round),
            serde_json::Value::Object(all) => all.values_mut().for_each(round),
            serde_json::Value::Number(number) => {
                *value = format!("{:.9}", number.as_f64().unwrap()).into();
            }
            _ => {}
        }
    }
    let mut state = serde_json::from_str(state).unwrap();
    round(&mut state);
    state
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
}

/// Of two endpoints with the same traffic one has been seen further than the other when the process ends. The next one
/// goes on where each of them was: nothing is counted twice, and nothing is left out.
#[tokio::test]
async fn what_was_seen_is_seen_once() {
    let mut house = House::new().await;
    house.endpoints = vec!["a.example:21".into(), "b.example:21".into()];
    house.pass(DAY, Traffic { refused: 1, ..USUAL }).await;
    let before = house.watches().await;
    house.pass(6, Traffic { refused: 2, ..USUAL }).await;
    // Only the first was kept.
    let mut query = sqlx::query("UPDATE watches SET until = ?, state = ? WHERE endpoint = 'b.example:21'");
    query = query.bind(before[1].1).bind(before[1].2.clone());
    query.execute(&mut *house.db.statement().await.unwrap()).await.unwrap();
    house.mark = None;
    house.pass(6, USUAL).await;
    let [(_, a, known), (_, b, too)] = &house.known().await[..] else { panic!() };
    assert_eq!((a, known), (b, too));
    // Looked at again, nothing is new.
    let after = house.known().await;
    house.mark = None;
    house.look().await;
    assert_eq!(house.known().await, after);
}

/// What is known of one endpoint cannot be read any more: its alarm is over, it is learnt anew, and the others do not notice.
#[tokio::test]
async fn an_unreadable_state_stops_nobody_else() {
    let mut house = House::learnt_of(&["a.example:21", "b.example:21"]).await;
    let (worse, usual) = (Traffic { refused: 6, ..USUAL }, USUAL);
    house.pass(3, worse).await;
    let open = |alarms: &[Alarm]| alarms.iter().filter(|alarm| alarm.ended.is_none()).count();
    assert_eq!(open(&house.all().await), 2);
    house.meddle("UPDATE watches SET state = '{}' WHERE endpoint = 'a.example:21'").await;
    house.pass(1, worse).await;
    let [ended] = &house.of("a.example:21").await[..] else { panic!("{:?}", house.all().await) };
    assert!(matches!(ended.ended, Some((_, Ending::Relearnt))), "{ended:?}");
    let [goes_on] = &house.of("b.example:21").await[..] else { panic!("{:?}", house.all().await) };
    assert_eq!(goes_on.ended, None);
    // It is learnt again, and rings again.
    house.pass(2 * DAY, usual).await;
    house.pass(6, worse).await;
    assert_eq!((house.of("a.example:21").await.len(), open(&house.all().await)), (2, 2), "{:?}", house.all().await);
    assert_eq!(
        house.watches().await.iter().map(|(_, until, _)| *until).min(),
        house.mark.map(Timestamp::as_microsecond)
    );
    // Nobody comes any more: that is over at once, too.
    house.meddle("UPDATE watches SET state = 'nonsense'").await;
    house.look().await;
    assert_eq!(open(&house.all().await), 0);
}

/// What cannot be kept of one endpoint is not lost, and the others are kept.
#[tokio::test]
async fn what_cannot_be_kept_of_one_keeps_no_other() {
    let mut house = House::learnt_of(&["a.example:21", "b.example:21"]).await;
    // An alarm that goes on of which the detector knows nothing.
    house
        .meddle(
            "INSERT INTO alarms (family, role, endpoint, sign, since, noticed, usual, seen, evidence) \
             VALUES ('FTP', 'client', 'a.example:21', 'errors', 0, 9e15, 0.1, 0.2, '[]')",
        )
        .await;
    house.happen(3, Traffic { refused: 6, ..USUAL }).await;
    house.clock.advance(SignedDuration::from_secs(30));
    assert!(house.alarms.look(&mut house.mark).await.is_err(), "it cannot begin twice");
    let [alarm] = &house.of("b.example:21").await[..] else { panic!("{:?}", house.all().await) };
    assert_eq!((alarm.sign, alarm.ended), (Sign::Errors, None));
    house.meddle("DELETE FROM alarms WHERE evidence = '[]'").await;
    house.look().await;
    assert_eq!((house.of("a.example:21").await.len(), house.of("b.example:21").await.len()), (1, 1));
    let [(_, a, known), (_, b, too)] = &house.known().await[..] else { panic!() };
    assert_eq!((a, known), (b, too));
}

/// The clock was a year ahead for a while: early warning does not wait for that year.
#[tokio::test]
async fn a_clock_that_was_ahead_silences_nothing() {
    let mut house = House::learnt().await;
    let ahead = house.clock.now() + SignedDuration::from_hours(24 * 365);
    house.meddle("UPDATE watches SET until = until + 31536000000000").await;
    for mark in [None, Some(ahead)] {
        house.mark = mark;
        house.pass(1, USUAL).await;
        assert!(house.watches().await[0].1 <= house.clock.now().as_microsecond());
    }
    house.pass(6, Traffic { refused: 6, ..USUAL }).await;
    assert_eq!(house.all().await.len(), 1);
    // A small step back makes nothing count twice.
    let known = house.known().await;
    house.clock.advance(-SLOT);
    house.look().await;
    house.clock.advance(SLOT);
    house.look().await;
    assert_eq!(house.known().await, known);
}

/// What happened while nobody looked began and ended when it did, not when somebody looked.
#[tokio::test]
async fn what_is_made_up_for_has_its_own_times() {
    let mut house = House::learnt().await;
    let began = house.clock.now();
    house.happen(12, Traffic { refused: 6, ..USUAL }).await;
    let over = house.clock.now();
    house.happen(DAY, USUAL).await;
    house.look().await;
    let [alarm] = &house.all().await[..] else { panic!("{:?}", house.all().await) };
    assert_eq!((alarm.sign, alarm.since), (Sign::Errors, began));
    assert!((began + SLOT..=began + SLOT * 3).contains(&alarm.noticed), "{alarm:?}");
    let Some((ended, Ending::Normal)) = alarm.ended else { panic!("{alarm:?}") };
    assert!(ended > over && ended < house.clock.now() - SignedDuration::from_hours(6), "{alarm:?}");
}

/// However many there are, nobody is left out.
#[tokio::test]
async fn a_hundred_endpoints_are_not_all() {
    let mut house = House::new().await;
    house.endpoints = (0..130).map(|number| format!("host{number}.example:21")).collect();
    house.pass(1, USUAL).await;
    assert_eq!(house.watches().await.len(), 130);
    let watched = house.alarms.watched(Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(watched.len(), 130);
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
