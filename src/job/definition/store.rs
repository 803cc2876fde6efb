//! SQL of jobs.

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

use crate::audit::{Event, append};
use crate::db::{DbError, WriteTx};
use crate::mirror::Policy;
use crate::model::{EndpointId, JobId};

use super::{Job, NewJob};
use crate::job::JobError;
use crate::job::endpoint::store::{self as endpoints, Change};
use crate::job::endpoint::{check_pair, checked_name};
use crate::job::schedule::{Schedule, Zone};
use crate::job::stored::{json, maybe_moment, moment, text};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT j.id, j.name, j.ad_hoc, j.policy, j.schedule, j.zone, j.paused, j.next_start, j.created, ",
            "j.changed, j.removed, ",
            "s.id AS s_id, s.name AS s_name, s.url AS s_url, s.options AS s_options, ",
            "s.password IS NOT NULL AS s_has_password, s.ad_hoc AS s_ad_hoc, s.created AS s_created, ",
            "s.changed AS s_changed, ",
            "t.id AS t_id, t.name AS t_name, t.url AS t_url, t.options AS t_options, ",
            "t.password IS NOT NULL AS t_has_password, t.ad_hoc AS t_ad_hoc, t.created AS t_created, ",
            "t.changed AS t_changed ",
            "FROM jobs j JOIN endpoints s ON s.id = j.source JOIN endpoints t ON t.id = j.target ",
            $tail
        )
    };
}

fn read(row: &SqliteRow) -> Result<Job, DbError> {
    let zone: String = row.try_get("zone")?;
    Ok(Job {
        id: JobId(row.try_get("id")?),
        name: row.try_get("name")?,
        ad_hoc: row.try_get::<i64, _>("ad_hoc")? != 0,
        source: endpoints::read(row, "s_")?,
        target: endpoints::read(row, "t_")?,
        policy: json::<Policy>(row, "policy")?,
        schedule: json::<Schedule>(row, "schedule")?,
        zone: Zone::parse(&zone).map_err(|e| DbError::Value(e.to_string()))?,
        paused: row.try_get::<i64, _>("paused")? != 0,
        next_start: maybe_moment(row, "next_start")?,
        created: moment(row, "created")?,
        changed: moment(row, "changed")?,
        removed: maybe_moment(row, "removed")?,
    })
}

/// All that are not removed, by name; those of `causeway mirror` only when asked for.
pub(in crate::job) async fn all(pool: &SqlitePool, with_ad_hoc: bool) -> Result<Vec<Job>, DbError> {
    let rows = sqlx::query(select!("WHERE j.removed IS NULL AND (j.ad_hoc = 0 OR ?) ORDER BY j.name"))
        .bind(i64::from(with_ad_hoc))
        .fetch_all(pool)
        .await?;
    rows.iter().map(read).collect()
}

/// Also finds a removed one.
pub(in crate::job) async fn get(conn: &mut SqliteConnection, id: JobId) -> Result<Job, JobError> {
    let row = sqlx::query(select!("WHERE j.id = ?")).bind(id.0).fetch_optional(conn).await?;
    Ok(read(&row.ok_or(JobError::NoJob(id))?)?)
}

/// Not a removed one: for changes.
pub(in crate::job) async fn present(conn: &mut SqliteConnection, id: JobId) -> Result<Job, JobError> {
    get(conn, id).await.and_then(|job| if job.removed.is_some() { Err(JobError::NoJob(id)) } else { Ok(job) })
}

pub(in crate::job) async fn by_name(pool: &SqlitePool, name: &str) -> Result<Job, JobError> {
    let row = sqlx::query(select!("WHERE j.name = ? AND j.removed IS NULL")).bind(name).fetch_optional(pool).await?;
    Ok(read(&row.ok_or_else(|| JobError::NoJobNamed(name.to_owned()))?)?)
}

/// The ad-hoc job of a pair of endpoints.
pub(in crate::job) async fn ad_hoc_of(
    tx: &mut WriteTx,
    source: EndpointId,
    target: EndpointId,
) -> Result<Option<JobId>, DbError> {
    let id: Option<i64> =
        sqlx::query_scalar("SELECT id FROM jobs WHERE ad_hoc = 1 AND source = ? AND target = ? AND removed IS NULL")
            .bind(source.0)
            .bind(target.0)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(id.map(JobId))
}

/// Those whose start is due.
pub(in crate::job) async fn due(pool: &SqlitePool, now: Timestamp) -> Result<Vec<JobId>, DbError> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM jobs WHERE next_start <= ? AND removed IS NULL AND paused = 0 ORDER BY next_start LIMIT 1000",
    )
    .bind(now.as_microsecond())
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// Those whose hot folders are to be looked at.
pub(in crate::job) async fn hot_due(pool: &SqlitePool, now: Timestamp) -> Result<Vec<JobId>, DbError> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM jobs WHERE next_hot <= ? AND next_hot IS NOT NULL AND removed IS NULL AND paused = 0
         ORDER BY next_hot LIMIT 1000",
    )
    .bind(now.as_microsecond())
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// When the hot folders of a job with this policy are looked at after `now`, after so many `times` its pause.
pub(in crate::job) fn next_hot(policy: &Policy, now: Timestamp, times: u32) -> Option<Timestamp> {
    let every = SignedDuration::from_mins(policy.hot_minutes?.max(1).saturating_mul(times).into());
    now.checked_add(every).ok()
}

pub(in crate::job) async fn set_next_hot(tx: &mut WriteTx, id: JobId, next: Option<Timestamp>) -> Result<(), DbError> {
    sqlx::query("UPDATE jobs SET next_hot = ? WHERE id = ?")
        .bind(next.map(Timestamp::as_microsecond))
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Those that were removed and have no run any more that is not over.
pub(in crate::job) async fn removed(pool: &SqlitePool) -> Result<Vec<JobId>, DbError> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM jobs j WHERE removed IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs WHERE job = j.id
         AND state IN ('queued', 'running', 'pausing', 'paused', 'cancelling', 'interrupted'))",
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// Those of [`removed`] whose runs left parts in the target. The passwords of `causeway mirror` are not in the store,
/// and its jobs are not removed.
pub(in crate::job) async fn removed_with_parts(pool: &SqlitePool) -> Result<Vec<JobId>, DbError> {
    let mut found = Vec::new();
    for job in removed(pool).await? {
        if crate::mirror::store::has_parts(pool, job).await? {
            found.push(job);
        }
    }
    Ok(found)
}

async fn check(
    tx: &mut WriteTx,
    by: Change<'_>,
    new: &NewJob,
    old: Option<&Job>,
) -> Result<(EndpointId, EndpointId), JobError> {
    let source = endpoints::resolve(tx, by, &new.source, old.map(|job| job.source.id)).await?;
    let target = endpoints::resolve(tx, by, &new.target, old.map(|job| job.target.id)).await?;
    let (from, to) = (endpoints::get(&mut *tx, source).await?, endpoints::get(&mut *tx, target).await?);
    check_pair(&from.endpoint, &to.endpoint)?;
    Ok((source, target))
}

/// Stores a new job with its first start.
pub(in crate::job) async fn create(
    tx: &mut WriteTx,
    by: Change<'_>,
    new: &NewJob,
    ad_hoc: bool,
) -> Result<JobId, JobError> {
    let name = if ad_hoc { new.name.clone() } else { checked_name("job", &new.name)? };
    let (source, target) = check(tx, by, new, None).await?;
    let next = new.schedule.first(&new.zone, by.now);
    let id = sqlx::query(
        "INSERT INTO jobs (name, ad_hoc, source, target, policy, schedule, zone, paused, next_start, created, changed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)",
    )
    .bind(&name)
    .bind(i64::from(ad_hoc))
    .bind(source.0)
    .bind(target.0)
    .bind(text(&new.policy)?)
    .bind(text(&new.schedule)?)
    .bind(new.zone.name())
    .bind(i64::from(new.paused))
    .bind(next.map(Timestamp::as_microsecond))
    .bind(by.now.as_microsecond())
    .execute(&mut **tx)
    .await
    .map_err(|error| taken(error.into(), &name))?
    .last_insert_rowid();
    let id = JobId(id);
    set_next_hot(tx, id, next_hot(&new.policy, by.now, 1)).await?;
    append(tx, by.now, by.actor, &Event::JobCreated { job: id, name }).await?;
    Ok(id)
}

/// Changes the settings of a job. They hold for every run from its next claim on.
pub(in crate::job) async fn update(tx: &mut WriteTx, by: Change<'_>, id: JobId, new: &NewJob) -> Result<(), JobError> {
    let old = present(&mut *tx, id).await?;
    let name = checked_name("job", &new.name)?;
    let (source, target) = check(tx, by, new, Some(&old)).await?;
    let rescheduled = new.schedule != old.schedule || new.zone != old.zone;
    let next = if rescheduled {
        new.schedule.first(&new.zone, by.now)
    } else if old.paused && !new.paused {
        after_pause(&old, by.now)
    } else {
        old.next_start
    };
    let changed: Vec<String> = [
        ("name", name != old.name),
        ("source", source != old.source.id),
        ("target", target != old.target.id),
        ("policy", new.policy != old.policy),
        ("schedule", new.schedule != old.schedule),
        ("zone", new.zone != old.zone),
        ("paused", new.paused != old.paused),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(what, _)| what.to_owned())
    .collect();
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE jobs SET name = ?, source = ?, target = ?, policy = ?, schedule = ?, zone = ?, paused = ?,
         next_start = ?, changed = ? WHERE id = ?",
    )
    .bind(&name)
    .bind(source.0)
    .bind(target.0)
    .bind(text(&new.policy)?)
    .bind(text(&new.schedule)?)
    .bind(new.zone.name())
    .bind(i64::from(new.paused))
    .bind(next.map(Timestamp::as_microsecond))
    .bind(by.now.as_microsecond())
    .bind(id.0)
    .execute(&mut **tx)
    .await
    .map_err(|error| taken(error.into(), &name))?;
    let sees = |policy: &Policy| (policy.include.clone(), policy.exclude.clone(), policy.charset.clone());
    if source != old.source.id || sees(&new.policy) != sees(&old.policy) {
        crate::mirror::store::forget_looks(tx, id).await?;
    }
    if new.policy.hot_minutes != old.policy.hot_minutes {
        set_next_hot(tx, id, next_hot(&new.policy, by.now, 1)).await?;
    }
    append(tx, by.now, by.actor, &Event::JobChanged { job: id, name, changed }).await?;
    Ok(())
}

/// The next start of a job whose rest ends. Starts of a schedule that fell into the rest are not made up for;
/// a one-time start is.
pub(in crate::job) fn after_pause(job: &Job, now: Timestamp) -> Option<Timestamp> {
    match &job.schedule {
        Schedule::Cron { .. } => job.schedule.next_after(&job.zone, now),
        Schedule::Once { .. } | Schedule::Manual => job.next_start,
    }
}

/// Lets the schedule rest or go on, with its next start.
pub(in crate::job) async fn set_paused(
    tx: &mut WriteTx,
    by: Change<'_>,
    job: &Job,
    paused: bool,
    next: Option<Timestamp>,
) -> Result<(), JobError> {
    sqlx::query("UPDATE jobs SET paused = ?, next_start = ?, changed = ? WHERE id = ?")
        .bind(i64::from(paused))
        .bind(next.map(Timestamp::as_microsecond))
        .bind(by.now.as_microsecond())
        .bind(job.id.0)
        .execute(&mut **tx)
        .await?;
    let name = job.name.clone();
    let event = if paused { Event::JobPaused { job: job.id, name } } else { Event::JobResumed { job: job.id, name } };
    append(tx, by.now, by.actor, &event).await?;
    Ok(())
}

/// Sets the next start after one was taken.
pub(in crate::job) async fn set_next(tx: &mut WriteTx, id: JobId, next: Option<Timestamp>) -> Result<(), DbError> {
    sqlx::query("UPDATE jobs SET next_start = ? WHERE id = ?")
        .bind(next.map(Timestamp::as_microsecond))
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Marks a job as removed; its name is free again, its history stays.
pub(in crate::job) async fn remove(tx: &mut WriteTx, by: Change<'_>, job: &Job) -> Result<(), JobError> {
    sqlx::query("UPDATE jobs SET removed = ?1, next_start = NULL, changed = ?1 WHERE id = ?2")
        .bind(by.now.as_microsecond())
        .bind(job.id.0)
        .execute(&mut **tx)
        .await?;
    append(tx, by.now, by.actor, &Event::JobRemoved { job: job.id, name: job.name.clone() }).await?;
    Ok(())
}

fn taken(error: DbError, name: &str) -> JobError {
    match error {
        DbError::Exists(_) => JobError::JobNameTaken(name.to_owned()),
        other => JobError::Db(other),
    }
}
