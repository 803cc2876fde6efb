//! The tables of comparison sets and of what their rounds saw.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, SqlitePool};

use super::visit::{Outcome, Step, Visit};
use super::{Budget, Changes, Member, Round, Set, Spent, Work};
use crate::db::DbError;
use crate::model::{Endpoint, EndpointId, FaultKind, Phase, RelPath, SetId};

/// A round as it is stored, without what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRound {
    /// Its number.
    pub id: i64,
    /// When it began.
    pub at: Timestamp,
    /// What was seen, in the order of the visits.
    pub visits: Vec<StoredVisit>,
}

/// A visit as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVisit {
    /// Who was visited.
    pub endpoint: EndpointId,
    /// "FTP", "SFTP", "WebDAV".
    pub family: String,
    /// How each step ended, of those that were tried.
    pub steps: Vec<(Step, Lasting)>,
}

/// How a step ended, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lasting {
    /// Well, after so long, with so many bytes or entries.
    Done(Duration, u64),
    /// Read to the end, and unlike what the others read.
    Differs,
    /// With this sentence.
    Failed(Phase, FaultKind, String),
}

/// A step of one visit, as comparisons read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) round: i64,
    pub(super) at: Timestamp,
    pub(super) endpoint: EndpointId,
    pub(super) step: Step,
    pub(super) lasting: Lasting,
}

fn bad(what: &str) -> DbError {
    DbError::Value(format!("{what} of a comparison"))
}

fn moment(micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|_| bad("a time"))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn work(work: &Work) -> Result<String, DbError> {
    serde_json::to_string(work).map_err(|error| DbError::Value(error.to_string()))
}

/// Stores a new set.
pub(super) async fn make(
    conn: &mut SqliteConnection,
    set: &Changes,
    name: &str,
    now: Timestamp,
) -> Result<SetId, DbError> {
    let done = sqlx::query(
        "INSERT INTO probe_sets (name, work, every, logins, bytes, is_on, made, changed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
    )
    .bind(name)
    .bind(work(&set.work)?)
    .bind(count(set.every.as_secs()))
    .bind(set.budget.logins)
    .bind(count(set.budget.bytes))
    .bind(set.on)
    .bind(now.as_microsecond())
    .execute(&mut *conn)
    .await?;
    let id = SetId(done.last_insert_rowid());
    members(conn, id, &set.members).await?;
    Ok(id)
}

/// What a set shall be from now on. False when there is none.
pub(super) async fn change(
    conn: &mut SqliteConnection,
    id: SetId,
    (set, name): (&Changes, &str),
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE probe_sets SET name = ?, work = ?, every = ?, logins = ?, bytes = ?, is_on = ?, changed = ? WHERE id = ?",
    )
    .bind(name)
    .bind(work(&set.work)?)
    .bind(count(set.every.as_secs()))
    .bind(set.budget.logins)
    .bind(count(set.budget.bytes))
    .bind(set.on)
    .bind(now.as_microsecond())
    .bind(id.0)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() > 0 {
        sqlx::query("DELETE FROM probe_members WHERE set_id = ?").bind(id.0).execute(&mut *conn).await?;
        members(conn, id, &set.members).await?;
    }
    Ok(done.rows_affected() > 0)
}

async fn members(conn: &mut SqliteConnection, id: SetId, members: &[EndpointId]) -> Result<(), DbError> {
    for (place, endpoint) in (0_i64..).zip(members) {
        sqlx::query("INSERT INTO probe_members (set_id, place, endpoint) VALUES (?, ?, ?)")
            .bind(id.0)
            .bind(place)
            .bind(endpoint.0)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Switches a set. False when there is none.
pub(super) async fn switch(conn: &mut SqliteConnection, id: SetId, on: bool) -> Result<bool, DbError> {
    let sql = "UPDATE probe_sets SET is_on = ? WHERE id = ?";
    Ok(sqlx::query(sql).bind(on).bind(id.0).execute(conn).await?.rows_affected() > 0)
}

/// Removes a set and all that its rounds saw. False when there is none.
pub(super) async fn remove(conn: &mut SqliteConnection, id: SetId) -> Result<bool, DbError> {
    let sql = "DELETE FROM probe_sets WHERE id = ?";
    Ok(sqlx::query(sql).bind(id.0).execute(conn).await?.rows_affected() > 0)
}

/// All sets, by name.
pub(super) async fn all(pool: &SqlitePool) -> Result<Vec<Set>, DbError> {
    let rows = sqlx::query(
        "SELECT s.id, s.name, s.work, s.every, s.logins, s.bytes, s.is_on, e.id AS endpoint, e.name AS called, e.url \
         FROM probe_sets s LEFT JOIN probe_members m ON m.set_id = s.id LEFT JOIN endpoints e ON e.id = m.endpoint \
         ORDER BY s.name, s.id, m.place",
    )
    .fetch_all(pool)
    .await?;
    let mut sets: Vec<Set> = Vec::new();
    for row in &rows {
        let id = SetId(row.try_get("id")?);
        if sets.last().is_none_or(|last| last.id != id) {
            sets.push(set(row, id)?);
        }
        if let (Some(last), Some(member)) = (sets.last_mut(), member(row)?) {
            last.members.push(member);
        }
    }
    Ok(sets)
}

fn set(row: &SqliteRow, id: SetId) -> Result<Set, DbError> {
    let text: String = row.try_get("work")?;
    let number = |column| row.try_get::<i64, _>(column).map(|number| u64::try_from(number).unwrap_or_default());
    Ok(Set {
        id,
        name: row.try_get("name")?,
        members: Vec::new(),
        work: serde_json::from_str(&text).map_err(|_| bad("the work"))?,
        every: Duration::from_secs(number("every")?),
        budget: Budget { logins: row.try_get("logins")?, bytes: number("bytes")? },
        on: row.try_get("is_on")?,
    })
}

fn member(row: &SqliteRow) -> Result<Option<Member>, DbError> {
    let Some(id) = row.try_get::<Option<i64>, _>("endpoint")? else { return Ok(None) };
    let url: String = row.try_get("url")?;
    let family = Endpoint::parse(&url).map_err(|_| bad("an address"))?.protocol.family().to_owned();
    Ok(Some(Member { endpoint: EndpointId(id), name: row.try_get("called")?, url, family }))
}

/// Stores what a round saw, and says its number.
///
/// # Errors
/// What the store says.
pub async fn keep(conn: &mut SqliteConnection, set: &Set, round: &Round) -> Result<i64, DbError> {
    let spent = round.spent();
    let id = sqlx::query("INSERT INTO probe_rounds (set_id, at, is_cut, logins, bytes) VALUES (?, ?, ?, ?, ?)")
        .bind(set.id.0)
        .bind(round.at.as_microsecond())
        .bind(round.is_cut)
        .bind(spent.logins)
        .bind(count(spent.bytes))
        .execute(&mut *conn)
        .await?
        .last_insert_rowid();
    for (place, visit) in &round.visits {
        let Some(member) = set.members.get(*place) else { continue };
        let turn = round.order.iter().position(|visited| visited == place).unwrap_or_default();
        keep_left(conn, member.endpoint, &visit.left).await?;
        if !round.is_cut {
            keep_visit(conn, id, (member, count(u64::try_from(turn).unwrap_or_default())), visit).await?;
        }
    }
    Ok(id)
}

/// What lies at the endpoint now that should not.
async fn keep_left(conn: &mut SqliteConnection, endpoint: EndpointId, left: &[RelPath]) -> Result<(), DbError> {
    sqlx::query("DELETE FROM probe_left WHERE endpoint = ?").bind(endpoint.0).execute(&mut *conn).await?;
    for path in left {
        sqlx::query("INSERT OR IGNORE INTO probe_left (endpoint, path) VALUES (?, ?)")
            .bind(endpoint.0)
            .bind(path.as_bytes())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Files that visits could not remove from the endpoint.
pub(super) async fn left(pool: &SqlitePool, endpoint: EndpointId) -> Result<Vec<RelPath>, DbError> {
    let sql = "SELECT path FROM probe_left WHERE endpoint = ? ORDER BY path";
    let paths: Vec<Vec<u8>> = sqlx::query_scalar(sql).bind(endpoint.0).fetch_all(pool).await?;
    paths.into_iter().map(|path| RelPath::new(path).map_err(|_| bad("a path"))).collect()
}

async fn keep_visit(
    conn: &mut SqliteConnection,
    round: i64,
    (member, turn): (&Member, i64),
    visit: &Visit,
) -> Result<(), DbError> {
    let phases = visit.phases.iter().map(|(phase, lasted)| (phase.as_str().to_owned(), micros(*lasted).into()));
    sqlx::query("INSERT INTO probe_visits (round, endpoint, family, turn, at, phases) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(round)
        .bind(member.endpoint.0)
        .bind(&member.family)
        .bind(turn)
        .bind(visit.at.as_microsecond())
        .bind(serde_json::Value::Object(phases.collect()).to_string())
        .execute(&mut *conn)
        .await?;
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO probe_steps (round, endpoint, step, outcome, took, first, amount, phase, fault, said) ",
    );
    query.push_values(&visit.steps, |mut row, (step, outcome)| {
        let (word, done, fault) = match outcome {
            Outcome::Done(done) => ("done", Some(done), None),
            Outcome::Differs(done) => ("differs", Some(done), None),
            Outcome::Failed(fault) => ("failed", None, Some(fault)),
        };
        row.push_bind(round)
            .push_bind(member.endpoint.0)
            .push_bind(step.as_str())
            .push_bind(word)
            .push_bind(done.map(|done| micros(done.took)))
            .push_bind(done.and_then(|done| done.first).map(micros))
            .push_bind(done.map(|done| count(done.amount)))
            .push_bind(fault.map(|fault| fault.phase.as_str()))
            .push_bind(fault.map(|fault| fault.kind.as_str()))
            .push_bind(fault.map(|fault| fault.message.chars().take(500).collect::<String>()));
    });
    query.build().execute(conn).await?;
    Ok(())
}

/// What rounds of the set that began since then took.
pub(super) async fn spent(pool: &SqlitePool, set: SetId, since: Timestamp) -> Result<Spent, DbError> {
    let sql = "SELECT coalesce(sum(logins), 0), coalesce(sum(bytes), 0) FROM probe_rounds WHERE set_id = ? AND at > ?";
    let (logins, bytes): (i64, i64) =
        sqlx::query_as(sql).bind(set.0).bind(since.as_microsecond()).fetch_one(pool).await?;
    Ok(Spent { logins: u32::try_from(logins).unwrap_or(u32::MAX), bytes: u64::try_from(bytes).unwrap_or_default() })
}

/// What the last round with the work that the set has now took.
pub(super) async fn usual(pool: &SqlitePool, set: SetId) -> Result<Option<Spent>, DbError> {
    let sql = "SELECT r.logins, r.bytes FROM probe_rounds r JOIN probe_sets s ON s.id = r.set_id \
               WHERE r.set_id = ? AND r.is_cut = 0 AND r.at >= s.changed ORDER BY r.at DESC LIMIT 1";
    let last: Option<(u32, i64)> = sqlx::query_as(sql).bind(set.0).fetch_optional(pool).await?;
    Ok(last.map(|(logins, bytes)| Spent { logins, bytes: u64::try_from(bytes).unwrap_or_default() }))
}

/// The last rounds of a set, the newest first.
pub(super) async fn last(pool: &SqlitePool, set: SetId, most: u32) -> Result<Vec<StoredRound>, DbError> {
    let rows = sqlx::query(
        "SELECT r.id, r.at, v.endpoint, v.family, v.turn, p.step, p.outcome, p.took, p.amount, p.phase, p.fault, p.said \
         FROM (SELECT id, at FROM probe_rounds WHERE set_id = ? ORDER BY at DESC, id DESC LIMIT ?) r \
         JOIN probe_visits v ON v.round = r.id JOIN probe_steps p ON p.round = r.id AND p.endpoint = v.endpoint \
         ORDER BY r.at DESC, r.id DESC, v.turn",
    )
    .bind(set.0)
    .bind(most)
    .fetch_all(pool)
    .await?;
    let mut rounds: Vec<StoredRound> = Vec::new();
    for row in &rows {
        let id = row.try_get("id")?;
        if rounds.last().is_none_or(|last| last.id != id) {
            rounds.push(StoredRound { id, at: moment(row.try_get("at")?)?, visits: Vec::new() });
        }
        let endpoint = EndpointId(row.try_get("endpoint")?);
        if let Some(round) = rounds.last_mut() {
            if round.visits.last().is_none_or(|last| last.endpoint != endpoint) {
                round.visits.push(StoredVisit { endpoint, family: row.try_get("family")?, steps: Vec::new() });
            }
            if let Some(visit) = round.visits.last_mut() {
                visit.steps.push(lasting(row)?);
            }
        }
    }
    Ok(rounds)
}

fn lasting(row: &SqliteRow) -> Result<(Step, Lasting), DbError> {
    let (step, outcome): (String, String) = (row.try_get("step")?, row.try_get("outcome")?);
    let step = Step::of_word(&step).ok_or_else(|| bad("a step"))?;
    let number = |column| {
        let number: Option<i64> = row.try_get(column)?;
        Ok::<_, DbError>(number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default())
    };
    let lasting = match outcome.as_str() {
        "done" => Lasting::Done(Duration::from_micros(number("took")?), number("amount")?),
        "differs" => Lasting::Differs,
        _ => {
            let (phase, fault): (String, String) = (row.try_get("phase")?, row.try_get("fault")?);
            let phase = phase.parse().map_err(|_| bad("a phase"))?;
            Lasting::Failed(phase, fault.parse().map_err(|_| bad("a fault"))?, row.try_get("said")?)
        }
    };
    Ok((step, lasting))
}

/// The steps of about `most` rounds of the set in `from..to`, drawn evenly when there are more, round by round.
pub(super) async fn drawn(
    pool: &SqlitePool,
    set: SetId,
    (from, to): (Timestamp, Timestamp),
    most: i64,
) -> Result<Vec<Seen>, DbError> {
    let (from, to) = (from.as_microsecond(), to.as_microsecond());
    let count = "SELECT count(*) FROM probe_rounds WHERE set_id = ? AND at >= ? AND at < ?";
    let count: i64 = sqlx::query_scalar(count).bind(set.0).bind(from).bind(to).fetch_one(pool).await?;
    let rows = sqlx::query(
        "SELECT r.id, r.at, p.endpoint, p.step, p.outcome, p.took, p.amount, p.phase, p.fault, '' AS said \
         FROM probe_rounds r JOIN probe_steps p ON p.round = r.id \
         WHERE r.set_id = ? AND r.at >= ? AND r.at < ? AND r.id % ? = 0 ORDER BY r.id",
    )
    .bind(set.0)
    .bind(from)
    .bind(to)
    .bind(1 + count / most.max(1))
    .fetch_all(pool)
    .await?;
    let seen = |row: &SqliteRow| {
        let (step, lasting) = lasting(row)?;
        let (round, at) = (row.try_get("id")?, moment(row.try_get("at")?)?);
        Ok(Seen { round, at, endpoint: EndpointId(row.try_get("endpoint")?), step, lasting })
    };
    rows.iter().map(seen).collect()
}

/// Forgets up to `most` rounds that began before then; says how many.
pub(super) async fn prune(conn: &mut SqliteConnection, before: Timestamp, most: u32) -> Result<u64, DbError> {
    let sql = "DELETE FROM probe_rounds WHERE id IN (SELECT id FROM probe_rounds WHERE at < ? ORDER BY at LIMIT ?)";
    Ok(sqlx::query(sql).bind(before.as_microsecond()).bind(most).execute(conn).await?.rows_affected())
}
