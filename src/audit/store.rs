//! The log's table.

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, SqlitePool};

use super::entry::{self, GENESIS, Sealed};
use super::{Actor, Event};
use crate::db::DbError;

/// Entries per INSERT in [`append_many`]: six values each stay far below SQLite's limit of 32,766.
const CHUNK: usize = 200;

/// Appends one entry inside the caller's write transaction and returns its number.
///
/// The connection must be that of a transaction begun by [`crate::db::Db::write`] (`BEGIN IMMEDIATE`):
/// then nobody can append between the look at the head and the insert, not even another process.
///
/// # Errors
/// What the store says; the caller then rolls its change back too.
pub async fn append(conn: &mut SqliteConnection, at: Timestamp, actor: &Actor, event: &Event) -> Result<i64, DbError> {
    append_many(conn, at, actor, std::slice::from_ref(event)).await
}

/// Appends several entries of one actor at one time; far cheaper per entry than [`append`]. Returns the
/// number of the last entry.
///
/// # Errors
/// As [`append`]. Either all are appended or the caller rolls back.
pub async fn append_many(
    conn: &mut SqliteConnection,
    at: Timestamp,
    actor: &Actor,
    events: &[Event],
) -> Result<i64, DbError> {
    let (mut seq, mut previous) = head(conn).await?;
    for chunk in events.chunks(CHUNK) {
        let mut sealed = Vec::with_capacity(chunk.len());
        for event in chunk {
            let next = entry::seal(seq + 1, at, actor, event, &previous)?;
            (seq, previous) = (next.seq, next.hash);
            sealed.push(next);
        }
        insert(conn, sealed).await?;
    }
    Ok(seq)
}

async fn insert(conn: &mut SqliteConnection, entries: Vec<Sealed>) -> Result<(), DbError> {
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO audit (seq, at, actor, action, entry, hash) ");
    query.push_values(entries, |mut row, entry| {
        row.push_bind(entry.seq)
            .push_bind(entry.at.as_microsecond())
            .push_bind(entry.actor)
            .push_bind(entry.action)
            .push_bind(entry.entry)
            .push_bind(entry.hash.to_vec());
    });
    query.build().execute(conn).await?;
    Ok(())
}

/// Appends one entry by a single statement, if `previous` is still the last one. Returns whether it was.
///
/// A statement is a transaction of its own: nobody appends between its look at the head and its insert, not even
/// another process.
pub(super) async fn append_behind(
    conn: &mut SqliteConnection,
    (seq, hash): (i64, [u8; 32]),
    entry: Sealed,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO audit (seq, at, actor, action, entry, hash) SELECT ?, ?, ?, ?, ?, ? \
         WHERE ? = coalesce((SELECT max(seq) FROM audit), 0) \
         AND ? = coalesce((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), ?)",
    )
    .bind(entry.seq)
    .bind(entry.at.as_microsecond())
    .bind(entry.actor)
    .bind(entry.action)
    .bind(entry.entry)
    .bind(entry.hash.to_vec())
    .bind(seq)
    .bind(hash.to_vec())
    .bind(GENESIS.to_vec())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Number and hash of the last entry; 0 and zeros when there is none.
pub(super) async fn head(conn: &mut SqliteConnection) -> Result<(i64, [u8; 32]), DbError> {
    let row = sqlx::query_as::<_, (i64, Vec<u8>)>("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(conn)
        .await?;
    match row {
        None => Ok((0, GENESIS)),
        Some((seq, hash)) => {
            let hash = hash.try_into().map_err(|_| DbError::Value(format!("the hash of audit entry {seq}")))?;
            Ok((seq, hash))
        }
    }
}

/// The stored hash of one entry.
pub(super) async fn hash_of(conn: &mut SqliteConnection, seq: i64) -> Result<Option<[u8; 32]>, DbError> {
    let hash =
        sqlx::query_scalar::<_, Vec<u8>>("SELECT hash FROM audit WHERE seq = ?").bind(seq).fetch_optional(conn).await?;
    Ok(hash.and_then(|hash| hash.try_into().ok()))
}

/// A row as it lies in the file. Text as bytes: a damaged one need not be UTF-8.
#[derive(Debug)]
pub(super) struct RawRow {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) actor: Vec<u8>,
    pub(super) action: Vec<u8>,
    pub(super) entry: Vec<u8>,
    pub(super) hash: Vec<u8>,
}

/// Every row in order, streamed from one snapshot.
pub(super) fn rows(pool: &SqlitePool) -> BoxStream<'_, Result<RawRow, DbError>> {
    Box::pin(
        sqlx::query_as::<_, (i64, i64, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>)>(
            "SELECT seq, at, CAST(actor AS BLOB) AS actor, CAST(action AS BLOB) AS action, \
             CAST(entry AS BLOB) AS entry, hash FROM audit ORDER BY seq",
        )
        .fetch(pool)
        .map_ok(|(seq, at, actor, action, entry, hash)| RawRow { seq, at, actor, action, entry, hash })
        .map_err(DbError::from),
    )
}

/// Which entries a page shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this actor, in the text form of [`Actor`].
    pub actor: Option<String>,
    /// Only this event's word, such as `login-failed`.
    pub action: Option<String>,
    /// Only entries that contain this text.
    pub text: Option<String>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Only entries with a smaller number: the next page.
    pub before: Option<i64>,
    /// At most so many; 0 = 100, never more than 1,000.
    pub limit: u32,
}

/// One entry, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who, in the text form of [`Actor`].
    pub actor: String,
    /// The event's word.
    pub action: String,
    /// The event; none when this version does not know it (then `entry` still tells).
    pub event: Option<Event>,
    /// The entry's text.
    pub entry: String,
    /// Its SHA-256 in hexadecimal.
    pub hash: String,
}

/// The newest entries first.
pub(super) async fn page(pool: &SqlitePool, filter: &Filter) -> Result<Vec<Record>, DbError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT seq, at, actor, action, entry, hash FROM audit WHERE 1");
    if let Some(actor) = &filter.actor {
        query.push(" AND actor = ").push_bind(actor.as_str());
    }
    if let Some(action) = &filter.action {
        query.push(" AND action = ").push_bind(action.as_str());
    }
    if let Some(text) = &filter.text {
        query.push(" AND instr(entry, ").push_bind(text.as_str()).push(") > 0");
    }
    if let Some(from) = filter.from {
        query.push(" AND at >= ").push_bind(from.as_microsecond());
    }
    if let Some(to) = filter.to {
        query.push(" AND at < ").push_bind(to.as_microsecond());
    }
    if let Some(before) = filter.before {
        query.push(" AND seq < ").push_bind(before);
    }
    let limit = if filter.limit == 0 { 100 } else { filter.limit.min(1000) };
    query.push(" ORDER BY seq DESC LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(pool).await?;
    rows.iter().map(record).collect()
}

fn record(row: &sqlx::sqlite::SqliteRow) -> Result<Record, DbError> {
    let entry: String = row.try_get("entry")?;
    let at: i64 = row.try_get("at")?;
    Ok(Record {
        seq: row.try_get("seq")?,
        at: Timestamp::from_microsecond(at).map_err(|error| DbError::Value(error.to_string()))?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        event: entry::open(&entry).and_then(|opened| serde_json::from_value(opened.event).ok()),
        hash: data_encoding::HEXLOWER.encode(row.try_get::<&[u8], _>("hash")?),
        entry,
    })
}
