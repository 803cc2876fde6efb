//! SQL of runs. Every change of state goes through [`step`], which asks [`next_state`].

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, SqlitePool};

use crate::audit::{Actor, Event, RunOutcome, append};
use crate::db::{Db, DbError, WriteTx};
use crate::mirror::{Extent, Snapshot, Summary};
use crate::model::{JobId, RunId};

use super::{Cause, Claim, Run, RunEvent, RunFilter, RunState, next_state};
use crate::job::JobError;
use crate::job::stored::{count, maybe_json, maybe_moment, moment, text, word};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, job, state, cause, extent, planned, queued, started, ended, owner, lease_until, heartbeat, claims, ",
            "skips, blocked_by, counters, summary, reason FROM runs ",
            $tail
        )
    };
}

const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 500;

fn read(row: &SqliteRow) -> Result<Run, DbError> {
    Ok(Run {
        id: RunId(row.try_get("id")?),
        job: JobId(row.try_get("job")?),
        state: word(row, "state")?,
        cause: word(row, "cause")?,
        extent: word(row, "extent")?,
        planned: maybe_moment(row, "planned")?,
        queued: moment(row, "queued")?,
        started: maybe_moment(row, "started")?,
        ended: maybe_moment(row, "ended")?,
        owner: row.try_get("owner")?,
        lease_until: maybe_moment(row, "lease_until")?,
        heartbeat: maybe_moment(row, "heartbeat")?,
        claims: count(row, "claims")?,
        skips: count(row, "skips")?,
        blocked_by: row.try_get::<Option<i64>, _>("blocked_by")?.map(RunId),
        counters: maybe_json(row, "counters")?,
        summary: maybe_json(row, "summary")?,
        reason: row.try_get("reason")?,
    })
}

fn read_all(rows: &[SqliteRow]) -> Result<Vec<Run>, DbError> {
    rows.iter().map(read).collect()
}

pub(in crate::job) async fn get(conn: &mut SqliteConnection, id: RunId) -> Result<Run, JobError> {
    let row = sqlx::query(select!("WHERE id = ?")).bind(id.0).fetch_optional(conn).await?;
    Ok(read(&row.ok_or(JobError::NoRun(id))?)?)
}

/// The runs of `job` that change something and are not over; the index `runs_active` allows one of each extent.
pub(in crate::job) async fn active_of(conn: &mut SqliteConnection, job: JobId) -> Result<Vec<Run>, DbError> {
    let rows = sqlx::query(select!(
        "WHERE job = ? AND dry = 0 AND state IN ('queued', 'running', 'pausing', 'paused', 'cancelling', 'interrupted')"
    ))
    .bind(job.0)
    .fetch_all(conn)
    .await?;
    read_all(&rows)
}

/// The active run of `job` of one extent, among those that change something, or among its dry ones: none is in another's
/// way.
pub(in crate::job) async fn active(
    conn: &mut SqliteConnection,
    job: JobId,
    (extent, dry): (Extent, bool),
) -> Result<Option<Run>, DbError> {
    let row = sqlx::query(select!(
        "WHERE job = ? AND dry = ? AND extent = ?
         AND state IN ('queued', 'running', 'pausing', 'paused', 'cancelling', 'interrupted')"
    ))
    .bind(job.0)
    .bind(dry)
    .bind(extent.as_str())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// The active runs of every job, that over the whole tree behind that over its hot folders.
pub(in crate::job) async fn all_active(pool: &SqlitePool) -> Result<Vec<Run>, DbError> {
    let query = select!(
        "WHERE dry = 0 AND state IN ('queued', 'running', 'pausing', 'paused', 'cancelling', 'interrupted')
         ORDER BY extent = 'whole', id"
    );
    read_all(&sqlx::query(query).fetch_all(pool).await?)
}

/// The latest run over the whole tree of every job that is over, and the latest skipped start.
pub(in crate::job) async fn all_latest(pool: &SqlitePool) -> Result<Vec<Run>, DbError> {
    let query = select!(
        "WHERE id IN (SELECT max(id) FROM runs WHERE extent = 'whole'
             AND state IN ('done', 'incomplete', 'failed', 'cancelled') GROUP BY job)
         OR id IN (SELECT max(id) FROM runs WHERE state = 'skipped' GROUP BY job)"
    );
    read_all(&sqlx::query(query).fetch_all(pool).await?)
}

pub(in crate::job) async fn page(pool: &SqlitePool, filter: &RunFilter) -> Result<Vec<Run>, DbError> {
    let mut query = QueryBuilder::<Sqlite>::new(select!("WHERE 1"));
    if let Some(job) = filter.job {
        query.push(" AND job = ").push_bind(job.0);
    }
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(before) = filter.before {
        query.push(" AND id < ").push_bind(before.0);
    }
    let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(LONGEST_PAGE) };
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit));
    read_all(&query.build().fetch_all(pool).await?)
}

/// Those that a worker may take up, the longest waiting first. Runs of `causeway mirror` wait for the
/// next `causeway mirror`: their passwords are not in the store.
pub(in crate::job) async fn waiting(pool: &SqlitePool, limit: usize) -> Result<Vec<RunId>, DbError> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT r.id FROM runs r JOIN jobs j ON j.id = r.job
         WHERE r.state IN ('queued', 'interrupted') AND j.ad_hoc = 0 AND (r.dry = 1 OR NOT EXISTS (SELECT 1 FROM runs o
         WHERE o.job = r.job AND o.id <> r.id AND o.dry = 0 AND o.state IN ('running', 'pausing', 'cancelling')))
         ORDER BY r.queued, r.id LIMIT ?",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(RunId).collect())
}

/// Those that some process should be working on. Only their numbers: one row that cannot be read must not
/// hide the others.
pub(in crate::job) async fn held(pool: &SqlitePool) -> Result<Vec<RunId>, DbError> {
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM runs WHERE state IN ('running', 'pausing', 'cancelling')")
        .fetch_all(pool)
        .await?;
    Ok(ids.into_iter().map(RunId).collect())
}

/// Is the run over for good?
pub(in crate::job) async fn is_over(pool: &SqlitePool, run: RunId) -> Result<bool, DbError> {
    let row = sqlx::query("SELECT state FROM runs WHERE id = ?").bind(run.0).fetch_optional(pool).await?;
    Ok(row.as_ref().map(|row| word::<RunState>(row, "state")).transpose()?.is_some_and(RunState::is_over))
}

/// Runs that are over and whose lists need not be kept: older than the last `keeps` of their job, or ended
/// before `since` while they are not the last one of a job that is still there.
pub(in crate::job) async fn outdated(
    pool: &SqlitePool,
    job: Option<JobId>,
    keeps: usize,
    since: Timestamp,
) -> Result<Vec<RunId>, DbError> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT r.id FROM (SELECT id, job, ended, row_number() OVER (PARTITION BY job, extent ORDER BY id DESC) AS place
             FROM runs WHERE state IN ('done', 'incomplete', 'failed', 'cancelled') AND (?1 IS NULL OR job = ?1)) r
         JOIN jobs j ON j.id = r.job
         WHERE r.place > ?2 OR (r.ended < ?3 AND (r.place > 1 OR j.removed IS NOT NULL))",
    )
    .bind(job.map(|job| job.0))
    .bind(i64::try_from(keeps).unwrap_or(i64::MAX))
    .bind(since.as_microsecond())
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(RunId).collect())
}

/// Removes rows of runs that are over: those beyond the last `keeps` of their job, or ended before `since`. Skipped
/// starts are counted for themselves. The last run of a job that is still there stays, its last complete one too, and
/// every run whose items are still needed. At most `limit` at once; returns how many went.
pub(in crate::job) async fn remove_outdated(
    db: &Db,
    keeps: usize,
    (since, now): (Timestamp, Timestamp),
    limit: usize,
) -> Result<usize, DbError> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut tx = db.write().await?;
    let old: Vec<i64> = sqlx::query_scalar(
        "SELECT r.id FROM (SELECT id, job, ended,
             row_number() OVER (PARTITION BY job, extent, state = 'skipped' ORDER BY id DESC) AS place,
             max(CASE WHEN state = 'done' AND extent = 'whole' THEN id END) OVER (PARTITION BY job) AS good
             FROM runs WHERE state IN ('done', 'incomplete', 'failed', 'cancelled', 'skipped')) r
         JOIN jobs j ON j.id = r.job
         WHERE (r.place > ?1 OR r.ended < ?2) AND (j.removed IS NOT NULL OR (r.place > 1 AND r.id IS NOT r.good))
         AND NOT EXISTS (SELECT 1 FROM items WHERE run = r.id) ORDER BY r.id LIMIT ?3",
    )
    .bind(number(keeps))
    .bind(since.as_microsecond())
    .bind(number(limit))
    .fetch_all(&mut *tx)
    .await?;
    for run in &old {
        for sql in ["UPDATE runs SET blocked_by = NULL WHERE blocked_by = ?", "DELETE FROM runs WHERE id = ?"] {
            sqlx::query(sql).bind(run).execute(&mut *tx).await?;
        }
    }
    if !old.is_empty() {
        let runs = u64::try_from(old.len()).unwrap_or(u64::MAX);
        append(&mut tx, now, &Actor::System, &Event::RunsForgotten { runs }).await?;
    }
    tx.commit().await?;
    Ok(old.len())
}

/// Queues a run.
pub(in crate::job) async fn enqueue(
    tx: &mut WriteTx,
    (actor, now): (&Actor, Timestamp),
    job: JobId,
    cause: Cause,
    planned: Option<Timestamp>,
) -> Result<RunId, JobError> {
    enqueue_as(tx, (actor, now), job, (cause, planned), (Extent::Whole, false)).await
}

/// Queues a run of one extent, a `dry` one or one that changes something. That hot folders are looked at every minute is
/// not written into the audit log, only what that changes.
pub(in crate::job) async fn enqueue_as(
    tx: &mut WriteTx,
    (actor, now): (&Actor, Timestamp),
    job: JobId,
    (cause, planned): (Cause, Option<Timestamp>),
    (extent, dry): (Extent, bool),
) -> Result<RunId, JobError> {
    if let Some(run) = active(&mut *tx, job, (extent, dry)).await? {
        return Err(JobError::AlreadyActive { run: run.id, state: run.state });
    }
    let id = sqlx::query(
        "INSERT INTO runs (job, state, cause, planned, queued, extent, dry) VALUES (?, 'queued', ?, ?, ?, ?, ?)",
    )
    .bind(job.0)
    .bind(cause.as_str())
    .bind(planned.map(Timestamp::as_microsecond))
    .bind(now.as_microsecond())
    .bind(extent.as_str())
    .bind(dry)
    .execute(&mut **tx)
    .await?
    .last_insert_rowid();
    let run = RunId(id);
    if extent == Extent::Whole {
        append(tx, now, actor, &Event::RunQueued { job, run, cause: cause.to_string() }).await?;
    }
    Ok(run)
}

/// Records a start that `active` was in the way of. Skips in a row behind the same run share one row.
pub(in crate::job) async fn skip(
    tx: &mut WriteTx,
    now: Timestamp,
    planned: Timestamp,
    active: &Run,
) -> Result<(), JobError> {
    let grown = sqlx::query(
        "UPDATE runs SET skips = skips + 1, ended = ?1
         WHERE id = (SELECT max(id) FROM runs WHERE job = ?2) AND state = 'skipped' AND blocked_by = ?3",
    )
    .bind(now.as_microsecond())
    .bind(active.job.0)
    .bind(active.id.0)
    .execute(&mut **tx)
    .await?;
    if grown.rows_affected() == 0 {
        sqlx::query(
            "INSERT INTO runs (job, state, cause, planned, queued, ended, skips, blocked_by, reason)
             VALUES (?1, 'skipped', 'schedule', ?2, ?3, ?3, 1, ?4, ?5)",
        )
        .bind(active.job.0)
        .bind(planned.as_microsecond())
        .bind(now.as_microsecond())
        .bind(active.id.0)
        .bind(format!("run {} of this job was still {}", active.id, active.state))
        .execute(&mut **tx)
        .await?;
    }
    append(tx, now, &Actor::System, &Event::StartSkipped { job: active.job, active: active.id }).await?;
    Ok(())
}

/// Applies `event` to `run`; none when it makes no sense in its state. Nothing else changes states.
pub(in crate::job) async fn step(
    tx: &mut WriteTx,
    now: Timestamp,
    run: &Run,
    event: RunEvent,
    reason: Option<&str>,
) -> Result<Option<RunState>, DbError> {
    let Some(state) = next_state(run.state, event) else { return Ok(None) };
    let ended = state.is_over().then_some(now.as_microsecond());
    sqlx::query(
        "UPDATE runs SET state = ?1, ended = ?2, reason = ?3,
         owner = CASE WHEN ?4 THEN owner END, lease_until = CASE WHEN ?4 THEN lease_until END WHERE id = ?5",
    )
    .bind(state.as_str())
    .bind(ended)
    .bind(reason)
    .bind(i64::from(state.is_held()))
    .bind(run.id.0)
    .execute(&mut **tx)
    .await?;
    Ok(Some(state))
}

/// Takes a waiting run up for `owner`: the run as it is from now on. None when it is not waiting any more, or while another
/// run of its job changes the target.
pub(in crate::job) async fn claim(
    tx: &mut WriteTx,
    now: Timestamp,
    run: Run,
    (owner, lease): (&str, SignedDuration),
) -> Result<Option<Run>, JobError> {
    if is_behind(tx, run.id).await? {
        return Ok(None);
    }
    let Some(state) = step(tx, now, &run, RunEvent::Claim, None).await? else { return Ok(None) };
    let claims = run.claims.saturating_add(1);
    sqlx::query(
        "UPDATE runs SET owner = ?1, lease_until = ?2, heartbeat = ?3, claims = ?5,
         started = coalesce(started, ?3) WHERE id = ?4",
    )
    .bind(owner)
    .bind(until(now, lease))
    .bind(now.as_microsecond())
    .bind(run.id.0)
    .bind(i64::from(claims))
    .execute(&mut **tx)
    .await?;
    if run.extent == Extent::Whole {
        let event = Event::RunStarted { job: run.job, run: run.id, attempt: claims };
        append(tx, now, &Actor::Job(run.job), &event).await?;
    }
    Ok(Some(Run { state, claims, owner: Some(owner.to_owned()), ..run }))
}

/// Does somebody work on another run of the same job that changes something, as this one does?
async fn is_behind(tx: &mut WriteTx, run: RunId) -> Result<bool, DbError> {
    let other: Option<i64> = sqlx::query_scalar(
        "SELECT o.id FROM runs r JOIN runs o ON o.job = r.job AND o.id <> r.id
         WHERE r.id = ? AND r.dry = 0 AND o.dry = 0 AND o.state IN ('running', 'pausing', 'cancelling') LIMIT 1",
    )
    .bind(run.0)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(other.is_some())
}

/// The last run of `job` of one extent that changed something or meant to.
pub(in crate::job) async fn last_real(pool: &SqlitePool, job: JobId, extent: Extent) -> Result<Option<Run>, DbError> {
    let row = sqlx::query(select!(
        "WHERE job = ? AND extent = ? AND dry = 0 AND state <> 'skipped' ORDER BY id DESC LIMIT 1"
    ))
    .bind(job.0)
    .bind(extent.as_str())
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Removes the row of a run over hot folders that found nothing to do: there will be another in a minute.
pub(in crate::job) async fn forget_idle(db: &Db, run: RunId) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    for sql in [
        "UPDATE runs SET blocked_by = NULL WHERE blocked_by = ?",
        "DELETE FROM runs WHERE id = ? AND extent = 'hot' AND state = 'done'",
    ] {
        sqlx::query(sql).bind(run.0).execute(&mut *tx).await?;
    }
    Ok(tx.commit().await?)
}

fn until(now: Timestamp, lease: SignedDuration) -> i64 {
    now.saturating_add(lease).unwrap_or(now).as_microsecond()
}

/// Renews the lease and stores the counters. False when the run was taken away from this claim.
pub(in crate::job) async fn beat(
    db: &Db,
    now: Timestamp,
    run: RunId,
    (claim, lease): (Claim<'_>, SignedDuration),
    counters: &Snapshot,
) -> Result<bool, DbError> {
    let mut tx = db.write().await?;
    let beaten = sqlx::query(
        "UPDATE runs SET lease_until = ?, heartbeat = ?, counters = ?
         WHERE id = ? AND owner = ? AND claims = ? AND state IN ('running', 'pausing', 'cancelling')",
    )
    .bind(until(now, lease))
    .bind(now.as_microsecond())
    .bind(text(counters)?)
    .bind(run.0)
    .bind(claim.owner)
    .bind(i64::from(claim.number))
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(beaten.rows_affected() == 1)
}

/// The state as the holder of the lease sees it; none when the run was taken away from this claim.
pub(in crate::job) async fn wish(pool: &SqlitePool, run: RunId, claim: Claim<'_>) -> Result<Option<RunState>, DbError> {
    let row = sqlx::query("SELECT state FROM runs WHERE id = ? AND owner = ? AND claims = ?")
        .bind(run.0)
        .bind(claim.owner)
        .bind(i64::from(claim.number))
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(|row| word(row, "state")).transpose()
}

/// Says what a run is waiting for.
pub(in crate::job) async fn note(db: &Db, run: RunId, claim: Claim<'_>, reason: Option<&str>) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("UPDATE runs SET reason = ? WHERE id = ? AND owner = ? AND claims = ?")
        .bind(reason)
        .bind(run.0)
        .bind(claim.owner)
        .bind(i64::from(claim.number))
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// What a worker hands in when its work on a run is over.
#[derive(Debug, Clone)]
pub(in crate::job) struct Ending<'a> {
    pub(in crate::job) event: RunEvent,
    pub(in crate::job) counters: &'a Snapshot,
    pub(in crate::job) summary: Option<&'a Summary>,
    pub(in crate::job) reason: Option<&'a str>,
}

/// Ends the work of `claim` on a run and frees the lease.
pub(in crate::job) async fn finish(
    tx: &mut WriteTx,
    now: Timestamp,
    id: RunId,
    claim: Claim<'_>,
    ending: &Ending<'_>,
) -> Result<RunState, JobError> {
    let run = get(&mut *tx, id).await?;
    if run.owner.as_deref() != Some(claim.owner) || run.claims != claim.number {
        return Err(JobError::LeaseLost(id));
    }
    let state = step(tx, now, &run, ending.event, ending.reason).await?.ok_or(JobError::LeaseLost(id))?;
    sqlx::query("UPDATE runs SET counters = ?, summary = ? WHERE id = ?")
        .bind(text(ending.counters)?)
        .bind(ending.summary.map(text).transpose()?)
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    let counts = ending.summary.map(|s| s.counts).unwrap_or_default();
    let idle = run.extent == Extent::Hot && state == RunState::Done && counts.files_published == 0;
    if let Some(outcome) = outcome(state).filter(|_| !idle) {
        let event = Event::RunEnded {
            job: run.job,
            run: id,
            outcome,
            files: counts.files_published,
            bytes: counts.bytes_published,
            failed: counts.files_failed,
        };
        append(tx, now, &Actor::Job(run.job), &event).await?;
    }
    Ok(state)
}

/// What the audit log says about work that led to `state`; a pause was said when it was asked for.
const fn outcome(state: RunState) -> Option<RunOutcome> {
    match state {
        RunState::Done => Some(RunOutcome::Complete),
        RunState::Incomplete => Some(RunOutcome::Incomplete),
        RunState::Failed => Some(RunOutcome::Failed),
        RunState::Cancelled => Some(RunOutcome::Cancelled),
        RunState::Interrupted => Some(RunOutcome::Interrupted),
        RunState::Queued
        | RunState::Running
        | RunState::Pausing
        | RunState::Paused
        | RunState::Cancelling
        | RunState::Skipped => None,
    }
}

/// Frees a run whose process is gone.
pub(in crate::job) async fn release(tx: &mut WriteTx, now: Timestamp, run: &Run, why: &str) -> Result<(), JobError> {
    let reason = Some(why).filter(|_| run.state == RunState::Running);
    let Some(state) = step(tx, now, run, RunEvent::OwnerLost, reason).await? else { return Ok(()) };
    if let Some(outcome) = outcome(state) {
        let counters = run.counters.clone().unwrap_or_default();
        let event = Event::RunEnded {
            job: run.job,
            run: run.id,
            outcome,
            files: counters.files_done,
            bytes: counters.bytes_done,
            failed: counters.files_failed,
        };
        append(tx, now, &Actor::System, &event).await?;
    }
    Ok(())
}
