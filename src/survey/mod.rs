//! A polite survey of a tree that is to be migrated, which ends in one [`Report`]: what the server can do and how that
//! is known, what there is, what cannot be carried over and why, and how long a mirror would take.
//!
//! It changes nothing. It uses few connections, rests after each answer as long as the answer took, reads a few small
//! files and pieces of the largest (14 MiB at most), and ends when its time is over. Its memory is bounded whatever the
//! tree holds: sums and classes, the few that stand out, and the names of the folders that are being read.
//!
//! [`walk`] reads, [`census`] and [`names`] count, [`sample`] measures, [`eta`] reckons, [`findings`] draws conclusions,
//! and [`usage`] reads the logs of the server, where there are any.

mod bounded;
pub mod census;
pub mod charset;
pub mod clock;
mod desk;
pub mod eta;
pub mod findings;
pub mod histogram;
pub mod names;
mod progress;
mod report;
mod sample;
mod store;
pub mod usage;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use encoding_rs::Encoding;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use desk::{State, Stored, SurveyError, Surveys};
pub use progress::{Progress, Snapshot, Stage};
pub use report::{Doubtful, Report, Stopped, Trouble, Unread, Why};

use census::{Counter, shown};
use eta::{Load, Model};
use findings::Seen;
use walk::{Walk, Walked};

use crate::model::{Clock, Endpoint, RelPath};
use crate::remote::{Remote, Samples, Traits};
use sample::Costs;

/// Assumed of a run: seconds until it lists, and after its last file; so long a run of one small file takes nearby.
const HERE_PER_RUN: f64 = 0.3;
/// Assumed of a target on a local disk: what a file costs, one after the other, with its journal and its sync.
const HERE_PER_FILE: f64 = 0.001;
/// Assumed of a target on a local disk: bytes per second that are hashed and written.
const HERE_RATE: f64 = 400e6;

/// How much may be asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub connections: u16,
    /// How long it may take until no more folders are read.
    pub time: Duration,
    /// How many entries may be seen until no more folders are read.
    pub entries: u64,
    /// The longest rest after an answer; it is never longer than the answer took.
    pub rest: Duration,
    /// How long after a failure a folder is tried again; the next time it is twice as long.
    pub again: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let (rest, again) = (Duration::from_millis(250), Duration::from_secs(1));
        Self { connections: 2, time: Duration::from_secs(3600), entries: 20_000_000, rest, again }
    }
}

/// What is to be surveyed.
#[derive(Clone)]
pub struct Order {
    /// Open already.
    pub remote: Arc<dyn Remote>,
    /// Where it is, for the report and its options.
    pub endpoint: Endpoint,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How much may be asked.
    pub limits: Limits,
}

/// Surveys. What goes wrong on the way is in the report.
pub async fn run(order: &Order, progress: &Progress, stop: &CancellationToken) -> Report {
    let (begun, started) = (Instant::now(), order.clock.now());
    let label = order.endpoint.options.charset.as_deref();
    let named = label.and_then(|label| Encoding::for_label(label.as_bytes()));
    progress.enter(Stage::Listing);
    let walked = Walk::new(order, Counter::new(started, named), progress, stop).run().await;
    progress.enter(Stage::Asking);
    let Walked { counter, clock, small, dotted, unread, doubtful, stopped, busy, listed, levels } = walked;
    let remote = order.remote.as_ref();
    let asks = !stop.is_cancelled() && unread.gone.is_none();
    let large: Vec<(RelPath, u64)> = counter.largest().map(|(path, size)| (path.clone(), size)).collect();
    let (costs, server, clock) = if asks {
        let costs = sample::read(remote, &small, &large, order.limits.connections > 1).await;
        // The longest of them tells most when it is read from its middle on.
        let file = small.iter().max_by_key(|file| file.size).cloned();
        let samples = Samples { file, dotted };
        (costs, remote.traits(&samples).await, of_clock(remote, &clock, order).await)
    } else {
        (Costs::default(), Traits::default(), clock::Verdict::Silent)
    };
    let (census, names, evidence) = counter.finish();
    let model = model(&server, &costs, busy, listed);
    let load = Load { folders: census.folders, levels, sizes: census.sizes.bins() };
    let estimate = eta::estimate(model, load, server.connections.limit);
    let verdict = evidence.verdict();
    let failed: Vec<_> = costs.failed.iter().map(|(path, fault)| format!("{}: {fault}", shown(path))).collect();
    let findings = findings::draw(&Seen {
        stopped: stopped.as_ref(),
        unread: &unread,
        doubtful: &doubtful,
        census: &census,
        names: &names,
        charset: &verdict,
        server: &server,
        clock: &clock,
        failed: &failed,
    });
    progress.enter(Stage::Done);
    let cut = stopped.is_some() || unread.count > 0 || unread.not_entered > 0 || doubtful.hiding > 0;
    Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        endpoint: order.endpoint.url(),
        started,
        seconds: begun.elapsed().as_secs_f64(),
        connections: order.limits.connections,
        whole: !cut,
        stopped,
        unread,
        doubtful,
        server,
        clock,
        charset: charset::sentence(&verdict),
        census,
        names,
        findings,
        estimate,
        usage: None,
    }
}

async fn of_clock(remote: &dyn Remote, sample: &clock::Sample, order: &Order) -> clock::Verdict {
    match sample.ask(remote, &order.endpoint.options.zone.clone().unwrap_or_default()).await {
        clock::Verdict::Silent => sample.compare(remote).await,
        told => told,
    }
}

/// What was measured, as the estimate wants it.
fn model(server: &Traits, costs: &Costs, busy: Duration, listed: u64) -> Model {
    let round_trip = server.round_trip().unwrap_or_default().as_secs_f64();
    let model = Model {
        round_trip,
        round_trips_small: server.round_trips_small.unwrap_or_default(),
        round_trips_large: server.round_trips_large.unwrap_or_default(),
        handling: 0.0,
        timed_files: costs.small.len() as u64,
        goodput_one: costs.one,
        goodput_two: costs.two,
        burst: costs.burst,
        per_folder: busy.as_secs_f64() / listed.max(1).as_f64(),
        setup: server.setup.map_or(0.0, |micros| Duration::from_micros(micros).as_secs_f64()),
        here_per_run: HERE_PER_RUN,
        here_per_file: HERE_PER_FILE,
        here_rate: HERE_RATE,
    };
    // The first of them came while it was still being found out what the server bears.
    let last = costs.small.iter().skip(costs.small.len() * 2 / 3);
    let beyond = last.map(|small| {
        // Few files may all have come before it was tried whether the server connects to us.
        let trips = if small.ahead { model.round_trips_small } else { model.round_trips_large };
        small.took - model.sending(small.size.as_f64()) - trips * round_trip
    });
    let Some(beyond) = sample::median(beyond.collect()) else { return model };
    // Where the server ends a transfer without waiting for us, one round trip fewer is enough.
    let spared = if beyond < 0.0 && round_trip > 0.0 { -beyond / round_trip } else { 0.0 };
    let round_trips_small = (model.round_trips_small - spared).max(model.round_trips_small.min(1.0));
    Model { round_trips_small, handling: beyond.max(0.0), ..model }
}

/// Counts as numbers to reckon with.
trait AsF64 {
    fn as_f64(&self) -> f64;
}

impl AsF64 for u64 {
    #[expect(clippy::cast_precision_loss, reason = "an estimate needs no 53 bits")]
    fn as_f64(&self) -> f64 {
        *self as f64
    }
}

#[cfg(test)]
mod tests;
