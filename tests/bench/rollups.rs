//! How long the pages' questions take over a year of a million observations a day: the comparison from roll-ups, and
//! objectives and limits of every endpoint from roll-ups and single observations:
//! `cargo run --release --example rollups`.
//!
//! Twenty endpoints; each day of each holds what fifty thousand observations come to. Minutes are there for three days,
//! hours for a hundred, days for the whole year, as the service keeps them. Of single observations the newest day is there,
//! a quarter of them connections: more of those than the page looks at.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a command that prints what it measured"
)]

use std::time::{Duration, Instant};

use causeway::db::Db;
use causeway::model::{FaultKind, Phase};
use causeway::net::TcpInfo;
use causeway::reliability::concurrency::concurrency;
use causeway::reliability::objective::{Objective, standing};
use causeway::reliability::rollup::{DAY, Digest, HOUR, KEEP_HOURS, KEEP_MINUTES, MINUTE, Sum, encode};
use causeway::reliability::{
    Column, Detail, Direction, End, FAMILIES, RETENTION_DAYS, Role, What, Window, compare_columns, sources, widened,
};
use jiff::{SignedDuration, Timestamp};

const ENDPOINTS: i64 = 20;
const A_DAY: u64 = 1_000_000 / 20;
const DAYS: i64 = 366;
const TURNS: usize = 9;
/// Connections of one endpoint on the newest day.
const CONNECTIONS: u64 = A_DAY / 4;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
    let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
    let begun = Instant::now();
    fill(&db, now).await;
    let size = std::fs::metadata(folder.path().join("causeway.db")).unwrap().len();
    println!("filled in {:.0} s, {} MB", begun.elapsed().as_secs_f64(), size / 1_000_000);
    for (name, hours) in [("hour", 1), ("day", 24), ("30 days", 720), ("year", 8760)] {
        let mut times = Vec::new();
        let mut n = 0;
        for _ in 0..TURNS {
            let window = Window::last(now, SignedDuration::from_hours(hours));
            let columns: Vec<_> = FAMILIES
                .into_iter()
                .flat_map(|family| [Role::Client, Role::Door].map(|role| Column { family, role: Some(role) }))
                .collect();
            let begun = Instant::now();
            let seen = sources(&db, &window).await.unwrap();
            let compared = compare_columns(&db, window, &columns).await.unwrap();
            times.push(begun.elapsed());
            n = compared.rows[0].cells.iter().map(|cell| cell.estimate.n).sum::<u64>();
            assert_eq!(seen.len(), 20);
        }
        println!("{name:<8} {}; {n} connection attempts", told(&mut times));
    }
    let mut times = Vec::new();
    for _ in 0..TURNS {
        let begun = Instant::now();
        limits(&db, now).await;
        times.push(begun.elapsed());
    }
    println!("limits   {}; objectives and highest concurrency of {ENDPOINTS} endpoints", told(&mut times));
    db.close().await;
}

fn told(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    format!("{:>6.0} ms, at worst {:>6.0} ms", millis(times[TURNS / 2]), millis(times[TURNS - 1]))
}

/// What the page of objectives and limits asks.
async fn limits(db: &Db, now: Timestamp) {
    let kept = Window::last(now, SignedDuration::from_hours(24 * RETENTION_DAYS));
    let kept = widened(db, &kept).await.unwrap();
    let mut borne = 0;
    for family in FAMILIES {
        borne += concurrency(db, family, &kept).await.unwrap().len();
    }
    assert_eq!(borne, usize::try_from(ENDPOINTS).unwrap());
    let month = Window::last(now, SignedDuration::from_hours(24 * 30));
    for source in sources(db, &month).await.unwrap() {
        let place = (source.family.as_str(), source.role, source.endpoint.as_str());
        let stands = standing(db, Objective::default(), now, place).await.unwrap();
        assert!(stands.availability.enough);
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap()
}

async fn fill(db: &Db, now: Timestamp) {
    let now = now.as_microsecond();
    for endpoint in 0..ENDPOINTS {
        let family = FAMILIES[usize::try_from(endpoint).unwrap() % 3];
        let role = if endpoint % 2 == 0 { "client" } else { "door" };
        let (day, hour, minute) =
            (digest(A_DAY, endpoint), digest(A_DAY / 24, endpoint), digest(A_DAY / 1440, endpoint));
        let mut tx = db.write().await.unwrap();
        sqlx::query("INSERT INTO series (id, family, role, endpoint) VALUES (?, ?, ?, ?)")
            .bind(endpoint)
            .bind(family)
            .bind(role)
            .bind(format!("server-{endpoint}.example.org:21"))
            .execute(&mut *tx)
            .await
            .unwrap();
        for (span, days, digest) in [(DAY, DAYS, &day), (HOUR, KEEP_HOURS, &hour), (MINUTE, KEEP_MINUTES, &minute)] {
            let (from, bytes) = ((now - days * DAY) / span * span, encode(digest));
            sqlx::query(
                "WITH RECURSIVE n (at) AS (SELECT ?1 UNION ALL SELECT at + ?2 FROM n WHERE at + ?2 < ?3) \
                 INSERT INTO rollups (span, series, at, digest, connections, transfers, failed, stood, resets) \
                 SELECT ?2, ?4, at, ?5, ?6, ?7, ?8, ?6, 0 FROM n",
            )
            .bind(from)
            .bind(span)
            .bind(now / span * span)
            .bind(endpoint)
            .bind(&bytes)
            .bind(whole(digest.connections().map(|(_, count)| count).sum()))
            .bind(whole(digest.transfers().map(|(_, count)| count).sum()))
            .bind(whole(digest.transfers().filter(|(ended, _)| ended.failed.is_some()).map(|(_, count)| count).sum()))
            .execute(&mut *tx)
            .await
            .unwrap();
        }
        // One each some seconds, held for a minute: some ten together.
        sqlx::query(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) \
             INSERT INTO observations (at, kind, family, protocol, role, endpoint, ended, setup, lasted) \
             SELECT ?2 - i * ?3, 'connection', ?4, 'ftp', ?5, ?6, 'clean', 200000, 60000000 FROM n",
        )
        .bind(whole(CONNECTIONS))
        .bind(now)
        .bind(DAY / whole(CONNECTIONS))
        .bind(family)
        .bind(role)
        .bind(format!("server-{endpoint}.example.org:21"))
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        if endpoint == 0 {
            let [day, hour, minute] = [day, hour, minute].map(|digest| encode(&digest).len());
            println!("a day takes {day} bytes, an hour {hour}, a minute {minute}");
        }
    }
    let mut tx = db.write().await.unwrap();
    for span in [DAY, HOUR] {
        sqlx::query("INSERT INTO rollup_marks (span, mark) VALUES (?, ?)")
            .bind(span)
            .bind(now / span * span)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// What so many observations come to: times over three decades, four sizes, some failures.
fn digest(observations: u64, seed: i64) -> Digest {
    let mut digest = Digest::default();
    let mut state = u64::try_from(seed).unwrap() + 1;
    let mut unit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as f64 + 0.5) / (1_u64 << 31) as f64
    };
    let mut spread = |median: f64| {
        let normal = (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos();
        Duration::from_secs_f64(median * (0.8 * normal).exp())
    };
    for number in 0..observations.max(2) {
        let failed = number % 200 == 7;
        let end = if failed { End::Failed(Phase::Transfer, FaultKind::Reset) } else { End::Clean };
        if number % 4 == 0 {
            let phases = [Phase::Resolve, Phase::Connect, Phase::Banner, Phase::Tls, Phase::Login, Phase::Command];
            let phases = phases.map(|phase| (phase, spread(0.02))).to_vec();
            let tcp = Some(TcpInfo { min_rtt: spread(0.02), ..TcpInfo::default() });
            let wire = Some(1_000_000 + u64::try_from(spread(0.05).as_micros()).unwrap());
            let detail = Detail {
                encrypted: Some(true),
                post_quantum: Some(number % 8 == 0),
                payload: Some(1_000_000),
                wire,
                round_trips: Some(20),
                tcp,
                ..Detail::default()
            };
            digest.add(&What::Connection { setup: Some(spread(0.2)), phases, held: spread(100.0), end }, &detail);
        } else {
            let bytes = [10_000, 200_000, 5_000_000, 50_000_000][usize::try_from(number / 4 % 4).unwrap()];
            let what = What::Transfer { direction: Direction::Download, bytes, duration: spread(1.0), end };
            digest.add(&what, &Detail::default());
            digest.sum(Sum::FilesFirst, 1);
        }
    }
    digest
}
