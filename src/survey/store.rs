//! Surveys that were started on the dashboard, in the table `surveys`.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::Report;
use super::desk::{Ended, State, Stored};
use crate::audit::{Actor, Event, append};
use crate::db::{Db, DbError};
use crate::model::{EndpointId, SurveyId};

/// So many are kept; older ones are forgotten.
const KEPT: i64 = 200;

fn unreadable(what: &str) -> DbError {
    DbError::Value(format!("{what} of a survey"))
}

fn moment(micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|_| unreadable("a time"))
}

fn read(row: &SqliteRow) -> Result<Stored, DbError> {
    let state: String = row.try_get("state")?;
    Ok(Stored {
        id: SurveyId(row.try_get("id")?),
        endpoint: EndpointId(row.try_get("endpoint")?),
        url: row.try_get("url")?,
        by: row.try_get("by")?,
        state: State::of(&state).ok_or_else(|| unreadable("the state"))?,
        started: moment(row.try_get("started")?)?,
        ended: row.try_get::<Option<i64>, _>("ended")?.map(moment).transpose()?,
        said: row.try_get("said")?,
    })
}

/// Notes that one begins, and who wanted it.
pub(super) async fn begin(
    db: &Db,
    (actor, at): (&Actor, Timestamp),
    endpoint: EndpointId,
    url: &str,
) -> Result<SurveyId, DbError> {
    let mut tx = db.write().await?;
    let id = sqlx::query("INSERT INTO surveys (endpoint, url, by, state, started) VALUES (?, ?, ?, ?, ?)")
        .bind(endpoint.0)
        .bind(url)
        .bind(actor.to_string())
        .bind(State::Running.as_str())
        .bind(at.as_microsecond())
        .execute(&mut *tx)
        .await?
        .last_insert_rowid();
    let survey = SurveyId(id);
    append(&mut tx, at, actor, &Event::SurveyStarted { survey, endpoint, url: url.to_owned() }).await?;
    sqlx::query("DELETE FROM surveys WHERE id <= ? AND state <> 'running'").bind(id - KEPT).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(survey)
}

/// Notes how one ended.
pub(super) async fn end(db: &Db, id: SurveyId, at: Timestamp, ended: &Ended) -> Result<(), DbError> {
    let report = match &ended.report {
        Some(report) => Some(serde_json::to_string(report).map_err(|error| DbError::Value(error.to_string()))?),
        None => None,
    };
    let mut tx = db.write().await?;
    sqlx::query("UPDATE surveys SET state = ?, ended = ?, said = ?, report = ? WHERE id = ?")
        .bind(ended.state.as_str())
        .bind(at.as_microsecond())
        .bind(&ended.said)
        .bind(report)
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Whatever ran in a process that is gone is lost.
pub(super) async fn lose_running(db: &Db, at: Timestamp) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("UPDATE surveys SET state = ?, ended = ? WHERE state = 'running'")
        .bind(State::Lost.as_str())
        .bind(at.as_microsecond())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// The last ones, the newest first.
pub(super) async fn last(pool: &SqlitePool, most: u32) -> Result<Vec<Stored>, DbError> {
    let rows =
        sqlx::query("SELECT id, endpoint, url, by, state, started, ended, said FROM surveys ORDER BY id DESC LIMIT ?")
            .bind(most)
            .fetch_all(pool)
            .await?;
    rows.iter().map(read).collect()
}

/// One, and its report as it is stored.
pub(super) async fn one(pool: &SqlitePool, id: SurveyId) -> Result<(Stored, Option<String>), DbError> {
    let row =
        sqlx::query("SELECT id, endpoint, url, by, state, started, ended, said, report FROM surveys WHERE id = ?")
            .bind(id.0)
            .fetch_optional(pool)
            .await?
            .ok_or(DbError::Missing)?;
    Ok((read(&row)?, row.try_get("report")?))
}

/// The report of a stored text.
pub(super) fn report(text: &str) -> Result<Report, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::Value(format!("the report of a survey: {error}")))
}

/// Forgets one that is over.
pub(super) async fn forget(db: &Db, id: SurveyId) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("DELETE FROM surveys WHERE id = ? AND state <> 'running'").bind(id.0).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}
