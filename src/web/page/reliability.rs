//! FTP, SFTP and WebDAV side by side, from what really happened.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::SignedDuration;
use serde::Deserialize;

use super::run::Tab;
use crate::reliability::{self, Estimate, FAMILIES, Row, Unit, Window};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::IntervalBar;

/// The windows to choose from: word, label, hours.
const WINDOWS: &[(&str, &str, i64)] =
    &[("hour", "Last hour", 1), ("day", "Last day", 24), ("month", "Last 30 days", 30 * 24)];

/// A column.
#[derive(Debug, Clone)]
pub struct Family {
    pub name: &'static str,
    pub class: &'static str,
    pub seen: String,
}

/// An estimate.
#[derive(Debug, Clone)]
pub struct Shown {
    pub value: String,
    pub range: String,
    pub bar: IntervalBar,
}

/// One protocol in one statistic.
#[derive(Debug, Clone)]
pub struct Cell {
    pub name: &'static str,
    pub class: &'static str,
    pub shown: Option<Shown>,
    pub n: String,
    pub needed: String,
}

/// One statistic.
#[derive(Debug, Clone)]
pub struct StatRow {
    pub name: String,
    pub unit: String,
    pub definition: String,
    pub cells: Vec<Cell>,
}

#[derive(Template)]
#[template(path = "reliability.html")]
pub(in crate::web) struct ReliabilityPage {
    pub frame: Frame,
    pub lead: String,
    pub caveat: &'static str,
    pub tabs: Vec<Tab>,
    pub families: Vec<Family>,
    pub rows: Vec<StatRow>,
}

/// Which window.
#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
    #[serde(default)]
    window: String,
}

/// `GET /reliability`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let chosen = WINDOWS.iter().find(|w| w.0 == wanted.window).or_else(|| WINDOWS.get(1));
    let (word, label, hours) = chosen.copied().ok_or(Problem::Missing)?;
    let window = Window::last(state.clock.now(), SignedDuration::from_hours(hours));
    let compared = reliability::compare(&state.db, window).await?;
    // The first row counts every connection of its family.
    let tried = |at: usize| compared.rows.first().and_then(|row| row.cells.get(at)).map_or(0, |c| c.estimate.n);
    let all: u64 = (0..FAMILIES.len()).map(tried).sum();
    let lost = match compared.dropped {
        0 => String::new(),
        lost => format!(" {} could not be stored, because too many came at once.", shown::plural(lost, "more", "more")),
    };
    let families = FAMILIES.iter().enumerate().map(|(at, name)| Family {
        name,
        class: class(name),
        seen: shown::plural(tried(at), "connection", "connections"),
    });
    super::html(&ReliabilityPage {
        frame: Frame::new(&visitor, "Reliability"),
        lead: format!(
            "{}: from {} that really took place.{lost}",
            label,
            shown::plural(all, "connection", "connections")
        ),
        caveat: compared.caveat,
        tabs: WINDOWS
            .iter()
            .map(|w| Tab { href: format!("?window={}", w.0), label: w.1.to_owned(), current: w.0 == word })
            .collect(),
        families: families.collect(),
        rows: compared.rows.iter().map(row).collect(),
    })
}

fn class(family: &str) -> &'static str {
    match family {
        "FTP" => "ftp",
        "SFTP" => "sftp",
        _ => "webdav",
    }
}

/// The factor from the stored unit to the shown one, and its name.
fn scale(unit: Unit, largest: f64) -> (f64, &'static str) {
    match unit {
        Unit::Share => (100.0, "per cent"),
        Unit::Seconds if largest > 0.0 && largest < 1.0 => (1000.0, "milliseconds"),
        Unit::Seconds if largest < 600.0 => (1.0, "seconds"),
        Unit::Seconds => (1.0 / 60.0, "minutes"),
        Unit::PerThousand => (1.0, "per 1,000 connections"),
        Unit::BytesPerSecond => (1e-6, "MB/s"),
    }
}

fn row(row: &Row) -> StatRow {
    let statistic = row.statistic;
    let estimates = || row.cells.iter().map(|c| c.estimate).filter(|e| e.enough);
    let largest = estimates().filter_map(|e| e.value).fold(0.0, f64::max);
    let (factor, unit) = scale(statistic.unit, largest);
    // One scale for the whole row, a little wider than the widest interval.
    let top = estimates().filter_map(|e| e.high.or(e.value)).fold(0.0, f64::max) * factor * 1.05;
    let top = if statistic.unit == Unit::Share { top.min(100.0) } else { top };
    let cells = row.cells.iter().map(|cell| Cell {
        name: cell.family,
        class: class(cell.family),
        shown: estimate(&cell.estimate, factor, top, unit),
        n: shown::count(cell.estimate.n),
        needed: format!("{} {}", shown::count(statistic.minimum), statistic.counted),
    });
    StatRow {
        name: statistic.title.to_owned(),
        unit: unit.to_owned(),
        definition: statistic.definition.to_owned(),
        cells: cells.collect(),
    }
}

fn estimate(estimate: &Estimate, factor: f64, top: f64, unit: &str) -> Option<Shown> {
    if !estimate.enough {
        return None;
    }
    let value = estimate.value? * factor;
    let (low, high) = (estimate.low.map(|x| x * factor), estimate.high.map(|x| x * factor));
    let range = match (low, high) {
        (Some(low), Some(high)) => format!("{} to {}", shown::figure(low), shown::figure(high)),
        (Some(low), None) => format!("{} or more", shown::figure(low)),
        (None, Some(high)) => format!("up to {}", shown::figure(high)),
        (None, None) => "no interval".to_owned(),
    };
    let label = format!("{} {unit}, 95 % interval {range}", shown::figure(value));
    let bar = IntervalBar::new(value, low.unwrap_or(0.0), high.unwrap_or(top), top, label);
    Some(Shown { value: shown::figure(value), range, bar })
}
