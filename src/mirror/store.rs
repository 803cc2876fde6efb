//! What pages and the command line read of the journal: items of a run, attempts of an item, counts.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::words::{Action, ItemState};
use crate::db::{Db, DbError};
use crate::model::{Digest, DigestAlgorithm, Fault, FaultKind, ItemId, JobId, Proof, RelPath, RunId};

/// One path of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// Its identity.
    pub id: ItemId,
    /// In the source.
    pub path: RelPath,
    /// In the target.
    pub target: RelPath,
    /// What is done about it.
    pub action: Action,
    /// How far it is.
    pub state: ItemState,
    /// Bytes, when known.
    pub size: Option<u64>,
    /// Bytes that are safe in the target.
    pub confirmed: u64,
    /// Of the content, once verified.
    pub digest: Option<Digest>,
    /// How the content was proven, once it was.
    pub proof: Option<Proof>,
    /// Tries so far.
    pub attempts: u32,
    /// The last fault, also of an item that succeeded later.
    pub fault: Option<Fault>,
    /// The last change.
    pub at: Timestamp,
}

/// One finished try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// 1, 2, 3 …
    pub number: u32,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Where it began to read.
    pub from_offset: u64,
    /// Bytes that it moved.
    pub bytes: u64,
    /// None: it worked.
    pub fault: Option<Fault>,
    /// When the next try was due.
    pub retry_at: Option<Timestamp>,
}

/// Which items of a run. Pages go by identity: ask for those after the last one shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemFilter {
    /// Only these.
    pub state: Option<ItemState>,
    /// Only those whose last fault is of this kind.
    pub fault: Option<FaultKind>,
    /// Only those after this one.
    pub after: Option<ItemId>,
    /// At most so many; 0 means 100.
    pub limit: u32,
}

/// The journal of a run in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Items by state.
    pub by_state: Vec<(ItemState, u64)>,
    /// Items by the kind of their last fault, the most frequent first. Holds those that succeeded later.
    pub by_fault: Vec<(FaultKind, u64)>,
    /// Bytes of the published files.
    pub bytes_published: u64,
}

impl RunCounts {
    /// How many are in `state`.
    #[must_use]
    pub fn state(&self, state: ItemState) -> u64 {
        self.by_state.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n)
    }
}

const ITEM_COLUMNS: &str =
    "SELECT id, path, target, action, state, size, confirmed, digest, proof, attempts, fault, at FROM items WHERE ";

/// The items of a run, in the order in which they were planned.
///
/// # Errors
/// When the store cannot be read.
pub async fn items(db: &Db, run: RunId, filter: &ItemFilter) -> Result<Vec<ItemRow>, DbError> {
    let mut query = QueryBuilder::<Sqlite>::new(ITEM_COLUMNS);
    query.push("run = ").push_bind(run.0);
    if let Some(after) = filter.after {
        query.push(" AND id > ").push_bind(after.0);
    }
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(fault) = filter.fault {
        query.push(" AND fault_kind = ").push_bind(fault.as_str());
    }
    let limit = if filter.limit == 0 { 100 } else { filter.limit };
    query.push(" ORDER BY id LIMIT ").push_bind(i64::from(limit));
    let rows = query.build().fetch_all(db.read()).await?;
    rows.iter().map(item_row).collect()
}

/// The items of a run that are not in the target as they should be, in the order in which they were planned: what failed,
/// and what the run did not get to. Pages go by identity.
///
/// # Errors
/// When the store cannot be read.
pub async fn missing(db: &Db, run: RunId, after: Option<ItemId>, limit: u32) -> Result<Vec<ItemRow>, DbError> {
    let mut query = QueryBuilder::<Sqlite>::new(ITEM_COLUMNS);
    query.push("run = ").push_bind(run.0);
    query.push(" AND id > ").push_bind(after.map_or(0, |item| item.0));
    query.push(" AND state IN ('failed', 'planned', 'transferring', 'verified', 'publishing') ORDER BY id LIMIT ");
    query.push_bind(i64::from(limit));
    let rows = query.build().fetch_all(db.read()).await?;
    rows.iter().map(item_row).collect()
}

/// One item.
///
/// # Errors
/// [`DbError::Missing`] when there is no such item.
pub async fn item(db: &Db, item: ItemId) -> Result<ItemRow, DbError> {
    let mut query = QueryBuilder::<Sqlite>::new(ITEM_COLUMNS);
    query.push("id = ").push_bind(item.0);
    item_row(&query.build().fetch_one(db.read()).await?)
}

/// The tries of an item, the first first.
///
/// # Errors
/// When the store cannot be read.
pub async fn attempts(db: &Db, item: ItemId) -> Result<Vec<AttemptRow>, DbError> {
    let rows = sqlx::query(
        "SELECT number, started, ended, from_offset, bytes, fault, retry_at FROM attempts WHERE item = ? ORDER BY number",
    )
    .bind(item.0)
    .fetch_all(db.read())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(AttemptRow {
                number: count(row, "number")?,
                started: time(row.try_get("started")?)?,
                ended: time(row.try_get("ended")?)?,
                from_offset: length(row.try_get("from_offset")?)?,
                bytes: length(row.try_get("bytes")?)?,
                fault: fault(row.try_get("fault")?)?,
                retry_at: row.try_get::<Option<i64>, _>("retry_at")?.map(time).transpose()?,
            })
        })
        .collect()
}

/// A run in numbers.
///
/// # Errors
/// When the store cannot be read.
pub async fn counts(db: &Db, run: RunId) -> Result<RunCounts, DbError> {
    let states: Vec<(String, i64)> = sqlx::query_as("SELECT state, count(*) FROM items WHERE run = ? GROUP BY state")
        .bind(run.0)
        .fetch_all(db.read())
        .await?;
    let faults: Vec<(String, i64)> = sqlx::query_as(
        "SELECT fault_kind, count(*) FROM items WHERE run = ? AND fault_kind IS NOT NULL GROUP BY 1 ORDER BY 2 DESC",
    )
    .bind(run.0)
    .fetch_all(db.read())
    .await?;
    let bytes: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(size), 0) FROM items WHERE run = ? AND state = 'published' AND action IN ('copy', 'replace')",
    )
    .bind(run.0)
    .fetch_one(db.read())
    .await?;
    Ok(RunCounts {
        by_state: states.iter().map(|(w, n)| Ok((state(w)?, length(*n)?))).collect::<Result<_, DbError>>()?,
        by_fault: faults
            .iter()
            .map(|(w, n)| Ok((w.parse().map_err(|()| unreadable(w))?, length(*n)?)))
            .collect::<Result<_, DbError>>()?,
        bytes_published: length(bytes)?,
    })
}

/// Rows that are removed in one transaction: others write in between.
const PIECE: i64 = 10_000;

/// Runs that still have rows of what they saw.
///
/// # Errors
/// When the store cannot be read.
pub async fn scanned(db: &Db) -> Result<Vec<RunId>, DbError> {
    each_run(db, "SELECT min(run) FROM scan WHERE run > ?").await
}

/// Runs that still have items.
///
/// # Errors
/// When the store cannot be read.
pub async fn itemised(db: &Db) -> Result<Vec<RunId>, DbError> {
    each_run(db, "SELECT min(run) FROM items WHERE run > ?").await
}

/// From one run to the next by the index, instead of over all of their rows.
async fn each_run(db: &Db, next: &'static str) -> Result<Vec<RunId>, DbError> {
    let mut runs = Vec::new();
    let mut last = i64::MIN;
    while let Some(run) = sqlx::query_scalar::<_, Option<i64>>(next).bind(last).fetch_one(db.read()).await? {
        runs.push(RunId(run));
        last = run;
    }
    Ok(runs)
}

/// Removes what a run saw on both sides. For runs that are over for good: another start would list again.
///
/// # Errors
/// When the store cannot be written.
pub async fn clear_scan(db: &Db, run: RunId) -> Result<(), DbError> {
    super::scan::store::clear(db, run).await
}

/// Removes the items of a run that is over for good, and their attempts. Those with a part stay: a later run goes
/// on with it, or removes it. What the job is known to have published is not touched.
///
/// # Errors
/// When the store cannot be written.
pub async fn prune_run(db: &Db, run: RunId) -> Result<(), DbError> {
    const OLD: &str = "(SELECT id FROM items WHERE run = ?1 AND part IS NULL ORDER BY id LIMIT ?2)";
    loop {
        let mut tx = db.write().await?;
        let mut gone = 0;
        for table in ["attempts WHERE item IN ", "items WHERE id IN "] {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table}{OLD}"));
            gone = sqlx::query(sql).bind(run.0).bind(PIECE).execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        if gone == 0 {
            return Ok(());
        }
    }
}

/// Do runs of the job have parts in its target?
///
/// # Errors
/// When the store cannot be read.
pub async fn has_parts(pool: &sqlx::SqlitePool, job: JobId) -> Result<bool, DbError> {
    let found = sqlx::query_scalar::<_, i64>("SELECT 1 FROM items WHERE job = ? AND part IS NOT NULL LIMIT 1")
        .bind(job.0)
        .fetch_optional(pool)
        .await?;
    Ok(found.is_some())
}

/// Removes what is known about the target of a job that is gone and has no run any more. The audit log and the lists of
/// its runs are not touched.
///
/// # Errors
/// When the store cannot be written.
pub async fn forget_job(db: &Db, job: JobId) -> Result<(), DbError> {
    for table in ["files", "tombstones", "charsets", "heat", "uploads", "upload_folders"] {
        loop {
            let sql = format!(
                "DELETE FROM {table} WHERE job = ?1 AND path IN (SELECT path FROM {table} WHERE job = ?1 LIMIT ?2)"
            );
            let mut tx = db.write().await?;
            let done = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(job.0).bind(PIECE).execute(&mut *tx).await?;
            tx.commit().await?;
            if done.rows_affected() == 0 {
                break;
            }
        }
    }
    let mut tx = db.write().await?;
    sqlx::query("DELETE FROM looks WHERE job = ?").bind(job.0).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM readings WHERE job = ?").bind(job.0).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// What a job looks at changed: nobody knows any more as of when its target holds everything.
///
/// # Errors
/// When the store cannot be written.
pub async fn forget_looks(tx: &mut sqlx::SqliteConnection, job: JobId) -> Result<(), DbError> {
    sqlx::query("DELETE FROM looks WHERE job = ?").bind(job.0).execute(tx).await?;
    Ok(())
}

/// Did `run` change anything in the target?
///
/// # Errors
/// When the store cannot be read.
pub async fn changed_anything(db: &Db, run: RunId) -> Result<bool, DbError> {
    let found = sqlx::query_scalar::<_, i64>(
        "SELECT 1 FROM items WHERE run = ? AND state = 'published' \
         AND action IN ('copy', 'replace', 'adopt', 'keep', 'make-dir', 'link', 'set-mode', 'trash') LIMIT 1",
    )
    .bind(run.0)
    .fetch_optional(db.read())
    .await?;
    Ok(found.is_some())
}

fn item_row(row: &SqliteRow) -> Result<ItemRow, DbError> {
    let state = state(row.try_get("state")?)?;
    Ok(ItemRow {
        id: ItemId(row.try_get("id")?),
        path: path(row.try_get("path")?)?,
        target: path(row.try_get("target")?)?,
        action: action(row.try_get("action")?)?,
        state,
        size: row.try_get::<Option<i64>, _>("size")?.map(length).transpose()?,
        confirmed: length(row.try_get("confirmed")?)?,
        digest: digest(row.try_get("digest")?)?.filter(|_| state.is_verified()),
        proof: proof(row.try_get("proof")?)?,
        attempts: count(row, "attempts")?,
        fault: fault(row.try_get("fault")?)?,
        at: time(row.try_get("at")?)?,
    })
}

// Reading stored values back; each failure names the value.

pub(super) fn unreadable(value: impl std::fmt::Debug) -> DbError {
    DbError::Value(format!("{value:?}"))
}

pub(super) fn path(bytes: &[u8]) -> Result<RelPath, DbError> {
    RelPath::new(bytes).map_err(|error| DbError::Value(format!("a path, {error}")))
}

pub(super) fn length(number: i64) -> Result<u64, DbError> {
    u64::try_from(number).map_err(|_| unreadable(number))
}

/// A length for the store; nothing real is longer than 2^63 bytes.
pub(super) fn stored(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

pub(super) fn time(micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|_| unreadable(micros))
}

pub(super) fn digest(bytes: Option<Vec<u8>>) -> Result<Option<Digest>, DbError> {
    let Some(bytes) = bytes else { return Ok(None) };
    let (algorithm, digest) = match bytes.split_first() {
        Some((&BLAKE3, digest)) if digest.len() == 32 => (DigestAlgorithm::Blake3, digest),
        _ => (DigestAlgorithm::Sha256, bytes.as_slice()),
    };
    let digest = digest.try_into().map_err(|_| unreadable(bytes.len()))?;
    Ok(Some(Digest::new(algorithm, digest)))
}

/// BLAKE3 among the multihash codes.
const BLAKE3: u8 = 0x1e;

/// A digest for the store: a SHA-256 as it is, since all were, and any other behind its multihash code.
pub(super) fn digest_bytes(digest: Digest) -> Vec<u8> {
    let bytes = digest.as_bytes();
    match digest.algorithm() {
        DigestAlgorithm::Sha256 => bytes.to_vec(),
        DigestAlgorithm::Blake3 => [&[BLAKE3], bytes.as_slice()].concat(),
    }
}

pub(super) fn proof(text: Option<String>) -> Result<Option<Proof>, DbError> {
    text.map(|text| text.parse().map_err(|_| unreadable(text))).transpose()
}

pub(super) fn fault(json: Option<String>) -> Result<Option<Fault>, DbError> {
    json.map(|json| serde_json::from_str(&json).map_err(|_| unreadable(&json))).transpose()
}

fn state(word: &str) -> Result<ItemState, DbError> {
    ItemState::of(word).ok_or_else(|| unreadable(word))
}

fn action(word: &str) -> Result<Action, DbError> {
    Action::of(word).ok_or_else(|| unreadable(word))
}

fn count(row: &SqliteRow, column: &str) -> Result<u32, DbError> {
    let number: i64 = row.try_get(column)?;
    u32::try_from(number).map_err(|_| unreadable(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_come_back_from_the_store() {
        for algorithm in DigestAlgorithm::ALL {
            // A SHA-256 may begin with any byte.
            let kept = Digest::new(*algorithm, [BLAKE3; 32]);
            assert_eq!(digest(Some(digest_bytes(kept))).unwrap(), Some(kept));
        }
        assert!(digest(Some(vec![0x12; 33])).is_err() && digest(Some(vec![BLAKE3; 31])).is_err());
    }
}
