//! What can be wrong with a wish about jobs, in sentences for people.

use crate::db::{DbError, VaultError};
use crate::manifest::ManifestError;
use crate::model::{EndpointError, EndpointId, JobId, RunId};

use super::run::RunState;
use super::schedule::ScheduleError;

/// Why a job, endpoint or run was not made, changed or started.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A name of blanks.
    #[error("the {0} needs a name")]
    NoName(&'static str),
    /// Longer than a page can show.
    #[error("the name of the {what} has {length} characters: at most {most} fit")]
    LongName {
        /// Job or endpoint.
        what: &'static str,
        /// What was given.
        length: usize,
        /// What fits.
        most: usize,
    },
    /// Another job has it.
    #[error("there is a job named '{0}' already: choose another name")]
    JobNameTaken(String),
    /// Another endpoint has it.
    #[error("there is an endpoint named '{0}' already: choose another name")]
    EndpointNameTaken(String),
    /// No such job.
    #[error("there is no job {0}")]
    NoJob(JobId),
    /// No such job, by name.
    #[error("there is no job named '{0}': 'causeway job list' shows all")]
    NoJobNamed(String),
    /// No such run.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// Nobody knows any more what the target held then.
    #[error("there can be no manifest of run {run}: {why}")]
    NoManifest {
        /// The run.
        run: RunId,
        /// Why not.
        why: String,
    },
    /// A manifest could not be written or listed.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// No such endpoint.
    #[error("there is no endpoint {0}")]
    NoEndpoint(EndpointId),
    /// Nobody can say which one is right but a person.
    #[error(
        "endpoints remember different host keys of {server}: {pins}: say which one is right (--pin, --target-pin), or correct the endpoint that is wrong"
    )]
    PinsDiffer {
        /// Host and port.
        server: String,
        /// Each key, and who remembers it.
        pins: String,
    },
    /// Jobs still need it.
    #[error("the endpoint '{name}' is still used by {jobs}: remove or change them first")]
    EndpointInUse {
        /// The endpoint.
        name: String,
        /// The jobs' names.
        jobs: String,
    },
    /// Source and target are one place.
    #[error("source and target are the same place ({0}): choose another target")]
    SamePlace(String),
    /// The run would copy its own copies.
    #[error(
        "the target ({target}) lies inside the source ({source_url}): the run would copy its own copies, choose a target outside"
    )]
    TargetInside {
        /// Where it reads.
        source_url: String,
        /// Where it would write.
        target: String,
    },
    /// The run could delete its own source.
    #[error(
        "the source ({source_url}) lies inside the target ({target}): a run could overwrite what it reads, choose a target of its own"
    )]
    SourceInside {
        /// Where it reads.
        source_url: String,
        /// Where it would write.
        target: String,
    },
    /// Keys, passwords and the database.
    #[error("{0} is, holds or lies in the data folder, where keys and passwords are: choose another place")]
    InDataFolder(String),
    /// A folder of this machine cannot be looked at.
    #[error("the folder {0} does not answer: see whether its mount hangs")]
    NoAnswer(String),
    /// Wrong schedule or zone.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// Wrong address.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// One run of a job at a time.
    #[error("run {run} of this job is {state} already: wait for its end, or cancel it first")]
    AlreadyActive {
        /// The run in the way.
        run: RunId,
        /// Where it stands.
        state: RunState,
    },
    /// Another process works on it.
    #[error(
        "process {pid} on this machine works on the same source and target right now (run {run}): wait for its end"
    )]
    HeldElsewhere {
        /// The run.
        run: RunId,
        /// The process.
        pid: u32,
    },
    /// The state of the run forbids it.
    #[error("run {run} is {state}: it cannot be {wish}")]
    NotNow {
        /// The run.
        run: RunId,
        /// Where it stands.
        state: RunState,
        /// What was asked: "paused", "resumed", "cancelled".
        wish: &'static str,
    },
    /// The lease went to another process.
    #[error("run {0} was taken over by another process")]
    LeaseLost(RunId),
    /// A sealed password does not open, or cannot be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for JobError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}
