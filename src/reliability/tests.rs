//! From the recorder to the comparison, over a real database.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::db::Db;
use crate::model::{FaultKind, Phase, Protocol};
use crate::task::Tasks;

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

async fn db() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
    (folder, db)
}

fn observation(protocol: Protocol, role: Role, what: What) -> Observation {
    Observation { at: now(), protocol, role, endpoint: "example.org:21".to_owned(), what }
}

fn connection(setup_ms: Option<u64>, held_s: u64, end: End) -> What {
    What::Connection {
        setup: setup_ms.map(Duration::from_millis),
        phases: vec![(Phase::Connect, Duration::from_millis(1))],
        held: Duration::from_secs(held_s),
        end,
    }
}

fn cell(comparison: &Comparison, key: &str, family: &str) -> Estimate {
    let row = comparison.rows.iter().find(|row| row.statistic.key == key).unwrap();
    row.cells.iter().find(|cell| cell.family == family).unwrap().estimate
}

#[tokio::test]
async fn what_is_recorded_is_compared() {
    let (_folder, db) = db().await;
    let tasks = Tasks::new();
    let recorder = Recorder::start(db.clone(), &tasks);
    for i in 0..200_u64 {
        let end = match i % 10 {
            0 => End::Failed(Phase::Transfer, FaultKind::Reset),
            1 => End::StillOpen,
            _ => End::Clean,
        };
        recorder.record(observation(Protocol::FtpTls, Role::Client, connection(Some(100 + i), i, end)));
    }
    for _ in 0..5 {
        let refused = connection(None, 0, End::Failed(Phase::Connect, FaultKind::Refused));
        recorder.record(observation(Protocol::Ftp, Role::Client, refused));
        let scan = connection(None, 0, End::Clean);
        recorder.record(observation(Protocol::Sftp, Role::Door, scan));
    }
    for i in 1..=150_u64 {
        let end = if i == 7 { End::Failed(Phase::Transfer, FaultKind::ClosedEarly) } else { End::Clean };
        let what = What::Transfer {
            direction: Direction::Download,
            bytes: 1_000_000,
            duration: Duration::from_millis(100 + i),
            end,
        };
        recorder.record(observation(Protocol::Davs, Role::Door, what));
    }
    assert!(tasks.drain(Duration::from_secs(20)).await, "the recorder writes what it has and ends");

    let comparison = compare(&db, Window::last(now(), SignedDuration::from_hours(1))).await.unwrap();
    let success = cell(&comparison, "connection-success", "FTP");
    assert_eq!((success.n, success.events, success.enough), (205, 200, true));
    let scans = cell(&comparison, "connection-success", "SFTP");
    assert_eq!((scans.n, scans.excluded, scans.enough), (0, 5, false));
    let resets = cell(&comparison, "resets", "FTP");
    assert_eq!((resets.n, resets.events, resets.value), (200, 20, Some(100.0)));
    assert_eq!(cell(&comparison, "setup-median", "FTP").value, Some(0.199));
    assert_eq!(cell(&comparison, "hold-time", "FTP").events, 20);
    let errors = cell(&comparison, "transfer-errors", "WebDAV");
    assert_eq!((errors.n, errors.events), (150, 1));
    let speed = cell(&comparison, "throughput", "WebDAV");
    assert_eq!((speed.n, speed.enough), (149, true));
    assert!(speed.low <= speed.value && speed.value <= speed.high);

    let found = sources(&db, &Window::last(now(), SignedDuration::from_hours(1))).await.unwrap();
    let shown: Vec<_> = found.iter().map(|s| (s.family.as_str(), s.role, s.connections, s.transfers)).collect();
    assert_eq!(
        shown,
        [("FTP", Role::Client, 205, 0), ("SFTP", Role::Door, 5, 0), ("WebDAV", Role::Door, 0, 150)],
        "{found:?}"
    );
    let elsewhere = Window::last(now(), SignedDuration::from_hours(1)).at("elsewhere:21");
    assert_eq!(cell(&compare(&db, elsewhere).await.unwrap(), "connection-success", "FTP").n, 0);
    let there = Window::last(now(), SignedDuration::from_hours(1)).at("example.org:21");
    assert_eq!(cell(&compare(&db, there).await.unwrap(), "connection-success", "FTP").n, 205);

    let doors = compare(&db, Window::last(now(), SignedDuration::from_hours(1)).of(Role::Door)).await.unwrap();
    assert_eq!(cell(&doors, "connection-success", "FTP").n, 0);
    let past = compare(&db, Window::last(now() - SignedDuration::from_hours(2), SignedDuration::from_hours(1)));
    assert_eq!(cell(&past.await.unwrap(), "connection-success", "FTP").n, 0);

    assert_eq!(prune(&db, now()).await.unwrap(), 0);
    let later = now() + SignedDuration::from_hours(24 * (RETENTION_DAYS + 1));
    assert_eq!(prune(&db, later).await.unwrap(), 360);
    db.close().await;
}

#[tokio::test]
async fn a_full_queue_drops_and_says_so() {
    let (recorder, mut queue) = Recorder::channel(2);
    for _ in 0..5 {
        recorder.record(observation(Protocol::Ftp, Role::Client, connection(None, 0, End::Clean)));
    }
    assert_eq!(recorder.dropped(), 3);
    assert!(queue.recv().await.is_some());
    Recorder::discard().record(observation(Protocol::Ftp, Role::Client, connection(None, 0, End::Clean)));

    let (_folder, db) = db().await;
    let batch = [observation(Protocol::Ftp, Role::Client, connection(Some(1), 0, End::Clean))];
    store::insert(&db, &batch, 3).await.unwrap();
    store::insert(&db, &batch, 4).await.unwrap();
    let comparison = compare(&db, Window::last(now(), SignedDuration::from_hours(1))).await.unwrap();
    assert_eq!(comparison.dropped, 7);
    db.close().await;
}

/// A year of a busy house. The rows are made in SQL; what is timed is the comparison.
#[tokio::test]
async fn a_million_rows_answer_fast() {
    let (_folder, db) = db().await;
    let mut tx = db.write().await.unwrap();
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999) \
         INSERT INTO observations (at, kind, family, protocol, role, endpoint, ended, phase, fault, setup, lasted, bytes) \
         SELECT ?1 - i * 1000, iif(i % 2, 'connection', 'transfer'), iif(i % 3, 'FTP', 'SFTP'), 'ftp', 'client', 'h:21', \
         iif(i % 100, 'clean', 'failed'), iif(i % 100, NULL, 'transfer'), iif(i % 100, NULL, 'reset'), \
         iif(i % 2, 1000 * (i % 997), NULL), 1000000 + i % 10007, iif(i % 2, NULL, 1000000) FROM n",
    )
    .bind(now().as_microsecond())
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let begun = std::time::Instant::now();
    let comparison = compare(&db, Window::last(now(), SignedDuration::from_hours(1))).await.unwrap();
    let took = begun.elapsed();
    let success = cell(&comparison, "connection-success", "FTP");
    assert_eq!(success.n + cell(&comparison, "connection-success", "SFTP").n, 500_000);
    let median = cell(&comparison, "setup-median", "FTP");
    assert!((25_000..=75_000).contains(&median.n), "an even draw: {}", median.n);
    assert!((median.value.unwrap() - 0.498).abs() < 0.01, "{median:?}");
    println!("comparison of 1,000,000 observations: {took:?}");
    assert!(took < Duration::from_secs(10), "took {took:?}");
    db.close().await;
}
