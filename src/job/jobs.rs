//! The job store as people see it: every wish is one transaction with its audit event.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use crate::audit::{Actor, Event, append};
use crate::db::{Db, DbError, Vault, WriteTx};
use crate::manifest::Manifests;
use crate::mirror::Progress;
use crate::model::{Clock, Endpoint, EndpointId, JobId, RunId};

use super::definition::{Job, JobRow, NewJob, store as definitions};
use super::endpoint::store::{self as endpoints, Change};
use super::endpoint::{Closed, EndpointRef, NewEndpoint, StoredEndpoint, check_places};
use super::error::JobError;
use super::history::{self, KEPT_RUNS};
use super::run::{Cause, Run, RunEvent, RunFilter, RunState, store as runs};

/// Endpoints, jobs and runs. Clones share everything.
#[derive(Debug, Clone)]
pub struct Jobs {
    pub(super) db: Db,
    pub(super) vault: Arc<Vault>,
    pub(super) clock: Arc<dyn Clock>,
    /// How many finished runs of a job keep their lists.
    pub(super) keeps: usize,
    /// Where manifests are kept; none = nowhere.
    pub(super) manifests: Option<Manifests>,
    /// Where no job may read or write.
    closed: Option<Arc<Closed>>,
    live: Arc<Mutex<HashMap<RunId, Arc<Progress>>>>,
    changes: watch::Sender<u64>,
    /// Wakes whoever clears up after removed jobs.
    pub(super) left_behind: Arc<Notify>,
}

/// All about one run, for its page.
#[derive(Debug, Clone)]
pub struct RunPage {
    /// The run.
    pub run: Run,
    /// Its job.
    pub job: Job,
    /// Its counters, when this very process works on it.
    pub live: Option<Arc<Progress>>,
}

impl Jobs {
    /// Over an open store.
    #[must_use]
    pub fn new(db: Db, vault: Arc<Vault>, clock: Arc<dyn Clock>) -> Self {
        Self {
            db,
            vault,
            clock,
            keeps: KEPT_RUNS,
            manifests: None,
            closed: None,
            live: Arc::default(),
            changes: watch::Sender::new(0),
            left_behind: Arc::default(),
        }
    }

    /// Lets the last `runs` finished runs of every job keep their lists of paths and attempts.
    #[must_use]
    pub fn keeping(mut self, runs: usize) -> Self {
        self.keeps = runs;
        self
    }

    /// Keeps a signed manifest of every run that changes something in the data folder `data`.
    #[must_use]
    pub fn with_manifests(mut self, data: &Path) -> Self {
        self.manifests = Some(Manifests::new(data));
        self
    }

    /// Refuses jobs that would read keys and passwords out of the data folder, or write over them. The served
    /// tree may lie in it.
    #[must_use]
    pub fn keeping_out_of(mut self, data: &Path, tree: &Path) -> Self {
        self.closed = Some(Arc::new(Closed { data: data.to_owned(), tree: tree.to_owned() }));
        self
    }

    /// The host key that was pinned for the server of `endpoint`, by whatever job or mirror.
    ///
    /// # Errors
    /// [`JobError::PinsDiffer`] when endpoints remember different ones; what the store says.
    pub async fn known_pin(&self, endpoint: &Endpoint) -> Result<Option<String>, JobError> {
        endpoints::known_pin(self.db.read(), endpoint).await
    }

    /// Removes lists of old runs, and what is left of removed jobs. A worker does it every hour.
    ///
    /// # Errors
    /// What the store says; what was removed before stays removed.
    pub async fn tidy(&self) -> Result<(), JobError> {
        history::tidy(self).await
    }

    /// Wakes whenever something here was changed by this process. What other processes change shows
    /// only when it is read again.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn by<'a>(&'a self, actor: &'a Actor) -> Change<'a> {
        Change { actor, now: self.now(), vault: &self.vault }
    }

    pub(super) async fn commit(&self, tx: WriteTx) -> Result<(), JobError> {
        tx.commit().await?;
        self.changed();
        Ok(())
    }

    // --- endpoints ---

    /// All endpoints that people made, by name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn endpoints(&self) -> Result<Vec<StoredEndpoint>, JobError> {
        Ok(endpoints::all(self.db.read()).await?)
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`JobError::NoEndpoint`].
    pub async fn endpoint(&self, id: EndpointId) -> Result<StoredEndpoint, JobError> {
        endpoints::get(&mut *self.reader().await?, id).await
    }

    /// One endpoint with its password, to be opened.
    ///
    /// # Errors
    /// [`JobError::NoEndpoint`]; [`JobError::Vault`] when the password does not open.
    pub async fn unsealed(&self, id: EndpointId) -> Result<Endpoint, JobError> {
        endpoints::unsealed(&mut *self.reader().await?, &self.vault, id).await
    }

    /// Stores a new endpoint; its password is sealed.
    ///
    /// # Errors
    /// [`JobError::EndpointNameTaken`] and the other reasons of a bad name.
    pub async fn create_endpoint(&self, actor: &Actor, new: &NewEndpoint) -> Result<EndpointId, JobError> {
        let mut tx = self.db.write().await?;
        let id = endpoints::create(&mut tx, self.by(actor), new, false).await?;
        self.commit(tx).await?;
        Ok(id)
    }

    /// Changes an endpoint. Without a password in `new`, the sealed one stays only with its protocol,
    /// host, port and user.
    ///
    /// # Errors
    /// As [`Jobs::create_endpoint`].
    pub async fn update_endpoint(&self, actor: &Actor, id: EndpointId, new: &NewEndpoint) -> Result<(), JobError> {
        let mut tx = self.db.write().await?;
        endpoints::update(&mut tx, self.by(actor), id, new).await?;
        self.commit(tx).await
    }

    /// Removes an endpoint that no job uses.
    ///
    /// # Errors
    /// [`JobError::EndpointInUse`] names the jobs.
    pub async fn remove_endpoint(&self, actor: &Actor, id: EndpointId) -> Result<(), JobError> {
        let mut tx = self.db.write().await?;
        endpoints::remove(&mut tx, self.by(actor), id).await?;
        self.commit(tx).await
    }

    // --- jobs ---

    /// Stores a new job. One that is due now starts with the worker's next look.
    ///
    /// # Errors
    /// Every [`JobError`] about names, endpoints and pairs.
    pub async fn create(&self, actor: &Actor, new: &NewJob) -> Result<JobId, JobError> {
        self.check_places(new).await?;
        let mut tx = self.db.write().await?;
        let id = definitions::create(&mut tx, self.by(actor), new, false).await?;
        self.commit(tx).await?;
        Ok(id)
    }

    /// Changes a job. A process that works on a run keeps the settings it began with; a run that is taken up
    /// again (after a pause, or when its process ended) goes on with those of today, so that what somebody
    /// forbade meanwhile is not done.
    ///
    /// # Errors
    /// As [`Jobs::create`].
    pub async fn update(&self, actor: &Actor, id: JobId, new: &NewJob) -> Result<(), JobError> {
        self.check_places(new).await?;
        let mut tx = self.db.write().await?;
        definitions::update(&mut tx, self.by(actor), id, new).await?;
        self.commit(tx).await
    }

    /// Looks at the folders of a job before the store is asked for anything.
    async fn check_places(&self, new: &NewJob) -> Result<(), JobError> {
        let place = async |reference: &EndpointRef| match reference {
            EndpointRef::Stored(id) => Ok::<_, JobError>(self.endpoint(*id).await?.endpoint),
            EndpointRef::Inline(new) => Ok(new.endpoint.clone()),
        };
        let (source, target) = (place(&new.source).await?, place(&new.target).await?);
        check_places(&source, &target, self.closed.clone()).await
    }

    /// Removes a job; its runs stay to be read and its name is free. A run under way is cancelled. Parts that its
    /// runs left in the target go with the worker's next [`clear_removed`](super::Worker::clear_removed), what is
    /// known about the target with the next [`Jobs::tidy`]. The files that were copied stay.
    ///
    /// # Errors
    /// [`JobError::NoJob`].
    pub async fn remove(&self, actor: &Actor, id: JobId) -> Result<(), JobError> {
        let mut tx = self.db.write().await?;
        let by = self.by(actor);
        let job = definitions::present(&mut tx, id).await?;
        for run in runs::active_of(&mut tx, id).await? {
            if runs::step(&mut tx, by.now, &run, RunEvent::Cancel, Some("its job was removed")).await?.is_some() {
                append(&mut tx, by.now, actor, &Event::RunCancelled { job: id, run: run.id }).await?;
            }
        }
        definitions::remove(&mut tx, by, &job).await?;
        self.commit(tx).await?;
        self.left_behind.notify_one();
        Ok(())
    }

    /// The last run of a removed job came to rest: now what it left behind can go.
    pub(super) async fn left_behind_of(&self, id: JobId) -> Result<(), JobError> {
        if self.get(id).await?.removed.is_some() {
            self.left_behind.notify_one();
        }
        Ok(())
    }

    /// One job; also a removed one, for its history.
    ///
    /// # Errors
    /// [`JobError::NoJob`].
    pub async fn get(&self, id: JobId) -> Result<Job, JobError> {
        definitions::get(&mut *self.reader().await?, id).await
    }

    /// One job by its name.
    ///
    /// # Errors
    /// [`JobError::NoJobNamed`].
    pub async fn by_name(&self, name: &str) -> Result<Job, JobError> {
        definitions::by_name(self.db.read(), name.trim()).await
    }

    /// All jobs by name, with what they do and did; those of `causeway mirror` only when asked for.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self, with_ad_hoc: bool) -> Result<Vec<JobRow>, JobError> {
        let jobs = definitions::all(self.db.read(), with_ad_hoc).await?;
        let active: HashMap<_, _> =
            runs::all_active(self.db.read()).await?.into_iter().map(|run| (run.job, run)).collect();
        let (skipped, last): (Vec<_>, Vec<_>) =
            runs::all_latest(self.db.read()).await?.into_iter().partition(|run| run.state == RunState::Skipped);
        let find = |runs: &[Run], job: JobId| runs.iter().find(|run| run.job == job).cloned();
        let rows = jobs.into_iter().map(|job| {
            let last = find(&last, job.id);
            let newer = |skip: &Run| last.as_ref().is_none_or(|last| skip.id > last.id);
            let skipped = find(&skipped, job.id).filter(newer);
            JobRow { active: active.get(&job.id).cloned(), last, skipped, job }
        });
        Ok(rows.collect())
    }

    /// The next `count` starts of a job; none while it is paused.
    #[must_use]
    pub fn next_starts(&self, job: &Job, count: usize) -> Vec<Timestamp> {
        let first = job.next_start.filter(|_| !job.paused && job.removed.is_none());
        std::iter::successors(first, |last| job.schedule.next_after(&job.zone, (*last).max(self.now())))
            .take(count)
            .collect()
    }

    /// Lets a job rest: its schedule, and its run when there is one.
    ///
    /// # Errors
    /// [`JobError::NoJob`].
    pub async fn pause(&self, actor: &Actor, id: JobId) -> Result<(), JobError> {
        let mut tx = self.db.write().await?;
        let by = self.by(actor);
        let job = definitions::present(&mut tx, id).await?;
        if !job.paused {
            definitions::set_paused(&mut tx, by, &job, true, job.next_start).await?;
        }
        for run in runs::active_of(&mut tx, id).await? {
            if runs::step(&mut tx, by.now, &run, RunEvent::Pause, None).await?.is_some() {
                append(&mut tx, by.now, actor, &Event::RunPaused { job: id, run: run.id }).await?;
            }
        }
        self.commit(tx).await
    }

    /// Lets a resting job go on, with its resting run. Starts of the schedule that fell into the pause
    /// are not made up for; a one-time start is.
    ///
    /// # Errors
    /// [`JobError::NoJob`].
    pub async fn resume(&self, actor: &Actor, id: JobId) -> Result<(), JobError> {
        let mut tx = self.db.write().await?;
        let by = self.by(actor);
        let job = definitions::present(&mut tx, id).await?;
        if job.paused {
            definitions::set_paused(&mut tx, by, &job, false, definitions::after_pause(&job, by.now)).await?;
        }
        for run in runs::active_of(&mut tx, id).await? {
            if runs::step(&mut tx, by.now, &run, RunEvent::Resume, None).await?.is_some() {
                append(&mut tx, by.now, actor, &Event::RunResumed { job: id, run: run.id }).await?;
            }
        }
        self.commit(tx).await
    }

    /// Starts a job now, beside its schedule.
    ///
    /// # Errors
    /// [`JobError::AlreadyActive`] while a run of it is not over.
    pub async fn run_now(&self, actor: &Actor, id: JobId) -> Result<RunId, JobError> {
        let mut tx = self.db.write().await?;
        let job = definitions::present(&mut tx, id).await?;
        let run = runs::enqueue(&mut tx, (actor, self.now()), job.id, Cause::Manual, None).await?;
        self.commit(tx).await?;
        Ok(run)
    }

    // --- runs ---

    /// One run.
    ///
    /// # Errors
    /// [`JobError::NoRun`].
    pub async fn run(&self, id: RunId) -> Result<Run, JobError> {
        runs::get(&mut *self.reader().await?, id).await
    }

    /// One run with its job and live counters.
    ///
    /// # Errors
    /// [`JobError::NoRun`].
    pub async fn run_page(&self, id: RunId) -> Result<RunPage, JobError> {
        let run = self.run(id).await?;
        let job = self.get(run.job).await?;
        Ok(RunPage { live: self.live(id), run, job })
    }

    /// Runs and skipped starts, newest first, page by page.
    ///
    /// # Errors
    /// What the store says.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, JobError> {
        Ok(runs::page(self.db.read(), filter).await?)
    }

    /// Lets one run rest; the schedule of its job goes on, and its starts are skipped meanwhile.
    ///
    /// # Errors
    /// [`JobError::NotNow`].
    pub async fn pause_run(&self, actor: &Actor, id: RunId) -> Result<(), JobError> {
        self.wish(actor, id, RunEvent::Pause).await
    }

    /// Lets a resting run go on.
    ///
    /// # Errors
    /// [`JobError::NotNow`].
    pub async fn resume_run(&self, actor: &Actor, id: RunId) -> Result<(), JobError> {
        self.wish(actor, id, RunEvent::Resume).await
    }

    /// Ends a run. What it published stays.
    ///
    /// # Errors
    /// [`JobError::NotNow`].
    pub async fn cancel(&self, actor: &Actor, id: RunId) -> Result<(), JobError> {
        self.wish(actor, id, RunEvent::Cancel).await
    }

    async fn wish(&self, actor: &Actor, id: RunId, event: RunEvent) -> Result<(), JobError> {
        let mut tx = self.db.write().await?;
        let now = self.now();
        let run = runs::get(&mut tx, id).await?;
        let (job, run_id) = (run.job, run.id);
        let (wish, said) = match event {
            RunEvent::Pause => ("paused", Event::RunPaused { job, run: run_id }),
            RunEvent::Resume => ("resumed", Event::RunResumed { job, run: run_id }),
            _ => ("cancelled", Event::RunCancelled { job, run: run_id }),
        };
        if runs::step(&mut tx, now, &run, event, None).await?.is_none() {
            return Err(JobError::NotNow { run: run_id, state: run.state, wish });
        }
        append(&mut tx, now, actor, &said).await?;
        self.commit(tx).await
    }

    // --- live ---

    /// The counters of a run that this process works on.
    #[must_use]
    pub fn live(&self, run: RunId) -> Option<Arc<Progress>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).get(&run).cloned()
    }

    /// Shows a run as live until the guard is dropped.
    pub(super) fn show_live(&self, run: RunId, progress: Arc<Progress>) -> LiveGuard {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).insert(run, progress.clone());
        LiveGuard { jobs: self.clone(), run, progress }
    }

    pub(super) async fn reader(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, DbError> {
        Ok(self.db.read().acquire().await?)
    }
}

/// Keeps a run in the live map.
#[derive(Debug)]
pub(super) struct LiveGuard {
    jobs: Jobs,
    run: RunId,
    progress: Arc<Progress>,
}

impl LiveGuard {
    pub(super) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }
}

impl Drop for LiveGuard {
    fn drop(&mut self) {
        let mut live = self.jobs.live.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have taken the run up since: that entry is not this guard's.
        if live.get(&self.run).is_some_and(|progress| Arc::ptr_eq(progress, &self.progress)) {
            live.remove(&self.run);
        }
        drop(live);
        self.jobs.changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SystemClock;

    #[tokio::test]
    async fn a_guard_removes_only_its_own_entry() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        let jobs = Jobs::new(db, Arc::new(Vault::new(&[5; 32]).unwrap()), Arc::new(SystemClock));
        let first = jobs.show_live(RunId(1), Arc::default());
        let second = jobs.show_live(RunId(1), Arc::default());
        drop(first);
        assert!(jobs.live(RunId(1)).is_some_and(|live| Arc::ptr_eq(&live, &second.progress())));
        drop(second);
        assert!(jobs.live(RunId(1)).is_none());
    }
}
