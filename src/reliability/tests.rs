//! From the recorder to the comparison, over a real database.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::db::Db;
use crate::model::{Fault, FaultKind, Phase, Protocol};
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
    Observation { at: now(), protocol, role, endpoint: "example.org:21".to_owned(), what, detail: Detail::default() }
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
    // As exact as a histogram's bin.
    let median = cell(&comparison, "setup-median", "FTP").value.unwrap();
    assert!((median / 0.199 - 1.0).abs() < 0.01, "{median}");
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
    // Roll-ups from before there were counts are counted, too.
    let columns = "UPDATE rollups SET connections = NULL, transfers = NULL, failed = NULL, stood = NULL, resets = NULL";
    sqlx::query(columns).execute(&mut *db.statement().await.unwrap()).await.unwrap();
    rollup::roll(&db, &mut rollup::Attempts::default(), now()).await.unwrap();
    assert_eq!(sources(&db, &Window::last(now(), SignedDuration::from_hours(1))).await.unwrap(), found);
    let elsewhere = Window::last(now(), SignedDuration::from_hours(1)).at("elsewhere:21");
    assert_eq!(cell(&compare(&db, elsewhere).await.unwrap(), "connection-success", "FTP").n, 0);
    let there = Window::last(now(), SignedDuration::from_hours(1)).at("example.org:21");
    assert_eq!(cell(&compare(&db, there).await.unwrap(), "connection-success", "FTP").n, 205);

    let doors = compare(&db, Window::last(now(), SignedDuration::from_hours(1)).of(Role::Door)).await.unwrap();
    assert_eq!(cell(&doors, "connection-success", "FTP").n, 0);
    let past = compare(&db, Window::last(now() - SignedDuration::from_hours(2), SignedDuration::from_hours(1)));
    assert_eq!(cell(&past.await.unwrap(), "connection-success", "FTP").n, 0);

    assert_eq!(prune(&db, now()).await.unwrap(), 0);
    rollup::roll(&db, &mut rollup::Attempts::default(), now()).await.unwrap();
    let later = now() + SignedDuration::from_hours(24 * (RETENTION_DAYS + 1));
    assert_eq!(prune(&db, later).await.unwrap(), 360);
    db.close().await;
}

/// A file that failed and came through seconds later was not given up, however long nothing is rolled up behind it.
#[tokio::test]
async fn a_file_that_came_through_before_a_silence_is_not_lost() {
    let (_folder, db) = db().await;
    let attempt = |second: i64, end| {
        let what = What::Transfer { direction: Direction::Download, bytes: 1, duration: Duration::from_secs(1), end };
        let at = now() + SignedDuration::from_secs(second);
        let detail = Detail::default().file(FileId::of("example.org:21", b"f"));
        Observation { at, detail, ..observation(Protocol::Ftp, Role::Client, what) }
    };
    let mut attempts = rollup::Attempts::default();
    let failed = attempt(0, End::Failed(Phase::Transfer, FaultKind::Reset));
    store::insert(&db, &[failed], 0).await.unwrap();
    rollup::roll(&db, &mut attempts, now()).await.unwrap();
    store::insert(&db, &[attempt(5, End::Clean)], 0).await.unwrap();
    let much_later = now() + SignedDuration::from_hours(9);
    rollup::roll(&db, &mut attempts, much_later).await.unwrap();
    let digest = rollup::read(&db, "FTP", &Window::last(much_later, SignedDuration::from_hours(10))).await.unwrap();
    let files = [rollup::Sum::FilesFirst, rollup::Sum::FilesRetried, rollup::Sum::FilesLost];
    assert_eq!(files.map(|sum| digest.summed(sum)), [0, 1, 0]);
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

/// The same figures whether observations are still single, in minutes, hours or days, and wherever the window begins.
#[tokio::test]
async fn rolling_up_changes_no_figure() {
    let (_folder, db) = db().await;
    let begin: Timestamp = "2026-01-01T00:30:00Z".parse().unwrap();
    let reset = End::Failed(Phase::Transfer, FaultKind::Reset);
    let batch: Vec<_> = (0..3000_i64)
        .map(|i| {
            let end = if i % 50 == 0 { reset } else { End::Clean };
            let what = connection(Some(100 + (i % 700) as u64), (i % 3000) as u64, end);
            let at = begin + SignedDuration::from_secs(i * 67);
            Observation { at, ..observation(Protocol::Sftp, Role::Client, what) }
        })
        .collect();
    let end = batch.last().unwrap().at;
    let windows = [
        Window::last(end, SignedDuration::from_hours(1000)),
        Window { from: begin + SignedDuration::from_mins(95), ..Window::last(end, SignedDuration::ZERO) },
        Window { from: begin, to: begin + SignedDuration::from_mins(1440), role: Some(Role::Client), endpoint: None },
        Window::last(end, SignedDuration::from_hours(30)).at("elsewhere"),
    ];
    let figures = async || {
        let mut all = Vec::new();
        for window in &windows {
            // To the minute, as roll-ups have it.
            let minute = |at: Timestamp| Timestamp::from_second(at.as_second() - at.as_second() % 60).unwrap();
            let window = Window { from: minute(window.from), to: minute(window.to), ..window.clone() };
            all.push(compare(&db, window).await.unwrap().rows.into_iter().map(|row| row.cells).collect::<Vec<_>>());
        }
        all
    };
    let (early, late) = batch.split_at(2000);
    let mut attempts = rollup::Attempts::default();
    store::insert(&db, &batch, 0).await.unwrap();
    let single = figures().await;
    // The last one lies in a minute that is not whole.
    assert_eq!(single[0][0][1].estimate.n, 2999);
    assert!(single[1][0][1].estimate.n < 3000 && single[2][0][1].estimate.n < 1300 && single[3][0][1].estimate.n == 0);
    rollup::roll(&db, &mut attempts, begin).await.unwrap();
    assert_eq!(figures().await, single, "minutes");
    rollup::roll(&db, &mut attempts, begin + SignedDuration::from_hours(20)).await.unwrap();
    assert_eq!(figures().await, single, "some hours");
    rollup::roll(&db, &mut attempts, end + SignedDuration::from_hours(14)).await.unwrap();
    assert_eq!(figures().await, single, "days");
    // What comes late goes into hours and days that are full already.
    store::insert(&db, early, 0).await.unwrap();
    rollup::roll(&db, &mut attempts, end + SignedDuration::from_hours(50)).await.unwrap();
    assert_eq!(compare(&db, windows[0].clone()).await.unwrap().rows[0].cells[1].estimate.n, 5000);
    // Long after, only days are left.
    let later = end + SignedDuration::from_hours(24 * (rollup::KEEP_HOURS + 2));
    assert_eq!(prune(&db, later).await.unwrap(), 5000);
    let left = Window::last(later, SignedDuration::from_hours(24 * 366));
    assert_eq!(compare(&db, left).await.unwrap().rows[0].cells[1].estimate.n, 5000);
    assert_eq!(late.len(), 1000);
    db.close().await;
}

/// One of everything, many times: connections that fail in each way, with and without details, transfers of all sizes and
/// fates, comparisons, files that are tried again and files that are given up.
fn everything(i: i64, at: Timestamp) -> Observation {
    use crate::net::TcpInfo;
    let millis = |n: i64| Duration::from_millis(n.unsigned_abs());
    let phase = Phase::ALL[i.unsigned_abs() as usize % Phase::ALL.len()];
    let kind = FaultKind::ALL[i.unsigned_abs() as usize % FaultKind::ALL.len()];
    let end = match i % 9 {
        0 | 1 => End::Failed(phase, kind),
        2 => End::Failed(Phase::Transfer, FaultKind::Reset),
        3 => End::StillOpen,
        _ => End::Clean,
    };
    let known = |every: i64| (i % every != 0).then_some(());
    let detail = Detail {
        tcp: known(5)
            .map(|()| TcpInfo { min_rtt: Duration::from_micros((i % 7).unsigned_abs() * 900), ..TcpInfo::default() }),
        encrypted: known(4).map(|()| i % 3 != 0),
        post_quantum: known(6).map(|()| i % 2 == 0),
        payload: known(3).map(|()| (i % 4).unsigned_abs() * 5000),
        wire: known(7).map(|()| 30_000),
        round_trips: known(8).map(|()| 9),
        // Every file is tried twice or so, and some fail both times.
        file: known(10).map(|()| FileId::of("here", format!("{}", i / 30).as_bytes())),
        ..Detail::default()
    };
    let what = match i % 5 {
        0 | 1 => What::Connection {
            setup: (i % 11 != 0).then(|| millis(20 + i % 500)),
            phases: vec![(Phase::Connect, millis(3 + i % 9)), (Phase::Login, millis(5 + i % 19))],
            held: millis(i % 90_000),
            end,
        },
        2 | 3 => {
            let bytes = [900, 70_000, 2_000_000, 40_000_000][(i / 5 % 4).unsigned_abs() as usize];
            let (direction, duration) = (Direction::Download, millis(i % 13 * 40));
            What::Transfer { direction, bytes, duration, end }
        }
        _ => {
            let end = if i % 35 == 4 { End::Failed(Phase::Verify, FaultKind::Mismatch) } else { end };
            What::Check { bytes: 77, end }
        }
    };
    let protocol = [Protocol::Ftp, Protocol::Sftp, Protocol::Davs][(i % 3).unsigned_abs() as usize];
    let role = if i % 2 == 0 { Role::Client } else { Role::Door };
    Observation { at, protocol, role, endpoint: format!("h{}:21", i % 2), what, detail }
}

/// The figure as somebody works it out from the observations behind it.
fn worked_out(statistic: &Statistic, rows: &[basis::Traced]) -> Option<f64> {
    use basis::Brought;
    let brought: Vec<_> =
        rows.iter().map(|row| statistic.basis.brings(row).expect("it belongs to the figure")).collect();
    let counted = brought.iter().filter(|one| **one == Brought::Counts(true)).count() as f64;
    let mut values: Vec<_> =
        brought.iter().filter_map(|one| if let Brought::Value(value) = one { Some(*value) } else { None }).collect();
    let held = |rows: &[basis::Traced]| -> f64 {
        let held = |row: &basis::Traced| match &row.observation.what {
            What::Connection { held, .. } => held.as_secs_f64(),
            _ => 0.0,
        };
        rows.iter().map(held).sum()
    };
    let bytes = |row: &basis::Traced| if let What::Transfer { bytes, .. } = row.observation.what { bytes } else { 0 };
    match statistic.unit {
        Unit::Share if values.is_empty() => Some(counted / rows.len() as f64),
        Unit::PerThousand => Some(1000.0 * counted / rows.len() as f64),
        Unit::PerHour => Some(counted / (held(rows) / 3600.0)),
        Unit::PerGib => Some(counted / (rows.iter().map(bytes).sum::<u64>() as f64 / 1_073_741_824.0)),
        _ if matches!(statistic.basis, Basis::Holding | Basis::Recovered) => {
            let lost = |row: &basis::Traced| match statistic.basis {
                Basis::Holding => row.is_loss(),
                _ => !row.file.unwrap().lost,
            };
            let mut held: Vec<_> =
                rows.iter().zip(&values).map(|(row, time)| estimate::Held { time: *time, lost: lost(row) }).collect();
            estimate::median_survival(&estimate::grouped(&mut held)).value
        }
        _ => {
            let p = match statistic.key.rsplit_once('-') {
                Some((_, "p95")) => 0.95,
                Some((_, "p99")) => 0.99,
                _ => 0.5,
            };
            estimate::quantile(&mut values, p).value
        }
    }
}

/// Behind every figure there are as many observations as its n, and they come to its value.
#[tokio::test]
async fn every_figure_has_its_rows() {
    let (_folder, db) = db().await;
    let begin: Timestamp = "2026-01-01T00:30:10Z".parse().unwrap();
    let batch: Vec<_> = (0..6000_i64).map(|i| everything(i, begin + SignedDuration::from_secs(i * 7))).collect();
    let (early, late) = batch.split_at(5500);
    store::insert(&db, early, 0).await.unwrap();
    rollup::roll(&db, &mut rollup::Attempts::default(), early.last().unwrap().at).await.unwrap();
    store::insert(&db, late, 0).await.unwrap();
    let wide = widened(&db, &Window::last(batch[5990].at, SignedDuration::from_hours(9))).await.unwrap();
    let narrow = Window { role: Some(Role::Client), ..wide.clone() }.at("h0:21");
    let mut seen = std::collections::BTreeSet::new();
    for window in [wide, narrow] {
        let compared = compare(&db, window.clone()).await.unwrap();
        for row in &compared.rows {
            for cell in &row.cells {
                let filter = basis::Filter {
                    basis: Some(row.statistic.basis),
                    family: Some(cell.family.to_owned()),
                    ..basis::Filter::of(window.clone())
                };
                let key = row.statistic.key;
                let kept = basis::kept(&db, &filter).await.unwrap();
                assert_eq!((kept.count, kept.more), (cell.estimate.n, false), "{key} of {}", cell.family);
                let mut rows = Vec::new();
                while let Some(more) =
                    Some(basis::traced(&db, &filter, place(&rows), 500).await.unwrap()).filter(|m| !m.is_empty())
                {
                    rows.extend(more);
                }
                assert_eq!(rows.len() as u64, cell.estimate.n, "{key} of {}, page by page", cell.family);
                assert!(rows.is_sorted_by(|a, b| (a.observation.at, a.id) > (b.observation.at, b.id)));
                let Some(shown) = cell.estimate.value else { continue };
                seen.insert(key);
                let found = worked_out(row.statistic, &rows).unwrap();
                // A histogram's bin is 2 % wide.
                let near = (found - shown).abs() <= 0.021 * shown.abs();
                assert!(near, "{key} of {}: {shown} is shown, the rows come to {found}", cell.family);
            }
        }
    }
    let without: Vec<_> = STATISTICS.iter().map(|s| s.key).filter(|key| !seen.contains(key)).collect();
    assert!(
        without.iter().all(|key| ["resolve", "banner", "tls", "ready"].iter().any(|part| key.starts_with(part))),
        "{without:?}"
    );
    db.close().await;
}

fn place(rows: &[basis::Traced]) -> Option<basis::Place> {
    rows.last().map(|last| basis::Place { at: last.observation.at, id: last.id })
}

/// What has expired is not there any more, and it is known since when.
#[tokio::test]
async fn what_was_removed_is_missing_behind_its_figure() {
    let (_folder, db) = db().await;
    let begin: Timestamp = "2026-01-01T00:00:10Z".parse().unwrap();
    let batch: Vec<_> = (0..200_i64)
        .map(|i| Observation {
            at: begin + SignedDuration::from_hours(4 * i),
            ..observation(Protocol::Sftp, Role::Client, connection(Some(100), 9, End::Clean))
        })
        .collect();
    store::insert(&db, &batch, 0).await.unwrap();
    let now = batch.last().unwrap().at;
    rollup::roll(&db, &mut rollup::Attempts::default(), now).await.unwrap();
    prune(&db, now).await.unwrap();
    let window = widened(&db, &Window::last(now, SignedDuration::from_hours(9000))).await.unwrap();
    let figure = cell(&compare(&db, window.clone()).await.unwrap(), "setup-median", "SFTP");
    let kept =
        basis::kept(&db, &basis::Filter { basis: Some(Basis::Setup), ..basis::Filter::of(window) }).await.unwrap();
    assert_eq!((figure.n, kept.count), (200, 1 + 24 * RETENTION_DAYS.unsigned_abs() / 4));
    assert_eq!(kept.since, Some(now - SignedDuration::from_hours(24 * RETENTION_DAYS)));
    db.close().await;
}

/// What each endpoint bore is told apart by its side and its name, also while nothing is rolled up.
#[tokio::test]
async fn concurrency_is_of_one_endpoint() {
    let (_folder, db) = db().await;
    let at: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let held = |role, endpoint: &str, seconds: u64| Observation {
        at: at + SignedDuration::from_secs(seconds as i64),
        protocol: Protocol::Ftp,
        role,
        endpoint: endpoint.into(),
        what: What::Connection {
            setup: Some(Duration::from_millis(50)),
            phases: Vec::new(),
            held: Duration::from_secs(100),
            end: End::Clean,
        },
        detail: Detail::default(),
    };
    let full = Observation {
        // Soon after the three were held together for long enough.
        at: at - SignedDuration::from_secs(80),
        what: What::never_ready(&Fault::new(Phase::Login, FaultKind::Limit, "421")),
        ..held(Role::Client, "a:21", 5)
    };
    let mut batch: Vec<_> = (0..3).map(|seconds| held(Role::Client, "a:21", seconds)).collect();
    batch.extend([full, held(Role::Client, "b:21", 1), held(Role::Door, "a:21", 1), held(Role::Door, "a:21", 500)]);
    store::insert(&db, &batch, 0).await.unwrap();
    let window = Window::last(at + SignedDuration::from_hours(1), SignedDuration::from_hours(2));
    let found = concurrency::concurrency(&db, "FTP", &window).await.unwrap();
    let of = |role, endpoint: &str| found.get(&(role, endpoint.to_owned())).map(|one| (one.most, one.n, one.limit));
    assert_eq!(of(Role::Client, "a:21"), Some((3, 3, concurrency::Limit::Said)));
    assert_eq!(of(Role::Client, "b:21"), Some((1, 1, concurrency::Limit::Unasked)));
    assert_eq!((of(Role::Door, "a:21"), of(Role::Door, "b:21")), (Some((1, 2, concurrency::Limit::Unasked)), None));
    db.close().await;
}
