//! SQL of the tables `uploads` and `upload_folders`.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::Held;
use crate::db::{Db, DbError};
use crate::mirror::codes;
use crate::mirror::scan::store::version;
use crate::mirror::store::{length, path, stored, time};
use crate::model::{Fingerprint, JobId, RelPath, RunId};

/// The folders in which files were seen to change since `since`, the last seen first, and for how long.
pub(crate) async fn folders(
    db: &Db,
    job: JobId,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<(RelPath, Duration)>, DbError> {
    let rows: Vec<(Vec<u8>, i64)> =
        sqlx::query_as("SELECT path, span FROM upload_folders WHERE job = ? AND at >= ? ORDER BY at DESC LIMIT ?")
            .bind(job.0)
            .bind(since.as_microsecond())
            .bind(limit)
            .fetch_all(db.read())
            .await?;
    rows.into_iter().map(|(folder, span)| Ok((path(&folder)?, Duration::from_micros(length(span)?)))).collect()
}

/// Remembers that files in `folder` change for `span`.
pub(super) async fn learn(db: &Db, job: JobId, folder: &RelPath, span: Duration, at: Timestamp) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query(
        "INSERT INTO upload_folders (job, path, span, at) VALUES (?, ?, ?, ?) \
         ON CONFLICT DO UPDATE SET span = excluded.span, at = excluded.at",
    )
    .bind(job.0)
    .bind(folder.as_bytes())
    .bind(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
    .bind(at.as_microsecond())
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// The file at `at` of the source, if it was left.
pub(super) async fn held(db: &Db, job: JobId, at: &RelPath) -> Result<Option<Held>, DbError> {
    let row = sqlx::query(
        "SELECT size, mtime, mtime_precision, mtime_told, unique_fact, since, held, looked FROM uploads \
         WHERE job = ? AND path = ?",
    )
    .bind(job.0)
    .bind(at.as_bytes())
    .fetch_optional(db.read())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Held {
        version: version(&row, ["size", "mtime", "mtime_precision", "mtime_told"], Some("unique_fact"))?,
        since: time(row.try_get("since")?)?,
        held: time(row.try_get("held")?)?,
        looked: time(row.try_get("looked")?)?,
    }))
}

/// Remembers that `run` left the file at `path`, whose version it has seen since `since`.
pub(crate) async fn hold(
    tx: &mut SqliteConnection,
    (job, run): (JobId, RunId),
    path: &RelPath,
    seen: &Fingerprint,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    let (mtime, precision, told) = codes::columns(seen.mtime);
    sqlx::query(
        "INSERT INTO uploads (job, path, size, mtime, mtime_precision, mtime_told, unique_fact, since, held, looked, run) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10) ON CONFLICT DO UPDATE SET \
         since = CASE WHEN size IS excluded.size AND mtime IS excluded.mtime AND mtime_precision IS excluded.mtime_precision \
         AND mtime_told IS excluded.mtime_told AND unique_fact IS excluded.unique_fact THEN since ELSE excluded.since END, \
         size = excluded.size, mtime = excluded.mtime, mtime_precision = excluded.mtime_precision, \
         mtime_told = excluded.mtime_told, unique_fact = excluded.unique_fact, looked = excluded.looked, run = excluded.run",
    )
    .bind(job.0)
    .bind(path.as_bytes())
    .bind(seen.size.map(stored))
    .bind(mtime)
    .bind(precision)
    .bind(told)
    .bind(seen.unique.as_deref())
    .bind(since.as_microsecond())
    .bind(now.as_microsecond())
    .bind(run.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets files that `run` published, when it saw the `whole` tree also those that it did not leave, and folders in which
/// nothing was seen to change since `since`.
pub(super) async fn sweep(db: &Db, job: JobId, run: RunId, whole: bool, since: Timestamp) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query(
        "DELETE FROM uploads WHERE job = ?1 AND ((?3 AND run <> ?2) \
         OR EXISTS (SELECT 1 FROM items WHERE run = ?2 AND path = uploads.path AND state = 'published'))",
    )
    .bind(job.0)
    .bind(run.0)
    .bind(whole)
    .execute(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM upload_folders WHERE job = ? AND at < ?")
        .bind(job.0)
        .bind(since.as_microsecond())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}
