//! What was decided, in the table `charsets`.

use encoding_rs::Encoding;
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::{Decision, Why};
use crate::db::{Db, DbError};
use crate::mirror::store::{length, path, unreadable};
use crate::model::{JobId, RelPath, RunId};

/// The decision for `dir`, or for the nearest folder above it that has one, and which folder that is.
pub(super) async fn nearest(db: &Db, job: JobId, dir: &RelPath) -> Result<Option<(RelPath, Decision)>, DbError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT path, charset, why FROM charsets WHERE job = ");
    query.push_bind(job.0).push(" AND path IN (");
    let mut places = query.separated(", ");
    let mut at = Some(dir.clone());
    while let Some(here) = at {
        places.push_bind(here.as_bytes().to_vec());
        at = here.parent();
    }
    query.push(") ORDER BY length(path) DESC LIMIT 1");
    let Some(row) = query.build().fetch_optional(db.read()).await? else { return Ok(None) };
    let charset = row.try_get::<Option<String>, _>("charset")?;
    let charset =
        charset.map(|label| Encoding::for_label(label.as_bytes()).ok_or_else(|| unreadable("a character set")));
    let why = Why::of(row.try_get("why")?).ok_or_else(|| unreadable("the reason of a character set"))?;
    Ok(Some((path(row.try_get("path")?)?, Decision { charset: charset.transpose()?, why })))
}

/// Stores a decision. One that is there stays.
pub(super) async fn remember(
    db: &Db,
    job: JobId,
    (run, at): (RunId, Timestamp),
    dir: &RelPath,
    decision: Decision,
) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query(
        "INSERT INTO charsets (job, path, charset, why, run, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(job.0)
    .bind(dir.as_bytes())
    .bind(decision.charset.map(Encoding::name))
    .bind(decision.why.as_str())
    .bind(run.0)
    .bind(at.as_microsecond())
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// A character set and where it is used.
pub(super) struct Used {
    pub charset: Option<String>,
    pub folders: u64,
    /// The first of the folders, by their bytes.
    pub first: RelPath,
}

/// What the job's folders use, the most frequent first.
pub(super) async fn used(db: &Db, job: JobId) -> Result<Vec<Used>, DbError> {
    let rows: Vec<(Option<String>, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT charset, count(*), min(path) FROM charsets WHERE job = ? GROUP BY charset ORDER BY 2 DESC, 1",
    )
    .bind(job.0)
    .fetch_all(db.read())
    .await?;
    rows.into_iter()
        .map(|(charset, folders, first)| Ok(Used { charset, folders: length(folders)?, first: path(&first)? }))
        .collect()
}
