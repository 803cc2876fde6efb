//! The observations' tables.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite};

use super::{End, FileId, Observation, Party, What, Window, rollup};
use crate::db::{Db, DbError};

/// Days that single observations are kept. Roll-ups stay longer (see [`super::rollup`]).
pub const RETENTION_DAYS: i64 = 14;
/// Days that rounds of paired probes are kept, and what the recorder had to drop: they are few.
pub const ROUNDS_DAYS: i64 = 400;
/// And so many observations at most, whatever their age: some 3 GB.
const MOST_ROWS: i64 = 10_000_000;

/// Rows per INSERT: thirty values each stay below SQLite's limit of 32,766.
const CHUNK: usize = 500;
/// Rows per DELETE, so that the writer is never held for long.
const PRUNE: i64 = 5000;
const HOUR: i64 = 3_600_000_000;

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Stores a batch and what was dropped meanwhile, in one transaction.
pub(super) async fn insert(db: &Db, batch: &[Observation], dropped: u64) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    for chunk in batch.chunks(CHUNK) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO observations (at, kind, family, protocol, role, endpoint, ended, phase, fault, setup, lasted, \
             bytes, direction, phases, ended_by, idle, errno, rtt, min_rtt, retransmits, lost, delivery_rate, \
             rwnd_limited, wire, payload, round_trips, encrypted, post_quantum, file, round) ",
        );
        query.push_values(chunk.iter().map(Columns::of), |mut row, columns| {
            row.push_bind(columns.observation.at.as_microsecond())
                .push_bind(columns.kind)
                .push_bind(columns.observation.protocol.family())
                .push_bind(columns.observation.protocol.scheme())
                .push_bind(columns.observation.role.as_str())
                .push_bind(columns.observation.endpoint.clone())
                .push_bind(columns.ended.0)
                .push_bind(columns.ended.1)
                .push_bind(columns.ended.2)
                .push_bind(columns.setup)
                .push_bind(columns.lasted)
                .push_bind(columns.bytes)
                .push_bind(columns.direction)
                .push_bind(columns.phases);
            detail(&mut row, columns.observation);
        });
        query.build().execute(&mut *tx).await?;
    }
    if dropped > 0 {
        let at = batch.last().map_or(0, |observation| observation.at.as_microsecond());
        let dropped = i64::try_from(dropped).unwrap_or(i64::MAX);
        sqlx::query(
            "INSERT INTO observations_dropped (hour, count) VALUES (?, ?) \
             ON CONFLICT (hour) DO UPDATE SET count = count + excluded.count",
        )
        .bind(at - at.rem_euclid(HOUR))
        .bind(dropped)
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await.map_err(DbError::from)
}

fn detail(row: &mut Separated<'_, Sqlite, &'static str>, observation: &Observation) {
    let detail = &observation.detail;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    row.push_bind(observation.ended_by().map(Party::as_str))
        .push_bind(detail.idle.map(micros))
        .push_bind(detail.errno)
        .push_bind(detail.tcp.map(|tcp| micros(tcp.rtt)))
        .push_bind(detail.tcp.map(|tcp| micros(tcp.min_rtt)))
        .push_bind(detail.tcp.map(|tcp| i64::from(tcp.retransmits)))
        .push_bind(detail.tcp.map(|tcp| i64::from(tcp.lost)))
        .push_bind(detail.tcp.map(|tcp| whole(tcp.delivery_rate)))
        .push_bind(detail.tcp.map(|tcp| micros(tcp.rwnd_limited)))
        .push_bind(detail.wire.map(whole))
        .push_bind(detail.payload.map(whole))
        .push_bind(detail.round_trips.map(i64::from))
        .push_bind(detail.encrypted)
        .push_bind(detail.post_quantum)
        .push_bind(detail.file.map(FileId::stored))
        .push_bind(detail.round);
}

struct Columns<'a> {
    observation: &'a Observation,
    kind: &'static str,
    ended: (&'static str, Option<&'static str>, Option<&'static str>),
    setup: Option<i64>,
    lasted: i64,
    bytes: Option<i64>,
    direction: Option<&'static str>,
    phases: Option<String>,
}

impl<'a> Columns<'a> {
    fn of(observation: &'a Observation) -> Self {
        match &observation.what {
            What::Connection { setup, phases, held, end } => {
                let phases: serde_json::Map<_, _> =
                    phases.iter().map(|(phase, lasted)| (phase.as_str().to_owned(), micros(*lasted).into())).collect();
                Self {
                    observation,
                    kind: "connection",
                    ended: ended(*end),
                    setup: setup.map(micros),
                    lasted: micros(*held),
                    bytes: None,
                    direction: None,
                    phases: (!phases.is_empty()).then(|| serde_json::Value::Object(phases).to_string()),
                }
            }
            What::Check { bytes, end } => Self {
                observation,
                kind: "check",
                ended: ended(*end),
                setup: None,
                lasted: 0,
                bytes: Some(i64::try_from(*bytes).unwrap_or(i64::MAX)),
                direction: None,
                phases: None,
            },
            What::Transfer { direction, bytes, duration, end } => Self {
                observation,
                kind: "transfer",
                ended: ended(*end),
                setup: None,
                lasted: micros(*duration),
                bytes: Some(i64::try_from(*bytes).unwrap_or(i64::MAX)),
                direction: Some(direction.as_str()),
                phases: None,
            },
        }
    }
}

fn ended(end: End) -> (&'static str, Option<&'static str>, Option<&'static str>) {
    match end {
        End::Clean => ("clean", None, None),
        End::StillOpen => ("open", None, None),
        End::Failed(phase, kind) => ("failed", Some(phase.as_str()), Some(kind.as_str())),
    }
}

/// Removes what is older than [`RETENTION_DAYS`] and is in a roll-up, and what is too much, a few thousand rows at a time; and roll-ups whose time is over. Returns how many observations went.
///
/// # Errors
/// What the store says; what was removed before stays removed.
pub async fn prune(db: &Db, now: Timestamp) -> Result<u64, DbError> {
    let before = |days: i64| {
        let at = now.saturating_sub(SignedDuration::from_hours(24 * days));
        at.map(|at| at.as_microsecond()).map_err(|error| DbError::Value(error.to_string()))
    };
    let (limit, limit_of_rounds) = (before(RETENTION_DAYS)?, before(ROUNDS_DAYS)?);
    let mut total = 0;
    loop {
        let mut tx = db.write().await?;
        let gone = sqlx::query(
            "DELETE FROM observations WHERE id IN (SELECT id FROM observations \
                 WHERE (at < ?1 OR id <= (SELECT max(id) FROM observations) - ?2) \
                 AND id <= (SELECT coalesce(max(mark), 0) FROM rollup_marks WHERE span = 0) LIMIT ?3)",
        )
        .bind(limit)
        .bind(MOST_ROWS)
        .bind(PRUNE)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        sqlx::query("DELETE FROM observations_dropped WHERE hour < ?").bind(limit_of_rounds).execute(&mut *tx).await?;
        if gone == 0 {
            rollup::prune(&mut tx, now.as_microsecond()).await?;
        }
        tx.commit().await?;
        total += gone;
        if gone == 0 {
            return Ok(total);
        }
    }
}

/// What the recorder dropped in the hours that the window touches.
pub(super) async fn dropped(db: &Db, window: &Window) -> Result<u64, DbError> {
    let from = window.from.as_microsecond();
    let number: i64 =
        sqlx::query_scalar("SELECT coalesce(sum(count), 0) FROM observations_dropped WHERE hour >= ? AND hour < ?")
            .bind(from - from.rem_euclid(HOUR))
            .bind(window.to.as_microsecond())
            .fetch_one(db.read())
            .await?;
    Ok(u64::try_from(number).unwrap_or(0))
}
