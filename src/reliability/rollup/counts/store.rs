//! The columns of counts in the roll-ups' table.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use jiff::tz::TimeZone;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, SqliteConnection};

use crate::db::{Db, DbError};
use crate::reliability::Window;
use crate::reliability::raw::raw_within;
use crate::reliability::rollup::codec::add;
use crate::reliability::rollup::digest::Digest;
use crate::reliability::rollup::pieces::{HOUR, MINUTE, Piece, pieces};
use crate::reliability::rollup::series::{Seen, Source};
use crate::reliability::rollup::store::{OBSERVATIONS, bounds, mark, marks, moment, wanted, wide};

/// Old roll-ups that are counted in one transaction.
const UNCOUNTED: i64 = 1000;

/// Writes the counts of a digest beside it.
pub async fn write(conn: &mut SqliteConnection, key: (i64, i64, i64), seen: Seen) -> Result<(), DbError> {
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query(
        "UPDATE rollups SET connections = ?, transfers = ?, failed = ?, stood = ?, resets = ? \
         WHERE span = ? AND series = ? AND at = ?",
    )
    .bind(whole(seen.connections))
    .bind(whole(seen.transfers))
    .bind(whole(seen.failed))
    .bind(whole(seen.stood))
    .bind(whole(seen.resets))
    .bind(key.0)
    .bind(key.1)
    .bind(key.2)
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts what was rolled up before there were columns for it.
pub async fn old(db: &Db) -> Result<(), DbError> {
    loop {
        let mut tx = db.write().await?;
        let old: Vec<(i64, i64, i64, Vec<u8>)> =
            sqlx::query_as("SELECT span, series, at, digest FROM rollups WHERE connections IS NULL LIMIT ?")
                .bind(UNCOUNTED)
                .fetch_all(&mut *tx)
                .await?;
        if old.is_empty() {
            return Ok(());
        }
        for (span, series, at, bytes) in old {
            let mut digest = Digest::default();
            add(&mut digest, &bytes)?;
            write(&mut tx, (span, series, at), Seen::of(&digest)).await?;
        }
        tx.commit().await?;
    }
}

/// Those that were seen in a window, whatever role and endpoint it names; the busiest first, at most 100. Reads counts only.
///
/// # Errors
/// What the store says.
pub async fn seen(db: &Db, window: &Window) -> Result<Vec<Source>, DbError> {
    let mut sources = all_seen(db, window).await?;
    sources.truncate(100);
    Ok(sources)
}

/// The same, however many they are: for what must leave nobody out.
///
/// # Errors
/// What the store says.
pub async fn all_seen(db: &Db, window: &Window) -> Result<Vec<Source>, DbError> {
    let mut tx = db.read().begin().await?;
    let marks = marks(&mut tx).await?;
    let all = Window { role: None, endpoint: None, ..wide(window, marks)? };
    let mut found: BTreeMap<i64, Seen> = BTreeMap::new();
    for piece in pieces(bounds(&all), marks) {
        count(&mut tx, piece, &mut found).await?;
    }
    let mut by_name: BTreeMap<(String, String, String), Seen> = BTreeMap::new();
    for (id, family, role, endpoint) in
        sqlx::query_as::<_, (i64, String, String, String)>("SELECT id, family, role, endpoint FROM series")
            .fetch_all(&mut *tx)
            .await?
    {
        if let Some(seen) = found.remove(&id) {
            by_name.insert((family, role, endpoint), seen);
        }
    }
    let mark = mark(&mut tx, OBSERVATIONS).await?;
    for family in crate::reliability::FAMILIES {
        for observation in raw_within(&mut tx, mark, family, &all).await? {
            let role = observation.role.as_str().to_owned();
            let key = (family.to_owned(), role, observation.endpoint.clone());
            by_name.entry(key).or_default().add(&observation.what);
        }
    }
    let mut sources: Vec<_> = by_name.into_iter().map(|(name, seen)| Source::new(name, seen)).collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source.connections));
    Ok(sources)
}

/// What the roll-ups of a piece count, by series.
async fn count(conn: &mut SqliteConnection, piece: Piece, found: &mut BTreeMap<i64, Seen>) -> Result<(), DbError> {
    let mut rows = sqlx::query(
        "SELECT series, sum(connections) AS connections, sum(transfers) AS transfers, sum(failed) AS failed, \
         sum(stood) AS stood, sum(resets) AS resets FROM rollups WHERE span = ? AND at >= ? AND at < ? GROUP BY series",
    )
    .bind(piece.span)
    .bind(piece.from)
    .bind(piece.to)
    .fetch(conn);
    while let Some(row) = rows.try_next().await? {
        found.entry(row.try_get("series")?).or_default().merge(counted(&row)?);
    }
    Ok(())
}

fn counted(row: &SqliteRow) -> Result<Seen, DbError> {
    let number = |column: &str| {
        let count: Option<i64> = row.try_get(column)?;
        Ok::<_, DbError>(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
    };
    Ok(Seen {
        connections: number("connections")?,
        transfers: number("transfers")?,
        failed: number("failed")?,
        stood: number("stood")?,
        resets: number("resets")?,
    })
}

/// What was reset in an hour of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResetCount {
    /// Connections that were reset.
    pub resets: u64,
    /// Connections that stood.
    pub stood: u64,
}

/// Resets by weekday (Monday first) and hour, in UTC, of a window or of what is kept of it by the hour.
///
/// # Errors
/// What the store says.
pub async fn reset_hours(db: &Db, window: &Window) -> Result<[[ResetCount; 24]; 7], DbError> {
    let mut tx = db.read().begin().await?;
    let marks = marks(&mut tx).await?;
    let (from, to) = bounds(&wide(window, marks)?);
    let mut week = [[ResetCount::default(); 24]; 7];
    for piece in pieces((from.max(marks.hours_from), to), marks.within(HOUR)) {
        if piece.span < MINUTE || piece.from >= piece.to {
            continue;
        }
        let mut query =
            QueryBuilder::new("SELECT at, sum(stood) AS stood, sum(resets) AS resets FROM rollups WHERE span = ");
        query.push_bind(piece.span).push(" AND at >= ").push_bind(piece.from).push(" AND at < ").push_bind(piece.to);
        query.push(" AND series IN (");
        wanted(&mut query, None, window);
        query.push(") GROUP BY at");
        let mut rows = query.build().fetch(&mut *tx);
        while let Some(row) = rows.try_next().await? {
            let at = moment(row.try_get("at")?)?.to_zoned(TimeZone::UTC);
            let day = usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0);
            let hour = usize::try_from(at.hour()).unwrap_or(0);
            let number = |column: &str| {
                let count: Option<i64> = row.try_get(column)?;
                Ok::<_, DbError>(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
            };
            if let Some(slot) = week.get_mut(day).and_then(|day| day.get_mut(hour)) {
                slot.resets += number("resets")?;
                slot.stood += number("stood")?;
            }
        }
    }
    Ok(week)
}
