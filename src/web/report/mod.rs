//! The report for somebody who decides: what leaving FTP would bring, with the figures that say so and how sure they are.
//!
//! One [`Report`] is gathered, and three writers show it: [`csv`], [`html`], and JSON as it is. The dashboard's download and
//! `causeway report` are the same.

mod csv;
mod html;

use jiff::Timestamp;
use serde::Serialize;

pub use csv::csv;
pub use html::html;

use super::page::endpoints::{self, EndpointFigure, EndpointFigures};
use super::page::reliability::verdict::{self, Headline};
use super::page::reliability::{Found, Wanted, alone, called, instant};
use super::problem::sentence;
use crate::db::{Db, DbError};
use crate::diagnose::alarm::Alarm;
use crate::model::Clock;
use crate::probe::Told;
use crate::reliability::alarm::{Sign, Slot};
use crate::reliability::objective::Objectives;
use crate::reliability::{Cell, Estimate, Row};
use crate::tree::file;

/// What it is called.
pub const TITLE: &str = "What we would gain by leaving FTP";

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A page that needs nothing else, for people.
    Html,
    /// A table, for spreadsheets.
    Csv,
    /// For scripts.
    Json,
}

impl Format {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// That of the word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Html, Self::Csv, Self::Json].into_iter().find(|format| format.as_str() == word)
    }

    /// What it is, for who receives it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The store.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The page.
    #[error("the report cannot be written: {0}")]
    Page(#[from] askama::Error),
    /// The JSON.
    #[error("the report cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// The report of a window (`hour`, `day`, `month` or `year`), as bytes: what the dashboard's download holds.
///
/// # Errors
/// [`ReportError`].
pub async fn report(
    db: &Db,
    clock: &dyn Clock,
    objectives: &Objectives,
    window: &str,
    format: Format,
) -> Result<Vec<u8>, ReportError> {
    let wanted = Wanted { window: window.to_owned(), ..Wanted::default() };
    Report::gather(db, clock, wanted, (objectives, None)).await?.write(format)
}

/// A figure. Below its minimum it has no value, and `enough` says so.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// "FTP, our client".
    pub whose: String,
    pub family: &'static str,
    pub role: Option<crate::reliability::Role>,
    pub enough: bool,
    pub value: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub n: u64,
    pub events: u64,
    /// Value and interval as people read them.
    pub said: Option<(String, String)>,
}

/// One statistic of all columns.
#[derive(Debug, Clone, Serialize)]
pub struct FigureRow {
    pub key: &'static str,
    pub group: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    pub definition: &'static str,
    pub minimum: u64,
    pub counted: &'static str,
    pub figures: Vec<Figure>,
}

/// One answer of a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    pub question: &'static str,
    pub from: String,
    pub to: String,
    pub shown: bool,
    /// Seconds, or a share.
    pub value: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub n: u64,
    /// Pairs that a difference as large as the one seen would need.
    pub needed: Option<u64>,
    pub sentence: String,
}

/// A figure of an endpoint, of its own window.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointValue {
    pub key: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    pub enough: bool,
    pub value: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub n: u64,
    pub events: u64,
    pub from: String,
    pub to: String,
    /// As people read it.
    pub said: Option<String>,
}

/// An endpoint against its objective, and the most that it bore.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointLine {
    pub family: &'static str,
    pub role: crate::reliability::Role,
    pub endpoint: String,
    pub objective: String,
    pub alert: Option<&'static str>,
    /// What kept it from bearing more connections.
    pub limit: Option<&'static str>,
    pub figures: Vec<EndpointValue>,
}

/// One alarm of early warning.
#[derive(Debug, Clone, Serialize)]
pub struct AlarmLine {
    pub family: &'static str,
    pub role: crate::reliability::Role,
    pub endpoint: String,
    pub sign: Sign,
    pub since: String,
    pub noticed: String,
    pub ended: Option<String>,
    /// Seconds, or a share.
    pub usual: f64,
    pub seen: f64,
    /// Attempts, connections or set-up times in what it rests on.
    pub n: u64,
    pub sentence: String,
}

impl AlarmLine {
    /// As it is told to scripts and in reports.
    pub(in crate::web) fn of(alarm: &Alarm) -> Self {
        let of = |slot: &Slot| match alarm.sign {
            Sign::SetupTime => slot.ready,
            Sign::Errors => slot.tried,
            Sign::Resets => slot.connections,
        };
        Self {
            family: alarm.place.family,
            role: alarm.place.role,
            endpoint: alarm.place.endpoint.clone(),
            sign: alarm.sign,
            since: instant(alarm.since),
            noticed: instant(alarm.noticed),
            ended: alarm.ended.map(|(at, _)| instant(at)),
            usual: alarm.usual,
            seen: alarm.seen,
            n: alarm.evidence.iter().map(of).sum(),
            sentence: sentence(&alarm.sentence()),
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    pub name: String,
    /// What it says at a glance.
    pub glance: String,
    pub answers: Vec<Answer>,
    #[serde(skip)]
    pub headline: Option<Headline>,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub title: &'static str,
    /// The machine that measured.
    pub machine: String,
    pub version: &'static str,
    pub made: String,
    pub from: String,
    pub to: String,
    /// "Last 30 days".
    pub window: String,
    pub remark: Option<&'static str>,
    pub caveat: &'static str,
    /// Observations that could not be stored.
    pub dropped: u64,
    pub compared: Vec<Compared>,
    pub rows: Vec<FigureRow>,
    /// Early warning's, of the window.
    pub alarms: Vec<AlarmLine>,
    /// The busiest endpoints and doors of the last 30 days, and those with an objective of their own.
    pub endpoints: Vec<EndpointLine>,
}

impl Report {
    /// Of the window that is wanted.
    ///
    /// # Errors
    /// What the store says.
    pub(in crate::web) async fn gather(
        db: &Db,
        clock: &dyn Clock,
        wanted: Wanted,
        (objectives, remark): (&Objectives, Option<&'static str>),
    ) -> Result<Self, DbError> {
        let now = clock.now();
        let found = Found::read(db, now, wanted).await?;
        let endpoints = endpoints::gather(db, now, objectives).await?.iter().map(endpoint).collect();
        Ok(Self { endpoints, ..Self::of(&found, now, remark) })
    }

    fn of(found: &Found, now: Timestamp, remark: Option<&'static str>) -> Self {
        let (from, to) = found.bounds();
        let compared = found.sets.iter().map(|set| {
            let headline = verdict::headline(&set.name, &set.told);
            let glance = headline.as_ref().map_or("No round was made yet.", |headline| headline.sentence.as_str());
            let glance = glance.to_owned();
            Compared { name: set.name.clone(), glance, answers: set.told.iter().map(answer).collect(), headline }
        });
        Self {
            title: TITLE,
            machine: machine(),
            version: env!("CARGO_PKG_VERSION"),
            made: instant(now),
            from,
            to,
            window: found.label.clone(),
            remark,
            caveat: found.compared.caveat,
            dropped: found.compared.dropped,
            compared: compared.collect(),
            rows: found.compared.rows.iter().map(row).collect(),
            alarms: found.alarms.iter().map(AlarmLine::of).collect(),
            endpoints: Vec::new(),
        }
    }

    /// As bytes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, format: Format) -> Result<Vec<u8>, ReportError> {
        match format {
            Format::Html => Ok(html(self)?.into_bytes()),
            Format::Csv => Ok(csv(self).into_bytes()),
            Format::Json => Ok(serde_json::to_vec_pretty(self)?),
        }
    }
}

fn row(row: &Row) -> FigureRow {
    let statistic = row.statistic;
    let figure = |cell: &Cell| {
        let Estimate { value, low, high, n, events, enough, .. } = cell.estimate;
        let shown = |figure: Option<f64>| figure.filter(|_| enough);
        Figure {
            whose: called(cell.family, cell.role),
            family: cell.family,
            role: cell.role,
            enough,
            value: shown(value),
            low: shown(low),
            high: shown(high),
            n,
            events,
            said: alone(&cell.estimate, statistic.unit),
        }
    };
    FigureRow {
        key: statistic.key,
        group: statistic.group.title(),
        title: statistic.title,
        unit: statistic.unit.words(),
        definition: statistic.definition.brief,
        minimum: statistic.minimum,
        counted: statistic.counted,
        figures: row.cells.iter().map(figure).collect(),
    }
}

fn endpoint(one: &EndpointFigures) -> EndpointLine {
    let value = |figure: &EndpointFigure| {
        let Estimate { value, low, high, n, events, enough, .. } = figure.estimate;
        let shown = |figure: Option<f64>| figure.filter(|_| enough);
        EndpointValue {
            key: figure.key,
            title: figure.title,
            unit: figure.unit.words(),
            enough,
            value: shown(value),
            low: shown(low),
            high: shown(high),
            n,
            events,
            from: instant(figure.from),
            to: instant(figure.to),
            said: figure
                .said(one)
                .map(|(value, range)| if range.is_empty() { value } else { format!("{value} [{range}]") }),
        }
    };
    EndpointLine {
        family: one.family,
        role: one.role,
        endpoint: one.endpoint.clone(),
        objective: one.objective.to_string(),
        alert: one.alert.map(endpoints::urgent),
        limit: one.limit(),
        figures: one.figures.iter().map(value).collect(),
    }
}

fn answer(told: &Told) -> Answer {
    let finding = &told.finding;
    let Estimate { value, low, high, n, enough, .. } = finding.difference;
    let shown = |figure: Option<f64>| figure.filter(|_| enough);
    Answer {
        question: told.question.as_str(),
        from: finding.from.clone(),
        to: finding.to.clone(),
        shown: finding.shown,
        value: shown(value),
        low: shown(low),
        high: shown(high),
        n,
        needed: finding.needed,
        sentence: format!("{}.", finding.sentence),
    }
}

/// The name of this machine.
fn machine() -> String {
    let name = file::host_name();
    if name.is_empty() { "this machine".to_owned() } else { name }
}
