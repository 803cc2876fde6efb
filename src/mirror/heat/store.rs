//! SQL of the table `heat`.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::db::{Db, DbError};
use crate::mirror::codes;
use crate::mirror::plan::Kind;
use crate::mirror::store::{length, path, stored, time};
use crate::model::{ItemId, JobId, RelPath, RunId};

/// A folder in which something changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotFolder {
    /// In the source.
    pub path: RelPath,
    /// In the target.
    pub target: RelPath,
    /// Files and folders that came, changed or went, as far as runs saw it.
    pub changes: u64,
    /// When the last of it was seen; of what the first run copied, its own time.
    pub at: Timestamp,
}

/// The folders of `job` in which something changed since `since`, the last changed first.
///
/// # Errors
/// When the store cannot be read.
pub async fn hot(db: &Db, job: JobId, since: Timestamp, limit: u32) -> Result<Vec<HotFolder>, DbError> {
    let rows = sqlx::query(
        "SELECT path, target, changes, at FROM heat WHERE job = ? AND at >= ? ORDER BY at DESC, path LIMIT ?",
    )
    .bind(job.0)
    .bind(since.as_microsecond())
    .bind(i64::from(limit))
    .fetch_all(db.read())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(HotFolder {
                path: path(row.try_get("path")?)?,
                target: path(row.try_get("target")?)?,
                changes: length(row.try_get("changes")?)?,
                at: time(row.try_get("at")?)?,
            })
        })
        .collect()
}

/// Paths per question.
const CHUNK: usize = 500;

/// Those of `targets` that the job knows: folders that it made, and folders in which it published something.
pub(super) async fn known(db: &Db, job: JobId, targets: &[&RelPath]) -> Result<HashSet<RelPath>, DbError> {
    let mut known = HashSet::new();
    for chunk in targets.chunks(CHUNK) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT target FROM files WHERE kind = 1 AND job = ");
        query.push_bind(job.0).push(" AND target IN (");
        let mut places = query.separated(", ");
        for target in chunk {
            places.push_bind(target.as_bytes());
        }
        query.push(")");
        let found: Vec<Vec<u8>> = query.build_query_scalar().fetch_all(db.read()).await?;
        for bytes in found {
            known.insert(path(&bytes)?);
        }
    }
    for target in targets {
        if !known.contains(*target) && has_files(db, job, target).await? {
            known.insert((*target).clone());
        }
    }
    Ok(known)
}

/// Did the job publish anything below `target`, which was there before it?
async fn has_files(db: &Db, job: JobId, target: &RelPath) -> Result<bool, DbError> {
    // '0' comes after '/'.
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM files WHERE job = ? AND target > ? AND target < ? LIMIT 1")
            .bind(job.0)
            .bind([target.as_bytes(), b"/"].concat())
            .bind([target.as_bytes(), b"0"].concat())
            .fetch_optional(db.read())
            .await?;
    Ok(found.is_some())
}

/// Something that a run did to the target.
#[derive(Debug)]
pub(super) struct Done {
    pub item: ItemId,
    pub path: RelPath,
    pub target: RelPath,
    /// Of a file that came: when its version was written.
    pub file_time: Option<Timestamp>,
}

/// What `run` brought into the target or out of it, or left because it may still be being uploaded, after `after`.
pub(super) async fn changes(db: &Db, run: RunId, after: ItemId, limit: i64) -> Result<Vec<Done>, DbError> {
    let rows = sqlx::query(
        "SELECT id, path, target, kind, mtime, mtime_precision, mtime_told FROM items WHERE run = ? AND id > ? \
         AND (state = 'published' OR (fault_kind = 'unsettled' AND state IN ('planned', 'transferring', 'verified'))) \
         AND action IN ('copy', 'replace', 'make-dir', 'link', 'trash') ORDER BY id LIMIT ?",
    )
    .bind(run.0)
    .bind(after.0)
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.iter()
        .map(|row| {
            let mtime =
                codes::mtime((row.try_get("mtime")?, row.try_get("mtime_precision")?, row.try_get("mtime_told")?));
            let kind = codes::kind(row.try_get("kind")?);
            Ok(Done {
                item: ItemId(row.try_get("id")?),
                path: path(row.try_get("path")?)?,
                target: path(row.try_get("target")?)?,
                file_time: mtime.filter(|_| kind == Kind::File).map(|mtime| mtime.at),
            })
        })
        .collect()
}

/// Adds what a run saw.
pub(super) async fn warm(db: &Db, job: JobId, folders: &[HotFolder]) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    for folder in folders {
        sqlx::query(
            "INSERT INTO heat (job, path, target, changes, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
             target = excluded.target, changes = changes + excluded.changes, at = max(at, excluded.at)",
        )
        .bind(job.0)
        .bind(folder.path.as_bytes())
        .bind(folder.target.as_bytes())
        .bind(stored(folder.changes))
        .bind(folder.at.as_microsecond())
        .execute(&mut *tx)
        .await?;
    }
    Ok(tx.commit().await?)
}
