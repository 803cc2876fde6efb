//! The figures once more, from the single observations: no roll-up, no histogram, and none of the code that counts for
//! them. Only the estimators are the same, and those are held to other tools by `agree.py`.

use std::collections::HashMap;
use std::time::Duration;

use causeway::model::{FaultKind, Phase};
use causeway::reliability::estimate::{Held, grouped, median_survival, poisson_rate, quantile, wilson};
use causeway::reliability::{End, Estimate, FileId, Observation, What};
use jiff::Timestamp;

/// A connection that became ready.
struct Ready<'a> {
    setup: Duration,
    phases: &'a [(Phase, Duration)],
    held: Duration,
    end: End,
    of: &'a Observation,
}

fn ready(seen: &[Observation]) -> Vec<Ready<'_>> {
    let found = seen.iter().filter_map(|of| match &of.what {
        What::Connection { setup: Some(setup), phases, held, end } => {
            Some(Ready { setup: *setup, phases, held: *held, end: *end, of })
        }
        _ => None,
    });
    found.collect()
}

fn is_reset(end: End) -> bool {
    matches!(end, End::Failed(_, FaultKind::Reset))
}

/// What a statistic says of `seen`, in which nothing failed by anybody's wish.
pub fn exact(key: &str, seen: &[Observation]) -> Estimate {
    let ready = ready(seen);
    let resets = ready.iter().filter(|one| is_reset(one.end)).count() as u64;
    let tried = seen.iter().filter(|one| matches!(one.what, What::Connection { .. })).count() as u64;
    let became = ready.len() as u64;
    match key {
        "connection-success" | "availability" => wilson(became, tried),
        "burn-rate" => wilson(tried - became, tried).scaled(200.0),
        "resets" => poisson_rate(resets, became as f64 / 1000.0, became),
        "resets-per-hour" => {
            let held: u128 = ready.iter().map(|one| one.held.as_micros()).sum();
            poisson_rate(resets, held as f64 / 3.6e9, became)
        }
        "encrypted" => wilson(count(&ready, |one| one.of.detail.encrypted == Some(true)), became),
        "post-quantum" => {
            let safe = count(&ready, |one| one.of.detail.post_quantum == Some(true));
            wilson(safe, count(&ready, |one| one.of.detail.encrypted == Some(true)))
        }
        "hold-time" => {
            let held = |one: &Ready<'_>| Held { time: one.held.as_secs_f64(), lost: is_reset(one.end) };
            median_survival(&grouped(&mut ready.iter().map(held).collect::<Vec<_>>()))
        }
        "transfer-errors" | "errors-per-gib" | "corruption" => of_files(key, seen),
        "file-errors" | "recovery" => after_retries(key, seen),
        _ => quantile(&mut values(key, seen, &ready), share(key)),
    }
}

fn count(ready: &[Ready<'_>], wanted: impl Fn(&Ready<'_>) -> bool) -> u64 {
    ready.iter().filter(|one| wanted(one)).count() as u64
}

fn share(key: &str) -> f64 {
    match key.rsplit_once('-') {
        Some((_, "p95")) => 0.95,
        Some((_, "p99")) => 0.99,
        _ => 0.5,
    }
}

fn of_files(key: &str, seen: &[Observation]) -> Estimate {
    let (mut moved, mut failed, mut clean, mut other, mut same) = (0, 0, 0, 0, 0);
    for observation in seen {
        match observation.what {
            What::Transfer { bytes, end, .. } => {
                moved += bytes;
                *(if end == End::Clean { &mut clean } else { &mut failed }) += 1;
            }
            What::Check { end, .. } => *(if end == End::Clean { &mut same } else { &mut other }) += 1,
            What::Connection { .. } => {}
        }
    }
    match key {
        "corruption" => wilson(other, other + same),
        "transfer-errors" => wilson(failed, failed + clean),
        _ => poisson_rate(failed, moved as f64 / f64::from(1 << 30), failed + clean),
    }
}

/// The attempts at each file, in their order: the last one says what became of it.
fn after_retries(key: &str, seen: &[Observation]) -> Estimate {
    let mut files: HashMap<FileId, Vec<(Timestamp, End)>> = HashMap::new();
    for observation in seen {
        if let (What::Transfer { end, .. }, Some(file)) = (&observation.what, observation.detail.file) {
            files.entry(file).or_default().push((observation.at, *end));
        }
    }
    let lost = |attempts: &[(Timestamp, End)]| attempts.last().is_some_and(|(_, end)| *end != End::Clean);
    if key == "file-errors" {
        return wilson(files.values().filter(|attempts| lost(attempts)).count() as u64, files.len() as u64);
    }
    let failed = files.values().filter(|attempts| attempts[0].1 != End::Clean);
    let mut took: Vec<_> = failed
        .map(|attempts| {
            let time = attempts[attempts.len() - 1].0.duration_since(attempts[0].0).as_secs_f64();
            // What is lost to a survival curve is the failure, when the file came through.
            Held { time, lost: !lost(attempts) }
        })
        .collect();
    median_survival(&grouped(&mut took))
}

fn values(key: &str, seen: &[Observation], ready: &[Ready<'_>]) -> Vec<f64> {
    let name = key.rsplit_once('-').map_or(key, |(name, _)| name);
    if let Some((phase, ..)) = super::scenarios::PHASES.iter().find(|phase| phase.1 == name) {
        let part = |one: &Ready<'_>| one.phases.iter().find(|part| part.0 == *phase).map(|part| part.1.as_secs_f64());
        return ready.iter().filter_map(part).collect();
    }
    let of_ready = |value: &dyn Fn(&Ready<'_>) -> Option<f64>| ready.iter().filter_map(value).collect();
    let rate = |from: u64, below: u64| {
        let one = |observation: &Observation| match observation.what {
            What::Transfer { bytes, duration, end: End::Clean, .. } if (from..below).contains(&bytes) => {
                Some(bytes as f64 / duration.as_secs_f64())
            }
            _ => None,
        };
        seen.iter().filter_map(one).collect()
    };
    match key {
        "setup-median" | "setup-p95" | "setup-p99" => of_ready(&|one| Some(one.setup.as_secs_f64())),
        "rtt" => of_ready(&|one| Some(one.of.detail.tcp?.min_rtt.as_secs_f64())),
        "overhead" => of_ready(&|one| {
            let payload = one.of.detail.payload? as f64;
            Some((one.of.detail.wire? as f64 - payload) / payload)
        }),
        "round-trips" => of_ready(&|one| one.of.detail.round_trips.map(f64::from)),
        "throughput" => rate(1 << 16, u64::MAX),
        "throughput-small" => rate(0, 1 << 16),
        "throughput-64k" => rate(1 << 16, 1 << 20),
        "throughput-1m" => rate(1 << 20, 1 << 24),
        "throughput-16m" => rate(1 << 24, u64::MAX),
        other => panic!("nobody knows what {other} is of"),
    }
}

/// How far a figure may be from that of the single observations, as a share of it: none, or what a histogram's bin of 2 %
/// allows.
pub fn bound(key: &str) -> f64 {
    let counted = [
        "connection-success",
        "availability",
        "burn-rate",
        "resets",
        "resets-per-hour",
        "encrypted",
        "post-quantum",
        "transfer-errors",
        "errors-per-gib",
        "corruption",
        "file-errors",
        "paired-difference",
        "paired-ratio",
        "paired-shares",
    ];
    if counted.contains(&key) { 1e-9 } else { 0.02 }
}
