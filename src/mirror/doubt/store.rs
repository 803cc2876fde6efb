//! Doubts in the table `files`: a record that lost its proof bears the number of the run that found so, and no proof.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::db::{Db, DbError};
use crate::mirror::codes;
use crate::mirror::plan::Kind;
use crate::mirror::scan::store::Side;
use crate::mirror::store::path;
use crate::model::{JobId, RelPath, RunId};

/// A record that the target does not bear out.
#[derive(Debug)]
pub(crate) struct Suspect {
    /// In the source.
    pub path: RelPath,
    pub target: RelPath,
    /// Something lies there, of another kind, size or time; otherwise nothing is shown there.
    pub shown: bool,
}

/// Those after `after` that are not doubted yet. Where the target tells no time, only the size is compared.
pub(crate) async fn suspects(
    db: &Db,
    job: JobId,
    run: RunId,
    after: &RelPath,
    limit: i64,
) -> Result<Vec<Suspect>, DbError> {
    let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = sqlx::query_as(
        "SELECT f.path, f.target, t.path IS NOT NULL FROM files f \
         LEFT JOIN scan t ON t.run = ?2 AND t.side = ?3 AND t.path = f.target \
         WHERE f.job = ?1 AND f.kind = 0 AND f.path > ?4 AND (f.proof IS NOT NULL OR f.proof_run IS NULL) \
         AND (t.path IS NULL OR (t.kind <> ?5 AND (t.kind <> 0 OR t.size IS NOT f.target_size \
         OR (f.target_mtime IS NOT NULL AND t.mtime IS NOT f.target_mtime)))) ORDER BY f.path LIMIT ?6",
    )
    .bind(job.0)
    .bind(run.0)
    .bind(Side::Target.number())
    .bind(after.as_bytes())
    .bind(codes::kind_number(Kind::Unknown))
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.into_iter()
        .map(|(at, target, shown)| Ok(Suspect { path: path(&at)?, target: path(&target)?, shown: shown == 1 }))
        .collect()
}

/// Doubts what lies, or does not, at `targets`: whatever does is not the job's own any more.
pub(crate) async fn mark_all(
    db: &Db,
    job: JobId,
    run: RunId,
    at: Timestamp,
    targets: &[RelPath],
) -> Result<(), DbError> {
    if targets.is_empty() {
        return Ok(());
    }
    let mut tx = db.write().await?;
    for target in targets {
        mark(&mut tx, (job, run), at, target, false).await?;
    }
    Ok(tx.commit().await?)
}

/// Doubts every record of what lies at `target`, unless it is doubted already. When it is still the job's `own`, its bytes are those that were
/// published, and only their source has others.
pub(crate) async fn mark(
    tx: &mut SqliteConnection,
    (job, run): (JobId, RunId),
    at: Timestamp,
    target: &RelPath,
    own: bool,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE files SET proof = NULL, proof_run = ?1, proof_at = ?2, proven = iif(?3, proven, 0) \
         WHERE job = ?4 AND target = ?5 AND kind = 0 \
         AND (proof IS NOT NULL OR proof_run IS NULL OR (proven = 1 AND NOT ?3))",
    )
    .bind(run.0)
    .bind(at.as_microsecond())
    .bind(own)
    .bind(job.0)
    .bind(target.as_bytes())
    .execute(tx)
    .await?;
    Ok(())
}
