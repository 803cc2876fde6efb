//! Names that may be taken for one, in the table `scan`.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::db::{Db, DbError};
use crate::mirror::codes;
use crate::mirror::plan::Kind;
use crate::mirror::store::path;
use crate::model::{Fault, JobId, RelPath, RunId};

/// Names that may be taken for one are not looked at beyond so many.
const MOST: i64 = 10_000;

/// A path of the source whose name may be taken for another's.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// In the target's naming.
    pub path: RelPath,
    /// In the source's.
    pub source: RelPath,
    pub kind: Kind,
    /// Under which path the job published it, and when.
    pub known: Option<(RelPath, i64)>,
}

fn member(row: &SqliteRow) -> Result<Member, DbError> {
    let target = path(row.try_get("path")?)?;
    let source = row.try_get::<Option<Vec<u8>>, _>("source")?.map(|bytes| path(&bytes)).transpose()?;
    let known = match (row.try_get::<Option<Vec<u8>>, _>("target")?, row.try_get::<Option<i64>, _>("at")?) {
        (Some(bytes), Some(at)) => Some((path(&bytes)?, at)),
        _ => None,
    };
    let kind = codes::kind(row.try_get("kind")?);
    Ok(Member { source: source.unwrap_or_else(|| target.clone()), path: target, kind, known })
}

/// Keys that several names of a folder of the source have, after `after`.
pub(super) async fn groups(db: &Db, run: RunId, after: &[u8], limit: i64) -> Result<Vec<Vec<u8>>, DbError> {
    // A name that is its own key has no other in the table.
    let keys = sqlx::query_scalar(
        "SELECT DISTINCT fold FROM scan AS s WHERE run = ?1 AND side = 0 AND fold IS NOT NULL AND fold > ?2 AND ( \
         EXISTS (SELECT 1 FROM scan AS p WHERE p.run = ?1 AND p.side = 0 AND p.path = s.fold) OR \
         EXISTS (SELECT 1 FROM scan AS o WHERE o.run = ?1 AND o.side = 0 AND o.fold IS NOT NULL AND o.fold = s.fold \
         AND o.path <> s.path)) ORDER BY fold LIMIT ?3",
    );
    Ok(keys.bind(run.0).bind(after).bind(limit).fetch_all(db.read()).await?)
}

/// The names with this key that would be in the target; with `links`, links are.
pub(super) async fn members(
    db: &Db,
    (job, run): (JobId, RunId),
    key: &[u8],
    links: bool,
) -> Result<Vec<Member>, DbError> {
    let rows = sqlx::query(
        "SELECT s.path, s.source, s.kind, f.target, f.at FROM scan AS s \
         LEFT JOIN files f ON f.job = ?1 AND f.path = coalesce(s.source, s.path) \
         WHERE s.run = ?2 AND s.side = 0 AND (s.path = ?3 OR (s.fold IS NOT NULL AND s.fold = ?3)) AND s.refused IS NULL \
         AND (s.kind IN (0, 1) OR (s.kind = 2 AND ?4)) ORDER BY s.path LIMIT ?5",
    )
    .bind(job.0)
    .bind(run.0)
    .bind(key)
    .bind(links)
    .bind(MOST)
    .fetch_all(db.read())
    .await?;
    rows.iter().map(member).collect()
}

/// Paths of the source that the job published under another path than they would have now, after `after`.
pub(super) async fn renamed(
    db: &Db,
    job: JobId,
    run: RunId,
    after: &RelPath,
    limit: i64,
) -> Result<Vec<Member>, DbError> {
    let rows = sqlx::query(
        "SELECT s.path, s.source, s.kind, f.target, f.at FROM scan AS s \
         JOIN files f ON f.job = ?1 AND f.path = coalesce(s.source, s.path) AND f.target <> s.path \
         WHERE s.run = ?2 AND s.side = 0 AND s.path > ?3 AND s.refused IS NULL ORDER BY s.path LIMIT ?4",
    )
    .bind(job.0)
    .bind(run.0)
    .bind(after.as_bytes())
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.iter().map(member).collect()
}

/// Has nothing in the source this path in the target, nor one that is taken for it?
pub(super) async fn is_free(db: &Db, run: RunId, at: &RelPath) -> Result<bool, DbError> {
    let key = crate::mirror::names::key(at);
    let taken = "SELECT EXISTS (SELECT 1 FROM scan WHERE run = ?1 AND side = 0 AND (path IN (?2, ?3) \
                 OR (fold IS NOT NULL AND fold = ?3)))";
    let taken: bool =
        sqlx::query_scalar(taken).bind(run.0).bind(at.as_bytes()).bind(key.as_bytes()).fetch_one(db.read()).await?;
    Ok(!taken)
}

/// Gives a path of the source another one in the target, with all that lies below it.
pub(super) async fn rename(db: &Db, run: RunId, from: &RelPath, to: &RelPath, is_dir: bool) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    let own = crate::mirror::names::key(to);
    sqlx::query(
        "UPDATE scan SET source = coalesce(source, path), path = ?3, fold = ?4 WHERE run = ?1 AND side = 0 AND path = ?2",
    )
    .bind(run.0)
    .bind(from.as_bytes())
    .bind(to.as_bytes())
    .bind(Some(own.as_bytes()).filter(|key| *key != to.as_bytes()))
    .execute(&mut *tx)
    .await?;
    if is_dir {
        sqlx::query(
            "UPDATE scan SET source = coalesce(source, path), path = CAST(?5 || substr(path, ?4) AS BLOB), \
             fold = CASE WHEN fold IS NULL THEN NULL ELSE CAST(?5 || substr(fold, ?4) AS BLOB) END \
             WHERE run = ?1 AND side = 0 AND path > ?2 AND path < ?3",
        )
        .bind(run.0)
        .bind([from.as_bytes(), b"/"].concat())
        .bind([from.as_bytes(), b"0"].concat())
        .bind(i64::try_from(from.as_bytes().len() + 1).unwrap_or(i64::MAX))
        .bind(to.as_bytes())
        .execute(&mut *tx)
        .await?;
    }
    Ok(tx.commit().await?)
}

/// Says why a path of the source is not mirrored.
pub(super) async fn refuse(db: &Db, run: RunId, at: &RelPath, why: &Fault) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("UPDATE scan SET refused = ?3 WHERE run = ?1 AND side = 0 AND path = ?2")
        .bind(run.0)
        .bind(at.as_bytes())
        .bind(serde_json::to_string(why).ok())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// What the target shows under another of the names that it takes for one is what lies at `holder`.
pub(super) async fn align(db: &Db, run: RunId, key: &[u8], holder: &RelPath) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query(
        "UPDATE OR IGNORE scan SET path = ?3 WHERE run = ?1 AND side = 1 AND kind <> 1 AND path <> ?3 \
         AND (path = ?2 OR (fold IS NOT NULL AND fold = ?2))",
    )
    .bind(run.0)
    .bind(key)
    .bind(holder.as_bytes())
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Does the source show a name that may be taken for that of `at`?
pub(in crate::mirror) async fn is_shown(db: &Db, run: RunId, at: &RelPath) -> Result<bool, DbError> {
    Ok(!is_free(db, run, at).await?)
}

/// Paths that the job's target holds under another name than the source, in the order of the source's.
///
/// # Errors
/// When the store cannot be read.
pub async fn mapped(db: &Db, job: JobId, after: &RelPath, limit: u32) -> Result<Vec<(RelPath, RelPath)>, DbError> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT path, target FROM files WHERE job = ? AND path > ? AND path <> target ORDER BY path LIMIT ?",
    )
    .bind(job.0)
    .bind(after.as_bytes())
    .bind(i64::from(limit))
    .fetch_all(db.read())
    .await?;
    rows.iter().map(|(source, target)| Ok((path(source)?, path(target)?))).collect()
}

/// How many paths the job's target holds under another name than the source.
pub(in crate::mirror) async fn count_mapped(db: &Db, job: JobId) -> Result<u64, DbError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM files WHERE job = ? AND path <> target")
        .bind(job.0)
        .fetch_one(db.read())
        .await?;
    crate::mirror::store::length(count)
}
