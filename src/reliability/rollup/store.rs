//! The roll-ups' tables.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::attempts::{Attempts, Outcome};
use super::codec::{add, encode};
use super::digest::Digest;
use super::pieces::{self, DAY, HOUR, MINUTE, Marks, floor, pieces};
use super::series::Series;
use super::{counts, series::Seen};
use crate::db::{Db, DbError};
use crate::reliability::Window;
use crate::reliability::raw::{raw, raw_within};

/// Days that minutes are kept.
pub const KEEP_MINUTES: i64 = 3;
/// Days that hours are kept.
pub const KEEP_HOURS: i64 = 100;
/// Days that days are kept.
pub const KEEP_DAYS: i64 = 5 * 366;

/// Observations that are added in one transaction.
const BATCH: i64 = 5000;
/// What comes later than this after its hour or day is added to it separately.
const GRACE: i64 = 2 * MINUTE;
/// The mark that says which observation was added last.
pub(super) const OBSERVATIONS: i64 = 0;

type Fresh = BTreeMap<(i64, Series), Digest>;

/// Adds the new observations to their minutes, and makes hours and days that are full.
///
/// # Errors
/// What the store says; what was done before stays done.
pub async fn roll(db: &Db, attempts: &mut Attempts, now: Timestamp) -> Result<(), DbError> {
    counts::old(db).await?;
    loop {
        let mut tx = db.write().await?;
        let mark = mark(&mut tx, OBSERVATIONS).await?;
        let rows = raw(&mut tx, mark, BATCH).await?;
        let mut fresh = Fresh::new();
        let mut known = Vec::new();
        for (id, observation) in &rows {
            let key = (floor(observation.at.as_microsecond(), MINUTE), Series::of(observation));
            fresh.entry(key).or_default().add(&observation.what, &observation.detail);
            known.extend(attempts.see(*id, observation));
        }
        // Only behind what was seen: a file that nobody tried again for long may have been tried in these rows.
        known.extend(attempts.given_up(rows.last().map_or(now, |(_, observation)| observation.at)));
        for outcome in known {
            let minute = floor(outcome.at.as_microsecond(), MINUTE);
            outcome.count(fresh.entry((minute, outcome.series.clone())).or_default());
            keep_outcome(&mut tx, &outcome).await?;
        }
        store(&mut tx, &fresh).await?;
        if let Some((last, _)) = rows.last() {
            set_mark(&mut tx, OBSERVATIONS, *last).await?;
        }
        tx.commit().await?;
        if rows.is_empty() {
            break;
        }
    }
    let now = now.as_microsecond();
    fill(db, MINUTE, HOUR, now).await?;
    fill(db, HOUR, DAY, now).await
}

/// Writes down what became of a file that had failed, for who looks at the observations behind a figure.
async fn keep_outcome(conn: &mut SqliteConnection, outcome: &Outcome) -> Result<(), DbError> {
    let Some((lost, took)) = outcome.of_failed() else { return Ok(()) };
    // The observation may have been removed meanwhile.
    sqlx::query(
        "INSERT OR REPLACE INTO observation_outcomes (observation, outcome, took) \
         SELECT id, ?, CAST(round(? * 1000000) AS INTEGER) FROM observations WHERE id = ?",
    )
    .bind(if lost { "lost" } else { "retried" })
    .bind(took)
    .bind(outcome.observation)
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds digests to their minutes, and to hours and days that were made of those before.
async fn store(conn: &mut SqliteConnection, fresh: &Fresh) -> Result<(), DbError> {
    let whole = [(MINUTE, i64::MAX), (HOUR, mark(conn, HOUR).await?), (DAY, mark(conn, DAY).await?)];
    for ((minute, series), digest) in fresh {
        let id = series_id(conn, series).await?;
        for (span, until) in whole {
            let at = floor(*minute, span);
            if at < until {
                put(conn, (span, id, at), digest).await?;
            }
        }
    }
    Ok(())
}

async fn put(conn: &mut SqliteConnection, key: (i64, i64, i64), digest: &Digest) -> Result<(), DbError> {
    let there: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT digest FROM rollups WHERE span = ? AND series = ? AND at = ?")
            .bind(key.0)
            .bind(key.1)
            .bind(key.2)
            .fetch_optional(&mut *conn)
            .await?;
    let mut sum = digest.clone();
    if let Some(there) = there {
        add(&mut sum, &there)?;
    }
    sqlx::query("INSERT OR REPLACE INTO rollups (span, series, at, digest) VALUES (?, ?, ?, ?)")
        .bind(key.0)
        .bind(key.1)
        .bind(key.2)
        .bind(encode(&sum))
        .execute(&mut *conn)
        .await?;
    counts::write(conn, key, Seen::of(&sum)).await
}

async fn series_id(conn: &mut SqliteConnection, series: &Series) -> Result<i64, DbError> {
    let id = "SELECT id FROM series WHERE family = ? AND role = ? AND endpoint = ?";
    let found = sqlx::query_scalar(id)
        .bind(series.family)
        .bind(series.role())
        .bind(&series.endpoint)
        .fetch_optional(&mut *conn)
        .await?;
    if let Some(id) = found {
        return Ok(id);
    }
    sqlx::query_scalar("INSERT INTO series (family, role, endpoint) VALUES (?, ?, ?) RETURNING id")
        .bind(series.family)
        .bind(series.role())
        .bind(&series.endpoint)
        .fetch_one(conn)
        .await
        .map_err(DbError::from)
}

pub(super) async fn mark(conn: &mut SqliteConnection, span: i64) -> Result<i64, DbError> {
    let found = sqlx::query_scalar("SELECT mark FROM rollup_marks WHERE span = ?").bind(span).fetch_optional(conn);
    Ok(found.await?.unwrap_or(0))
}

async fn set_mark(conn: &mut SqliteConnection, span: i64, mark: i64) -> Result<(), DbError> {
    sqlx::query("INSERT OR REPLACE INTO rollup_marks (span, mark) VALUES (?, ?)")
        .bind(span)
        .bind(mark)
        .execute(conn)
        .await?;
    Ok(())
}

/// Makes the roll-ups of `span` that are full by `now` from those of the `finer` one, a transaction each.
async fn fill(db: &Db, finer: i64, span: i64, now: i64) -> Result<(), DbError> {
    let until = floor(now.saturating_sub(GRACE), span);
    loop {
        let mut tx = db.write().await?;
        let mark = mark(&mut tx, span).await?;
        let next: Option<i64> = sqlx::query_scalar("SELECT min(at) FROM rollups WHERE span = ? AND at >= ? AND at < ?")
            .bind(finer)
            .bind(mark)
            .bind(until)
            .fetch_one(&mut *tx)
            .await?;
        let Some(begin) = next.map(|at| floor(at, span)) else {
            if mark < until {
                set_mark(&mut tx, span, until).await?;
                tx.commit().await?;
            }
            return Ok(());
        };
        let end = begin + span;
        let mut full: BTreeMap<i64, Digest> = BTreeMap::new();
        let mut rows = sqlx::query_as::<_, (i64, Vec<u8>)>(
            "SELECT series, digest FROM rollups WHERE span = ? AND at >= ? AND at < ?",
        )
        .bind(finer)
        .bind(begin)
        .bind(end)
        .fetch(&mut *tx);
        while let Some((series, bytes)) = rows.try_next().await? {
            add(full.entry(series).or_default(), &bytes)?;
        }
        drop(rows);
        for (series, digest) in &full {
            put(&mut tx, (span, *series, begin), digest).await?;
        }
        set_mark(&mut tx, span, end).await?;
        tx.commit().await?;
    }
}

pub(super) async fn marks(conn: &mut SqliteConnection) -> Result<Marks, DbError> {
    let (hours, days) = (mark(conn, HOUR).await?, mark(conn, DAY).await?);
    let since = |mark: i64, keep: i64| mark.saturating_sub(keep * DAY);
    Ok(Marks { hours, days, minutes_from: since(hours, KEEP_MINUTES), hours_from: since(days, KEEP_HOURS) })
}

/// Only the series that a window and a family want.
pub(super) fn wanted(query: &mut QueryBuilder<Sqlite>, family: Option<&str>, window: &Window) {
    query.push("SELECT id FROM series WHERE true");
    if let Some(family) = family {
        query.push(" AND family = ").push_bind(family.to_owned());
    }
    if let Some(role) = window.role {
        query.push(" AND role = ").push_bind(role.as_str());
    }
    if let Some(endpoint) = &window.endpoint {
        query.push(" AND endpoint = ").push_bind(endpoint.clone());
    }
}

/// What is known of a family in a window.
///
/// # Errors
/// What the store says.
pub async fn read(db: &Db, family: &str, window: &Window) -> Result<Digest, DbError> {
    let whole = slices(db, family, window, i64::MAX).await?;
    Ok(whole.into_values().next().unwrap_or_default())
}

/// The same in slices of so many microseconds, each by its beginning; those in which nothing was seen are left out. Added
/// up they are what [`read`] says, and reading them costs the same.
///
/// # Errors
/// What the store says.
pub async fn slices(db: &Db, family: &str, window: &Window, width: i64) -> Result<BTreeMap<i64, Digest>, DbError> {
    // One moment: what is being rolled meanwhile is seen before or after, not twice.
    let mut tx = db.read().begin().await?;
    let mut slices: BTreeMap<i64, Digest> = BTreeMap::new();
    let marks = marks(&mut tx).await?;
    let window = &wide(window, marks)?;
    for piece in pieces(bounds(window), marks.within(width)) {
        let mut query = QueryBuilder::new("SELECT at, digest FROM rollups WHERE span = ");
        query.push_bind(piece.span).push(" AND at >= ").push_bind(piece.from).push(" AND at < ").push_bind(piece.to);
        query.push(" AND series IN (");
        wanted(&mut query, Some(family), window);
        query.push(")");
        let mut rows = query.build_query_as::<(i64, Vec<u8>)>().fetch(&mut *tx);
        while let Some((at, bytes)) = rows.try_next().await? {
            add(slices.entry(floor(at, width)).or_default(), &bytes)?;
        }
    }
    let mark = mark(&mut tx, OBSERVATIONS).await?;
    for observation in raw_within(&mut tx, mark, family, window).await? {
        let slice = slices.entry(floor(observation.at.as_microsecond(), width)).or_default();
        slice.add(&observation.what, &observation.detail);
    }
    Ok(slices)
}

/// The width of slices of which a window has at most `most`, in microseconds: as fine as there still are roll-ups.
///
/// # Errors
/// What the store says.
pub async fn width(db: &Db, window: &Window, most: i64) -> Result<i64, DbError> {
    let mut conn = db.read().acquire().await?;
    let marks = marks(&mut conn).await?;
    Ok(pieces::width(bounds(window), marks, most))
}

/// The window as the figures have it: to the whole minute, or to the hour or the day where the finer roll-ups have expired.
///
/// # Errors
/// What the store says.
pub async fn widened(db: &Db, window: &Window) -> Result<Window, DbError> {
    let mut conn = db.read().acquire().await?;
    let marks = marks(&mut conn).await?;
    wide(window, marks)
}

pub(super) fn wide(window: &Window, marks: Marks) -> Result<Window, DbError> {
    let (from, to) = bounds(window);
    let (from, to) = pieces::widened(from, to, marks);
    Ok(Window { from: moment(from)?, to: moment(to)?, ..window.clone() })
}

pub(super) fn bounds(window: &Window) -> (i64, i64) {
    (window.from.as_microsecond(), window.to.as_microsecond())
}

pub(super) fn moment(micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|error| DbError::Value(error.to_string()))
}

/// Removes the roll-ups whose time is over.
///
/// # Errors
/// What the store says.
pub async fn prune(conn: &mut SqliteConnection, now: i64) -> Result<(), DbError> {
    for (span, keep) in [(MINUTE, KEEP_MINUTES), (HOUR, KEEP_HOURS), (DAY, KEEP_DAYS)] {
        // A span more: what is coarser is made of whole ones.
        sqlx::query("DELETE FROM rollups WHERE span = ? AND at < ?")
            .bind(span)
            .bind(floor(now, DAY).saturating_sub((keep + 1) * DAY))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
