//! The tables of shared links and of who has opened them.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::Share;
use crate::db::DbError;
use crate::model::{AccountId, RelPath, ShareKind};

/// Browsers that are remembered of one link. The oldest are forgotten first.
const MOST_VISITS: i64 = 2_000;

/// A link as it is stored.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) share: Share,
    /// As a PHC string.
    pub(super) password: Option<String>,
}

/// In the order of [`shares`].
type Columns = (
    i64,
    i64,
    String,
    Vec<u8>,
    String,
    Option<String>,
    i64,
    Option<i64>,
    Option<i64>,
    i64,
    Option<i64>,
    i64,
    Option<i64>,
    Option<i64>,
);

/// The rows of shares, and which and in what order.
macro_rules! shares {
    ($which:literal) => {
        concat!(
            "SELECT s.id, s.account, a.name, s.path, s.kind, s.password, s.made, s.expires, s.most, s.used, s.room, ",
            "s.taken, s.last, s.ended ",
            "FROM shares s JOIN accounts a ON a.id = s.account ",
            $which
        )
    };
}

fn row(columns: Columns) -> Result<Row, DbError> {
    let (id, account, owner, path, kind, password, made, expires, most, used, room, taken, last, ended) = columns;
    let bad = |what: &str| DbError::Value(format!("the {what} of share {id}"));
    let time = |micros: i64| Timestamp::from_microsecond(micros).map_err(|_| bad("time"));
    let bytes = |bytes: i64| u64::try_from(bytes).map_err(|_| bad("room"));
    let count = |count: i64| u32::try_from(count).map_err(|_| bad("count"));
    let share = Share {
        id,
        account: AccountId(account),
        owner,
        path: RelPath::new(path).map_err(|_| bad("path"))?,
        kind: ShareKind::of_word(&kind).ok_or_else(|| bad("kind"))?,
        with_password: password.is_some(),
        made: time(made)?,
        expires: expires.map(time).transpose()?,
        most: most.map(count).transpose()?,
        used: count(used)?,
        room: room.map(bytes).transpose()?,
        taken: bytes(taken)?,
        last_used: last.map(time).transpose()?,
        ended: ended.map(time).transpose()?,
    };
    Ok(Row { share, password })
}

pub(super) async fn insert(
    conn: &mut SqliteConnection,
    hash: &[u8; 32],
    share: &Share,
    password: Option<String>,
) -> Result<i64, DbError> {
    let done = sqlx::query(
        "INSERT INTO shares (hash, account, path, kind, password, made, expires, most, room) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(hash.to_vec())
    .bind(share.account.0)
    .bind(share.path.as_bytes().to_vec())
    .bind(share.kind.as_str())
    .bind(password)
    .bind(share.made.as_microsecond())
    .bind(share.expires.map(Timestamp::as_microsecond))
    .bind(share.most)
    .bind(share.room.map(number))
    .execute(conn)
    .await?;
    Ok(done.last_insert_rowid())
}

/// One by what is in its link.
pub(super) async fn find(conn: &mut SqliteConnection, hash: &[u8; 32]) -> Result<Option<Row>, DbError> {
    let sql = shares!("WHERE s.hash = ?");
    sqlx::query_as::<_, Columns>(sql).bind(hash.to_vec()).fetch_optional(conn).await?.map(row).transpose()
}

/// One by its number.
pub(super) async fn by_id(conn: &mut SqliteConnection, id: i64) -> Result<Option<Row>, DbError> {
    let sql = shares!("WHERE s.id = ?");
    sqlx::query_as::<_, Columns>(sql).bind(id).fetch_optional(conn).await?.map(row).transpose()
}

/// Those of an account, or all, the newest first: `most` of them that were made before `before`.
pub(super) async fn list(
    conn: &mut SqliteConnection,
    account: Option<AccountId>,
    (before, most): (Option<i64>, i64),
) -> Result<Vec<Share>, DbError> {
    let sql = shares!("WHERE (?1 IS NULL OR s.account = ?1) AND (?2 IS NULL OR s.id < ?2) ORDER BY s.id DESC LIMIT ?3");
    let asked = sqlx::query_as::<_, Columns>(sql).bind(account.map(|id| id.0)).bind(before).bind(most);
    asked.fetch_all(conn).await?.into_iter().map(|columns| row(columns).map(|row| row.share)).collect()
}

/// How many of an account somebody could still use.
pub(super) async fn open(conn: &mut SqliteConnection, account: AccountId, now: Timestamp) -> Result<i64, DbError> {
    let sql = "SELECT count(*) FROM shares WHERE account = ? AND ended IS NULL AND (expires IS NULL OR expires > ?)";
    Ok(sqlx::query_scalar(sql).bind(account.0).bind(now.as_microsecond()).fetch_one(conn).await?)
}

/// False when it had ended before.
pub(super) async fn end(conn: &mut SqliteConnection, id: i64, now: Timestamp) -> Result<bool, DbError> {
    let sql = "UPDATE shares SET ended = ? WHERE id = ? AND ended IS NULL";
    Ok(sqlx::query(sql).bind(now.as_microsecond()).bind(id).execute(conn).await?.rows_affected() > 0)
}

/// Those that nobody can use since `before` are forgotten.
pub(super) async fn forget(conn: &mut SqliteConnection, before: Timestamp) -> Result<(), DbError> {
    sqlx::query("DELETE FROM shares WHERE coalesce(min(ended, expires), ended, expires) < ?")
        .bind(before.as_microsecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// One use more, if it is still open and there is one left. The answer is how many there were then.
pub(super) async fn count(conn: &mut SqliteConnection, id: i64, now: Timestamp) -> Result<Option<u32>, DbError> {
    let sql = "UPDATE shares SET used = used + 1, last = ?1 WHERE id = ?2 AND (most IS NULL OR used < most) \
               AND ended IS NULL AND (expires IS NULL OR expires > ?1) RETURNING used";
    let used: Option<i64> = sqlx::query_scalar(sql).bind(now.as_microsecond()).bind(id).fetch_optional(conn).await?;
    Ok(used.map(|used| u32::try_from(used).unwrap_or(u32::MAX)))
}

fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// So many bytes more, if there is room for them.
pub(super) async fn fill(conn: &mut SqliteConnection, id: i64, bytes: u64) -> Result<bool, DbError> {
    let sql =
        "UPDATE shares SET taken = taken + ?1 WHERE id = ?2 AND ?1 <= coalesce(room, 9223372036854775807) - taken";
    Ok(sqlx::query(sql).bind(number(bytes)).bind(id).execute(conn).await?.rows_affected() > 0)
}

/// So many fewer.
pub(super) async fn unfill(conn: &mut SqliteConnection, id: i64, bytes: u64) -> Result<(), DbError> {
    let sql = "UPDATE shares SET taken = max(0, taken - ?) WHERE id = ?";
    sqlx::query(sql).bind(number(bytes)).bind(id).execute(conn).await?;
    Ok(())
}

/// A browser has opened it. Those that did so before `since` are forgotten.
pub(super) async fn visit(
    conn: &mut SqliteConnection,
    hash: &[u8; 32],
    share: i64,
    (since, now): (Timestamp, Timestamp),
) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM share_visits WHERE begun < ?1 OR (share = ?2 AND begun < \
         (SELECT begun FROM share_visits WHERE share = ?2 ORDER BY begun DESC LIMIT 1 OFFSET ?3))",
    )
    .bind(since.as_microsecond())
    .bind(share)
    .bind(MOST_VISITS - 1)
    .execute(&mut *conn)
    .await?;
    sqlx::query("INSERT OR IGNORE INTO share_visits (hash, share, begun, used) VALUES (?, ?, ?, 0)")
        .bind(hash.to_vec())
        .bind(share)
        .bind(now.as_microsecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Has this browser opened the link since then? And does it count as a use already?
pub(super) async fn visited(
    conn: &mut SqliteConnection,
    hash: &[u8; 32],
    share: i64,
    since: Timestamp,
) -> Result<Option<bool>, DbError> {
    let sql = "SELECT used FROM share_visits WHERE hash = ? AND share = ? AND begun >= ?";
    let asked = sqlx::query_scalar(sql).bind(hash.to_vec()).bind(share).bind(since.as_microsecond());
    Ok(asked.fetch_optional(conn).await?)
}

/// From now on it does.
pub(super) async fn mark(conn: &mut SqliteConnection, hash: &[u8; 32], share: i64) -> Result<(), DbError> {
    let sql = "UPDATE share_visits SET used = 1 WHERE hash = ? AND share = ?";
    sqlx::query(sql).bind(hash.to_vec()).bind(share).execute(conn).await?;
    Ok(())
}
