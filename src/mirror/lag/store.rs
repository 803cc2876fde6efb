//! SQL of lags and looks.

use jiff::Timestamp;
use sqlx::Row;

use super::Lag;
use crate::db::{Db, DbError};
use crate::mirror::codes;
use crate::mirror::heat::Extent;
use crate::mirror::store::{length, path, stored, time, unreadable};
use crate::model::{JobId, Precision, RelPath, RunId};

/// Of the files that a run brought and that are new to it.
macro_rules! sql {
    ($what:literal, $order:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM items WHERE run = ?1 AND state = 'published' AND action IN ('copy', 'replace') AND kind = 0 ",
            "AND mtime_precision < ?3 ",
            "AND mtime >= ?2 - CASE mtime_precision WHEN 0 THEN 0 WHEN 1 THEN 1000000000 ELSE 60000000000 END ",
            $order
        )
    };
}

/// When the last complete looks of a job began: everything that its source showed then is in the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looks {
    /// At the whole tree.
    pub whole: Option<Timestamp>,
    /// At the hot folders.
    pub hot: Option<Timestamp>,
}

impl Looks {
    /// The later of both.
    #[must_use]
    pub fn last(self) -> Option<Timestamp> {
        self.whole.max(self.hot)
    }
}

/// The newest file of a source that its target does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// In the source.
    pub path: RelPath,
    /// Its time there.
    pub at: Timestamp,
    /// How many files are not there yet, this one included.
    pub files: u64,
}

/// When the last complete looks of `job` began.
///
/// # Errors
/// When the store cannot be read.
pub async fn looks(db: &Db, job: JobId) -> Result<Looks, DbError> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT extent, at FROM looks WHERE job = ?").bind(job.0).fetch_all(db.read()).await?;
    let mut looks = Looks::default();
    for (extent, at) in rows {
        let place = if extent == Extent::Hot.as_str() { &mut looks.hot } else { &mut looks.whole };
        *place = Some(time(at)?);
    }
    Ok(looks)
}

pub(super) async fn look(db: &Db, job: JobId, extent: Extent, at: Timestamp) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("INSERT INTO looks (job, extent, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at")
        .bind(job.0)
        .bind(extent.as_str())
        .bind(at.as_microsecond())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// More open files than this are not looked through for a page.
const MOST_OPEN: i64 = 50_000;

/// The newest file that `run` should copy and has not yet, or could not, and no later run did. None when there is none that
/// tells its time, or while so many are open that the newest of them says little.
///
/// # Errors
/// When the store cannot be read.
pub async fn newest_missing(db: &Db, run: RunId) -> Result<Option<Newest>, DbError> {
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM items WHERE run = ? \
         AND state IN ('planned', 'transferring', 'verified', 'publishing', 'failed') LIMIT ?)",
    )
    .bind(run.0)
    .bind(MOST_OPEN)
    .fetch_one(db.read())
    .await?;
    if open >= MOST_OPEN {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT path, max(mtime) AS mtime, count(*) AS files FROM items i WHERE run = ? AND kind = 0 \
         AND state IN ('planned', 'transferring', 'verified', 'publishing', 'failed') \
         AND action IN ('copy', 'replace') AND mtime IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM files f WHERE f.job = i.job AND f.path = i.path AND f.run > i.run)",
    )
    .bind(run.0)
    .fetch_one(db.read())
    .await?;
    let Some(at) = row.try_get::<Option<i64>, _>("mtime")? else { return Ok(None) };
    Ok(Some(Newest {
        path: path(row.try_get("path")?)?,
        at: Timestamp::from_nanosecond(at.into()).map_err(|_| unreadable(at))?,
        files: length(row.try_get("files")?)?,
    }))
}

/// The lag of the files that `run` brought and that were written since `since`.
pub(super) async fn lag(db: &Db, run: RunId, since: Timestamp) -> Result<Option<Lag>, DbError> {
    let files = length(
        sqlx::query_scalar(sql!("count(*)", ""))
            .bind(run.0)
            .bind(nanos(since))
            .bind(codes::precision_number(Precision::Day))
            .fetch_one(db.read())
            .await?,
    )?;
    let Some(last) = files.checked_sub(1) else { return Ok(None) };
    let middle = at(db, run, since, last / 2).await?;
    Ok(Some(Lag { files, median_seconds: middle, longest_seconds: at(db, run, since, last).await? }))
}

/// The lag in seconds at `place`, counted from 0, of all from the shortest to the longest.
async fn at(db: &Db, run: RunId, since: Timestamp, place: u64) -> Result<u64, DbError> {
    let lag: i64 = sqlx::query_scalar(sql!("max(0, at * 1000 - mtime) AS lag", "ORDER BY lag LIMIT 1 OFFSET ?4"))
        .bind(run.0)
        .bind(nanos(since))
        .bind(codes::precision_number(Precision::Day))
        .bind(stored(place))
        .fetch_one(db.read())
        .await?;
    Ok(length(lag)? / NANOSECONDS)
}

const NANOSECONDS: u64 = 1_000_000_000;

fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or_default()
}
