//! Jobs: what to migrate and when.

pub(super) mod store;

use jiff::Timestamp;

use crate::mirror::Policy;
use crate::model::JobId;

use super::endpoint::{EndpointRef, StoredEndpoint};
use super::run::Run;
use super::schedule::{Schedule, Zone};

/// A job of the store.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its identity.
    pub id: JobId,
    /// What people call it; unique among the jobs that are not removed.
    pub name: String,
    /// Made by `causeway mirror`: no worker starts it.
    pub ad_hoc: bool,
    /// Read from here.
    pub source: StoredEndpoint,
    /// Written to here.
    pub target: StoredEndpoint,
    /// What may be done.
    pub policy: Policy,
    /// When it starts.
    pub schedule: Schedule,
    /// In which time zone the schedule is meant and times are shown.
    pub zone: Zone,
    /// Its schedule rests.
    pub paused: bool,
    /// When it starts next; none = only by hand, or not any more. It may lie in the past for a moment:
    /// then the start is due. While the job is paused nothing starts.
    pub next_start: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
    /// When it was removed; its history stays.
    pub removed: Option<Timestamp>,
}

/// A job to be made, or its settings to be changed.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What to call it.
    pub name: String,
    /// Read from here.
    pub source: EndpointRef,
    /// Write to here.
    pub target: EndpointRef,
    /// What may be done.
    pub policy: Policy,
    /// When to start.
    pub schedule: Schedule,
    /// In which time zone the schedule is meant.
    pub zone: Zone,
    /// Let its schedule rest at first.
    pub paused: bool,
}

/// A job as lists show it.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// The job.
    pub job: Job,
    /// The run that is not over yet.
    pub active: Option<Run>,
    /// The latest run that is over (skipped starts are not runs).
    pub last: Option<Run>,
    /// The latest skipped start, when it is newer than `last`.
    pub skipped: Option<Run>,
}
