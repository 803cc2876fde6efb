//! Alarms and the state of the detectors, in the tables `alarms` and `watches`.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqlitePool, Transaction};

use super::{Alarm, Ending, Place, Watched};
use crate::audit::{Actor, Event, append};
use crate::db::{Db, DbError};
use crate::model::AlarmId;
use crate::reliability::alarm::{self as detector, Sign, Slot, Watch};
use crate::reliability::{FAMILIES, Role};

/// So many are kept; older ones that are over are forgotten.
const KEPT: i64 = 1000;

const COLUMNS: &str =
    "SELECT id, family, role, endpoint, sign, since, noticed, ended, ending, usual, seen, evidence FROM alarms";

/// The detectors of one place, and how far they have seen.
#[derive(Debug, Clone)]
pub(super) struct Watching {
    pub(super) place: Place,
    pub(super) until: Timestamp,
    pub(super) watch: Watch,
    /// What was known of it could not be read: nothing is known of the alarms that go on, either.
    pub(super) anew: bool,
}

impl Watching {
    /// Nothing has been seen.
    pub(super) fn new(place: Place) -> Self {
        Self { place, until: Timestamp::MIN, watch: Watch::default(), anew: false }
    }
}

/// What is to be written of an alarm.
#[derive(Debug)]
pub(super) enum Turn {
    /// It begins, with what it rests on.
    Began(detector::Alarm, Vec<Slot>),
    /// It is over, since when and why.
    Ended(Sign, Timestamp, Ending),
}

fn unreadable(what: &str) -> DbError {
    DbError::Value(format!("{what} of an alarm"))
}

fn moment(micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|_| unreadable("a time"))
}

fn written(value: &impl serde::Serialize) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::Value(error.to_string()))
}

fn place(row: &SqliteRow) -> Result<Place, DbError> {
    let word = |column: &str| row.try_get::<String, _>(column);
    let family = word("family")?;
    Ok(Place {
        family: FAMILIES.into_iter().find(|known| *known == family).ok_or_else(|| unreadable("the family"))?,
        role: if word("role")? == Role::Door.as_str() { Role::Door } else { Role::Client },
        endpoint: word("endpoint")?,
    })
}

fn read(row: &SqliteRow) -> Result<Alarm, DbError> {
    let word = |column: &str| row.try_get::<String, _>(column);
    let ended = row.try_get::<Option<i64>, _>("ended")?.map(moment).transpose()?;
    let ending = row.try_get::<Option<String>, _>("ending")?.as_deref().and_then(Ending::of_word);
    Ok(Alarm {
        id: AlarmId(row.try_get("id")?),
        place: place(row)?,
        sign: Sign::of_word(&word("sign")?).ok_or_else(|| unreadable("the sign"))?,
        since: moment(row.try_get("since")?)?,
        noticed: moment(row.try_get("noticed")?)?,
        ended: ended.zip(ending),
        usual: row.try_get("usual")?,
        seen: row.try_get("seen")?,
        evidence: serde_json::from_str(&word("evidence")?)
            .map_err(|error| unreadable(&format!("the evidence ({error})")))?,
    })
}

/// Up to when anything has been seen.
pub(super) async fn mark(pool: &SqlitePool) -> Result<Option<Timestamp>, DbError> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(until) FROM watches").fetch_one(pool).await?;
    last.map(moment).transpose()
}

/// Nobody has seen what is still to come: the clock has been ahead.
pub(super) async fn put_back(db: &Db, to: Timestamp) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    sqlx::query("UPDATE watches SET until = ?1 WHERE until > ?1").bind(to.as_microsecond()).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// The detectors of a place. A state that cannot be read (of another version, say) is learnt anew.
pub(super) async fn watching(pool: &SqlitePool, place: &Place) -> Result<Option<Watching>, DbError> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT until, state FROM watches WHERE family = ? AND role = ? AND endpoint = ?")
            .bind(place.family)
            .bind(place.role.as_str())
            .bind(&place.endpoint)
            .fetch_optional(pool)
            .await?;
    let Some((until, state)) = row else { return Ok(None) };
    let watch = state_of(&state, &place.endpoint);
    let (until, anew) = (moment(until)?, watch.is_none());
    Ok(Some(Watching { place: place.clone(), until, watch: watch.unwrap_or_default(), anew }))
}

fn state_of(state: &str, endpoint: &str) -> Option<Watch> {
    let unread = |error: &serde_json::Error| {
        tracing::warn!(%error, endpoint, "what is usual at an endpoint cannot be read, and is learnt anew");
    };
    serde_json::from_str(state).inspect_err(unread).ok()
}

/// Who was watched since a time, by name.
pub(super) async fn watched(pool: &SqlitePool, since: Timestamp) -> Result<Vec<Watched>, DbError> {
    let rows =
        sqlx::query("SELECT family, role, endpoint, state FROM watches WHERE until >= ? ORDER BY endpoint, family")
            .bind(since.as_microsecond())
            .fetch_all(pool)
            .await?;
    let watched = |row: &SqliteRow| {
        let place = place(row)?;
        let watch = state_of(&row.try_get::<String, _>("state")?, &place.endpoint).unwrap_or_default();
        let learning = Sign::ALL.into_iter().filter(|sign| !watch.is_learnt(*sign)).collect();
        Ok(Watched { place, learning })
    };
    rows.iter().map(watched).collect()
}

/// Writes down what the detectors of a place have seen and what came of it, all or nothing. Tells the alarms that began
/// (`false`) and ended (`true`).
pub(super) async fn keep(
    db: &Db,
    now: Timestamp,
    watching: &Watching,
    turns: &[Turn],
) -> Result<Vec<(String, bool)>, DbError> {
    let mut told = Vec::new();
    let place = &watching.place;
    let mut tx = db.write().await?;
    sqlx::query("INSERT OR REPLACE INTO watches (family, role, endpoint, until, state) VALUES (?, ?, ?, ?, ?)")
        .bind(place.family)
        .bind(place.role.as_str())
        .bind(&place.endpoint)
        .bind(watching.until.as_microsecond())
        .bind(written(&watching.watch)?)
        .execute(&mut *tx)
        .await?;
    for turn in turns {
        match turn {
            Turn::Began(alarm, evidence) => told.push((begin(&mut tx, now, place, alarm, evidence).await?, false)),
            Turn::Ended(sign, at, ending) => {
                let ended = end(&mut tx, now, place, *sign, (*at, *ending)).await?;
                told.extend(ended.map(|what| (what, true)));
            }
        }
    }
    tx.commit().await?;
    Ok(told)
}

async fn begin(
    tx: &mut Transaction<'_, Sqlite>,
    now: Timestamp,
    place: &Place,
    alarm: &detector::Alarm,
    evidence: &[Slot],
) -> Result<String, DbError> {
    let insert = "INSERT INTO alarms (family, role, endpoint, sign, since, noticed, usual, seen, evidence) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let id = sqlx::query(insert)
        .bind(place.family)
        .bind(place.role.as_str())
        .bind(&place.endpoint)
        .bind(alarm.sign.as_str())
        .bind(alarm.since.as_microsecond())
        .bind(alarm.at.as_microsecond())
        .bind(alarm.usual)
        .bind(alarm.now)
        .bind(written(&evidence)?)
        .execute(&mut **tx)
        .await?
        .last_insert_rowid();
    let made = Alarm {
        id: AlarmId(id),
        place: place.clone(),
        sign: alarm.sign,
        since: alarm.since,
        noticed: alarm.at,
        ended: None,
        usual: alarm.usual,
        seen: alarm.now,
        evidence: Vec::new(),
    };
    let what = made.sentence();
    append(tx, now, &Actor::System, &Event::AlarmBegan { alarm: made.id, what: what.clone() }).await?;
    sqlx::query("DELETE FROM alarms WHERE id <= ? AND ended IS NOT NULL").bind(id - KEPT).execute(&mut **tx).await?;
    Ok(what)
}

async fn end(
    tx: &mut Transaction<'_, Sqlite>,
    now: Timestamp,
    place: &Place,
    sign: Sign,
    (at, ending): (Timestamp, Ending),
) -> Result<Option<String>, DbError> {
    let open = format!("{COLUMNS} WHERE family = ? AND role = ? AND endpoint = ? AND sign = ? AND ended IS NULL");
    let row = sqlx::query(AssertSqlSafe(open))
        .bind(place.family)
        .bind(place.role.as_str())
        .bind(&place.endpoint)
        .bind(sign.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(alarm) = row.as_ref().map(read).transpose()? else { return Ok(None) };
    sqlx::query("UPDATE alarms SET ended = ?, ending = ? WHERE id = ?")
        .bind(at.max(alarm.noticed).as_microsecond())
        .bind(ending.as_str())
        .bind(alarm.id.0)
        .execute(&mut **tx)
        .await?;
    let what = alarm.sentence();
    let why = ending.sentence().to_owned();
    append(tx, now, &Actor::System, &Event::AlarmEnded { alarm: alarm.id, what: what.clone(), why }).await?;
    Ok(Some(what))
}

/// Those that go on.
pub(super) async fn all_open(pool: &SqlitePool) -> Result<Vec<Alarm>, DbError> {
    let rows = sqlx::query(AssertSqlSafe(format!("{COLUMNS} WHERE ended IS NULL ORDER BY id"))).fetch_all(pool).await?;
    rows.iter().map(read).collect()
}

/// The last ones: those that go on first.
pub(super) async fn last(pool: &SqlitePool, most: u32) -> Result<Vec<Alarm>, DbError> {
    let rows =
        sqlx::query(AssertSqlSafe(format!("{COLUMNS} ORDER BY ended IS NOT NULL, noticed DESC, id DESC LIMIT ?")))
            .bind(most)
            .fetch_all(pool)
            .await?;
    rows.iter().map(read).collect()
}

/// Those that went on at any time between two times: those that still do first, then the newest.
///
/// # Errors
/// What the store says.
pub async fn within(db: &Db, from: Timestamp, to: Timestamp) -> Result<Vec<Alarm>, DbError> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{COLUMNS} WHERE since < ? AND coalesce(ended, ?) >= ? ORDER BY ended IS NOT NULL, noticed DESC, id DESC LIMIT 200"
    )))
    .bind(to.as_microsecond())
    .bind(i64::MAX)
    .bind(from.as_microsecond())
    .fetch_all(db.read())
    .await?;
    rows.iter().map(read).collect()
}

/// One.
pub(super) async fn get(pool: &SqlitePool, id: AlarmId) -> Result<Alarm, DbError> {
    let row = sqlx::query(AssertSqlSafe(format!("{COLUMNS} WHERE id = ?")))
        .bind(id.0)
        .fetch_optional(pool)
        .await?
        .ok_or(DbError::Missing)?;
    read(&row)
}
