//! Single observations, read back.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use crate::db::{Db, DbError};
use crate::model::{FaultKind, Phase, Protocol};
use crate::net::TcpInfo;
use crate::reliability::concurrency::Attempt;
use crate::reliability::{Detail, Direction, End, FileId, Observation, Party, Role, What, Window};

/// Connections that [`attempts`] reads.
const MOST: i64 = 200_000;

/// What [`observation`] reads.
pub const COLUMNS: &str = "id, at, kind, protocol, role, endpoint, ended, phase, fault, setup, lasted, bytes, direction, \
                       phases, ended_by, idle, errno, rtt, min_rtt, retransmits, lost, delivery_rate, rwnd_limited, wire, \
                       payload, round_trips, encrypted, post_quantum, file, round";

/// Up to `most` observations after the one with the number `after`, in the order in which they were stored.
pub async fn raw(conn: &mut SqliteConnection, after: i64, most: i64) -> Result<Vec<(i64, Observation)>, DbError> {
    let mut query = QueryBuilder::new("SELECT ");
    query
        .push(COLUMNS)
        .push(" FROM observations WHERE id > ")
        .push_bind(after)
        .push(" ORDER BY id LIMIT ")
        .push_bind(most);
    query.build().fetch_all(conn).await?.iter().map(|row| Ok((row.try_get("id")?, observation(row)?))).collect()
}

/// Up to `most` observations after the one with the number `after`, with their numbers, in the order in which they were
/// stored.
///
/// # Errors
/// What the store says.
pub async fn observations_after(db: &Db, after: i64, most: u32) -> Result<Vec<(i64, Observation)>, DbError> {
    raw(&mut *db.read().acquire().await?, after, most.into()).await
}

/// The number of the last observation before `at`; 0 when there is none.
///
/// # Errors
/// What the store says.
pub async fn last_before(db: &Db, at: Timestamp) -> Result<i64, DbError> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM observations WHERE at < ?")
        .bind(at.as_microsecond())
        .fetch_one(db.read())
        .await?;
    Ok(last.unwrap_or(0))
}

/// Those of a family and a window after the one with the number `after`.
pub async fn raw_within(
    conn: &mut SqliteConnection,
    after: i64,
    family: &str,
    window: &Window,
) -> Result<Vec<Observation>, DbError> {
    let mut query = QueryBuilder::new("SELECT ");
    query.push(COLUMNS).push(" FROM observations");
    // What is behind the last roll-up is little: SQLite must not walk over the whole window to find it.
    query.push(" WHERE id IN (SELECT id FROM observations WHERE id > ").push_bind(after).push(") AND family = ");
    query.push_bind(family.to_owned());
    within(&mut query, window);
    query.build().fetch_all(conn).await?.iter().map(observation).collect()
}

/// The newest connections of a family in a window, at most [`MOST`], by their side and endpoint.
///
/// # Errors
/// What the store says.
pub async fn attempts(
    db: &Db,
    family: &str,
    window: &Window,
) -> Result<HashMap<(Role, String), Vec<Attempt>>, DbError> {
    let mut query = QueryBuilder::new(
        "SELECT role, endpoint, at, setup, lasted, ended, phase, fault FROM observations WHERE family = ",
    );
    query.push_bind(family.to_owned()).push(" AND kind = 'connection'");
    within(&mut query, window);
    query.push(" ORDER BY at DESC LIMIT ").push_bind(MOST);
    let mut all = HashMap::<_, Vec<_>>::new();
    let mut rows = query.build().fetch(db.read());
    while let Some(row) = rows.try_next().await? {
        let held = row.try_get::<Option<i64>, _>("setup")?.map(|_| row.try_get("lasted")).transpose()?;
        let at = Timestamp::from_microsecond(row.try_get("at")?).map_err(|_| wrong("time"))?;
        let attempt = Attempt { at, held: held.map(SignedDuration::from_micros), end: end(&row)? };
        all.entry((role(&row)?, row.try_get("endpoint")?)).or_default().push(attempt);
    }
    Ok(all)
}

fn role(row: &SqliteRow) -> Result<Role, DbError> {
    let door = row.try_get::<String, _>("role")? == Role::Door.as_str();
    Ok(if door { Role::Door } else { Role::Client })
}

/// Ended in a window, of its role and its endpoint.
pub fn within(query: &mut QueryBuilder<Sqlite>, window: &Window) {
    query.push(" AND at >= ").push_bind(window.from.as_microsecond());
    query.push(" AND at < ").push_bind(window.to.as_microsecond());
    if let Some(role) = window.role {
        query.push(" AND role = ").push_bind(role.as_str());
    }
    if let Some(endpoint) = &window.endpoint {
        query.push(" AND endpoint = ").push_bind(endpoint.clone());
    }
}

fn wrong(what: &str) -> DbError {
    DbError::Value(format!("an observation's {what}"))
}

fn micros(stored: i64) -> Duration {
    Duration::from_micros(u64::try_from(stored).unwrap_or(0))
}

/// An observation from its row.
pub fn observation(row: &SqliteRow) -> Result<Observation, DbError> {
    let word = |column: &str| row.try_get::<String, _>(column);
    Ok(Observation {
        at: Timestamp::from_microsecond(row.try_get("at")?).map_err(|_| wrong("time"))?,
        protocol: Protocol::of_scheme(&word("protocol")?).ok_or_else(|| wrong("protocol"))?,
        role: role(row)?,
        endpoint: word("endpoint")?,
        what: what(row)?,
        detail: detail(row)?,
    })
}

fn end(row: &SqliteRow) -> Result<End, DbError> {
    Ok(match row.try_get::<String, _>("ended")?.as_str() {
        "clean" => End::Clean,
        "open" => End::StillOpen,
        _ => {
            let word = |column: &str| row.try_get::<String, _>(column);
            let phase: Phase = word("phase")?.parse().map_err(|()| wrong("phase"))?;
            let kind: FaultKind = word("fault")?.parse().map_err(|()| wrong("fault"))?;
            End::Failed(phase, kind)
        }
    })
}

fn what(row: &SqliteRow) -> Result<What, DbError> {
    let end = end(row)?;
    let bytes = || Ok::<_, DbError>(u64::try_from(row.try_get::<Option<i64>, _>("bytes")?.unwrap_or(0)).unwrap_or(0));
    let lasted = micros(row.try_get("lasted")?);
    Ok(match row.try_get::<String, _>("kind")?.as_str() {
        "connection" => What::Connection {
            setup: row.try_get::<Option<i64>, _>("setup")?.map(micros),
            phases: phases(row.try_get("phases")?)?,
            held: lasted,
            end,
        },
        "check" => What::Check { bytes: bytes()?, end },
        _ => {
            let upload = row.try_get::<Option<String>, _>("direction")?.as_deref() == Some(Direction::Upload.as_str());
            let direction = if upload { Direction::Upload } else { Direction::Download };
            What::Transfer { direction, bytes: bytes()?, duration: lasted, end }
        }
    })
}

fn phases(stored: Option<String>) -> Result<Vec<(Phase, Duration)>, DbError> {
    let Some(stored) = stored else { return Ok(Vec::new()) };
    let map: Map<String, Value> = serde_json::from_str(&stored).map_err(|_| wrong("phases"))?;
    let mut all = Vec::with_capacity(map.len());
    for (name, took) in map {
        all.push((name.parse().map_err(|()| wrong("phases"))?, micros(took.as_i64().unwrap_or(0))));
    }
    // In the order in which they are gone through.
    all.sort_by_key(|(phase, _)| *phase);
    Ok(all)
}

fn detail(row: &SqliteRow) -> Result<Detail, DbError> {
    let number = |column: &str| row.try_get::<Option<i64>, _>(column);
    let count = |column: &str| Ok::<_, sqlx::Error>(number(column)?.and_then(|number| u64::try_from(number).ok()));
    let small = |column: &str| Ok::<_, sqlx::Error>(number(column)?.and_then(|number| u32::try_from(number).ok()));
    let tcp = match number("rtt")? {
        None => None,
        Some(rtt) => Some(TcpInfo {
            rtt: micros(rtt),
            min_rtt: micros(number("min_rtt")?.unwrap_or(0)),
            retransmits: small("retransmits")?.unwrap_or(0),
            lost: small("lost")?.unwrap_or(0),
            delivery_rate: count("delivery_rate")?.unwrap_or(0),
            rwnd_limited: micros(number("rwnd_limited")?.unwrap_or(0)),
            ..TcpInfo::default()
        }),
    };
    Ok(Detail {
        by: row.try_get::<Option<String>, _>("ended_by")?.as_deref().and_then(Party::of_word),
        idle: number("idle")?.map(micros),
        errno: row.try_get("errno")?,
        tcp,
        encrypted: row.try_get("encrypted")?,
        post_quantum: row.try_get("post_quantum")?,
        round_trips: small("round_trips")?,
        payload: count("payload")?,
        wire: count("wire")?,
        file: number("file")?.map(FileId::of_stored),
        round: number("round")?,
    })
}
