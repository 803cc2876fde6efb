//! Why do transfers break? A fixed procedure for each protocol looks at a server and the way to it, from the name to an idle
//! connection, within a budget of connections, bytes and minutes; a table of rules draws conclusions from what was seen.
//!
//! Three things are kept apart. [`step`] looks and concludes nothing: all it leaves behind is [`evidence`]. [`rule`]
//! concludes and never looks: each rule is a pure function from evidence to a [`Finding`]. A [`Finding`] names the cause,
//! how sure it is, the lines of evidence for and against it, and what helps: here, by itself where that is possible, and
//! on the other side, in the words of the server's own configuration.
//!
//! Nothing here needs privileges; who has `CAP_NET_RAW` gets a [`capture`] of headers beside it. What only that could tell
//! is said as such: "cannot tell A from B without a capture" is a verdict, and so is "nothing out of order was seen".

pub mod alarm;
pub mod bench;
mod capture;
pub mod desk;
pub mod evidence;
pub mod finding;
pub mod hello;
pub mod incident;
pub mod kexinit;
mod prescribe;
mod request;
pub mod rule;
pub mod step;
mod store;
pub mod talk;
pub mod trial;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use alarm::Alarms;
pub use bench::{Limits, Progress, Spent};
pub use desk::{DiagnoseError, Diagnoses};
pub use evidence::Seen;
pub use finding::{Advice, Confidence, Finding};
pub use incident::Incidents;
pub use prescribe::prescribe;
pub use trial::Trial;

use bench::Bench;
use step::Step;

use crate::manners::Remedy;
use crate::model::{Clock, Endpoint, Fault, FaultKind, Phase, RelPath};

/// What is to be looked at.
#[derive(Debug, Clone)]
pub struct Order {
    /// A server: FTP, SFTP or WebDAV.
    pub endpoint: Endpoint,
    /// What may be asked of it.
    pub limits: Limits,
    /// The folder of the other side in which something may be written, below that of the endpoint; none: nothing is.
    pub upload: Option<RelPath>,
    /// Where headers of packets are kept when something was reset; none: they are not looked at.
    pub captures: Option<PathBuf>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Of the program.
    pub version: String,
    /// What was looked at, without its password.
    pub endpoint: String,
    /// When.
    pub started: Timestamp,
    /// For so long.
    pub seconds: f64,
    /// What it cost the other side.
    pub spent: Spent,
    /// It was stopped before its end.
    pub stopped: bool,
    /// What was found, the surest first.
    pub findings: Vec<Finding>,
    /// Remedies that were tried, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<Trial>,
    /// All that was seen, in its order.
    pub evidence: Vec<Seen>,
}

impl Report {
    /// Steps that were left out, and why.
    pub fn left_out(&self) -> impl Iterator<Item = (Step, &str)> {
        self.evidence.iter().filter_map(|seen| match &seen.fact {
            evidence::Fact::LeftOut { why } => Some((seen.step, why.as_str())),
            _ => None,
        })
    }

    /// Remedies that were shown to help, and that no trial has disproved, with the sentence of what they are for.
    pub fn shown(&self) -> impl Iterator<Item = (Remedy, &str)> {
        let tried = |remedy: &Remedy| self.trials.iter().rev().find(|trial| trial.remedy == *remedy);
        let all = self.findings.iter().flat_map(|found| found.remedies.iter().map(move |remedy| (found, remedy)));
        let helps = move |found: &Finding, remedy: &Remedy| match tried(remedy) {
            Some(trial) => trial.helps,
            None => !found.helped.is_empty(),
        };
        all.filter(move |(found, remedy)| helps(found, remedy))
            .map(|(found, remedy)| (*remedy, found.sentence.as_str()))
    }

    /// What was found, in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let first = self.findings.first().map(|found| found.sentence.clone());
        let first = first.unwrap_or_else(|| "nothing out of order was seen".to_owned());
        if self.stopped { format!("{first}; stopped before its end") } else { first }
    }

    /// The lines of evidence with these numbers.
    pub fn lines<'a>(&'a self, ids: &'a [usize]) -> impl Iterator<Item = &'a Seen> {
        ids.iter().filter_map(|id| self.evidence.get(id.checked_sub(1)?))
    }
}

/// Looks and concludes. What goes wrong on the way is what it is about, and in the report.
///
/// # Errors
/// When the endpoint is not one that can be looked at.
pub async fn run(order: &Order, progress: &Arc<Progress>, stop: &CancellationToken) -> Result<Report, Fault> {
    let protocol = order.endpoint.protocol;
    let steps = Step::of(protocol);
    if steps.is_empty() {
        let why = format!("only servers can be looked at, not {protocol}");
        return Err(Fault::new(Phase::Connect, FaultKind::Unsupported, why));
    }
    let started = order.clock.now();
    let bench = Bench::new(order, Arc::clone(progress)).await?;
    let mut stopped = false;
    for step in steps {
        bench.enter(*step);
        if stop.is_cancelled() {
            stopped = true;
            break;
        }
        let rest = order.limits.time.saturating_sub(bench.elapsed());
        if rest.is_zero() {
            bench.leave_out("the time is over");
            continue;
        }
        tokio::select! {
            () = step.look(&bench) => {}
            // A server that sends a byte now and then would hold it for ever.
            () = tokio::time::sleep(rest) => bench.leave_out("the time was over before its end"),
            () = stop.cancelled() => stopped = true,
        }
    }
    bench.close().await;
    bench.enter(Step::Packets);
    Step::Packets.look(&bench).await;
    let evidence = bench.evidence();
    Ok(Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        endpoint: order.endpoint.url(),
        started,
        seconds: bench.elapsed().as_secs_f64(),
        spent: bench.spent(),
        stopped,
        findings: rule::judge_of(protocol, &evidence),
        trials: Vec::new(),
        evidence,
    })
}
