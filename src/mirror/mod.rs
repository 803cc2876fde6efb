//! Brings a target into line with a source: lists both, plans, copies, verifies, publishes, and keeps a
//! journal so that a run that dies at any instant goes on where it was.

mod ahead;
mod charset;
mod clock;
mod codes;
mod copy;
mod delete;
mod dispatch;
mod doubt;
mod engine;
mod filter;
mod finish;
pub mod heat;
mod intents;
mod journal;
pub mod lag;
mod leftovers;
mod links;
mod marks;
mod merge;
mod names;
mod pace;
mod place;
mod plan;
mod planner;
mod policy;
pub mod portable;
mod presence;
mod progress;
pub mod proof;
mod publish;
mod replace;
mod retry;
mod scan;
mod settle;
mod shift;
pub mod store;
mod stripes;
mod summary;
mod transfer;
mod uploads;
mod vanished;
mod words;

use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::audit::Actor;
use crate::db::{Db, DbError};
use crate::model::{Clock, Fault, JobId, RelPath, RunId, ServerZone};
use crate::reliability::Recorder;
use crate::remote::Remote;

pub use filter::Filter;
pub use heat::Extent;
pub use leftovers::remove_parts;
pub use names::store::mapped;
pub use policy::{Deletions, Existing, Limits, Links, Naming, Policy, Uploads};
pub use progress::{Current, Progress, Snapshot, Stage};
pub use proof::{Proving, ProvingError, store::Records};
pub use summary::{Counts, EXAMPLES, Ended, MissingItem, Orders, Summary, UnsureDir};
pub use words::{Action, ItemState};

/// One execution of a mirror. Running it again under the same [`RunId`] goes on where it ended.
#[derive(Clone)]
pub struct MirrorRun {
    /// Where the journal is kept.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where observations go.
    pub recorder: Recorder,
    /// Whose memory of the target is used.
    pub job: JobId,
    /// Which run.
    pub run: RunId,
    /// Read from here.
    pub source: Arc<dyn Remote>,
    /// Written to here.
    pub target: Arc<dyn Remote>,
    /// What it looks at.
    pub extent: Extent,
    /// Which server the source is on, and who is asked there, in words that are the same as long as that is: what was
    /// learned of the clock of its listings is kept under them. No secrets.
    pub server: String,
    /// The zone of that clock, when somebody says so; else it is learned.
    pub zone: Option<ServerZone>,
    /// Which place the target is, in words that are the same as long as it is: what was published in another one is not
    /// there. No secrets; people read it nowhere.
    pub place: String,
    /// What may be done.
    pub policy: Policy,
    /// In whose name, for the audit log.
    pub actor: Actor,
}

/// A step of the plan, as a dry run shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// Path in the source.
    pub path: RelPath,
    /// What would be done: `copy`, `replace`, `adopt`, `recheck`, `set-mode`, `make-dir`, `link`, `trash`, `skip`, `refuse`.
    pub action: &'static str,
    /// Bytes to move, when known.
    pub size: Option<u64>,
    /// Why, in plain words, where that is not obvious.
    pub why: Option<String>,
}

/// Why a run could not even begin or its journal could not be kept. Everything else is in the
/// [`Summary`].
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The journal.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A setting that cannot be obeyed.
    #[error("{0}")]
    Policy(String),
    /// A root that cannot be read.
    #[error("the {side} cannot be used: {fault}")]
    Root {
        /// `source` or `target`.
        side: &'static str,
        /// Why.
        fault: Fault,
    },
    /// Background work of the run was lost.
    #[error("the mirror's own work was lost: {0}")]
    Lost(String),
}

/// Runs a mirror to its end, or until `stop`. Faults of single files are in the summary; the run goes on
/// without them.
///
/// # Errors
/// [`MirrorError`]: the run could not begin, or its journal could not be kept.
pub async fn run(order: MirrorRun, progress: Arc<Progress>, stop: CancellationToken) -> Result<Summary, MirrorError> {
    engine::run(order, progress, &stop).await
}

#[cfg(test)]
mod tests;
