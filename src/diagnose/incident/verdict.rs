//! Observations as evidence, and what the rules conclude from it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Likeness;
use crate::diagnose::evidence::{Fact, Greeting, Keep, Moved, Outcome, Seen, Way};
use crate::diagnose::finding::Finding;
use crate::diagnose::rule;
use crate::diagnose::step::Step;
use crate::model::{FaultKind, Phase, Protocol};
use crate::reliability::{Detail, End, Observation, Role, What};

/// Causes that say of a server that nobody reaches it.
const NOTHING_WORKS: [&str; 5] = ["no-name", "dropped", "closed-port", "turned-away", "not-ftp"];
/// An idle connection tells something from here on.
const IDLE: Duration = Duration::from_secs(2);

/// What the rules say of an incident, and what they say it from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// What was found, the surest first. None: no rule knows it.
    pub findings: Vec<Finding>,
    /// What was seen; times are seconds since the first of it.
    pub evidence: Vec<Seen>,
    /// For each line of evidence, the observation that it comes from.
    pub observations: Vec<Observed>,
}

/// One observation of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub at: Timestamp,
}

impl Verdict {
    /// Of observations of the place of `like`, in their order. What does not rest on a fault of this likeness is about
    /// something else that happens there, and what says that nothing works is not said where something did.
    #[must_use]
    pub fn of<'a>(like: &Likeness, seen: impl IntoIterator<Item = &'a (i64, Observation)>) -> Self {
        let (mut verdict, mut ours, mut ready) = (Self::default(), Vec::new(), false);
        let (mut first, mut protocol) = (None, Protocol::Local);
        for (id, one) in seen {
            let from = *first.get_or_insert(one.at);
            // What goes wrong at a door is not cured at a server's settings.
            protocol = if one.role == Role::Client { one.protocol } else { Protocol::Local };
            let is_like = Likeness::of(one).as_ref() == Some(like);
            ready |= matches!(one.what, What::Connection { setup: Some(_), .. });
            let at = Duration::try_from(one.at.duration_since(from)).unwrap_or_default().as_secs_f64();
            for (step, fact) in facts(one) {
                let seen = Seen { id: verdict.evidence.len() + 1, step, at, against: one.endpoint.clone(), fact };
                if is_like {
                    ours.push(seen.id);
                }
                verdict.evidence.push(seen);
                verdict.observations.push(Observed { id: *id, at: one.at });
            }
        }
        let mut findings = rule::judge_of(protocol, &verdict.evidence);
        findings.retain(|found| found.evidence.iter().any(|id| ours.contains(id)));
        findings.retain(|found| !ready || !NOTHING_WORKS.contains(&&*found.cause));
        verdict.findings = findings;
        verdict
    }

    /// The first finding, or that there is none, as a sentence without its end.
    #[must_use]
    pub fn line(&self) -> String {
        match self.findings.first() {
            Some(found) => format!("{} ({})", found.sentence, found.confidence.word()),
            None => "what was observed does not tell why".to_owned(),
        }
    }

    /// The lines of evidence with these numbers, and the observations behind them.
    pub fn lines<'a>(&'a self, ids: &'a [usize]) -> impl Iterator<Item = (&'a Seen, Observed)> {
        ids.iter().filter_map(|id| {
            let index = id.checked_sub(1)?;
            Some((self.evidence.get(index)?, *self.observations.get(index)?))
        })
    }
}

/// What one observation shows; of what is not known nothing is made up.
fn facts(seen: &Observation) -> Vec<(Step, Fact)> {
    let outcome = outcome(seen);
    match &seen.what {
        What::Connection { setup, phases, end, .. } => connection(seen, (*setup, phases), *end, outcome),
        What::Transfer { bytes, end, .. } => transfer(*bytes, *end, outcome),
        What::Check { .. } => Vec::new(),
    }
}

fn outcome(seen: &Observation) -> Outcome {
    let took = match &seen.what {
        What::Connection { setup, .. } => setup.unwrap_or_default(),
        What::Transfer { duration, .. } => *duration,
        What::Check { .. } => Duration::ZERO,
    };
    match seen.what.end() {
        End::Failed(_, kind) => Outcome { failed: Some(kind), errno: seen.detail.errno, ..Outcome::well(took) },
        End::Clean | End::StillOpen => Outcome::well(took),
    }
}

fn connection(
    seen: &Observation,
    (setup, phases): (Option<Duration>, &[(Phase, Duration)]),
    end: End,
    outcome: Outcome,
) -> Vec<(Step, Fact)> {
    let mut facts = Vec::new();
    let phase = match end {
        End::Failed(phase, _) => Some(phase),
        End::Clean | End::StillOpen => None,
    };
    if setup.is_some() || phase.is_some_and(|phase| phase > Phase::Connect) {
        let took = phases.iter().find(|(phase, _)| *phase == Phase::Connect).map_or(Duration::ZERO, |(_, took)| *took);
        facts.push((Step::Connect, Fact::Connected { outcome: Outcome::well(took) }));
    }
    facts.extend(match phase {
        Some(Phase::Resolve) => Some((Step::Names, Fact::Named { addresses: Vec::new(), outcome })),
        Some(Phase::Connect) => Some((Step::Connect, Fact::Connected { outcome })),
        Some(Phase::Banner) => Some((Step::Banner, Fact::Greeted { greeting: greeting(&outcome), outcome })),
        Some(Phase::Tls) => Some((Step::Tls, Fact::Secured { agreed: None, outcome })),
        Some(Phase::Login) => {
            Some((Step::Login, Fact::LoggedIn { tls: seen.detail.encrypted.unwrap_or_default(), outcome }))
        }
        _ => idle(&seen.detail, phase, outcome),
    });
    facts
}

const fn greeting(outcome: &Outcome) -> Greeting {
    match outcome.failed {
        Some(FaultKind::Limit) => Greeting::Ftp,
        Some(FaultKind::Timeout | FaultKind::Stalled) => Greeting::Silence,
        Some(FaultKind::Protocol) => Greeting::Other,
        _ => Greeting::Closed,
    }
}

/// A connection that was ready, then idle, and dead when it was used again. How long others rested that ended as planned
/// tells nothing: nobody asked them whether they lived.
fn idle(detail: &Detail, phase: Option<Phase>, outcome: Outcome) -> Option<(Step, Fact)> {
    let idle = detail.idle.filter(|idle| *idle >= IDLE)?;
    // Who closes or says goodbye does so unasked: it only shows when the connection is used again.
    let asked = match outcome.failed {
        Some(FaultKind::Reset | FaultKind::Timeout | FaultKind::Stalled) => true,
        Some(FaultKind::ClosedEarly) => false,
        _ => return None,
    };
    // What ends while bytes move was not idle.
    let rested = phase.is_some_and(|phase| phase <= Phase::Open || phase == Phase::Close);
    rested.then_some((Step::Hold, Fact::Held { keep: Keep::Nothing, seconds: idle.as_secs_f64(), asked, outcome }))
}

fn transfer(bytes: u64, end: End, outcome: Outcome) -> Vec<(Step, Fact)> {
    let moved = |outcome, closing| {
        let what = "a file".to_owned();
        Moved {
            what,
            way: Way::Untold,
            wanted: None,
            bytes,
            segment: None,
            resumed: None,
            farewell: None,
            outcome,
            closing,
        }
    };
    match end {
        End::Failed(Phase::DataConnect, _) => {
            vec![(Step::Channel, Fact::DataPort { way: Way::Untold, tls: false, announced: None, outcome })]
        }
        End::Failed(Phase::Finish, _) => {
            let came = Outcome { failed: None, errno: None, ..outcome.clone() };
            vec![(Step::Transfer, Fact::Moved(moved(came, Some(outcome))))]
        }
        End::Failed(Phase::Transfer, _) | End::Clean => vec![(Step::Transfer, Fact::Moved(moved(outcome, None)))],
        End::Failed(..) | End::StillOpen => Vec::new(),
    }
}
