//! The table of app passwords.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::AppPassword;
use crate::account::store::time;
use crate::db::DbError;
use crate::model::{Access, AccountId, RelPath};

/// Removed ones that are remembered of one account.
const MOST_REMOVED: i64 = 64;

/// An app password as it is stored.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) account: AccountId,
    pub(super) about: AppPassword,
    /// When the log last said that it was shown in vain.
    pub(super) refused: Option<Timestamp>,
    pub(super) removed: bool,
}

/// In the order of [`app_passwords`].
type Columns =
    (i64, i64, String, Vec<u8>, bool, i64, Option<i64>, Option<i64>, Option<String>, Option<i64>, Option<i64>);

/// The rows of app passwords, and which and in what order.
macro_rules! app_passwords {
    ($which:literal) => {
        concat!(
            "SELECT id, account, label, folder, read_only, made, expires, last_used, last_peer, refused, removed ",
            "FROM app_passwords ",
            $which
        )
    };
}

fn row(columns: Columns) -> Result<Row, DbError> {
    let (id, account, label, folder, read_only, made, expires, last_used, last_peer, refused, removed) = columns;
    let at = |micros: Option<i64>| micros.map(time).transpose();
    let folder = RelPath::new(folder)
        .map_err(|error| DbError::Value(format!("the folder of app password '{label}': {error}")))?;
    let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
    let (made, expires, last_used) = (time(made)?, at(expires)?, at(last_used)?);
    let about = AppPassword { label, folder, access, made, expires, last_used, last_peer };
    Ok(Row { id, account: AccountId(account), about, refused: at(refused)?, removed: removed.is_some() })
}

/// One by its hash, also when it was removed.
pub(super) async fn find(conn: &mut SqliteConnection, hash: &[u8; 32]) -> Result<Option<Row>, DbError> {
    let sql = app_passwords!("WHERE hash = ?");
    sqlx::query_as::<_, Columns>(sql).bind(hash.to_vec()).fetch_optional(conn).await?.map(row).transpose()
}

/// One that holds, by its number.
pub(super) async fn by_id(conn: &mut SqliteConnection, id: i64) -> Result<Option<Row>, DbError> {
    let sql = app_passwords!("WHERE id = ? AND removed IS NULL");
    sqlx::query_as::<_, Columns>(sql).bind(id).fetch_optional(conn).await?.map(row).transpose()
}

/// Those of an account that were not removed, the oldest first.
pub(super) async fn of(conn: &mut SqliteConnection, account: AccountId) -> Result<Vec<AppPassword>, DbError> {
    let sql = app_passwords!("WHERE account = ? AND removed IS NULL ORDER BY made, id");
    let rows = sqlx::query_as::<_, Columns>(sql).bind(account.0).fetch_all(conn).await?;
    rows.into_iter().map(|columns| row(columns).map(|row| row.about)).collect()
}

pub(super) async fn insert(
    conn: &mut SqliteConnection,
    account: AccountId,
    hash: &[u8; 32],
    about: &AppPassword,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO app_passwords (hash, account, label, folder, read_only, made, expires) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(hash.to_vec())
    .bind(account.0)
    .bind(about.label.clone())
    .bind(about.folder.as_bytes().to_vec())
    .bind(about.access == Access::ReadOnly)
    .bind(about.made.as_microsecond())
    .bind(about.expires.map(Timestamp::as_microsecond))
    .execute(conn)
    .await?;
    Ok(())
}

/// False when there was none of that label. Of those that were removed before, the oldest beyond a bound are forgotten.
pub(super) async fn remove(
    conn: &mut SqliteConnection,
    account: AccountId,
    label: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE app_passwords SET removed = ? WHERE account = ? AND label = ? AND removed IS NULL")
        .bind(now.as_microsecond())
        .bind(account.0)
        .bind(label.to_owned())
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "DELETE FROM app_passwords WHERE id IN (SELECT id FROM app_passwords WHERE account = ? AND removed IS NOT NULL \
         ORDER BY removed DESC, id DESC LIMIT -1 OFFSET ?)",
    )
    .bind(account.0)
    .bind(MOST_REMOVED)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// It was used, from there.
pub(super) async fn note_used(
    conn: &mut SqliteConnection,
    id: i64,
    peer: String,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("UPDATE app_passwords SET last_used = ?, last_peer = ? WHERE id = ?")
        .bind(now.as_microsecond())
        .bind(peer)
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// The log says that it was shown in vain.
pub(super) async fn note_refused(conn: &mut SqliteConnection, id: i64, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE app_passwords SET refused = ? WHERE id = ?")
        .bind(now.as_microsecond())
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}
