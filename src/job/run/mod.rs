//! Runs: one execution of a job each.

mod state;
pub(super) mod store;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mirror::{Extent, Snapshot, Summary};
use crate::model::{JobId, RunId};

pub use state::{RunEvent, RunState, next_state};

/// Why a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Somebody said so.
    Manual,
    /// Its time came.
    Schedule,
    /// Its time came while Causeway was not running; several missed starts make one run.
    Misfire,
    /// `causeway mirror`.
    AdHoc,
}

impl Cause {
    /// Every value, in order.
    pub const ALL: &'static [Self] = &[Self::Manual, Self::Schedule, Self::Misfire, Self::AdHoc];

    /// The stable word for stores, JSON and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Misfire => "misfire",
            Self::AdHoc => "ad-hoc",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Cause {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|c| c.as_str() == text).ok_or(())
    }
}

/// One execution of a job, as the store has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its identity; a run that is taken up again keeps it.
    pub id: RunId,
    /// Of which job.
    pub job: JobId,
    /// Where it stands.
    pub state: RunState,
    /// Why it was started.
    pub cause: Cause,
    /// What it looks at.
    pub extent: Extent,
    /// When the schedule wanted it; for skipped starts the first of them.
    pub planned: Option<Timestamp>,
    /// When it was asked for.
    pub queued: Timestamp,
    /// When a worker first took it up.
    pub started: Option<Timestamp>,
    /// When it was over; for skipped starts the last of them.
    pub ended: Option<Timestamp>,
    /// The process that holds the lease.
    #[serde(skip)]
    pub owner: Option<String>,
    /// Until when the lease holds.
    #[serde(skip)]
    pub lease_until: Option<Timestamp>,
    /// Its last sign of life.
    pub heartbeat: Option<Timestamp>,
    /// How often a process took it up.
    pub claims: u32,
    /// How many starts a skipped row stands for.
    pub skips: u32,
    /// The run that was in the way of a skipped start.
    pub blocked_by: Option<RunId>,
    /// Counters at the last heartbeat.
    pub counters: Option<Snapshot>,
    /// What it did, when it is over.
    pub summary: Option<Summary>,
    /// Why it failed, was skipped or waits, for people.
    pub reason: Option<String>,
}

/// Who works on a run, and under which of its claims. One process may take a run up twice: only the latest
/// claim may write in the run's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    /// The process.
    pub(super) owner: &'a str,
    /// 1, 2, 3 …: [`Run::claims`] since it was taken up.
    pub(super) number: u32,
}

/// Which runs to read; newest first.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only older ones than this: for the next page.
    pub before: Option<RunId>,
    /// At most so many; 0 = 50, never more than 500.
    pub limit: u32,
}
