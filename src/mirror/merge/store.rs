//! The merge join in the store, and how far the clock of the source's listings moved.

use jiff::SignedDuration;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sieve;
use crate::db::{Db, DbError};
use crate::mirror::plan::{Known, Seen, There};
use crate::mirror::scan::store::{GONE, version};
use crate::mirror::store::{fault, length, path, time};
use crate::mirror::{codes, shift};
use crate::model::{JobId, Precision, RelPath, RunId, TimeSource};

/// A path with all that is known about it.
#[derive(Debug)]
pub(crate) struct Merged {
    pub seen: Seen,
    pub known: Option<Known>,
    pub there: Option<There>,
}

/// The next `limit` paths of the source after `after`, in the order of their bytes: parents first. With a sieve, only those
/// that have to be judged: each line of its condition says of one reason for a judgement that there is none. How coarse a time
/// may be, and for how long, is [`surely_same`](crate::mirror::plan::surely_same)'s rule; the bits are those of `file_mode`.
pub(crate) async fn merged(
    db: &Db,
    (job, run): (JobId, RunId),
    sieve: Option<Sieve>,
    after: &RelPath,
    limit: i64,
) -> Result<Vec<Merged>, DbError> {
    let rows = sqlx::query(
        "SELECT s.path, s.source, s.kind, s.size, s.mtime, s.mtime_precision, s.mtime_told, s.mode, s.unique_fact, s.refused, s.link, \
         f.kind AS f_kind, f.size AS f_size, f.mtime AS f_mtime, f.mtime_precision AS f_precision, f.mtime_told AS f_told, \
         f.unique_fact AS f_unique, f.listed_mtime, f.listed_precision, f.listed_told, f.listed_unique, \
         f.target_size, f.target_mtime, f.proven, f.proof IS NULL AND f.proof_run IS NOT NULL AS doubted, \
         f.run AS f_run, f.at AS f_at, f.link AS f_link, \
         t.kind AS t_kind, t.size AS t_size, t.mtime AS t_mtime, t.mtime_precision AS t_precision, t.mtime_told AS t_told, \
         t.mode AS t_mode, t.link AS t_link \
         FROM scan s LEFT JOIN files f ON f.job = ?1 AND f.path = coalesce(s.source, s.path) AND f.target = s.path \
         LEFT JOIN scan t ON t.run = ?2 AND t.side = 1 AND t.path = s.path \
         WHERE s.run = ?2 AND s.side = 0 AND s.path > ?3 AND s.listing <> ?5 AND (?6 \
         AND s.refused IS NULL AND s.kind = t.kind AND (s.kind = 1 OR (s.kind = 0 \
         AND f.kind = 0 AND f.proven = 1 AND NOT (f.proof IS NULL AND f.proof_run IS NOT NULL) AND f.run <> ?2 \
         AND t.size = f.target_size AND t.mtime = f.target_mtime \
         AND s.size = f.size AND s.mtime = f.listed_mtime AND s.mtime_precision = f.listed_precision \
         AND s.mtime_told = f.listed_told AND s.unique_fact IS f.listed_unique \
         AND (s.mtime_precision <= 1 OR f.at * 1000 - s.mtime > iif(s.mtime_precision = 2, 120000000000, 172800000000000)) \
         AND (NOT ?7 OR s.mode IS NULL OR t.mode IS NULL OR (s.mode & 511) | 384 = t.mode & 511)))) IS NOT TRUE \
         ORDER BY s.path LIMIT ?4",
    )
    .bind(job.0)
    .bind(run.0)
    .bind(after.as_bytes())
    .bind(limit)
    .bind(GONE)
    .bind(sieve.is_some())
    .bind(sieve.is_some_and(|sieve| sieve.keep_mode))
    .fetch_all(db.read())
    .await?;
    rows.iter().map(merged_row).collect()
}

fn merged_row(row: &SqliteRow) -> Result<Merged, DbError> {
    let target = path(row.try_get("path")?)?;
    let source = row.try_get::<Option<Vec<u8>>, _>("source")?.map(|bytes| path(&bytes)).transpose()?;
    let seen = Seen {
        path: source.unwrap_or_else(|| target.clone()),
        target,
        kind: codes::kind(row.try_get("kind")?),
        version: version(row, ["size", "mtime", "mtime_precision", "mtime_told"], Some("unique_fact"))?,
        mode: row.try_get::<Option<i64>, _>("mode")?.and_then(|m| u32::try_from(m).ok()),
        refused: fault(row.try_get("refused")?)?,
        link: row.try_get("link")?,
    };
    let known = match row.try_get::<Option<i64>, _>("f_kind")? {
        None => None,
        Some(_) => Some(Known {
            version: version(row, ["f_size", "f_mtime", "f_precision", "f_told"], Some("f_unique"))?,
            listed: version(row, ["f_size", "listed_mtime", "listed_precision", "listed_told"], Some("listed_unique"))?,
            target: (
                row.try_get::<Option<i64>, _>("target_size")?.map(length).transpose()?,
                row.try_get("target_mtime")?,
            ),
            proven: row.try_get::<i64, _>("proven")? == 1,
            doubted: row.try_get::<i64, _>("doubted")? == 1,
            run: RunId(row.try_get("f_run")?),
            at: time(row.try_get("f_at")?)?,
            link: row.try_get("f_link")?,
        }),
    };
    let there = match row.try_get::<Option<i64>, _>("t_kind")? {
        None => None,
        Some(kind) => Some(There {
            kind: codes::kind(kind),
            version: version(row, ["t_size", "t_mtime", "t_precision", "t_told"], None)?,
            mode: row.try_get::<Option<i64>, _>("t_mode")?.and_then(|m| u32::try_from(m).ok()),
            link: row.try_get("t_link")?,
        }),
    };
    Ok(Merged { seen, known, there })
}

/// So many files the source shows.
pub(crate) async fn files(db: &Db, run: RunId) -> Result<u64, DbError> {
    let files: i64 = sqlx::query_scalar("SELECT count(*) FROM scan WHERE run = ? AND side = 0 AND kind = 0")
        .bind(run.0)
        .fetch_one(db.read())
        .await?;
    length(files)
}

/// Distances, in nanoseconds, by which the listed times of files moved that are of the same size as when they were
/// published, and how many files moved so far; the most frequent first. Only times of listings that are exact enough to
/// show a clock that moved, and of files that cannot have been written again since, or did not move at all.
pub(crate) async fn moves(db: &Db, job: JobId, run: RunId) -> Result<Vec<(i64, u64)>, DbError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT iif(abs(s.mtime / 2 - f.listed_mtime / 2) <= ?5, s.mtime - f.listed_mtime, ?6) AS moved, count(*) FROM scan s \
         JOIN files f ON f.job = ?1 AND f.path = coalesce(s.source, s.path) AND f.target = s.path \
         WHERE s.run = ?2 AND s.side = 0 AND s.kind = 0 AND s.mtime_told = ?3 AND s.mtime_precision < ?4 \
         AND f.kind = 0 AND f.size = s.size AND f.listed_told = ?3 AND f.listed_precision = s.mtime_precision \
         AND (s.mtime = f.listed_mtime OR f.at * 1000 - s.mtime > ?5) \
         GROUP BY moved ORDER BY moved = 0 DESC, 2 DESC LIMIT 1000",
    )
    .bind(job.0)
    .bind(run.0)
    .bind(codes::told_number(TimeSource::List))
    .bind(codes::precision_number(Precision::Day))
    .bind(shift::CERTAIN)
    // Centuries apart, which no number holds: farther than any zone all the same.
    .bind(i64::MAX)
    .fetch_all(db.read())
    .await?;
    rows.into_iter().map(|(moved, files)| Ok((moved, length(files)?))).collect()
}

/// The clock of the listings moved by so much: what is remembered of files that moved with it moves, too.
pub(crate) async fn follow(db: &Db, job: JobId, run: RunId, by: SignedDuration) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query(
        "UPDATE files SET listed_mtime = listed_mtime + ?5, \
         mtime = CASE WHEN mtime_told = ?3 AND mtime_precision < ?4 THEN mtime + ?5 ELSE mtime END \
         WHERE job = ?1 AND kind = 0 AND listed_told = ?3 AND listed_precision < ?4 AND EXISTS (SELECT 1 FROM scan s \
         WHERE s.run = ?2 AND s.side = 0 AND s.path = files.target AND coalesce(s.source, s.path) = files.path \
         AND s.kind = 0 AND s.size = files.size AND s.mtime_told = ?3 AND s.mtime_precision = files.listed_precision \
         AND s.mtime = files.listed_mtime + ?5 AND files.at * 1000 - s.mtime > ?6)",
    )
    .bind(job.0)
    .bind(run.0)
    .bind(codes::told_number(TimeSource::List))
    .bind(codes::precision_number(Precision::Day))
    .bind(i64::try_from(by.as_nanos()).unwrap_or_default())
    .bind(shift::CERTAIN)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}
