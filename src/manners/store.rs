//! Findings and remedies, in the tables `manners` and `remedies`.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Finding, Identity, Known, Loss, Manner, Prescribed, Remedy};
use crate::db::{Db, DbError};

fn unreadable(what: &str) -> DbError {
    DbError::Value(format!("{what} of a server's manner"))
}

fn moment(micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|_| unreadable("the time"))
}

fn finding(row: &SqliteRow) -> Result<Finding, DbError> {
    let loss = match (row.try_get("why")?, row.try_get("until")?) {
        (Some(why), Some(until)) => Some(Loss { why, until: moment(until)? }),
        _ => None,
    };
    let manner = Manner::of(row.try_get("manner")?).ok_or_else(|| unreadable("the name"))?;
    Ok(Finding { manner, at: moment(row.try_get("at")?)?, loss })
}

/// What is kept about a server, in the order of [`Manner::ALL`].
pub(super) async fn of(db: &Db, server: &str) -> Result<Option<Known>, DbError> {
    let rows = sqlx::query("SELECT manner, greeting, features, at, why, until FROM manners WHERE server = ?")
        .bind(server)
        .fetch_all(db.read())
        .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let identity = Identity { greeting: first.try_get("greeting")?, features: first.try_get("features")? };
    let mut findings = rows.iter().map(finding).collect::<Result<Vec<_>, _>>()?;
    findings.sort_by_key(|found| Manner::ALL.iter().position(|manner| *manner == found.manner));
    Ok(Some(Known { identity, findings }))
}

/// Keeps a finding. A loss that still counts is neither taken back nor cut short by what others found before it, or
/// beside it: runs that work at the same server at the same time come in any order.
pub(super) async fn note(db: &Db, server: &str, identity: &Identity, finding: &Finding) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("DELETE FROM manners WHERE server = ? AND (greeting <> ? OR features <> ?)")
        .bind(server)
        .bind(&identity.greeting)
        .bind(&identity.features)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO manners (server, manner, greeting, features, at, why, until) VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (server, manner) DO UPDATE SET at = excluded.at, why = excluded.why, until = excluded.until \
         WHERE manners.why IS NULL OR manners.until <= excluded.at OR excluded.until >= manners.until",
    )
    .bind(server)
    .bind(finding.manner.as_str())
    .bind(&identity.greeting)
    .bind(&identity.features)
    .bind(finding.at.as_microsecond())
    .bind(finding.loss.as_ref().map(|loss| &loss.why))
    .bind(finding.loss.as_ref().map(|loss| loss.until.as_microsecond()))
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// What helps at a server. A row of a later release is passed over.
pub(super) async fn remedies(db: &Db, server: &str) -> Result<Vec<Prescribed>, DbError> {
    let rows = sqlx::query("SELECT kind, value, why, at, until FROM remedies WHERE server = ? ORDER BY kind")
        .bind(server)
        .fetch_all(db.read())
        .await?;
    let mut all = Vec::new();
    for row in rows {
        let Some(remedy) = Remedy::of(row.try_get("kind")?, row.try_get("value")?) else { continue };
        let (at, until) = (moment(row.try_get("at")?)?, moment(row.try_get("until")?)?);
        all.push(Prescribed { remedy, why: row.try_get("why")?, at, until });
    }
    Ok(all)
}

/// Keeps a remedy in the place of an older one of its kind.
pub(super) async fn prescribe(db: &Db, server: &str, new: &Prescribed) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("INSERT OR REPLACE INTO remedies (server, kind, value, why, at, until) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(server)
        .bind(new.remedy.kind())
        .bind(new.remedy.value())
        .bind(&new.why)
        .bind(new.at.as_microsecond())
        .bind(new.until.as_microsecond())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Forgets a remedy; another of its kind stays.
pub(super) async fn withdraw(db: &Db, server: &str, remedy: Remedy) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("DELETE FROM remedies WHERE server = ? AND kind = ? AND value = ?")
        .bind(server)
        .bind(remedy.kind())
        .bind(remedy.value())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}
