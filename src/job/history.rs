//! How long the lists of what runs did are kept.
//!
//! The memory of what a job published stays as long as the job is there: the next run compares with it. The long
//! lists do not: what a run saw on both sides goes when the run is over for good, and its items with their attempts
//! go when the run is older than the last [`Jobs::keeping`] of its job, or than [`KEPT_FOR`] while a newer one is
//! there. A run's row, with its numbers, its summary and its first missing paths, goes later ([`KEPT_ROWS`],
//! [`ROWS_KEPT_FOR`]), and the last run of a job and its last complete one never do. The audit log keeps for good
//! what every run did.

use std::collections::HashSet;
use std::time::Duration;

use jiff::SignedDuration;

use crate::mirror::{Extent, store as journal};
use crate::model::{JobId, RunId};
use crate::task;

use super::definition::store as definitions;
use super::error::JobError;
use super::jobs::Jobs;
use super::run::{Run, RunState, store as runs};

/// How many finished runs of a job keep their lists, unless the settings say otherwise.
pub const KEPT_RUNS: usize = 50;
/// For how long they keep them at most.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(366 * 24);
/// How many rows of finished runs, and as many of skipped starts, a job keeps.
const KEPT_ROWS: usize = 1000;
/// For how long it keeps them at most.
const ROWS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Rows that are removed in one transaction: others write in between.
const PIECE: usize = 500;
/// How often a worker looks for lists to remove.
pub(super) const EVERY: Duration = Duration::from_secs(3600);

/// After the work on `run`: what nobody will ask for again goes.
pub(super) async fn after(jobs: &Jobs, run: &Run) {
    let done = async {
        jobs.left_behind_of(run.job).await?;
        if !runs::is_over(jobs.db.read(), run.id).await? {
            return Ok(());
        }
        journal::clear_scan(&jobs.db, run.id).await?;
        if run.extent == Extent::Hot && !journal::changed_anything(&jobs.db, run.id).await? {
            forget(jobs, run.id).await?;
        }
        prune(jobs, Some(run.job)).await
    };
    let done: Result<(), JobError> = done.await;
    if let Err(error) = done {
        tracing::warn!(run.id = %run.id, error = %error, "old lists of a job were not removed; the next run tries again");
    }
}

/// A look at hot folders that found all as it was is nothing to remember. One that fell short is.
async fn forget(jobs: &Jobs, run: RunId) -> Result<(), JobError> {
    if runs::get(&mut *jobs.reader().await?, run).await?.state == RunState::Done {
        journal::prune_run(&jobs.db, run).await?;
        runs::forget_idle(&jobs.db, run).await?;
    }
    Ok(())
}

/// All that [`after`] may have missed: runs that were ended while nobody worked on them, processes that
/// died in between, jobs that were removed.
pub(super) async fn tidy(jobs: &Jobs) -> Result<(), JobError> {
    for run in journal::scanned(&jobs.db).await? {
        if runs::is_over(jobs.db.read(), run).await? {
            journal::clear_scan(&jobs.db, run).await?;
        }
    }
    prune(jobs, None).await?;
    prune_rows(jobs).await?;
    for job in definitions::removed(jobs.db.read()).await? {
        journal::forget_job(&jobs.db, job).await?;
    }
    Ok(())
}

async fn prune_rows(jobs: &Jobs) -> Result<(), JobError> {
    let since = jobs.now().saturating_sub(ROWS_KEPT_FOR).unwrap_or(jiff::Timestamp::MIN);
    while runs::remove_outdated(&jobs.db, KEPT_ROWS, (since, jobs.now()), PIECE).await? > 0 {}
    Ok(())
}

/// The newest manifest of a job stays, however old: it may be the one that tells what the target holds now.
async fn prune_manifests(jobs: &Jobs, job: Option<JobId>, old: &HashSet<RunId>) -> Result<(), JobError> {
    let Some(manifests) = jobs.manifests.clone() else { return Ok(()) };
    let (old, now) = (old.clone(), jobs.now());
    let pruned = task::blocking(move || {
        let of: HashSet<JobId> = manifests.list(job)?.into_iter().map(|kept| kept.job).collect();
        of.into_iter().try_for_each(|job| manifests.prune(job, |run| old.contains(&run), now).map(drop))
    });
    Ok(pruned.await.map_err(super::manifests::lost)??)
}

async fn prune(jobs: &Jobs, job: Option<JobId>) -> Result<(), JobError> {
    let since = jobs.now().saturating_sub(KEPT_FOR).unwrap_or(jiff::Timestamp::MIN);
    let old: HashSet<_> = runs::outdated(jobs.db.read(), job, jobs.keeps, since).await?.into_iter().collect();
    prune_manifests(jobs, job, &old).await?;
    if old.is_empty() {
        return Ok(());
    }
    for run in journal::itemised(&jobs.db).await?.into_iter().filter(|run| old.contains(run)) {
        journal::prune_run(&jobs.db, run).await?;
    }
    Ok(())
}
