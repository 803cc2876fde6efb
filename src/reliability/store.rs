//! The observations' tables.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::{QueryBuilder, Sqlite};

use super::{End, Observation, What};
use crate::db::{Db, DbError};

/// How long observations are kept.
pub const RETENTION_DAYS: i64 = 400;

/// Rows per INSERT: fourteen values each stay below SQLite's limit of 32,766.
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
             bytes, direction, phases) ",
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

/// Removes what is older than [`RETENTION_DAYS`], a few thousand rows at a time. Returns how many went.
///
/// # Errors
/// What the store says; what was removed before stays removed.
pub async fn prune(db: &Db, now: Timestamp) -> Result<u64, DbError> {
    let limit = now
        .saturating_sub(SignedDuration::from_hours(24 * RETENTION_DAYS))
        .map_err(|error| DbError::Value(error.to_string()))?
        .as_microsecond();
    let mut total = 0;
    loop {
        let mut tx = db.write().await?;
        let gone =
            sqlx::query("DELETE FROM observations WHERE id IN (SELECT id FROM observations WHERE at < ? LIMIT ?)")
                .bind(limit)
                .bind(PRUNE)
                .execute(&mut *tx)
                .await?
                .rows_affected();
        sqlx::query("DELETE FROM observations_dropped WHERE hour < ?").bind(limit).execute(&mut *tx).await?;
        tx.commit().await?;
        total += gone;
        if gone == 0 {
            return Ok(total);
        }
    }
}
