//! The tables of locks and properties.

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::locks::Held;
use super::properties::Dead;
use crate::db::DbError;
use crate::model::RelPath;

/// Everything at `path` and below, as a range of keys: `/` is followed by `0` in ASCII.
fn below(path: &RelPath) -> (Vec<u8>, Vec<u8>) {
    let bytes = path.as_bytes();
    if bytes.is_empty() { (Vec::new(), vec![0xff; 8]) } else { ([bytes, b"/"].concat(), [bytes, b"0"].concat()) }
}

pub(super) async fn locks(pool: &SqlitePool) -> Result<Vec<Held>, DbError> {
    let rows = sqlx::query("SELECT token, path, account, owner, shared, deep, seconds, until FROM dav_locks")
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| {
            let path: Vec<u8> = row.try_get("path")?;
            let until: i64 = row.try_get("until")?;
            let seconds: i64 = row.try_get("seconds")?;
            Ok(Held {
                token: row.try_get("token")?,
                path: RelPath::new(path).map_err(|error| DbError::Value(error.to_string()))?,
                account: row.try_get("account")?,
                owner: row.try_get("owner")?,
                shared: row.try_get("shared")?,
                deep: row.try_get("deep")?,
                seconds: u64::try_from(seconds).unwrap_or(0),
                until: Timestamp::from_microsecond(until).map_err(|error| DbError::Value(error.to_string()))?,
            })
        })
        .collect()
}

pub(super) async fn put_lock(conn: &mut SqliteConnection, lock: &Held) -> Result<(), DbError> {
    sqlx::query(
        "INSERT OR REPLACE INTO dav_locks (token, path, account, owner, shared, deep, seconds, until) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&lock.token)
    .bind(lock.path.as_bytes())
    .bind(&lock.account)
    .bind(&lock.owner)
    .bind(lock.shared)
    .bind(lock.deep)
    .bind(i64::try_from(lock.seconds).unwrap_or(i64::MAX))
    .bind(lock.until.as_microsecond())
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn remove_lock(conn: &mut SqliteConnection, token: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM dav_locks WHERE token = ?").bind(token).execute(conn).await?;
    Ok(())
}

pub(super) async fn remove_expired(conn: &mut SqliteConnection, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("DELETE FROM dav_locks WHERE until <= ?").bind(now.as_microsecond()).execute(conn).await?;
    Ok(())
}

/// Properties of `path`, and of everything below when `deep`; at most `limit`.
pub(super) async fn properties(
    pool: &SqlitePool,
    path: &RelPath,
    deep: bool,
    limit: u32,
) -> Result<Vec<(RelPath, Dead)>, DbError> {
    let (from, to) = if deep { below(path) } else { (vec![0], vec![0]) };
    let rows = sqlx::query(
        "SELECT path, namespace, name, prefix, xml FROM dav_properties \
         WHERE path = ? OR (path >= ? AND path < ?) LIMIT ?",
    )
    .bind(path.as_bytes())
    .bind(from)
    .bind(to)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            let path: Vec<u8> = row.try_get("path")?;
            let path = RelPath::new(path).map_err(|error| DbError::Value(error.to_string()))?;
            let (namespace, name) = (row.try_get("namespace")?, row.try_get("name")?);
            Ok((path, Dead { namespace, name, prefix: row.try_get("prefix")?, xml: row.try_get("xml")? }))
        })
        .collect()
}

pub(super) async fn put_property(
    conn: &mut SqliteConnection,
    path: &RelPath,
    dead: &Dead,
    account: &str,
) -> Result<(), DbError> {
    // Not `INSERT OR REPLACE`: what that replaces is not counted as gone.
    remove_property(conn, path, &dead.namespace, &dead.name).await?;
    sqlx::query("INSERT INTO dav_properties (path, namespace, name, prefix, xml, account) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(path.as_bytes())
        .bind(&dead.namespace)
        .bind(&dead.name)
        .bind(&dead.prefix)
        .bind(&dead.xml)
        .bind(account)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn remove_property(
    conn: &mut SqliteConnection,
    path: &RelPath,
    namespace: &str,
    name: &str,
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM dav_properties WHERE path = ? AND namespace = ? AND name = ?")
        .bind(path.as_bytes())
        .bind(namespace)
        .bind(name)
        .execute(conn)
        .await?;
    Ok(())
}

/// Are there any, at `path` or below?
pub(super) async fn any(pool: &SqlitePool, path: &RelPath) -> Result<bool, DbError> {
    let (from, to) = below(path);
    let found: i64 =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM dav_properties WHERE path = ? OR (path >= ? AND path < ?))")
            .bind(path.as_bytes())
            .bind(from)
            .bind(to)
            .fetch_one(pool)
            .await?;
    Ok(found != 0)
}

/// Forgets what `path` and everything below had.
pub(super) async fn remove_tree(conn: &mut SqliteConnection, path: &RelPath) -> Result<(), DbError> {
    let (from, to) = below(path);
    sqlx::query("DELETE FROM dav_properties WHERE path = ? OR (path >= ? AND path < ?)")
        .bind(path.as_bytes())
        .bind(from)
        .bind(to)
        .execute(conn)
        .await?;
    Ok(())
}

/// How many properties `path` has.
pub(super) async fn count(conn: &mut SqliteConnection, path: &RelPath) -> Result<i64, DbError> {
    let count = sqlx::query_scalar("SELECT count(*) FROM dav_properties WHERE path = ?").bind(path.as_bytes());
    Ok(count.fetch_one(conn).await?)
}

/// Bytes that `account` stores.
pub(super) async fn stored(conn: &mut SqliteConnection, account: &str) -> Result<i64, DbError> {
    let bytes = sqlx::query_scalar("SELECT bytes FROM dav_stored WHERE account = ?").bind(account);
    Ok(bytes.fetch_optional(conn).await?.unwrap_or(0))
}

/// Gives `to` what `from` has; with everything below when `deep`. It is `account`'s then, or whose it was.
pub(super) async fn copy_tree(
    conn: &mut SqliteConnection,
    from: &RelPath,
    to: &RelPath,
    deep: bool,
    account: Option<&str>,
) -> Result<(), DbError> {
    let (low, high) = if deep { below(from) } else { (vec![0], vec![0]) };
    // `substr` of a BLOB counts bytes; `||` makes text, so the result is cast back.
    sqlx::query(
        "INSERT INTO dav_properties (path, namespace, name, prefix, xml, account) \
         SELECT CAST(? || substr(path, ?) AS BLOB), namespace, name, prefix, xml, coalesce(?, account) \
         FROM dav_properties WHERE path = ? OR (path >= ? AND path < ?)",
    )
    .bind(to.as_bytes())
    .bind(i64::try_from(from.as_bytes().len()).unwrap_or(0) + 1)
    .bind(account)
    .bind(from.as_bytes())
    .bind(low)
    .bind(high)
    .execute(conn)
    .await?;
    Ok(())
}
