//! The table of uploads that can be gone on with.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::db::DbError;
use crate::model::RelPath;

/// One upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    /// Whose it is.
    pub(super) account: String,
    /// From the root of the tree.
    pub(super) path: RelPath,
    /// Bytes when it is complete.
    pub(super) size: u64,
    /// As the client sent it.
    pub(super) metadata: String,
    /// Of the part; the file that it becomes keeps it.
    pub(super) ino: u64,
    /// So many bytes are on the disk.
    pub(super) confirmed: u64,
    /// Has it its name?
    pub(super) done: bool,
    /// When it is forgotten.
    pub(super) expires: Timestamp,
}

/// In the order of [`resumable`].
type Columns = (String, String, Vec<u8>, i64, String, i64, i64, bool, i64);

/// The rows, which of them, and their columns in order.
macro_rules! resumable {
    ($which:literal) => {
        concat!("SELECT id, account, path, size, metadata, ino, confirmed, done, expires FROM resumable ", $which)
    };
}

fn row(columns: Columns) -> Result<Row, DbError> {
    let (id, account, path, size, metadata, ino, confirmed, done, expires) = columns;
    let wrong = |what: &str| DbError::Value(format!("the {what} of upload {id}"));
    let path = RelPath::new(path).map_err(|_| wrong("path"))?;
    let size = u64::try_from(size).map_err(|_| wrong("size"))?;
    let confirmed = u64::try_from(confirmed).map_err(|_| wrong("offset"))?;
    let expires = Timestamp::from_microsecond(expires).map_err(|_| wrong("end"))?;
    Ok(Row { id, account, path, size, metadata, ino: ino.cast_unsigned(), confirmed, done, expires })
}

/// A size as the store has it.
fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(super) async fn insert(conn: &mut SqliteConnection, row: &Row) -> Result<(), DbError> {
    sqlx::query("INSERT INTO resumable VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(&row.id)
        .bind(&row.account)
        .bind(row.path.as_bytes())
        .bind(bytes(row.size))
        .bind(&row.metadata)
        .bind(row.ino.cast_signed())
        .bind(bytes(row.confirmed))
        .bind(row.done)
        .bind(row.expires.as_microsecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// The upload `id` of `account`.
pub(super) async fn find(conn: &mut SqliteConnection, id: &str, account: &str) -> Result<Option<Row>, DbError> {
    let sql = resumable!("WHERE id = ? AND account = ?");
    sqlx::query_as::<_, Columns>(sql).bind(id).bind(account).fetch_optional(conn).await?.map(row).transpose()
}

/// How many of `account` are under way.
pub(super) async fn count(conn: &mut SqliteConnection, account: &str) -> Result<i64, DbError> {
    let sql = "SELECT count(*) FROM resumable WHERE account = ? AND done = 0";
    Ok(sqlx::query_scalar(sql).bind(account).fetch_one(conn).await?)
}

/// Those that have expired, `most` at once.
pub(super) async fn expired(conn: &mut SqliteConnection, now: Timestamp, most: i64) -> Result<Vec<Row>, DbError> {
    let sql = resumable!("WHERE expires <= ? ORDER BY expires LIMIT ?");
    let rows = sqlx::query_as::<_, Columns>(sql).bind(now.as_microsecond()).bind(most).fetch_all(conn).await?;
    rows.into_iter().map(row).collect()
}

/// What was reached: the changing columns of `row`.
pub(super) async fn update(conn: &mut SqliteConnection, row: &Row) -> Result<(), DbError> {
    sqlx::query("UPDATE resumable SET ino = ?, confirmed = ?, done = ?, expires = ? WHERE id = ?")
        .bind(row.ino.cast_signed())
        .bind(bytes(row.confirmed))
        .bind(row.done)
        .bind(row.expires.as_microsecond())
        .bind(&row.id)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn remove(conn: &mut SqliteConnection, id: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM resumable WHERE id = ?").bind(id).execute(conn).await?;
    Ok(())
}
