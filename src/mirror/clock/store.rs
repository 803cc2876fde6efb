//! What is known of the clocks of listings, in the tables `clocks` and `readings`; and times that are read anew.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::db::{Db, DbError};
use crate::mirror::codes;
use crate::mirror::store::{time, unreadable};
use crate::model::zone::{Pair, Piece, pieces};
use crate::model::{JobId, RunId, ServerZone, TimeSource};

/// What was learned of a server's clock, and when.
pub(super) async fn evidence(db: &Db, server: &str) -> Result<Option<(Vec<Pair>, Timestamp)>, DbError> {
    let row: Option<(String, i64)> =
        sqlx::query_as("SELECT pairs, at FROM clocks WHERE server = ?").bind(server).fetch_optional(db.read()).await?;
    row.map(|(pairs, at)| Ok((serde_json::from_str(&pairs).map_err(|_| unreadable(&pairs))?, time(at)?))).transpose()
}

/// From now on that is what is known of it.
pub(super) async fn remember(db: &Db, server: &str, at: Timestamp, pairs: &[Pair]) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("INSERT OR REPLACE INTO clocks (server, pairs, at) VALUES (?, ?, ?)")
        .bind(server)
        .bind(serde_json::to_string(pairs).map_err(unreadable)?)
        .bind(at.as_microsecond())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// By which zone the job's remembered times were read; none: nothing is remembered, or since before that was noted.
pub(super) async fn reading(db: &Db, job: JobId) -> Result<Option<ServerZone>, DbError> {
    let zone: Option<String> =
        sqlx::query_scalar("SELECT zone FROM readings WHERE job = ?").bind(job.0).fetch_optional(db.read()).await?;
    zone.map(|zone| zone.parse().map_err(|_| unreadable(zone))).transpose()
}

/// Nothing is nearer to the ends of what the store can hold: no zone moves it beyond.
const EDGE: i64 = 100_000_000_000_000;

/// Reads the job's remembered times anew: they were read by `from`, and from now on by `to`.
pub(super) async fn follow(db: &Db, job: JobId, from: &ServerZone, to: &ServerZone) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    for (at, told) in [("listed_mtime", "listed_told"), ("mtime", "mtime_told")] {
        move_times(&mut tx, ("files", at, told), ("job", job.0, ""), (from, to)).await?;
    }
    // Nor did an upload that is waited for go on because its clock is read in another way.
    move_times(&mut tx, ("uploads", "mtime", "mtime_told"), ("job", job.0, ""), (from, to)).await?;
    sqlx::query("INSERT OR REPLACE INTO readings (job, zone) VALUES (?, ?)")
        .bind(job.0)
        .bind(to.to_string())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Reads anew what the source showed in this run.
pub(super) async fn read_anew(db: &Db, run: RunId, from: &ServerZone, to: &ServerZone) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    move_times(&mut tx, ("scan", "mtime", "mtime_told"), ("run", run.0, " AND side = 0"), (from, to)).await?;
    Ok(tx.commit().await?)
}

type Column = (&'static str, &'static str, &'static str);
type Rows = (&'static str, i64, &'static str);

/// Moves the times of one column that listings told.
async fn move_times(
    tx: &mut SqliteConnection,
    column @ (table, at, _): Column,
    rows: Rows,
    (from, to): (&ServerZone, &ServerZone),
) -> Result<(), DbError> {
    let mut span = QueryBuilder::<Sqlite>::new(format!("SELECT min({at}), max({at}) FROM {table}"));
    only(&mut span, column, rows);
    let (Some(first), Some(last)): (Option<i64>, Option<i64>) = span.build_query_as().fetch_one(&mut *tx).await? else {
        return Ok(());
    };
    let instant = |nanos: i64| Timestamp::from_nanosecond(nanos.into()).map_err(|_| unreadable(nanos));
    let pieces = pieces(from, to, instant(first)?, instant(last)?);
    if pieces.iter().all(|piece| piece.by.is_zero()) {
        return Ok(());
    }
    let mut query = QueryBuilder::<Sqlite>::new(format!("UPDATE {table} SET {at} = {at} + CASE"));
    push_pieces(&mut query, at, &pieces);
    only(&mut query, column, rows);
    query.build().persistent(false).execute(tx).await?;
    Ok(())
}

fn push_pieces(query: &mut QueryBuilder<Sqlite>, at: &str, pieces: &[Piece]) {
    let nanos = |number: i128| i64::try_from(number).unwrap_or_default();
    for piece in pieces {
        match piece.before {
            Some(before) => query.push(format!(" WHEN {at} < ")).push_bind(nanos(before.as_nanosecond())),
            None => query.push(" WHEN 1"),
        };
        query.push(" THEN ").push_bind(nanos(piece.by.as_nanos()));
    }
    query.push(" END");
}

fn only(query: &mut QueryBuilder<Sqlite>, (_, at, told): Column, (key, value, more): Rows) {
    query.push(format!(" WHERE {key} = ")).push_bind(value).push(format!("{more} AND {told} = "));
    query.push_bind(codes::told_number(TimeSource::List)).push(format!(" AND {at} BETWEEN "));
    query.push_bind(i64::MIN + EDGE).push(" AND ").push_bind(i64::MAX - EDGE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_waited_for_follows_with_what_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        let (before, list) = (1_700_000_000_000_000_000_i64, codes::told_number(TimeSource::List));
        for sql in [
            "INSERT INTO files (job, path, target, kind, listed_mtime, listed_precision, listed_told, proven, run, at) \
             VALUES (1, x'61', x'61', 0, ?1, 2, ?2, 1, 1, 1)",
            "INSERT INTO uploads (job, path, mtime, mtime_precision, mtime_told, since, held, looked, run) \
             VALUES (1, x'62', ?1, 2, ?2, 1, 1, 1, 1)",
        ] {
            let mut tx = db.write().await.unwrap();
            sqlx::query(sql).bind(before).bind(list).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        }
        follow(&db, JobId(1), &ServerZone::default(), &"60".parse().unwrap()).await.unwrap();
        let (file, upload): (i64, i64) =
            sqlx::query_as("SELECT (SELECT listed_mtime FROM files), (SELECT mtime FROM uploads)")
                .fetch_one(db.read())
                .await
                .unwrap();
        assert_eq!(file, upload);
        assert_eq!((file - before).abs(), 3_600_000_000_000);
    }
}
