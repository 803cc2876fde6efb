//! Reading and writing the kinds of columns that several stores share.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::db::DbError;

/// Microseconds since 1970.
pub(super) fn moment(row: &SqliteRow, column: &str) -> Result<Timestamp, DbError> {
    in_time(column, row.try_get(column)?)
}

/// Microseconds since 1970, or NULL.
pub(super) fn maybe_moment(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, DbError> {
    row.try_get::<Option<i64>, _>(column)?.map(|micros| in_time(column, micros)).transpose()
}

fn in_time(column: &str, micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|e| DbError::Value(format!("{column}: {e}")))
}

/// A JSON column.
pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, DbError> {
    from_text(column, &row.try_get::<String, _>(column)?)
}

/// A JSON column, or NULL.
pub(super) fn maybe_json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<Option<T>, DbError> {
    row.try_get::<Option<String>, _>(column)?.map(|text| from_text(column, &text)).transpose()
}

fn from_text<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|e| DbError::Value(format!("{column}: {e}")))
}

/// A word of a closed set.
pub(super) fn word<T: std::str::FromStr>(row: &SqliteRow, column: &str) -> Result<T, DbError> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| DbError::Value(format!("{column}: '{text}'")))
}

/// A count.
pub(super) fn count(row: &SqliteRow, column: &str) -> Result<u32, DbError> {
    let number: i64 = row.try_get(column)?;
    u32::try_from(number).map_err(|_| DbError::Value(format!("{column}: {number}")))
}

/// As JSON.
pub(super) fn text<T: Serialize>(value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|e| DbError::Value(e.to_string()))
}
