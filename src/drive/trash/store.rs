//! The table of what people deleted.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::Trashed;
use crate::db::DbError;
use crate::model::{Quota, RelPath, Used};

/// In the order of [`trashed`].
type Columns = (i64, String, Vec<u8>, i64, Option<i64>, Option<i64>, bool);

/// The rows, and which of them.
macro_rules! trashed {
    ($which:literal) => {
        concat!("SELECT id, account, path, at, bytes, files, is_dir FROM trashed ", $which)
    };
}

fn row(columns: Columns) -> Result<Trashed, DbError> {
    let (id, account, path, at, bytes, files, is_dir) = columns;
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    let wrong = |what: &str| DbError::Value(format!("the {what} of what was deleted as {id}"));
    Ok(Trashed {
        id,
        account,
        path: RelPath::new(path).map_err(|_| wrong("path"))?,
        at: Timestamp::from_microsecond(at).map_err(|_| wrong("time"))?,
        weight: count(bytes).zip(count(files)).map(|(bytes, files)| Used { bytes, files }),
        is_dir,
    })
}

/// A new row, whatever number it has; the number it got.
pub(super) async fn insert(conn: &mut SqliteConnection, row: &Trashed) -> Result<i64, DbError> {
    let done = sqlx::query("INSERT INTO trashed (account, path, at, is_dir) VALUES (?, ?, ?, ?)")
        .bind(&row.account)
        .bind(row.path.as_bytes())
        .bind(row.at.as_microsecond())
        .bind(row.is_dir)
        .execute(conn)
        .await?;
    Ok(done.last_insert_rowid())
}

/// That much lies there.
pub(super) async fn counted(conn: &mut SqliteConnection, id: i64, weight: Used) -> Result<(), DbError> {
    let sql = "UPDATE trashed SET bytes = ?, files = ? WHERE id = ?";
    sqlx::query(sql).bind(number(weight.bytes)).bind(number(weight.files)).bind(id).execute(conn).await?;
    Ok(())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What an account deleted before the things that fill its `quota`; not the last one, nor what is not counted yet: that
/// may be on its way.
pub(super) async fn beyond(conn: &mut SqliteConnection, account: &str, quota: Quota) -> Result<Vec<Trashed>, DbError> {
    // total(): sums that are larger than any integer are no error.
    let sql = "SELECT id, account, path, at, bytes, files, is_dir FROM (SELECT *, row_number() OVER last AS place, \
               total(bytes) OVER last AS all_bytes, total(files) OVER last AS all_files \
               FROM trashed WHERE account = ?1 WINDOW last AS (ORDER BY id DESC)) \
               WHERE place > 1 AND bytes IS NOT NULL AND (all_bytes > ?2 OR all_files > ?3)";
    let asked = sqlx::query_as::<_, Columns>(sql).bind(account).bind(quota.bytes.map(number));
    asked.bind(quota.files.map(number)).fetch_all(conn).await?.into_iter().map(row).collect()
}

pub(super) async fn forget(conn: &mut SqliteConnection, id: i64) -> Result<(), DbError> {
    sqlx::query("DELETE FROM trashed WHERE id = ?").bind(id).execute(conn).await?;
    Ok(())
}

pub(super) async fn find(conn: &mut SqliteConnection, id: i64) -> Result<Option<Trashed>, DbError> {
    let sql = trashed!("WHERE id = ?");
    sqlx::query_as::<_, Columns>(sql).bind(id).fetch_optional(conn).await?.map(row).transpose()
}

/// What an account deleted, or everybody, the last first: `most` rows before the one with the number `before`.
pub(super) async fn list(
    conn: &mut SqliteConnection,
    account: Option<&str>,
    (before, most): (Option<i64>, u32),
) -> Result<Vec<Trashed>, DbError> {
    let before = before.unwrap_or(i64::MAX);
    // Two questions: with one for both SQLite would walk over what everybody deleted.
    let asked = match account {
        Some(account) => {
            let sql = trashed!("WHERE account = ? AND id < ? ORDER BY id DESC LIMIT ?");
            sqlx::query_as::<_, Columns>(sql).bind(account).bind(before).bind(most)
        }
        None => {
            let sql = trashed!("WHERE id < ? ORDER BY id DESC LIMIT ?");
            sqlx::query_as::<_, Columns>(sql).bind(before).bind(most)
        }
    };
    asked.fetch_all(conn).await?.into_iter().map(row).collect()
}

/// The first hundred that were deleted before `at`, with numbers above `after`.
pub(super) async fn older(conn: &mut SqliteConnection, at: Timestamp, after: i64) -> Result<Vec<Trashed>, DbError> {
    let sql = trashed!("WHERE at < ? AND id > ? ORDER BY id LIMIT 100");
    let asked = sqlx::query_as::<_, Columns>(sql).bind(at.as_microsecond()).bind(after);
    asked.fetch_all(conn).await?.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    #[tokio::test]
    async fn what_is_beyond_the_quota_is_the_oldest_that_was_counted() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let path = RelPath::new("a").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let row = |account: &str| Trashed {
            id: 0,
            account: account.into(),
            path: path.clone(),
            at,
            weight: None,
            is_dir: true,
        };
        let mut ids = Vec::new();
        for (account, weight) in [
            ("anna", Some((10, 1))),
            ("anna", None),
            ("berta", Some((1000, 1))),
            ("anna", Some((40, 5))),
            ("anna", Some((50, 1))),
        ] {
            let id = insert(&mut tx, &row(account)).await.unwrap();
            if let Some((bytes, files)) = weight {
                counted(&mut tx, id, Used { bytes, files }).await.unwrap();
            }
            ids.push(id);
        }
        for (bytes, files, gone) in [
            (Some(100), None, vec![]),
            (Some(99), None, vec![ids[0]]),
            (Some(89), None, vec![ids[0], ids[3]]),
            (Some(1), None, vec![ids[0], ids[3]]),
            (None, Some(6), vec![ids[0]]),
            (Some(u64::MAX), Some(7), vec![]),
        ] {
            let found = beyond(&mut tx, "anna", Quota { bytes, files }).await.unwrap();
            let mut found: Vec<_> = found.iter().map(|row| row.id).collect();
            found.sort_unstable();
            assert_eq!(found, gone, "{bytes:?} {files:?}");
        }
    }
}
