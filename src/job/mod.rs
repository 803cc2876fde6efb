//! Jobs: what is migrated when, and who works on it right now.
//!
//! [`Jobs`] is the store as people see it: endpoints with sealed passwords, jobs with a [`Schedule`],
//! runs with a [`RunState`]. Every change and its audit event are one transaction. The [`Worker`] moves
//! time forward: it starts what is due, frees runs whose process is gone, and works on what waits,
//! under a lease that it renews. [`run_once`] does the same for one pair of endpoints, in the
//! foreground.
//!
//! # How a run survives its process
//! A run belongs to the process whose [`Owner`] stands in its row, under the number of its claim. The owner
//! renews its lease every [`HEARTBEAT`]; one that cannot, or finds another claim in the row, stops its work.
//! A worker frees a run when its process is seen to be dead on this machine, which is at once after a
//! `kill -9`; a process that is seen alive keeps its run, whatever the clock says. Of a process that cannot
//! be seen from here the lease decides ([`LEASE`]). A freed run is `interrupted` and goes on under the same
//! id, from the mirror's journal.

mod backoff;
mod definition;
mod endpoint;
mod engine;
mod error;
mod history;
mod jobs;
mod manifests;
mod once;
mod owner;
mod probes;
mod run;
mod schedule;
mod standing;
mod stored;
mod worker;

pub use definition::{Job, JobRow, NewJob};
pub use endpoint::{EndpointRef, MAX_NAME, NewEndpoint, StoredEndpoint};
pub use engine::{Engine, Layer, Layers, MirrorEngine, RunFailure, Work};
pub use error::JobError;
pub use history::KEPT_RUNS;
pub use jobs::{Jobs, RunPage};
pub use once::{OnceEnd, OnceRequest, run_once};
pub use owner::{Life, Owner};
pub use run::{Cause, Run, RunEvent, RunFilter, RunState, next_state};
pub use schedule::{CronExpr, Schedule, ScheduleError, Zone};
pub use standing::Standing;
pub use worker::{HEARTBEAT, LEASE, Worker, WorkerOptions};
