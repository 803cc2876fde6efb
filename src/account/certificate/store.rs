//! The tables of authorities and of revoked certificates.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{Authority, Revocation, Seen};
use crate::account::PublicKey;
use crate::account::store::time;
use crate::db::DbError;

pub(super) async fn add(conn: &mut SqliteConnection, key: &PublicKey, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO certificate_authorities (fingerprint, blob, algorithm, comment, added) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(key.fingerprint.clone())
    .bind(key.blob.clone())
    .bind(key.algorithm.clone())
    .bind(key.comment.clone())
    .bind(now.as_microsecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// False when there was none.
pub(super) async fn remove(conn: &mut SqliteConnection, fingerprint: &str) -> Result<bool, DbError> {
    let sql = "DELETE FROM certificate_authorities WHERE fingerprint = ?";
    Ok(sqlx::query(sql).bind(fingerprint.to_owned()).execute(conn).await?.rows_affected() > 0)
}

pub(super) async fn all(conn: &mut SqliteConnection) -> Result<Vec<Authority>, DbError> {
    let rows = sqlx::query_as::<_, (String, String, String, i64)>(
        "SELECT fingerprint, algorithm, comment, added FROM certificate_authorities ORDER BY added, fingerprint",
    );
    let read = |(fingerprint, algorithm, comment, added)| {
        Ok(Authority { fingerprint, algorithm, comment, added: time(added)? })
    };
    rows.fetch_all(conn).await?.into_iter().map(read).collect()
}

/// Is there any authority?
pub(super) async fn any(conn: &mut SqliteConnection) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM certificate_authorities)").fetch_one(conn).await?)
}

/// Is this key one of the authorities'? Compared by its bytes where they are given.
pub(super) async fn knows(
    conn: &mut SqliteConnection,
    fingerprint: &str,
    blob: Option<&[u8]>,
) -> Result<bool, DbError> {
    let sql = "SELECT blob FROM certificate_authorities WHERE fingerprint = ?";
    let stored = sqlx::query_scalar::<_, Vec<u8>>(sql).bind(fingerprint.to_owned()).fetch_optional(conn).await?;
    Ok(stored.is_some_and(|stored| blob.is_none_or(|blob| blob == stored)))
}

/// False when it was revoked already.
pub(super) async fn revoke(
    conn: &mut SqliteConnection,
    authority: &str,
    which: &Revocation,
    now: Timestamp,
) -> Result<bool, DbError> {
    let (kind, subject) = which.columns();
    let done = sqlx::query(
        "INSERT OR IGNORE INTO revoked_certificates (authority, kind, subject, revoked) VALUES (?, ?, ?, ?)",
    )
    .bind(authority.to_owned())
    .bind(kind)
    .bind(subject)
    .bind(now.as_microsecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn is_revoked(conn: &mut SqliteConnection, seen: &Seen) -> Result<bool, DbError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM revoked_certificates WHERE authority = ? \
               AND (kind = 'serial' AND subject = ? OR kind = 'key-id' AND subject = ?))";
    let found =
        sqlx::query_scalar(sql).bind(seen.authority.clone()).bind(seen.serial.to_string()).bind(seen.key_id.clone());
    Ok(found.fetch_one(conn).await?)
}
