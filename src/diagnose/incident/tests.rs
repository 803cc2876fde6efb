use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::desk::Memory;
use super::*;
use crate::db::Db;
use crate::diagnose::finding::Confidence;
use crate::model::{Clock as _, ManualClock};
use crate::reliability::{Detail, Direction, Recorder, What};
use crate::task::Tasks;

struct House {
    incidents: Incidents,
    clock: std::sync::Arc<ManualClock>,
    db: Db,
    memory: Memory,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("db")).await.unwrap();
        let clock = std::sync::Arc::new(ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap()));
        let incidents = Incidents::new(db.clone(), clock.clone(), Terms::default());
        Self { incidents, clock, db, memory: Memory::default(), _folder: folder }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// These happened now.
    async fn saw(&mut self, all: impl IntoIterator<Item = Observation>) {
        let tasks = Tasks::new();
        let recorder = Recorder::start(self.db.clone(), &tasks);
        all.into_iter().for_each(|one| recorder.record(one));
        assert!(tasks.drain(Duration::from_secs(10)).await);
        self.incidents.look(&mut self.memory).await.unwrap();
    }

    async fn later(&mut self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
        self.incidents.look(&mut self.memory).await.unwrap();
    }

    fn seen(&self, what: What, idle: u64) -> Observation {
        let detail = Detail { idle: Some(Duration::from_secs(idle)), errno: None, ..Detail::default() };
        let endpoint = "old.example:21".to_owned();
        Observation { at: self.now(), protocol: Protocol::Ftp, role: Role::Client, endpoint, what, detail }
    }

    /// A connection that was ready, and ended when it had been idle for so many seconds.
    fn held(&self, idle: u64, end: End) -> Observation {
        let setup = Some(Duration::from_millis(80));
        let phases = vec![(Phase::Connect, Duration::from_millis(20))];
        self.seen(What::Connection { setup, phases, held: Duration::from_secs(idle), end }, idle)
    }

    fn moved(&self, end: End) -> Observation {
        let (direction, duration) = (Direction::Download, Duration::from_secs(1));
        self.seen(What::Transfer { direction, bytes: 5_000, duration, end }, 0)
    }

    async fn all(&self) -> Vec<Incident> {
        self.incidents.list(10).await.unwrap()
    }
}

const RESET_AT_A_COMMAND: End = End::Failed(Phase::Command, FaultKind::Reset);
const RESET_IN_A_FILE: End = End::Failed(Phase::Transfer, FaultKind::Reset);

/// Connections that were idle for long are dead when they are used again, those that rested shortly are not: the rules
/// that a diagnosis draws on say what that is, from observations alone, and how sure they can be.
#[tokio::test]
async fn resets_after_idling_open_an_incident_with_a_verdict_and_its_evidence() {
    let mut house = House::new().await;
    let seen = [3, 8, 12].map(|idle| house.held(idle, End::Clean));
    house.saw(seen).await;
    let seen = [31, 40].map(|idle| house.held(idle, RESET_AT_A_COMMAND));
    house.saw(seen).await;
    assert_eq!(house.all().await, [], "two may be chance");
    let seen = [house.held(36, RESET_AT_A_COMMAND)];
    house.saw(seen).await;
    let [incident] = &house.all().await[..] else { panic!() };
    assert_eq!((incident.faults, incident.closed), (3, None));
    let found = &incident.verdict.findings[0];
    assert_eq!((&*found.cause, found.confidence), ("nat-ageing", Confidence::Open), "{found:#?}");
    assert!(!found.or.is_empty(), "it cannot be told from a server that does so");
    let lines: Vec<_> = incident.verdict.lines(&found.evidence).collect();
    assert!(lines.iter().any(|(seen, _)| seen.to_string().contains("idle for 31.0 s")), "{lines:?}");
    // Each line leads to what was observed.
    let stored = crate::reliability::observations_after(&house.db, 0, 100).await.unwrap();
    for (_, observed) in lines {
        assert!(stored.iter().any(|(other, one)| *other == observed.id && one.at == observed.at));
    }
    let (_, entries) = house.incidents.get(incident.id).await.unwrap();
    assert!(entries[0].said.starts_with("opened: 3 of the last 6"), "{entries:?}");
}

#[tokio::test]
async fn an_incident_goes_on_and_closes_only_when_things_go_well_again() {
    let mut house = House::new().await;
    let seen: Vec<_> = (0..4).map(|_| house.moved(RESET_IN_A_FILE)).collect();
    house.saw(seen).await;
    house.later(2).await;
    let seen = [house.moved(RESET_IN_A_FILE)];
    house.saw(seen).await;
    assert_eq!(house.all().await[0].faults, 5);
    assert_eq!(house.all().await[0].verdict.findings[0].cause, "resets");
    // Nobody tried anything: nobody knows.
    house.later(60).await;
    assert_eq!(house.all().await[0].closed, None);
    let seen = [house.moved(End::Clean)];
    house.saw(seen).await;
    let closed = house.all().await;
    assert_eq!((closed.len(), closed[0].closed), (1, Some(house.now())));
    let (_, entries) = house.incidents.get(closed[0].id).await.unwrap();
    assert!(entries.last().unwrap().said.contains("while 1 of their kind went well"), "{entries:?}");
    // The same trouble again is another incident, and begins to count anew.
    let seen: Vec<_> = (0..2).map(|_| house.moved(RESET_IN_A_FILE)).collect();
    house.saw(seen).await;
    assert_eq!(house.all().await.len(), 1);
    let seen = [house.moved(RESET_IN_A_FILE)];
    house.saw(seen).await;
    assert_eq!((house.all().await.len(), house.all().await[0].faults), (2, 3));
    // And it is put away when nothing was tried for a day.
    house.later(25 * 60).await;
    let (_, entries) = house.incidents.get(house.all().await[0].id).await.unwrap();
    assert!(entries.last().unwrap().said.contains("not known whether it is over"), "{entries:?}");
}

#[tokio::test]
async fn rare_faults_and_those_of_single_files_are_no_incident() {
    let mut house = House::new().await;
    let mut seen: Vec<_> = (0..100).map(|_| house.moved(End::Clean)).collect();
    seen.extend((0..4).map(|_| house.moved(RESET_IN_A_FILE)));
    seen.extend((0..9).map(|_| house.moved(End::Failed(Phase::Open, FaultKind::Missing))));
    seen.extend((0..9).map(|_| house.moved(End::Failed(Phase::Transfer, FaultKind::DiskFull))));
    let stranger = What::never_ready(&crate::model::Fault::new(Phase::Login, FaultKind::Auth, "no"));
    seen.extend((0..9).map(|_| Observation { role: Role::Door, ..house.seen(stranger.clone(), 0) }));
    house.saw(seen).await;
    assert_eq!(house.all().await, [], "4 of 122 transfers");
    let seen = [house.moved(RESET_IN_A_FILE), house.moved(RESET_IN_A_FILE), house.moved(RESET_IN_A_FILE)];
    house.saw(seen).await;
    assert_eq!(house.all().await.len(), 1, "7 of 125 are more than one in twenty");
}

/// A process that starts again carries on with what is open, and counts nothing twice.
#[tokio::test]
async fn after_a_restart_nothing_is_counted_twice() {
    let mut house = House::new().await;
    let seen: Vec<_> = (0..3).map(|_| house.moved(RESET_IN_A_FILE)).collect();
    house.saw(seen).await;
    house.memory = Memory::default();
    house.later(1).await;
    house.later(1).await;
    let all = house.all().await;
    assert_eq!((all.len(), all[0].faults), (1, 3));
}

/// What a door saw of its clients is judged by the same rules, without the settings of FTP servers.
#[tokio::test]
async fn resets_at_a_door_are_an_incident_too() {
    let mut house = House::new().await;
    let at_the_door = |one| Observation { role: Role::Door, protocol: Protocol::Sftp, endpoint: "sftp".into(), ..one };
    let seen: Vec<_> = (0..3).map(|_| at_the_door(house.moved(RESET_IN_A_FILE))).collect();
    house.saw(seen).await;
    let [incident] = &house.all().await[..] else { panic!() };
    assert!(incident.like.sentence().contains("of clients at the door sftp"), "{}", incident.like.sentence());
    for found in &incident.verdict.findings {
        assert!(found.there.iter().all(|advice| advice.product != "vsftpd") && found.remedies.is_empty(), "{found:?}");
    }
}
