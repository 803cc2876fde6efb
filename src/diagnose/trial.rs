//! "Try this remedy": the step that showed the trouble once more, without the remedy and with it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::bench::{Bench, Progress};
use super::evidence::{Fact, Keep, Seen, Way};
use super::step::{Step, channel, hold, ramp, segments};
use super::{Order, Report};
use crate::manners::Remedy;
use crate::model::{Fault, FaultKind, Phase};

/// Segments that fit through every tunnel, as a copy uses them, in bytes.
const SHORT: u32 = 1200;

/// A remedy, and what was seen without it and with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trial {
    /// What was tried.
    pub remedy: Remedy,
    /// Without it.
    pub before: Vec<Seen>,
    /// With it.
    pub after: Vec<Seen>,
    /// The trouble was there without it, and not with it.
    pub helps: bool,
}

/// Tries every remedy of `report` once, each on a bench of its own, until it is told to `stop`. One whose endpoint cannot be
/// looked at any more is left out.
pub async fn run(order: &Order, report: &Report, stop: &CancellationToken) -> Vec<Trial> {
    let mut trials = Vec::new();
    for remedy in report.findings.iter().flat_map(|found| &found.remedies) {
        let progress = Arc::default();
        let tried = tokio::select! {
            () = stop.cancelled() => return trials,
            tried = Box::pin(attempt(order, report, *remedy, &progress)) => tried,
        };
        match tried {
            Ok(trial) => trials.push(trial),
            Err(fault) => tracing::warn!(%fault, %remedy, "a remedy could not be tried"),
        }
    }
    trials
}

/// Tries one remedy of `report`.
///
/// # Errors
/// When the endpoint is not one that can be looked at; when it takes too long.
pub async fn attempt(order: &Order, report: &Report, remedy: Remedy, progress: &Arc<Progress>) -> Result<Trial, Fault> {
    // Its packets are those of the report that it is of.
    let order = &Order { captures: None, ..order.clone() };
    let bench = Bench::new(order, Arc::clone(progress)).await?;
    // A server that sends a byte now and then would hold it for ever.
    let bound = order.limits.time.saturating_add(Duration::try_from_secs_f64(age(report)).unwrap_or_default());
    let late = || Fault::new(Phase::Command, FaultKind::Timeout, "the trial did not end in time");
    timeout(bound, Box::pin(tried(&bench, report, remedy))).await.map_err(|_| late())
}

async fn tried(bench: &Bench, report: &Report, remedy: Remedy) -> Trial {
    for step in [Step::Names, Step::Connect, Step::Login, Step::Channel, Step::Listing] {
        // Only one of them asks for a file.
        if step > Step::Login && remedy != Remedy::ShortSegments {
            continue;
        }
        bench.enter(step);
        step.look(bench).await;
    }
    Box::pin(one(bench, report, remedy)).await
}

async fn one(bench: &Bench, report: &Report, remedy: Remedy) -> Trial {
    let from = bench.evidence().len();
    let turn = without(bench, report, remedy).await;
    let parted = bench.evidence().len();
    with(bench, remedy).await;
    let looks = bench.evidence().into_iter().skip(from);
    let (before, after): (Vec<Seen>, Vec<Seen>) = looks.partition(|seen| match turn {
        Turn::After => seen.id <= parted,
        // Both waited at the same time, and came in any order.
        Turn::Together => matches!(seen.fact, Fact::Held { keep: Keep::Nothing, .. }),
    });
    let failed = |seen: &Seen| seen.fact.outcome().is_some_and(|outcome| !outcome.is_well());
    let told = |all: &[Seen]| all.iter().any(|seen| seen.fact.outcome().is_some());
    let helps = before.iter().any(failed) && told(&after) && !after.iter().any(failed);
    Trial { remedy, before, after, helps }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    After,
    Together,
}

/// For so long a connection is left idle: longer than the longest that died.
fn age(report: &Report) -> f64 {
    let died = report.evidence.iter().filter_map(|seen| match &seen.fact {
        Fact::Held { keep: Keep::Nothing, seconds, outcome, .. } if !outcome.is_well() => Some(*seconds),
        _ => None,
    });
    died.fold(1.0, f64::max) * 1.2 + 1.0
}

async fn without(bench: &Bench, report: &Report, remedy: Remedy) -> Turn {
    match remedy {
        Remedy::Keepalive { seconds } => {
            let kept = Keep::Keepalive(seconds.into());
            bench.enter(Step::Hold);
            hold::round(bench, vec![(Keep::Nothing, age(report)), (kept, age(report))]).await;
            return Turn::Together;
        }
        Remedy::Rest { seconds } => {
            bench.enter(Step::Hold);
            let rest = f64::from(seconds.max(1));
            hold::round(bench, vec![(Keep::Nothing, age(report)), (Keep::Noop(seconds.max(1).into()), rest)]).await;
            return Turn::Together;
        }
        Remedy::Connections { most } => {
            bench.enter(Step::Ramp);
            ramp::up_to(bench, most.saturating_add(2)).await;
        }
        Remedy::ShortSegments => {
            bench.enter(Step::Segments);
            segments::fetch(bench, None).await;
        }
        Remedy::Pasv => {
            bench.enter(Step::Channel);
            channel::try_way(bench, Way::Epsv).await;
        }
        Remedy::PeerAddress => {
            bench.enter(Step::Channel);
            channel::try_way(bench, Way::Announced).await;
        }
    }
    Turn::After
}

async fn with(bench: &Bench, remedy: Remedy) {
    match remedy {
        Remedy::Keepalive { .. } | Remedy::Rest { .. } => {}
        Remedy::Connections { most } => ramp::up_to(bench, most).await,
        Remedy::ShortSegments => {
            segments::fetch(bench, Some(SHORT)).await;
        }
        Remedy::Pasv | Remedy::PeerAddress => {
            channel::try_way(bench, Way::Pasv).await;
        }
    }
}
