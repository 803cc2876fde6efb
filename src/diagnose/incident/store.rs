//! Incidents and their history, in the tables `incidents` and `incident_entries`.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqlitePool, Transaction};

use super::gather::Cluster;
use super::{Entry, Incident, Kind, Likeness, Verdict};
use crate::audit::{Actor, Event, append};
use crate::db::{Db, DbError};
use crate::model::{IncidentId, Protocol};
use crate::reliability::Role;

/// So many are kept; older ones that are closed are forgotten.
const KEPT: i64 = 500;

const COLUMNS: &str = "SELECT id, role, endpoint, protocol, kind, phase, fault, since, last, closed, faults, seen, verdict FROM incidents";

/// One that is open, with the number of the last observation that counts in it.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) incident: Incident,
    pub(super) seen: i64,
}

fn unreadable(what: &str) -> DbError {
    DbError::Value(format!("{what} of an incident"))
}

fn moment(micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|_| unreadable("a time"))
}

fn written(verdict: &Verdict) -> Result<String, DbError> {
    serde_json::to_string(verdict).map_err(|error| DbError::Value(error.to_string()))
}

fn read(row: &SqliteRow) -> Result<Open, DbError> {
    let word = |column: &str| row.try_get::<String, _>(column);
    let door = word("role")? == Role::Door.as_str();
    let incident = Incident {
        id: IncidentId(row.try_get("id")?),
        like: Likeness {
            role: if door { Role::Door } else { Role::Client },
            endpoint: word("endpoint")?,
            protocol: Protocol::of_scheme(&word("protocol")?).ok_or_else(|| unreadable("the protocol"))?,
            kind: Kind::of_word(&word("kind")?).ok_or_else(|| unreadable("the kind"))?,
            phase: word("phase")?.parse().map_err(|()| unreadable("the phase"))?,
            fault: word("fault")?.parse().map_err(|()| unreadable("the fault"))?,
        },
        since: moment(row.try_get("since")?)?,
        last: moment(row.try_get("last")?)?,
        closed: row.try_get::<Option<i64>, _>("closed")?.map(moment).transpose()?,
        faults: u64::try_from(row.try_get::<i64, _>("faults")?).unwrap_or(0),
        verdict: serde_json::from_str(&word("verdict")?)
            .map_err(|error| unreadable(&format!("the verdict ({error})")))?,
    };
    Ok(Open { incident, seen: row.try_get("seen")? })
}

/// Opens one, with the first line of its history and an entry of the log.
pub(super) async fn open(db: &Db, now: Timestamp, cluster: &Cluster, verdict: &Verdict) -> Result<IncidentId, DbError> {
    let like = &cluster.like;
    let (Some((_, first)), Some((seen, last))) = (cluster.faults.first(), cluster.faults.last()) else {
        return Err(unreadable("the faults"));
    };
    let mut tx = db.write().await?;
    let insert = "INSERT INTO incidents (role, endpoint, protocol, kind, phase, fault, since, last, faults, seen, verdict) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let id = sqlx::query(insert)
        .bind(like.role.as_str())
        .bind(&like.endpoint)
        .bind(like.protocol.scheme())
        .bind(like.kind.as_str())
        .bind(like.phase.as_str())
        .bind(like.fault.as_str())
        .bind(first.as_microsecond())
        .bind(last.as_microsecond())
        .bind(i64::try_from(cluster.faults.len()).unwrap_or(i64::MAX))
        .bind(seen)
        .bind(written(verdict)?)
        .execute(&mut *tx)
        .await?
        .last_insert_rowid();
    let incident = IncidentId(id);
    let said = format!("opened: {} of the last {} of their kind failed alike", cluster.faults.len(), cluster.of);
    entry(&mut tx, incident, now, &said).await?;
    entry(&mut tx, incident, now, &format!("verdict: {}", verdict.line())).await?;
    append(&mut tx, now, &Actor::System, &Event::IncidentOpened { incident, what: like.sentence() }).await?;
    sqlx::query("DELETE FROM incidents WHERE id <= ? AND closed IS NOT NULL").bind(id - KEPT).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(incident)
}

async fn entry(tx: &mut Transaction<'_, Sqlite>, id: IncidentId, at: Timestamp, said: &str) -> Result<(), DbError> {
    sqlx::query("INSERT INTO incident_entries (incident, at, said) VALUES (?, ?, ?)")
        .bind(id.0)
        .bind(at.as_microsecond())
        .bind(said)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// More faults came to one that is open; `said` when the verdict changed.
pub(super) async fn go_on(db: &Db, open: &Open, said: Option<(Timestamp, &str)>) -> Result<(), DbError> {
    let incident = &open.incident;
    let mut tx = db.write().await?;
    sqlx::query("UPDATE incidents SET last = ?, faults = ?, seen = ?, verdict = ? WHERE id = ? AND closed IS NULL")
        .bind(incident.last.as_microsecond())
        .bind(i64::try_from(incident.faults).unwrap_or(i64::MAX))
        .bind(open.seen)
        .bind(written(&incident.verdict)?)
        .bind(incident.id.0)
        .execute(&mut *tx)
        .await?;
    if let Some((at, said)) = said {
        entry(&mut tx, incident.id, at, said).await?;
    }
    Ok(tx.commit().await?)
}

/// It is over, or nobody knows; `why` says which.
pub(super) async fn close(db: &Db, incident: &Incident, now: Timestamp, why: &str) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("UPDATE incidents SET closed = ? WHERE id = ? AND closed IS NULL")
        .bind(now.as_microsecond())
        .bind(incident.id.0)
        .execute(&mut *tx)
        .await?;
    entry(&mut tx, incident.id, now, &format!("closed: {why}")).await?;
    let (id, what, faults) = (incident.id, incident.like.sentence(), incident.faults);
    append(&mut tx, now, &Actor::System, &Event::IncidentClosed { incident: id, what, faults }).await?;
    Ok(tx.commit().await?)
}

/// The number of the last observation that counted in one of this likeness, open or closed; 0 when there was none.
pub(super) async fn last_seen(pool: &SqlitePool, like: &Likeness) -> Result<i64, DbError> {
    let seen: Option<i64> = sqlx::query_scalar(
        "SELECT max(seen) FROM incidents WHERE role = ? AND endpoint = ? AND protocol = ? AND kind = ? AND phase = ? \
         AND fault = ?",
    )
    .bind(like.role.as_str())
    .bind(&like.endpoint)
    .bind(like.protocol.scheme())
    .bind(like.kind.as_str())
    .bind(like.phase.as_str())
    .bind(like.fault.as_str())
    .fetch_one(pool)
    .await?;
    Ok(seen.unwrap_or(0))
}

/// A line more in the history of one.
pub(super) async fn note(db: &Db, id: IncidentId, at: Timestamp, said: &str) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    entry(&mut tx, id, at, said).await?;
    Ok(tx.commit().await?)
}

/// Those that are open.
pub(super) async fn all_open(pool: &SqlitePool) -> Result<Vec<Open>, DbError> {
    let rows =
        sqlx::query(AssertSqlSafe(format!("{COLUMNS} WHERE closed IS NULL ORDER BY id"))).fetch_all(pool).await?;
    rows.iter().map(read).collect()
}

/// The last ones: those that are open first, then by their last fault.
pub(super) async fn last(pool: &SqlitePool, most: u32) -> Result<Vec<Incident>, DbError> {
    let rows = sqlx::query(AssertSqlSafe(format!("{COLUMNS} ORDER BY closed IS NOT NULL, last DESC, id DESC LIMIT ?")))
        .bind(most)
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| Ok(read(row)?.incident)).collect()
}

/// One, with its history.
pub(super) async fn get(pool: &SqlitePool, id: IncidentId) -> Result<(Incident, Vec<Entry>), DbError> {
    let row = sqlx::query(AssertSqlSafe(format!("{COLUMNS} WHERE id = ?")))
        .bind(id.0)
        .fetch_optional(pool)
        .await?
        .ok_or(DbError::Missing)?;
    let entries = sqlx::query("SELECT at, said FROM incident_entries WHERE incident = ? ORDER BY at, id")
        .bind(id.0)
        .fetch_all(pool)
        .await?;
    let entry = |row: &SqliteRow| Ok(Entry { at: moment(row.try_get("at")?)?, said: row.try_get("said")? });
    Ok((read(&row)?.incident, entries.iter().map(entry).collect::<Result<_, DbError>>()?))
}
