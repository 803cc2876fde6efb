//! The table of second factors.

use sqlx::SqliteConnection;

use crate::db::DbError;
use crate::model::AccountId;

/// A second factor as it is stored.
#[derive(Debug)]
pub(super) struct Row {
    /// The shared secret in base32, sealed.
    pub(super) secret: Vec<u8>,
    /// Has its owner shown a first right code?
    pub(super) confirmed: bool,
    /// The step of the last code that was used.
    pub(super) last_step: i64,
}

pub(super) async fn get(conn: &mut SqliteConnection, id: AccountId) -> Result<Option<Row>, DbError> {
    let row = sqlx::query_as::<_, (Vec<u8>, bool, i64)>(
        "SELECT secret, confirmed, last_step FROM second_factors WHERE account = ?",
    );
    let row = row.bind(id.0).fetch_optional(conn).await?;
    Ok(row.map(|(secret, confirmed, last_step)| Row { secret, confirmed, last_step }))
}

/// Sets a secret that counts for nothing yet, in the place of another such one.
pub(super) async fn begin(conn: &mut SqliteConnection, id: AccountId, secret: Vec<u8>) -> Result<(), DbError> {
    sqlx::query("INSERT OR REPLACE INTO second_factors (account, secret, confirmed, last_step) VALUES (?, ?, 0, 0)")
        .bind(id.0)
        .bind(secret)
        .execute(conn)
        .await?;
    Ok(())
}

/// A right code was shown: it counts no second time, and the second factor holds.
pub(super) async fn use_step(conn: &mut SqliteConnection, id: AccountId, step: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE second_factors SET confirmed = 1, last_step = ? WHERE account = ?")
        .bind(step)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// False when there was none that holds.
pub(super) async fn remove(conn: &mut SqliteConnection, id: AccountId) -> Result<bool, DbError> {
    let done =
        sqlx::query("DELETE FROM second_factors WHERE account = ? AND confirmed = 1").bind(id.0).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}
