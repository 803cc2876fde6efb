//! Holding a run: the engine's work and the lease's heartbeat, side by side.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::audit::Actor;
use crate::db::DbError;
use crate::mirror::{self, Ended, Policy, Progress, Summary};
use crate::model::{Endpoint, FaultKind};

use super::super::engine::{Engine, RunFailure, Work};
use super::super::error::JobError;
use super::super::jobs::Jobs;
use super::super::manifests;
use super::super::run::store::{self as runs, Ending};
use super::super::run::{Claim, Run, RunEvent, RunState};
use super::{HEARTBEAT, LEASE, event_of};

/// How often the holder looks whether somebody wants a pause or the end.
const WISH: Duration = Duration::from_millis(500);
/// How long an engine may take to come to rest before it is dropped.
const REST: Duration = Duration::from_secs(30);

/// What is to be done, read from the store or given by the caller.
pub(in crate::job) struct Orders {
    pub(in crate::job) source: Endpoint,
    pub(in crate::job) target: Endpoint,
    pub(in crate::job) policy: Policy,
    pub(in crate::job) actor: Actor,
}

/// How the work on a run ended.
#[derive(Debug)]
pub(in crate::job) struct Held {
    pub(in crate::job) state: RunState,
    pub(in crate::job) summary: Option<Summary>,
    pub(in crate::job) failure: Option<RunFailure>,
}

/// Why the keeper of a lease gave it up.
enum Gone {
    /// Another claim stands in the row, or the lease could not be renewed in time.
    Lease,
    /// The engine did not come to rest.
    Rest,
}

/// Works on one claimed run.
pub(in crate::job) struct Holder<'a> {
    pub(in crate::job) jobs: &'a Jobs,
    pub(in crate::job) engine: &'a Arc<dyn Engine>,
    pub(in crate::job) owner: &'a str,
    pub(in crate::job) progress: Arc<Progress>,
    pub(in crate::job) stop: CancellationToken,
}

impl Holder<'_> {
    /// What this holder may write under: its own claim, not a later one of the same process.
    const fn claim(&self, run: &Run) -> Claim<'_> {
        Claim { owner: self.owner, number: run.claims }
    }

    /// Lets the engine work while the lease is kept, and stores how it ended.
    pub(in crate::job) async fn work(&self, run: &Run, orders: Orders) -> Result<Held, JobError> {
        let (waits_for, waiting) = watch::channel(None);
        let Orders { source, target, policy, actor } = orders;
        let (orders, manifest) = (told(&source, &target, &policy), policy.manifest);
        let (job, id, extent) = (run.job, run.id, run.extent);
        let work = Work { job, run: id, source, target, extent, policy, actor, waits_for };
        let engine = self.engine.execute(work, self.progress.clone(), self.stop.clone());
        // Under the lease: nobody else changes what the manifest tells.
        let mut effort = Box::pin(async {
            let summary = Summary { orders: Some(orders), ..engine.await? };
            Ok(manifests::after(self.jobs, run, manifest, summary).await)
        });
        let keeper = Box::pin(self.keep(run, waiting));
        let worked = tokio::select! {
            worked = &mut effort => worked.map(Some),
            gone = keeper => match gone {
                Gone::Rest => Ok(None),
                Gone::Lease => {
                    // Nothing more may be written in this run's name; connections get a moment to close.
                    self.stop.cancel();
                    let _ended = tokio::time::timeout(Duration::from_secs(5), effort).await;
                    return Err(JobError::LeaseLost(run.id));
                }
            },
        };
        self.end(run, worked).await
    }

    /// Ends a run that could not begin.
    pub(in crate::job) async fn give_up(&self, run: &Run, reason: &str) -> Result<Held, JobError> {
        let state = self.store_end(run, RunEvent::Failed, None, Some(reason)).await?;
        Ok(Held { state, summary: None, failure: None })
    }

    async fn end(&self, run: &Run, worked: Result<Option<Summary>, RunFailure>) -> Result<Held, JobError> {
        let (summary, failure) = match worked {
            Ok(summary) => (summary, None),
            Err(failure) => (None, Some(failure)),
        };
        let (event, reason) = match (&summary, &failure) {
            (_, Some(failure)) if was_stopped(failure) => (RunEvent::Stopped, None),
            (_, Some(failure)) => (RunEvent::Failed, Some(failure.to_string())),
            (Some(summary), None) => (event_of(summary), reason_of(summary)),
            (None, None) => (RunEvent::Stopped, None),
        };
        let state = self.store_end(run, event, summary.as_ref(), reason.as_deref()).await?;
        Ok(Held { state, summary, failure })
    }

    /// Stores the end; a busy store is asked again, for as long as the lease may hold.
    async fn store_end(
        &self,
        run: &Run,
        event: RunEvent,
        summary: Option<&Summary>,
        reason: Option<&str>,
    ) -> Result<RunState, JobError> {
        let mut counters = self.progress.snapshot();
        counters.current.clear();
        let ending = Ending { event, counters: &counters, summary, reason };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_store_end(run, &ending).await {
                Err(JobError::Db(DbError::Busy)) if tries < 10 => tokio::time::sleep(Duration::from_secs(1)).await,
                done => return done,
            }
        }
    }

    async fn try_store_end(&self, run: &Run, ending: &Ending<'_>) -> Result<RunState, JobError> {
        let mut tx = self.jobs.db.write().await?;
        let state = runs::finish(&mut tx, self.jobs.now(), run.id, self.claim(run), ending).await?;
        self.jobs.commit(tx).await?;
        Ok(state)
    }

    /// Renews the lease and passes wishes on to the engine, until it cannot.
    async fn keep(&self, run: &Run, mut waiting: watch::Receiver<Option<String>>) -> Gone {
        let mut changes = self.jobs.changes();
        let (mut beat, mut alive) = (Instant::now(), Instant::now());
        let mut stopped: Option<Instant> = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(WISH) => {}
                _ = changes.changed() => {}
                () = self.stop.cancelled(), if stopped.is_none() => {}
            }
            match runs::wish(self.jobs.db.read(), run.id, self.claim(run)).await {
                Ok(None) => return Gone::Lease,
                Ok(Some(RunState::Pausing | RunState::Cancelling)) => self.stop.cancel(),
                Ok(Some(_)) => {}
                Err(error) => tracing::warn!(run.id = %run.id, error = %error, "the state of a run cannot be read"),
            }
            if self.stop.is_cancelled() && stopped.get_or_insert_with(Instant::now).elapsed() > REST {
                return Gone::Rest;
            }
            if beat.elapsed() >= HEARTBEAT {
                beat = Instant::now();
                match self.beat(run).await {
                    Ok(true) => alive = Instant::now(),
                    Ok(false) => return Gone::Lease,
                    // As long as the store is locked nobody can take the run.
                    Err(DbError::Busy) => alive = Instant::now(),
                    Err(error) => tracing::warn!(run.id = %run.id, error = %error, "a heartbeat failed"),
                }
            }
            if alive.elapsed() >= LEASE.unsigned_abs() {
                return Gone::Lease;
            }
            if waiting.has_changed().unwrap_or(false) {
                let reason = waiting.borrow_and_update().clone();
                if let Err(error) = runs::note(&self.jobs.db, run.id, self.claim(run), reason.as_deref()).await {
                    tracing::debug!(run.id = %run.id, error = %error, "a note was not stored");
                }
            }
        }
    }

    async fn beat(&self, run: &Run) -> Result<bool, DbError> {
        let mut counters = self.progress.snapshot();
        counters.current.truncate(32);
        runs::beat(&self.jobs.db, self.jobs.now(), run.id, (self.claim(run), LEASE), &counters).await
    }
}

/// For those who ask what the run was told when the job is told otherwise.
fn told(source: &Endpoint, target: &Endpoint, policy: &Policy) -> mirror::Orders {
    mirror::Orders { source: source.url(), target: target.url(), proof: policy.proof }
}

/// The engine obeyed before it had connected.
const fn was_stopped(failure: &RunFailure) -> bool {
    match failure {
        RunFailure::Source(fault) | RunFailure::Target(fault) => matches!(fault.kind, FaultKind::Cancelled),
        RunFailure::Mirror(_) => false,
    }
}

fn reason_of(summary: &Summary) -> Option<String> {
    match &summary.ended {
        Ended::GaveUp { fault } => Some(fault.to_string()),
        Ended::Finished | Ended::Stopped => None,
    }
}
