//! The observations' tables.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::stat::{ConnectionRow, FailureCount, SMALLEST, Sample, TransferRow};
use super::{End, Observation, Role, What, Window};
use crate::db::{Db, DbError};
use crate::model::{FaultKind, Phase};

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

/// Rows that a quantile or survival curve is computed from, per family. More are thinned out evenly.
const DRAW: u64 = 50_000;

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Every `step`-th row, chosen by a hash of its number so that no rhythm in the traffic can matter.
fn thinned(matching: u64) -> i64 {
    i64::try_from(matching.div_ceil(DRAW).max(1)).unwrap_or(1)
}

fn smallest() -> i64 {
    i64::try_from(SMALLEST).unwrap_or(i64::MAX)
}

fn seconds(micros: i64) -> f64 {
    Duration::from_micros(count(micros)).as_secs_f64()
}

fn fault(phase: &str, kind: &str) -> Result<(Phase, FaultKind), DbError> {
    match (phase.parse(), kind.parse()) {
        (Ok(phase), Ok(kind)) => Ok((phase, kind)),
        _ => Err(DbError::Value(format!("an observation's failure '{phase}/{kind}'"))),
    }
}

/// What the statistics of one family need, by few walks over one covering index.
pub(super) async fn sample(db: &Db, family: &str, window: &Window) -> Result<Sample, DbError> {
    let mut conn = db.read().acquire().await?;
    let connections = ends(&mut conn, "connection", family, window).await?;
    let transfers = ends(&mut conn, "transfer", family, window).await?;
    Ok(Sample {
        ready: connections.ready,
        never_ready: connections.clean + connections.open - connections.ready_unfailed,
        connections: ready_connections(&mut conn, family, window, thinned(connections.ready)).await?,
        connection_failures: connections.failures,
        transfers_clean: transfers.clean,
        transfers_open: transfers.open,
        transfer_failures: transfers.failures,
        transfers: clean_transfers(&mut conn, family, window, thinned(transfers.large)).await?,
    })
}

struct Ends {
    clean: u64,
    open: u64,
    ready: u64,
    ready_unfailed: u64,
    /// Clean transfers from the size on that says something about throughput.
    large: u64,
    failures: Vec<FailureCount>,
}

/// The observations of a kind and family in a window. The endpoint stands in no index: it is asked for only
/// when somebody wants one.
fn within(query: &mut QueryBuilder<Sqlite>, kind: &'static str, family: &str, window: &Window) {
    query.push(" FROM observations WHERE kind = ").push_bind(kind);
    query.push(" AND family = ").push_bind(family.to_owned());
    query.push(" AND at >= ").push_bind(window.from.as_microsecond());
    query.push(" AND at < ").push_bind(window.to.as_microsecond());
    if let Some(role) = window.role {
        query.push(" AND role = ").push_bind(role.as_str());
    }
    if let Some(endpoint) = &window.endpoint {
        query.push(" AND endpoint = ").push_bind(endpoint.clone());
    }
}

async fn ends(conn: &mut SqliteConnection, kind: &'static str, family: &str, window: &Window) -> Result<Ends, DbError> {
    let mut query = QueryBuilder::new(
        "SELECT count(*) FILTER (WHERE ended = 'clean'), count(*) FILTER (WHERE ended = 'open'), count(setup), \
         count(setup) FILTER (WHERE ended <> 'failed'), count(*) FILTER (WHERE ended = 'clean' AND bytes >= ",
    );
    query.push_bind(smallest()).push(")");
    within(&mut query, kind, family, window);
    let (clean, open, ready, ready_unfailed, large) =
        query.build_query_as::<(i64, i64, i64, i64, i64)>().fetch_one(&mut *conn).await?;
    let mut query = QueryBuilder::new("SELECT phase, fault, setup IS NOT NULL, count(*)");
    within(&mut query, kind, family, window);
    query.push(" AND ended = 'failed' GROUP BY 1, 2, 3");
    let rows = query.build_query_as::<(String, String, bool, i64)>().fetch_all(conn).await?;
    let mut failures = Vec::with_capacity(rows.len());
    for (phase, kind, ready, number) in rows {
        let (phase, kind) = fault(&phase, &kind)?;
        failures.push(FailureCount { phase, kind, ready, count: count(number) });
    }
    let [clean, open, ready, ready_unfailed, large] = [clean, open, ready, ready_unfailed, large].map(count);
    Ok(Ends { clean, open, ready, ready_unfailed, large, failures })
}

async fn ready_connections(
    conn: &mut SqliteConnection,
    family: &str,
    window: &Window,
    step: i64,
) -> Result<Vec<ConnectionRow>, DbError> {
    let mut query = QueryBuilder::new("SELECT setup, lasted, phase, fault");
    within(&mut query, "connection", family, window);
    query.push(" AND setup IS NOT NULL AND ((id * 2654435761 >> 16) & 65535) % ").push_bind(step).push(" = 0");
    let mut rows = query.build_query_as::<(i64, i64, Option<String>, Option<String>)>().fetch(conn);
    let mut drawn = Vec::new();
    while let Some((setup, held, phase, kind)) = rows.try_next().await? {
        let failed = match (phase, kind) {
            (Some(phase), Some(kind)) => Some(fault(&phase, &kind)?),
            _ => None,
        };
        drawn.push(ConnectionRow { setup: seconds(setup), held: seconds(held), failed });
    }
    Ok(drawn)
}

async fn clean_transfers(
    conn: &mut SqliteConnection,
    family: &str,
    window: &Window,
    step: i64,
) -> Result<Vec<TransferRow>, DbError> {
    let mut query = QueryBuilder::new("SELECT bytes, lasted");
    within(&mut query, "transfer", family, window);
    query.push(" AND ended = 'clean' AND bytes >= ").push_bind(smallest());
    query.push(" AND ((id * 2654435761 >> 16) & 65535) % ").push_bind(step).push(" = 0");
    let mut rows = query.build_query_as::<(i64, i64)>().fetch(conn);
    let mut drawn = Vec::new();
    while let Some((bytes, lasted)) = rows.try_next().await? {
        drawn.push(TransferRow { bytes: count(bytes), duration: seconds(lasted) });
    }
    Ok(drawn)
}

/// One other side or door, with what was seen of it in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The family, as in [`super::FAMILIES`].
    pub family: String,
    /// Whose connections.
    pub role: Role,
    /// The other side, or the door.
    pub endpoint: String,
    /// Connections, also those that never got through.
    pub connections: u64,
    /// Transfer attempts.
    pub transfers: u64,
    /// Connections and transfers that failed, for whatever reason.
    pub failed: u64,
}

/// Who was seen in a window, whatever role and endpoint it names; the busiest first, at most 100.
///
/// # Errors
/// What the store says.
pub async fn sources(db: &Db, window: &Window) -> Result<Vec<Source>, DbError> {
    let rows = sqlx::query_as::<_, (String, String, String, i64, i64, i64)>(
        "SELECT family, role, endpoint, count(*) FILTER (WHERE kind = 'connection'), \
         count(*) FILTER (WHERE kind = 'transfer'), count(*) FILTER (WHERE ended = 'failed') \
         FROM observations WHERE at >= ? AND at < ? GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT 100",
    )
    .bind(window.from.as_microsecond())
    .bind(window.to.as_microsecond())
    .fetch_all(db.read())
    .await?;
    let source = |(family, role, endpoint, connections, transfers, failed): (String, String, _, _, _, _)| Source {
        role: if role == Role::Door.as_str() { Role::Door } else { Role::Client },
        connections: count(connections),
        transfers: count(transfers),
        failed: count(failed),
        family,
        endpoint,
    };
    Ok(rows.into_iter().map(source).collect())
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
    Ok(count(number))
}
