//! The place of a job's target, in the table `files`: the row of the root folder bears it as its identity.

use jiff::Timestamp;

use crate::db::{Db, DbError};
use crate::model::{JobId, RunId};

/// Rows that are removed in one transaction: others write in between.
const PIECE: i64 = 10_000;

/// Where the job published until now; none: nowhere, or that was not noted yet.
pub(crate) async fn of_job(db: &Db, job: JobId) -> Result<Option<String>, DbError> {
    let found: Option<Option<String>> =
        sqlx::query_scalar("SELECT unique_fact FROM files WHERE job = ? AND path = x'' AND kind = 1")
            .bind(job.0)
            .fetch_optional(db.read())
            .await?;
    Ok(found.flatten())
}

/// From now on the job publishes in `place`.
pub(crate) async fn set(db: &Db, job: JobId, run: RunId, at: Timestamp, place: &str) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query(
        "INSERT OR REPLACE INTO files (job, path, target, kind, unique_fact, proven, run, at) \
         VALUES (?, x'', x'', 1, ?, 1, ?, ?)",
    )
    .bind(job.0)
    .bind(place)
    .bind(run.0)
    .bind(at.as_microsecond())
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Forgets everything that the job published, and when it had seen to everything, but where that was: until all of it is forgotten, the old place stands.
pub(crate) async fn forget(db: &Db, job: JobId) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("DELETE FROM looks WHERE job = ?").bind(job.0).execute(&mut *tx).await?;
    tx.commit().await?;
    for table in ["files", "tombstones", "heat"] {
        let sql = format!(
            "DELETE FROM {table} WHERE job = ?1 AND path IN (SELECT path FROM {table} WHERE job = ?1 AND path > x'' LIMIT ?2)"
        );
        loop {
            let mut tx = db.write().await?;
            let done = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).bind(job.0).bind(PIECE).execute(&mut *tx).await?;
            tx.commit().await?;
            if done.rows_affected() == 0 {
                break;
            }
        }
    }
    Ok(())
}
