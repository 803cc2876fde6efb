//! The single observations behind a figure.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::{Basis, Ending, FileEnd, Filter, Place, Traced, blamed};
use crate::db::{Db, DbError};
use crate::model::{FaultKind, Phase};
use crate::reliability::raw::{COLUMNS, observation, within};
use crate::reliability::rollup::CLASSES;

/// Rows that are counted; more are "more than".
const COUNTED: i64 = 100_000;

/// What is still there of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Observations that match.
    pub count: u64,
    /// There are more than were counted.
    pub more: bool,
    /// The oldest observation that is kept at all.
    pub since: Option<Timestamp>,
}

/// Up to `most` observations that match, the newest first, from `after` on.
///
/// # Errors
/// What the store says.
pub async fn traced(db: &Db, filter: &Filter, after: Option<Place>, most: u32) -> Result<Vec<Traced>, DbError> {
    let mut query = QueryBuilder::new("SELECT ");
    query.push(COLUMNS).push(", o.outcome AS file_end, o.took AS file_took FROM observations ");
    query.push("LEFT JOIN observation_outcomes o ON o.observation = observations.id WHERE ");
    matching(&mut query, filter);
    if let Some(place) = after {
        query.push(" AND (at, id) < (").push_bind(place.at.as_microsecond());
        query.push(", ").push_bind(place.id).push(")");
    }
    query.push(" ORDER BY at DESC, id DESC LIMIT ").push_bind(most);
    let mut found = Vec::new();
    let mut rows = query.build().fetch(db.read());
    while let Some(row) = rows.try_next().await? {
        let took: Option<i64> = row.try_get("file_took")?;
        let lost = row.try_get::<Option<String>, _>("file_end")?.map(|word| word == "lost");
        let file = lost
            .zip(took)
            .map(|(lost, took)| FileEnd { lost, took: Duration::from_micros(u64::try_from(took).unwrap_or_default()) });
        found.push(Traced { id: row.try_get("id")?, observation: observation(&row)?, file });
    }
    Ok(found)
}

/// How many observations match, and since when any are kept.
///
/// # Errors
/// What the store says.
pub async fn kept(db: &Db, filter: &Filter) -> Result<Kept, DbError> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM (SELECT 1 FROM observations WHERE ");
    matching(&mut query, filter);
    query.push(" LIMIT ").push_bind(COUNTED + 1).push(")");
    let count: i64 = query.build_query_scalar().fetch_one(db.read()).await?;
    let oldest: Option<i64> = sqlx::query_scalar("SELECT min(at) FROM observations").fetch_one(db.read()).await?;
    let since = oldest.map(Timestamp::from_microsecond).transpose();
    Ok(Kept {
        count: u64::try_from(count.min(COUNTED)).unwrap_or_default(),
        more: count > COUNTED,
        since: since.map_err(|error| DbError::Value(error.to_string()))?,
    })
}

fn matching(query: &mut QueryBuilder<Sqlite>, filter: &Filter) {
    match filter.basis {
        Some(basis) => counted(query, basis),
        None => drop(query.push("true")),
    }
    if let Some(family) = &filter.family {
        query.push(" AND family = ").push_bind(family.clone());
    }
    within(query, &filter.window);
    if let Some(party) = filter.party {
        query.push(" AND ended_by = ").push_bind(party.as_str());
    }
    if let Some(phase) = filter.phase {
        query.push(" AND phase = ").push_bind(phase.as_str());
    }
    match filter.ended {
        None => {}
        Some(Ending::By(kind)) => drop(query.push(" AND fault = ").push_bind(kind.as_str())),
        Some(ending) => drop(query.push(" AND ended = ").push_bind(ending.as_str())),
    }
    if let Some(class) = filter.size {
        query.push(" AND kind <> 'connection'");
        sized(query, (class, class));
    }
    if let Some(round) = filter.round {
        query.push(" AND round = ").push_bind(round);
    }
}

/// The observations of a figure; each clause says in SQL what the statistic's file counts, which the test
/// `every_figure_has_its_rows` holds it to.
fn counted(query: &mut QueryBuilder<Sqlite>, basis: Basis) {
    const READY: &str = "kind = 'connection' AND setup IS NOT NULL";
    match basis {
        Basis::Becoming => {
            query.push("kind = 'connection' AND (setup IS NOT NULL OR ");
            by_path(query);
            query.push(")");
        }
        Basis::Setup | Basis::HeldHours | Basis::Holding => drop(query.push(READY)),
        Basis::Part(phase) => {
            query.push(READY).push(" AND json_extract(phases, ").push_bind(format!("$.\"{}\"", phase.as_str()));
            query.push(") IS NOT NULL");
        }
        Basis::Stood => {
            query.push("kind = 'connection' AND NOT (setup IS NULL AND ended = 'failed' AND phase IN (");
            words(query, [Phase::Resolve, Phase::Connect].map(Phase::as_str));
            query.push("))");
        }
        Basis::Rtt => drop(query.push(READY).push(" AND rtt IS NOT NULL AND min_rtt > 0")),
        Basis::Overhead => drop(query.push(READY).push(" AND payload > 0 AND wire IS NOT NULL")),
        Basis::RoundTrips => drop(query.push(READY).push(" AND payload > 0 AND round_trips IS NOT NULL")),
        Basis::Encrypted => drop(query.push(READY).push(" AND encrypted IS NOT NULL")),
        Basis::PostQuantum => drop(query.push(READY).push(" AND encrypted = 1 AND post_quantum IS NOT NULL")),
        Basis::Moved | Basis::MovedGib => {
            query.push("kind = 'transfer' AND (ended = 'clean' OR ");
            by_path(query);
            query.push(")");
        }
        // What became of a file is known once it is rolled up.
        Basis::Files => {
            query.push(
                "kind = 'transfer' AND ((ended = 'clean' AND file IS NOT NULL) OR id IN \
                 (SELECT observation FROM observation_outcomes WHERE outcome = 'lost')) \
                 AND id <= (SELECT coalesce(max(mark), 0) FROM rollup_marks WHERE span = 0)",
            );
        }
        Basis::Recovered => {
            query.push("kind = 'transfer' AND id IN (SELECT observation FROM observation_outcomes)");
        }
        Basis::Compared => {
            query.push("kind = 'check' AND (ended = 'clean' OR fault = ");
            query.push_bind(FaultKind::Mismatch.as_str()).push(")");
        }
        Basis::Goodput(classes) => {
            query.push("kind = 'transfer' AND ended = 'clean' AND lasted > 0");
            sized(query, classes);
        }
    }
}

/// Failed by the path, the server or the protocol.
fn by_path(query: &mut QueryBuilder<Sqlite>) {
    let (asked, kinds) = blamed();
    query.push("(ended = 'failed' AND phase NOT IN (");
    words(query, asked.into_iter().map(Phase::as_str));
    query.push(") AND fault IN (");
    words(query, kinds.into_iter().map(FaultKind::as_str));
    query.push("))");
}

fn words(query: &mut QueryBuilder<Sqlite>, all: impl IntoIterator<Item = &'static str>) {
    let mut list = query.separated(", ");
    for word in all {
        list.push_bind(word);
    }
}

/// Of these size classes, the first and the last.
fn sized(query: &mut QueryBuilder<Sqlite>, (first, last): (u8, u8)) {
    let from = |class: usize| CLASSES.get(class).and_then(|bytes| i64::try_from(*bytes).ok());
    if let Some(least) = from(usize::from(first)) {
        query.push(" AND bytes >= ").push_bind(least);
    }
    if let Some(above) = from(usize::from(last) + 1) {
        query.push(" AND bytes < ").push_bind(above);
    }
}
