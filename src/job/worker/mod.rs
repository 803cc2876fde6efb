//! Starts what is due, frees what was left behind, works on what waits.

mod hold;
mod rest;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::audit::Actor;
use crate::db::DbError;
use crate::mirror::{Extent, heat};
use crate::model::{JobId, RunId};
use crate::task::Tasks;

use super::definition::store as definitions;
use super::engine::Engine;
use super::error::JobError;
use super::history;
use super::jobs::Jobs;
use super::owner::{Life, Owner};
use super::run::{Cause, Run, RunEvent, RunState, store as runs};
use rest::Resting;

pub(super) use hold::{Held, Holder, Orders};

/// How long a lease holds without a sign of life.
pub const LEASE: SignedDuration = SignedDuration::from_secs(15);
/// How often the holder of a lease gives a sign of life: two may be lost.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Looks at hot folders come so much more seldom after one that fell short.
const SLOWER: u32 = 12;
/// A start that comes later than this was missed, not merely late.
const MISFIRE_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct WorkerOptions {
    /// Runs side by side.
    pub parallel: usize,
    /// How often it looks for something to do, when nothing wakes it earlier.
    pub look: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { parallel: 4, look: Duration::from_secs(1) }
    }
}

/// One process's worker. [`Worker::start`] lets it run by itself; tests call [`Worker::look`].
pub struct Worker {
    jobs: Jobs,
    engine: Arc<dyn Engine>,
    owner: Owner,
    places: Arc<Semaphore>,
    tasks: Tasks,
    /// Runs whose rows cannot be read: left alone, and said once.
    unreadable: Mutex<HashSet<RunId>>,
    resting: Resting,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("owner", &self.owner.to_string()).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker that does nothing by itself yet. Its runs belong to `tasks`: when they are told to stop,
    /// runs come to rest as `interrupted` and go on at the next start.
    #[must_use]
    pub fn new(jobs: Jobs, engine: Arc<dyn Engine>, options: WorkerOptions, tasks: &Tasks) -> Arc<Self> {
        Arc::new(Self {
            jobs,
            engine,
            owner: Owner::of_this_process(),
            places: Arc::new(Semaphore::new(options.parallel.max(1))),
            tasks: tasks.clone(),
            unreadable: Mutex::default(),
            resting: Resting::default(),
        })
    }

    /// A worker that runs until `tasks` stop. Its first look is at once.
    pub fn start(jobs: Jobs, engine: Arc<dyn Engine>, options: WorkerOptions, tasks: &Tasks) -> Arc<Self> {
        let worker = Self::new(jobs, engine, options, tasks);
        let tidying = worker.clone();
        let _tidies = tasks.spawn("old lists of runs", async move { tidying.tidy().await });
        let looking = worker.clone();
        let _looks = tasks.spawn("job worker", async move { looking.watch(options.look).await });
        worker
    }

    async fn watch(self: Arc<Self>, pause: Duration) {
        let mut changes = self.jobs.changes();
        while !self.tasks.is_stopped() {
            changes.mark_unchanged();
            if let Err(error) = self.look().await {
                tracing::warn!(error = %error, "the worker could not look for work; it tries again");
            }
            tokio::select! {
                () = self.tasks.stopped() => {}
                () = tokio::time::sleep(pause) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Beside the looks: removing millions of rows must not delay a start.
    async fn tidy(&self) {
        while !self.tasks.is_stopped() {
            if let Err(error) = self.clear_removed().await {
                tracing::warn!(error = %error, "what removed jobs left behind was not looked for; it is tried again");
            }
            if let Err(error) = self.jobs.tidy().await {
                tracing::warn!(error = %error, "old lists of runs were not removed; it is tried again");
            }
            tokio::select! {
                () = self.tasks.stopped() => {}
                () = tokio::time::sleep(history::EVERY) => {}
                () = self.jobs.left_behind.notified() => {}
            }
        }
    }

    /// Removes the parts that removed jobs left in their targets. A target that does not answer keeps them until
    /// another time.
    ///
    /// # Errors
    /// What the store says.
    pub async fn clear_removed(&self) -> Result<(), JobError> {
        for id in definitions::removed_with_parts(self.jobs.db.read()).await? {
            let job = self.jobs.get(id).await?;
            let target = self.jobs.unsealed(job.target.id).await?;
            match self.engine.clear(id, target).await {
                Ok(parts) => tracing::info!(job.id = %id, parts, "parts of a removed job were removed"),
                Err(failure) => {
                    tracing::warn!(job.id = %id, error = %failure, "parts of a removed job stay for now");
                }
            }
        }
        Ok(())
    }

    /// Who this worker is in the rows of its runs.
    #[must_use]
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// One look: what is due is queued, what was left behind is freed, what waits is taken up as long
    /// as there are places.
    ///
    /// # Errors
    /// What the store says; what was done before stays done.
    pub async fn look(self: &Arc<Self>) -> Result<(), JobError> {
        self.queue_due().await?;
        self.queue_hot().await?;
        self.free_abandoned().await?;
        self.take_up().await
    }

    async fn queue_due(&self) -> Result<(), JobError> {
        for id in definitions::due(self.jobs.db.read(), self.jobs.now()).await? {
            if let Err(error) = start_due(&self.jobs, id).await {
                tracing::warn!(job.id = %id, error = %error, "a scheduled start failed");
            }
        }
        Ok(())
    }

    async fn queue_hot(&self) -> Result<(), JobError> {
        for id in definitions::hot_due(self.jobs.db.read(), self.jobs.now()).await? {
            if let Err(error) = start_hot(&self.jobs, id).await {
                tracing::warn!(job.id = %id, error = %error, "the hot folders of a job are not looked at");
            }
        }
        Ok(())
    }

    async fn take_up(self: &Arc<Self>) -> Result<(), JobError> {
        let free = self.places.available_permits();
        let waiting = runs::waiting(self.jobs.db.read(), free.saturating_add(self.left_alone())).await?;
        for id in waiting {
            // Its last holder here still comes to rest: two engines on one run would undo each other.
            if self.jobs.live(id).is_some() || self.resting.rests(id, self.jobs.now()) {
                continue;
            }
            let Ok(place) = self.places.clone().try_acquire_owned() else { break };
            if self.tasks.is_stopped() {
                break;
            }
            let Some(run) = self.unless_unreadable(id, self.claim(id).await)?.flatten() else { continue };
            let worker = self.clone();
            let live = self.jobs.show_live(id, Arc::default());
            let _work = self.tasks.spawn("run", async move { worker.work_on(&run, live, place).await });
        }
        Ok(())
    }

    /// How many rows are left alone.
    fn left_alone(&self) -> usize {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).len() + self.resting.count()
    }

    /// None for a run whose row cannot be read: it stays as it is for a person to look at, and the others go
    /// on without it.
    fn unless_unreadable<T>(&self, id: RunId, done: Result<T, JobError>) -> Result<Option<T>, JobError> {
        match done {
            Err(JobError::Db(error @ DbError::Value(_))) => {
                if self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
                    tracing::error!(run.id = %id, error = %error, "a run is left alone: its row cannot be read");
                }
                Ok(None)
            }
            done => done.map(Some),
        }
    }

    /// Frees runs whose process is dead or whose lease ran out.
    async fn free_abandoned(&self) -> Result<(), JobError> {
        for id in runs::held(self.jobs.db.read()).await? {
            self.unless_unreadable(id, free_if_abandoned(&self.jobs, id, &self.owner).await)?;
        }
        Ok(())
    }

    /// Takes a waiting run up; none when another process was faster.
    async fn claim(&self, id: RunId) -> Result<Option<Run>, JobError> {
        let mut tx = self.jobs.db.write().await?;
        let run = runs::get(&mut tx, id).await?;
        let claimed = runs::claim(&mut tx, self.jobs.now(), run, (&self.owner.to_string(), LEASE)).await?;
        if claimed.is_some() {
            self.jobs.commit(tx).await?;
        }
        Ok(claimed)
    }

    async fn work_on(&self, run: &Run, live: super::jobs::LiveGuard, _place: OwnedSemaphorePermit) {
        let stop = self.tasks.token().child_token();
        let owner = self.owner.to_string();
        let holder = Holder { jobs: &self.jobs, engine: &self.engine, owner: &owner, progress: live.progress(), stop };
        let ended = match self.prepare(run).await {
            Ok(stored) => holder.work(run, stored).await,
            Err(error) => holder.give_up(run, &error.to_string()).await,
        };
        match ended {
            Ok(Held { state, .. }) => {
                tracing::info!(run.id = %run.id, run.state = %state, "run came to rest");
                // A process that drains takes nothing up any more, and a run that was asked to rest is not interrupted.
                if state == RunState::Interrupted {
                    self.resting.stopped(run.id, self.jobs.now(), live.progress().snapshot().files_done);
                } else {
                    self.resting.forget(run.id);
                }
            }
            Err(error) => tracing::warn!(run.id = %run.id, error = %error, "run lost"),
        }
        drop(live);
        history::after(&self.jobs, run).await;
    }

    async fn prepare(&self, run: &Run) -> Result<Orders, JobError> {
        let job = self.jobs.get(run.job).await?;
        Ok(Orders {
            source: self.jobs.unsealed(job.source.id).await?,
            target: self.jobs.unsealed(job.target.id).await?,
            policy: job.policy,
            actor: Actor::Job(job.id),
        })
    }
}

/// Queues the start of a job that is due, or records that another run is in the way; in one
/// transaction with the next start, so that no start happens twice or is lost.
async fn start_due(jobs: &Jobs, id: JobId) -> Result<(), JobError> {
    let mut tx = jobs.db.write().await?;
    let now = jobs.now();
    let job = definitions::present(&mut tx, id).await?;
    let Some(planned) = job.next_start.filter(|at| *at <= now && !job.paused) else { return Ok(()) };
    definitions::set_next(&mut tx, id, job.schedule.next_after(&job.zone, now)).await?;
    match runs::active(&mut tx, id, (Extent::Whole, false)).await? {
        Some(active) => runs::skip(&mut tx, now, planned, &active).await?,
        None => {
            let missed = now.duration_since(planned) > MISFIRE_GRACE;
            let cause = if missed { Cause::Misfire } else { Cause::Schedule };
            runs::enqueue(&mut tx, (&Actor::System, now), id, cause, Some(planned)).await?;
        }
    }
    jobs.commit(tx).await
}

/// Queues a look at the hot folders of a job, unless a run of it is not over: that one sees them, or the next look does.
async fn start_hot(jobs: &Jobs, id: JobId) -> Result<(), JobError> {
    let now = jobs.now();
    let since = now.saturating_sub(heat::HOT_FOR).unwrap_or(now);
    let any = !heat::store::hot(&jobs.db, id, since, 1).await?.is_empty();
    let fell_short = runs::last_real(jobs.db.read(), id, Extent::Hot).await?.is_some_and(|run| match run.state {
        RunState::Incomplete => !run.summary.is_some_and(|summary| summary.only_waits_for_uploads()),
        state => state == RunState::Failed,
    });
    let mut tx = jobs.db.write().await?;
    let job = definitions::present(&mut tx, id).await?;
    // What fell short will again, until somebody sees to it.
    let pace = if fell_short { SLOWER } else { 1 };
    definitions::set_next_hot(&mut tx, id, definitions::next_hot(&job.policy, now, pace)).await?;
    if any && !job.paused && runs::active_of(&mut tx, id).await?.is_empty() {
        runs::enqueue_as(&mut tx, (&Actor::System, now), id, (Cause::Schedule, None), (Extent::Hot, false)).await?;
    }
    jobs.commit(tx).await
}

async fn free_if_abandoned(jobs: &Jobs, id: RunId, here: &Owner) -> Result<(), JobError> {
    let run = runs::get(&mut *jobs.reader().await?, id).await?;
    if abandoned(jobs, &run, here).is_none() {
        return Ok(());
    }
    // Looked at again inside the transaction: its holder may have renewed or ended it meanwhile.
    let mut tx = jobs.db.write().await?;
    let run = runs::get(&mut tx, id).await?;
    if let Some(why) = abandoned(jobs, &run, here) {
        tracing::info!(run.id = %id, reason = why, "run freed");
        runs::release(&mut tx, jobs.now(), &run, why).await?;
        jobs.commit(tx).await?;
    }
    Ok(())
}

/// Why a held run has nobody any more; none when it has.
///
/// What can be seen goes before what the clock says: the clock of a machine that slept, or whose time was
/// set, makes every lease look old. The lease decides only about processes that cannot be seen from here.
pub(super) fn abandoned(jobs: &Jobs, run: &Run, here: &Owner) -> Option<&'static str> {
    if !run.state.is_held() {
        return None;
    }
    let Some(owner) = run.owner.as_deref().and_then(|owner| owner.parse::<Owner>().ok()) else {
        return Some("its process is not known");
    };
    if owner == *here {
        return jobs.live(run.id).is_none().then_some("its work broke off");
    }
    match owner.life(here) {
        Life::Alive => None,
        Life::Dead => Some("its process died"),
        Life::Unknown => {
            run.lease_until.is_none_or(|until| until < jobs.now()).then_some("its process gave no sign of life")
        }
    }
}

/// What an engine's end means for the run.
pub(super) fn event_of(summary: &crate::mirror::Summary) -> RunEvent {
    use crate::mirror::Ended;
    match &summary.ended {
        Ended::Stopped => RunEvent::Stopped,
        Ended::GaveUp { .. } => RunEvent::Failed,
        Ended::Finished if summary.dry_run && summary.missing.is_empty() && summary.unsure.is_empty() => {
            RunEvent::Completed
        }
        Ended::Finished => {
            if summary.complete {
                RunEvent::Completed
            } else {
                RunEvent::FellShort
            }
        }
    }
}
