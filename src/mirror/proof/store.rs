//! What was proven, and how: of a run, of a job's files, and file by file for a manifest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::db::{Db, DbError};
use crate::manifest::Entry;
use crate::mirror::codes;
use crate::mirror::store::{digest, length, path, time, unreadable};
use crate::model::{JobId, Proof, RelPath, RunId};

/// How many files by which [`Proof::method`].
pub type Methods = BTreeMap<String, u64>;

/// The method in the text of a proof: what stands before the value of a server's hash.
macro_rules! methods {
    ($from:literal) => {
        concat!(
            "SELECT CASE WHEN proof LIKE 'server-hash:%' THEN substr(proof, 1, 11 + instr(substr(proof, 13), ':')) \
             ELSE proof END AS method, count(*) FROM ",
            $from,
            " AND proof IS NOT NULL GROUP BY method"
        )
    };
}

/// How the run proved what it proved: files that it published, and unchanged ones that it read again.
///
/// # Errors
/// When the store cannot be read.
pub async fn of_run(db: &Db, run: RunId) -> Result<Methods, DbError> {
    counted(db, methods!("items WHERE run = ? AND state = 'published'"), run.0).await
}

/// How the files that the job published are proven now.
///
/// # Errors
/// When the store cannot be read.
pub async fn of_job(db: &Db, job: JobId) -> Result<Methods, DbError> {
    counted(db, methods!("files WHERE job = ? AND kind = 0"), job.0).await
}

async fn counted(db: &Db, sql: &'static str, id: i64) -> Result<Methods, DbError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).bind(id).fetch_all(db.read()).await?;
    rows.into_iter().map(|(method, count)| Ok((method, length(count)?))).collect()
}

/// What a look at unchanged files showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rechecked {
    /// Files whose content was looked at although size and time were unchanged, and was the same.
    pub same: u64,
    /// Files whose content was another.
    pub other: u64,
}

/// Counts them for a run.
pub(crate) async fn rechecked(db: &Db, run: RunId) -> Result<Rechecked, DbError> {
    let (same, other): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE unseen = 0 AND action = 'keep' AND state = 'published' AND proof IS NOT NULL), \
         count(*) FILTER (WHERE unseen = 1) FROM items WHERE run = ?",
    )
    .bind(run.0)
    .fetch_one(db.read())
    .await?;
    Ok(Rechecked { same: length(same)?, other: length(other)? })
}

/// What tells one state of a job's records from every other. A record that is new, proven anew or doubted bears the number
/// of the run that did it, and when; one that is forgotten is missing in their number; and a clock that moved shows in their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Files.
    pub files: u64,
    /// Of these, files that are not in the target as they were published: manifests leave them out.
    pub doubted: u64,
    /// The newest run that changed any.
    pub last: RunId,
    /// When any was proven or doubted last, in microseconds since 1970: an older run may be taken up behind a newer one.
    pub at: i64,
    /// All their times together, in seconds since 1970.
    pub seconds: i64,
}

/// The records of a job as they are now.
///
/// # Errors
/// When the store cannot be read.
pub async fn records(db: &Db, job: JobId) -> Result<Records, DbError> {
    let (files, doubted, last, at, seconds): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE proof IS NULL AND proof_run IS NOT NULL), \
         coalesce(max(coalesce(proof_run, run)), 0), coalesce(max(proof_at), 0), coalesce(sum(mtime / 1000000000), 0) \
         FROM files WHERE job = ? AND kind = 0",
    )
    .bind(job.0)
    .fetch_one(db.read())
    .await?;
    Ok(Records { files: length(files)?, doubted: length(doubted)?, last: RunId(last), at, seconds })
}

/// The files that the job published and that nothing speaks against, by the bytes of their paths in the target, after
/// `after`.
///
/// # Errors
/// When the store cannot be read.
pub async fn entries(db: &Db, job: JobId, after: &RelPath, limit: u32) -> Result<Vec<Entry>, DbError> {
    let rows = sqlx::query(
        "SELECT path, target, size, mtime, mtime_precision, mtime_told, digest, proven, proof, proof_run, proof_at, \
         run, at FROM files WHERE job = ? AND target > ? AND kind = 0 AND (proof IS NOT NULL OR proof_run IS NULL) \
         ORDER BY target, at DESC LIMIT ?",
    )
    .bind(job.0)
    .bind(after.as_bytes())
    .bind(i64::from(limit))
    .fetch_all(db.read())
    .await?;
    let mut entries = rows.iter().map(entry).collect::<Result<Vec<Entry>, DbError>>()?;
    // Two names of the source that came to one name in the target: the later one lies there.
    entries.dedup_by(|later, first| later.path == first.path);
    Ok(entries)
}

fn entry(row: &SqliteRow) -> Result<Entry, DbError> {
    let proof = match row.try_get::<Option<String>, _>("proof")? {
        Some(text) => text.parse().map_err(|_| unreadable(text))?,
        None if row.try_get::<i64, _>("proven")? == 1 => Proof::StreamHash,
        None => Proof::Believed,
    };
    let run: Option<i64> = row.try_get("proof_run")?;
    let at: Option<i64> = row.try_get("proof_at")?;
    Ok(Entry {
        path: path(row.try_get("target")?)?,
        source: path(row.try_get("path")?)?,
        size: row.try_get::<Option<i64>, _>("size")?.map(length).transpose()?,
        mtime: codes::mtime((row.try_get("mtime")?, row.try_get("mtime_precision")?, row.try_get("mtime_told")?)),
        digest: digest(row.try_get("digest")?)?,
        proof,
        proof_run: RunId(run.map_or_else(|| row.try_get("run"), Ok)?),
        proof_at: time(at.map_or_else(|| row.try_get("at"), Ok)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the migration leaves rows that a release before it wrote after it was applied once: without a word.
    #[tokio::test]
    async fn rows_without_a_proof_say_what_they_always_said() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        let mut tx = db.write().await.unwrap();
        for (name, proven) in [("read", 1), ("adopted", 0)] {
            sqlx::query(
                "INSERT INTO files (job, path, target, kind, size, proven, run, at) VALUES (1, ?1, ?1, 0, 3, ?2, 7, 99)",
            )
            .bind(name.as_bytes())
            .bind(proven)
            .execute(&mut *tx)
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
        let all = entries(&db, JobId(1), &RelPath::root(), 10).await.unwrap();
        let told: Vec<_> = all.iter().map(|e| (e.path.display().into_owned(), e.proof.clone(), e.proof_run)).collect();
        assert_eq!(
            told,
            [("adopted".to_owned(), Proof::Believed, RunId(7)), ("read".to_owned(), Proof::StreamHash, RunId(7))]
        );
        assert_eq!(entries(&db, JobId(1), &all[0].path, 10).await.unwrap().len(), 1);
    }
}
