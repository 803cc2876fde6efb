//! Diagnoses that were started on the dashboard, in the table `diagnoses`.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection, SqlitePool};

use super::desk::{State, Stored};
use super::{Report, Trial};
use crate::audit::{Actor, Event, append};
use crate::db::{Db, DbError};
use crate::model::{DiagnosisId, EndpointId, IncidentId};

/// So many are kept; older ones are forgotten.
const KEPT: i64 = 200;

const COLUMNS: &str = "SELECT id, endpoint, url, by, incident, state, started, ended, said, report FROM diagnoses";

fn unreadable(what: &str) -> DbError {
    DbError::Value(format!("{what} of a diagnosis"))
}

fn moment(micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|_| unreadable("a time"))
}

fn read(row: &SqliteRow) -> Result<Stored, DbError> {
    let state: String = row.try_get("state")?;
    Ok(Stored {
        id: DiagnosisId(row.try_get("id")?),
        endpoint: EndpointId(row.try_get("endpoint")?),
        url: row.try_get("url")?,
        by: row.try_get("by")?,
        incident: row.try_get::<Option<i64>, _>("incident")?.map(IncidentId),
        state: State::of(&state).ok_or_else(|| unreadable("the state"))?,
        started: moment(row.try_get("started")?)?,
        ended: row.try_get::<Option<i64>, _>("ended")?.map(moment).transpose()?,
        said: row.try_get("said")?,
    })
}

fn written(report: &Report) -> Result<String, DbError> {
    serde_json::to_string(report).map_err(|error| DbError::Value(error.to_string()))
}

fn report(text: &str) -> Result<Report, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::Value(format!("the report of a diagnosis: {error}")))
}

/// Notes that one begins, and who wanted it.
pub(super) async fn begin(
    db: &Db,
    (actor, at): (&Actor, Timestamp),
    (endpoint, url): (EndpointId, &str),
    incident: Option<IncidentId>,
) -> Result<DiagnosisId, DbError> {
    let mut tx = db.write().await?;
    let insert = "INSERT INTO diagnoses (endpoint, url, by, incident, state, started) VALUES (?, ?, ?, ?, ?, ?)";
    let id = sqlx::query(insert)
        .bind(endpoint.0)
        .bind(url)
        .bind(actor.to_string())
        .bind(incident.map(|incident| incident.0))
        .bind(State::Running.as_str())
        .bind(at.as_microsecond())
        .execute(&mut *tx)
        .await?
        .last_insert_rowid();
    let diagnosis = DiagnosisId(id);
    append(&mut tx, at, actor, &Event::DiagnosisStarted { diagnosis, endpoint, url: url.to_owned() }).await?;
    sqlx::query("DELETE FROM diagnoses WHERE id <= ? AND state <> 'running'").bind(id - KEPT).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(diagnosis)
}

/// Notes how one ended.
pub(super) async fn end(
    db: &Db,
    id: DiagnosisId,
    at: Timestamp,
    ended: &Result<Report, String>,
) -> Result<(), DbError> {
    let (state, said, report) = match ended {
        Ok(report) => (State::Done, report.line(), Some(written(report)?)),
        Err(why) => (State::Failed, why.clone(), None),
    };
    let mut tx = db.write().await?;
    sqlx::query("UPDATE diagnoses SET state = ?, ended = ?, said = ?, report = ? WHERE id = ?")
        .bind(state.as_str())
        .bind(at.as_microsecond())
        .bind(said)
        .bind(report)
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Adds a trial to the report of one that is over, and to the log.
pub(super) async fn tried(
    db: &Db,
    id: DiagnosisId,
    (actor, at): (&Actor, Timestamp),
    trial: Trial,
) -> Result<Report, DbError> {
    let mut tx = db.write().await?;
    let (stored, text) = one(&mut tx, id).await?;
    let mut report = report(&text.ok_or(DbError::Missing)?)?;
    let event =
        Event::RemedyTried { diagnosis: id, url: stored.url, remedy: trial.remedy.to_string(), helps: trial.helps };
    report.trials.retain(|other| other.remedy != trial.remedy);
    report.trials.push(trial);
    sqlx::query("UPDATE diagnoses SET report = ? WHERE id = ?")
        .bind(written(&report)?)
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    append(&mut tx, at, actor, &event).await?;
    tx.commit().await?;
    Ok(report)
}

/// Whatever ran in a process that is gone is lost.
pub(super) async fn lose_running(db: &Db, at: Timestamp) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("UPDATE diagnoses SET state = ?, ended = ? WHERE state = 'running'")
        .bind(State::Lost.as_str())
        .bind(at.as_microsecond())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// The last ones, the newest first.
pub(super) async fn last(pool: &SqlitePool, most: u32) -> Result<Vec<Stored>, DbError> {
    let rows = sqlx::query(
        "SELECT id, endpoint, url, by, incident, state, started, ended, said FROM diagnoses ORDER BY id DESC LIMIT ?",
    )
    .bind(most)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

/// Those that were to explain an incident, the newest first.
pub(super) async fn of_incident(pool: &SqlitePool, incident: IncidentId) -> Result<Vec<Stored>, DbError> {
    let rows = sqlx::query(
        "SELECT id, endpoint, url, by, incident, state, started, ended, said FROM diagnoses WHERE incident = ? \
         ORDER BY id DESC",
    )
    .bind(incident.0)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

async fn one(conn: &mut SqliteConnection, id: DiagnosisId) -> Result<(Stored, Option<String>), DbError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = ?")))
        .bind(id.0)
        .fetch_optional(conn)
        .await?
        .ok_or(DbError::Missing)?;
    Ok((read(&row)?, row.try_get("report")?))
}

/// One, and its report where there is one.
pub(super) async fn get(pool: &SqlitePool, id: DiagnosisId) -> Result<(Stored, Option<Report>), DbError> {
    let (stored, text) = one(&mut *pool.acquire().await?, id).await?;
    Ok((stored, text.as_deref().map(report).transpose()?))
}

/// Forgets one that is over.
pub(super) async fn forget(db: &Db, id: DiagnosisId) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    let gone =
        sqlx::query("DELETE FROM diagnoses WHERE id = ? AND state <> 'running'").bind(id.0).execute(&mut *tx).await?;
    if gone.rows_affected() == 0 {
        return Err(DbError::Missing);
    }
    Ok(tx.commit().await?)
}
