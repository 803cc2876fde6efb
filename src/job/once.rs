//! One pair of endpoints, mirrored in the foreground: `causeway mirror`.
//!
//! The pair has an ad-hoc job of its own in the store, found again by its two URLs, so that a second
//! run is incremental and a run that was killed goes on. Passwords are not stored. It works beside a
//! running server on the same store: each run has one owner.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::audit::Actor;
use crate::mirror::{Extent, Policy, Progress, Summary};
use crate::model::{Endpoint, RunId};

use super::definition::{NewJob, store as definitions};
use super::endpoint::store::{self as endpoints, Change};
use super::endpoint::{EndpointRef, check_places};
use super::engine::{Engine, RunFailure};
use super::error::JobError;
use super::history;
use super::jobs::Jobs;
use super::owner::{Life, Owner};
use super::run::{Cause, Run, RunEvent, RunState, store as runs};
use super::schedule::{Schedule, Zone};
use super::worker::{self, Held, Holder, LEASE};

/// What to mirror.
#[derive(Debug, Clone)]
pub struct OnceRequest {
    /// Read from here.
    pub source: Endpoint,
    /// Write to here.
    pub target: Endpoint,
    /// What may be done.
    pub policy: Policy,
    /// Who asks.
    pub actor: Actor,
}

/// How it ended.
#[derive(Debug)]
pub struct OnceEnd {
    /// The run; its items can be read from the mirror's journal.
    pub run: RunId,
    /// Where it stands: done, incomplete, failed, interrupted (told to stop), cancelled or paused (by
    /// somebody, through the store).
    pub state: RunState,
    /// It went on with a run that had been interrupted.
    pub taken_up: bool,
    /// What was done, unless nothing could be.
    pub summary: Option<Summary>,
    /// Why nothing could be done.
    pub failure: Option<RunFailure>,
}

/// Mirrors one pair now, showing `progress`, until the end or `stop`.
///
/// # Errors
/// [`JobError::HeldElsewhere`] when another living process mirrors the same pair;
/// [`JobError::SamePlace`] and its kin; what the store says.
pub async fn run_once(
    jobs: &Jobs,
    engine: &Arc<dyn Engine>,
    request: OnceRequest,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> Result<OnceEnd, JobError> {
    check_places(&request.source, &request.target, None).await?;
    let owner = Owner::of_this_process();
    let run = take(jobs, &request, &owner).await?;
    let live = jobs.show_live(run.id, progress.clone());
    let owner = owner.to_string();
    let holder = Holder { jobs, engine, owner: &owner, progress, stop };
    let OnceRequest { source, target, policy, .. } = request;
    let orders = worker::Orders { source, target, policy, actor: Actor::Job(run.job) };
    let Held { state, summary, failure } = holder.work(&run, orders).await?;
    drop(live);
    history::after(jobs, &run).await;
    Ok(OnceEnd { run: run.id, state, taken_up: run.claims > 1, summary, failure })
}

/// Finds or makes the job and its run, and claims it: one transaction.
async fn take(jobs: &Jobs, request: &OnceRequest, owner: &Owner) -> Result<Run, JobError> {
    let mut tx = jobs.db.write().await?;
    let now = jobs.now();
    let by = Change { actor: &request.actor, now, vault: &jobs.vault };
    let source = endpoints::resolve_ad_hoc(&mut tx, by, &request.source).await?;
    let target = endpoints::resolve_ad_hoc(&mut tx, by, &request.target).await?;
    let job = match definitions::ad_hoc_of(&mut tx, source, target).await? {
        Some(job) => job,
        None => {
            let new = NewJob {
                name: format!("{} → {}", request.source, request.target),
                source: EndpointRef::Stored(source),
                target: EndpointRef::Stored(target),
                policy: request.policy.clone(),
                schedule: Schedule::Manual,
                zone: Zone::utc(),
                paused: false,
            };
            definitions::create(&mut tx, by, &new, true).await?
        }
    };
    let mut broke_off = false;
    // A dry run only tells: an interrupted run is not its to end.
    let dry = request.policy.dry_run;
    let id = match runs::active(&mut tx, job, (Extent::Whole, dry)).await? {
        None => {
            runs::enqueue_as(&mut tx, (&request.actor, now), job, (Cause::AdHoc, None), (Extent::Whole, dry)).await?
        }
        Some(run) => {
            free(jobs, &mut tx, &run, owner).await?;
            broke_off = run.state.is_held();
            run.id
        }
    };
    let mut run = runs::get(&mut tx, id).await?;
    if let Some(state) = runs::step(&mut tx, now, &run, RunEvent::Resume, None).await? {
        run.state = state;
    }
    let state = run.state;
    let claimed = runs::claim(&mut tx, now, run, (&owner.to_string(), LEASE)).await?;
    let run = claimed.ok_or(JobError::AlreadyActive { run: id, state })?;
    jobs.commit(tx).await?;
    if broke_off {
        // Its process ended without a word, perhaps with its machine: is the journal still what it was?
        jobs.db.check().await?;
    }
    Ok(run)
}

/// Frees `run` when its process is gone; refuses when it lives.
async fn free(jobs: &Jobs, tx: &mut crate::db::WriteTx, run: &Run, here: &Owner) -> Result<(), JobError> {
    if !run.state.is_held() {
        return Ok(());
    }
    if let Some(why) = worker::abandoned(jobs, run, here) {
        return runs::release(tx, jobs.now(), run, why).await;
    }
    let holder = run.owner.as_deref().and_then(|owner| owner.parse::<Owner>().ok());
    match holder.filter(|holder| holder.life(here) == Life::Alive) {
        Some(holder) => Err(JobError::HeldElsewhere { run: run.id, pid: holder.pid() }),
        None => Err(JobError::AlreadyActive { run: run.id, state: run.state }),
    }
}
