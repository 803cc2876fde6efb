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

/// Those that have expired, in the order of their end and name: the first `most` behind `after`.
pub(super) async fn expired(
    conn: &mut SqliteConnection,
    now: Timestamp,
    (after, most): (&(Timestamp, String), i64),
) -> Result<Vec<Row>, DbError> {
    let sql = resumable!("WHERE expires <= ? AND (expires, id) > (?, ?) ORDER BY expires, id LIMIT ?");
    let asked = sqlx::query_as::<_, Columns>(sql).bind(now.as_microsecond()).bind(after.0.as_microsecond());
    let rows = asked.bind(&after.1).bind(most).fetch_all(conn).await?;
    rows.into_iter().map(row).collect()
}

/// What was reached: the changing columns of `row`. False when nobody wants it any more.
pub(super) async fn update(conn: &mut SqliteConnection, row: &Row) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE resumable SET ino = ?, confirmed = ?, done = ?, expires = ? WHERE id = ?")
        .bind(row.ino.cast_signed())
        .bind(bytes(row.confirmed))
        .bind(row.done)
        .bind(row.expires.as_microsecond())
        .bind(&row.id)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets that uploads of `account` arrived, but for the last `most`.
pub(super) async fn forget_done(conn: &mut SqliteConnection, account: &str, most: i64) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM resumable WHERE account = ?1 AND done = 1 AND expires < \
         (SELECT expires FROM resumable WHERE account = ?1 AND done = 1 ORDER BY expires DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(account)
    .bind(most - 1)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn remove(conn: &mut SqliteConnection, id: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM resumable WHERE id = ?").bind(id).execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    #[tokio::test]
    async fn of_what_arrived_only_the_last_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("db")).await.unwrap();
        let mut tx = db.write().await.unwrap();
        for number in 0..10_i64 {
            let (id, path) = (format!("{number:032}"), RelPath::new(format!("f{number}")).unwrap());
            let (account, expires) = ("anna".to_owned(), Timestamp::from_second(number).unwrap());
            let done = number < 8;
            let row = Row { id, account, path, size: 1, metadata: String::new(), ino: 1, confirmed: 1, done, expires };
            insert(&mut tx, &row).await.unwrap();
        }
        forget_done(&mut tx, "bob", 1).await.unwrap();
        forget_done(&mut tx, "anna", 3).await.unwrap();
        let late = Timestamp::from_second(100).unwrap();
        let left = expired(&mut tx, late, (&(Timestamp::MIN, String::new()), 100)).await.unwrap();
        let ends: Vec<_> = left.iter().map(|row| row.expires.as_second()).collect();
        assert_eq!(ends, [5, 6, 7, 8, 9], "what is under way stays");
        let mut gone = left.into_iter().next().unwrap();
        assert!(update(&mut tx, &gone).await.unwrap());
        gone.id = "none".to_owned();
        assert!(!update(&mut tx, &gone).await.unwrap());
    }
}
