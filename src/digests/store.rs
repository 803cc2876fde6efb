//! The table of checksums.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::Known;
use crate::db::DbError;
use crate::model::Checksum;
use crate::tree::Stat;

/// The bits of a number of the file system as the store has them.
fn bits(number: u64) -> i64 {
    number.cast_signed()
}

/// What is known of the inodes of `stats`, whatever their versions.
pub(super) async fn read(conn: &mut SqliteConnection, stats: &[&Stat]) -> Result<Known, DbError> {
    let mut systems: HashMap<u64, Vec<i64>> = HashMap::new();
    for stat in stats.iter().filter(|stat| stat.is_file()) {
        systems.entry(stat.dev).or_default().push(bits(stat.ino));
    }
    let mut known = HashMap::new();
    for (dev, inodes) in systems {
        let inodes = serde_json::to_string(&inodes).map_err(|error| DbError::Value(error.to_string()))?;
        // A cross join is never turned round: each inode is looked up, the table is not read.
        let rows = sqlx::query(
            "SELECT ino, version, sums FROM json_each(?) AS asked CROSS JOIN digests ON dev = ? AND ino = asked.value",
        )
        .bind(inodes)
        .bind(bits(dev))
        .fetch_all(&mut *conn)
        .await?;
        for row in rows {
            let (ino, sums): (i64, String) = (row.try_get("ino")?, row.try_get("sums")?);
            let sums: Vec<Checksum> = sums
                .split(' ')
                .map(|sum| sum.parse().map_err(|_| DbError::Value(format!("'{sum}' is no checksum"))))
                .collect::<Result<_, _>>()?;
            known.insert((dev, ino.cast_unsigned()), (row.try_get("version")?, sums));
        }
    }
    Ok(Known(known))
}

/// Stores `sums` in place of what is known of the inode, and forgets what is older than the latest `most`.
pub(super) async fn replace(
    conn: &mut SqliteConnection,
    stat: &Stat,
    sums: &[Checksum],
    most: i64,
) -> Result<(), DbError> {
    let sums: Vec<String> = sums.iter().map(Checksum::to_string).collect();
    sqlx::query("INSERT OR REPLACE INTO digests (dev, ino, version, sums) VALUES (?, ?, ?, ?)")
        .bind(bits(stat.dev))
        .bind(bits(stat.ino))
        .bind(stat.etag())
        .bind(sums.join(" "))
        .execute(&mut *conn)
        .await?;
    // The ids only grow, so this looks at those that go and no others.
    sqlx::query("DELETE FROM digests WHERE id <= (SELECT max(id) FROM digests) - ?").bind(most).execute(conn).await?;
    Ok(())
}

/// What is known of the version `before` is true of the version `after`.
pub(super) async fn retime(conn: &mut SqliteConnection, before: &Stat, after: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE digests SET version = ? WHERE dev = ? AND ino = ? AND version = ?")
        .bind(after)
        .bind(bits(before.dev))
        .bind(bits(before.ino))
        .bind(before.etag())
        .execute(conn)
        .await?;
    Ok(())
}
