//! Changes of the journal in the tables `items`, `attempts`, `files` and `tombstones`. What it is asked stands in
//! `questions`.

use jiff::Timestamp;
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::lots::{self, Lot};
use super::{Attempt, Change, FileRow};
use crate::audit::Event;
use crate::db::{Db, DbError};
use crate::mirror::codes;
use crate::mirror::doubt::store as doubt;
use crate::mirror::plan::{Kind, Seen};
use crate::mirror::store::stored;
use crate::mirror::uploads::store as uploads;
use crate::mirror::words::{Action, ItemState};
use crate::model::{Fault, ItemId, JobId, RelPath, RunId};

/// An item that the plan makes.
#[derive(Debug)]
pub(crate) struct NewItem<'a> {
    pub seen: &'a Seen,
    pub action: Action,
    pub state: ItemState,
    pub fault: Option<&'a Fault>,
}

/// Writes what the plan found. An item that an earlier start of this run left half done keeps what it has as long
/// as the source shows the same version.
pub(crate) async fn plan_items(
    tx: &mut SqliteConnection,
    job: JobId,
    run: RunId,
    at: Timestamp,
    items: &[NewItem<'_>],
) -> Result<(), DbError> {
    for rows in lots::store::chunks(items) {
        // Bytes that an earlier run of the job left in a part are worth as much as our own.
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO items (job, run, path, target, kind, action, state, size, mtime, mtime_precision, mtime_told, \
             unique_fact, mode, fault_kind, fault, at, link, part, confirmed, digest) \
             SELECT new.*, old.part, coalesce(old.confirmed, 0), old.digest FROM (",
        );
        query.push_values(rows, |mut row, item| bind(&mut row, job, run, at, item));
        query.push(
            ") AS new LEFT JOIN items AS old ON old.id = (SELECT max(id) FROM items WHERE job = new.column1 \
             AND path = new.column3 AND part IS NOT NULL AND state IN ('transferring', 'verified', 'failed') \
             AND run <> new.column2) WHERE true ON CONFLICT (run, path) DO UPDATE SET \
             state = CASE WHEN excluded.state = 'planned' AND items.state IN ('transferring', 'verified') \
                     AND items.size IS excluded.size AND items.mtime IS excluded.mtime \
                     THEN items.state ELSE excluded.state END, \
             target = excluded.target, kind = excluded.kind, action = excluded.action, size = excluded.size, \
             mtime = excluded.mtime, mtime_precision = excluded.mtime_precision, mtime_told = excluded.mtime_told, \
             unique_fact = excluded.unique_fact, mode = excluded.mode, link = excluded.link, \
             fault_kind = coalesce(excluded.fault_kind, items.fault_kind), fault = coalesce(excluded.fault, items.fault), \
             at = excluded.at",
        );
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

fn bind(row: &mut Separated<'_, Sqlite, &'static str>, job: JobId, run: RunId, at: Timestamp, item: &NewItem<'_>) {
    let version = &item.seen.version;
    let (mtime, precision, told) = codes::columns(version.mtime);
    row.push_bind(job.0)
        .push_bind(run.0)
        .push_bind(item.seen.path.as_bytes().to_vec())
        .push_bind(item.seen.target.as_bytes().to_vec())
        .push_bind(codes::kind_number(item.seen.kind))
        .push_bind(item.action.as_str())
        .push_bind(item.state.as_str())
        .push_bind(version.size.map(stored))
        .push_bind(mtime)
        .push_bind(precision)
        .push_bind(told)
        .push_bind(version.unique.clone())
        .push_bind(item.seen.mode.map(i64::from))
        .push_bind(item.fault.map(|f| f.kind.as_str()))
        .push_bind(item.fault.and_then(|f| serde_json::to_string(f).ok()))
        .push_bind(at.as_microsecond())
        .push_bind(item.seen.link.clone());
}

/// Stores one change and adds its audit entries to `events`.
pub(super) async fn apply(
    tx: &mut SqliteConnection,
    job: JobId,
    run: RunId,
    at: Timestamp,
    change: Change,
    events: &mut Vec<Event>,
) -> Result<(), DbError> {
    let now = at.as_microsecond();
    match change {
        step @ (Change::Started { .. }
        | Change::Confirmed { .. }
        | Change::Verified { .. }
        | Change::Published { .. }) => {
            let mut lot = Lot::default();
            // A lot that is empty takes every step.
            if lot.take(step).is_ok() {
                events.append(&mut lot.events);
                lots::store::apply(tx, job, run, at, &lot).await?;
            }
        }
        Change::Unseen { item } => mark_unseen(tx, item).await?,
        Change::Doubted { target, own } => doubt::mark(tx, (job, run), at, &target, own).await?,
        Change::Replacing { item } => set_state(tx, item, ItemState::Publishing, now).await?,
        Change::PutAway { item, event } => {
            set_state(tx, item, ItemState::Verified, now).await?;
            events.extend(event);
        }
        Change::Tried { item, attempt, fault, retry_at } => {
            add_attempt(tx, item, &attempt, Some(&fault), Some(retry_at)).await?;
            end_try(tx, item, None, Some(&fault), now).await?;
        }
        Change::Failed { item, attempt, fault } => {
            add_attempt(tx, item, &attempt, Some(&fault), None).await?;
            end_try(tx, item, Some(ItemState::Failed), Some(&fault), now).await?;
        }
        Change::Left { item, path, version, since, fault } => {
            note_fault(tx, item, &fault, now).await?;
            uploads::hold(tx, (job, run), &path, &version, since, at).await?;
        }
        Change::Vanished { item, fault } => {
            sqlx::query("UPDATE items SET state = 'skipped', fault_kind = ?, fault = ?, at = ? WHERE id = ?")
                .bind(fault.kind.as_str())
                .bind(serde_json::to_string(&fault).ok())
                .bind(now)
                .bind(item.0)
                .execute(tx)
                .await?;
        }
        Change::Intended { job, run, paths } => {
            for (path, target, kind) in paths {
                note_trash(tx, (job, run), (&path, &target, kind), ItemState::Planned, now).await?;
            }
        }
        Change::Dropped { run, path, event } => {
            end_noted(tx, run, &path, ItemState::Skipped, now).await?;
            events.extend(event);
        }
        Change::Made { run, file, events: made } => {
            end_noted(tx, run, &file.path, ItemState::Published, now).await?;
            remember(tx, job, run, at, &file).await?;
            events.extend(made);
        }
        Change::ModeSet { run, path, event } => {
            end_noted(tx, run, &path, ItemState::Published, now).await?;
            events.push(event);
        }
        Change::Trashed { job, run, path, target, kind, event } => {
            note_trash(tx, (job, run), (&path, &target, kind), ItemState::Published, now).await?;
            forget(tx, job, &path).await?;
            // Another name of the source may have come there before.
            doubt::mark(tx, (job, run), at, &target, false).await?;
            events.push(event);
        }
    }
    Ok(())
}

/// What keeps an item from being done, whose state stays.
async fn note_fault(tx: &mut SqliteConnection, item: ItemId, fault: &Fault, now: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE items SET fault_kind = ?, fault = ?, at = ? WHERE id = ?")
        .bind(fault.kind.as_str())
        .bind(serde_json::to_string(fault).ok())
        .bind(now)
        .bind(item.0)
        .execute(tx)
        .await?;
    Ok(())
}

async fn mark_unseen(tx: &mut SqliteConnection, item: ItemId) -> Result<(), DbError> {
    sqlx::query("UPDATE items SET unseen = 1 WHERE id = ?").bind(item.0).execute(tx).await?;
    Ok(())
}

/// Ends what was noted before the deed: it was done, or it was not and is planned anew.
async fn end_noted(
    tx: &mut SqliteConnection,
    run: RunId,
    at: &RelPath,
    state: ItemState,
    now: i64,
) -> Result<(), DbError> {
    sqlx::query("UPDATE items SET state = ?, at = ? WHERE run = ? AND path = ? AND state = 'planned'")
        .bind(state.as_str())
        .bind(now)
        .bind(run.0)
        .bind(at.as_bytes())
        .execute(tx)
        .await?;
    Ok(())
}

async fn set_state(tx: &mut SqliteConnection, item: ItemId, state: ItemState, now: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE items SET state = ?, at = ? WHERE id = ?")
        .bind(state.as_str())
        .bind(now)
        .bind(item.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes that a path is about to be moved into the trash (so that a process that dies in between is not the only
/// one who knew), or that it was.
async fn note_trash(
    tx: &mut SqliteConnection,
    (job, run): (JobId, RunId),
    (path, target, kind): (&RelPath, &RelPath, Kind),
    state: ItemState,
    now: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO items (job, run, path, target, kind, action, state, at) VALUES (?, ?, ?, ?, ?, 'trash', ?, ?) \
         ON CONFLICT DO UPDATE SET action = 'trash', state = excluded.state, at = excluded.at",
    )
    .bind(job.0)
    .bind(run.0)
    .bind(path.as_bytes())
    .bind(target.as_bytes())
    .bind(codes::kind_number(kind))
    .bind(state.as_str())
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets paths that are gone on both sides.
pub(crate) async fn forget_all(db: &Db, job: JobId, paths: &[RelPath]) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    for at in paths {
        forget(&mut tx, job, at).await?;
    }
    Ok(tx.commit().await?)
}

async fn end_try(
    tx: &mut SqliteConnection,
    item: ItemId,
    state: Option<ItemState>,
    fault: Option<&Fault>,
    now: i64,
) -> Result<(), DbError> {
    sqlx::query(
        // Somebody's file may lie under the part's name still: the next start has to look.
        "UPDATE items SET attempts = attempts + 1, state = CASE WHEN state = 'publishing' THEN state ELSE coalesce(?, state) END, \
         fault_kind = ?, fault = ?, at = ? WHERE id = ?",
    )
    .bind(state.map(ItemState::as_str))
    .bind(fault.map(|f| f.kind.as_str()))
    .bind(fault.and_then(|f| serde_json::to_string(f).ok()))
    .bind(now)
    .bind(item.0)
    .execute(tx)
    .await?;
    Ok(())
}

async fn add_attempt(
    tx: &mut SqliteConnection,
    item: ItemId,
    attempt: &Attempt,
    fault: Option<&Fault>,
    retry_at: Option<Timestamp>,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO attempts (item, number, started, ended, from_offset, bytes, fault, retry_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(item.0)
    .bind(i64::from(attempt.number))
    .bind(attempt.started.as_microsecond())
    .bind(attempt.ended.as_microsecond())
    .bind(stored(attempt.from))
    .bind(stored(attempt.bytes))
    .bind(fault.and_then(|f| serde_json::to_string(f).ok()))
    .bind(retry_at.map(Timestamp::as_microsecond))
    .execute(tx)
    .await?;
    Ok(())
}

/// Remembers what was published.
pub(crate) async fn remember(
    tx: &mut SqliteConnection,
    job: JobId,
    run: RunId,
    at: Timestamp,
    file: &FileRow,
) -> Result<(), DbError> {
    lots::store::remember(tx, job, run, at.as_microsecond(), std::iter::once(file)).await
}

/// Notes that this run, too, found the paths gone.
pub(crate) async fn bury(db: &Db, job: JobId, run: RunId, paths: &[RelPath]) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    for at in paths {
        sqlx::query(
            "INSERT INTO tombstones (job, path, first_run, last_run) VALUES (?, ?, ?, ?) \
             ON CONFLICT DO UPDATE SET last_run = excluded.last_run",
        )
        .bind(job.0)
        .bind(at.as_bytes())
        .bind(run.0)
        .bind(run.0)
        .execute(&mut *tx)
        .await?;
    }
    Ok(tx.commit().await?)
}

/// Forgets the tombstones of what this run sees in the source again: the two runs that a deletion takes have
/// to follow each other.
pub(crate) async fn unbury(db: &Db, job: JobId, run: RunId) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query(
        "DELETE FROM tombstones WHERE job = ?1 AND path IN (SELECT b.path FROM tombstones b \
         JOIN files f ON f.job = b.job AND f.path = b.path \
         JOIN scan s ON s.run = ?2 AND s.side = 0 AND s.path = f.target WHERE b.job = ?1)",
    )
    .bind(job.0)
    .bind(run.0)
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Forgets the tombstones that this run did not confirm.
pub(crate) async fn sweep_tombstones(db: &Db, job: JobId, run: RunId) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("DELETE FROM tombstones WHERE job = ? AND last_run <> ?")
        .bind(job.0)
        .bind(run.0)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Forgets that the job published `at`.
pub(super) async fn forget(tx: &mut SqliteConnection, job: JobId, at: &RelPath) -> Result<(), DbError> {
    for sql in ["DELETE FROM files WHERE job = ? AND path = ?", "DELETE FROM tombstones WHERE job = ? AND path = ?"] {
        sqlx::query(sql).bind(job.0).bind(at.as_bytes()).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Unlinks items from parts that are gone.
pub(crate) async fn unlink_parts(tx: &mut SqliteConnection, items: &[ItemId]) -> Result<(), DbError> {
    for item in items {
        sqlx::query("UPDATE items SET part = NULL, confirmed = 0 WHERE id = ?").bind(item.0).execute(&mut *tx).await?;
    }
    Ok(())
}
