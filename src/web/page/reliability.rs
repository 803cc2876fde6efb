//! FTP, SFTP and WebDAV side by side, from what really happened.
//!
//! A column is one protocol seen from one side: what our jobs measure as clients and what our doors
//! measure of the clients of others are different stretches and are never put together.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::run::Tab;
use crate::reliability::{
    self, Better, Column, Comparison, Estimate, FAMILIES, Role, Row, Source, Statistic, Unit, Window, sources,
};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::IntervalBar;

/// The windows to choose from: word, label, hours.
const WINDOWS: &[(&str, &str, i64)] =
    &[("hour", "Last hour", 1), ("day", "Last day", 24), ("month", "Last 30 days", 30 * 24)];
/// The sides to choose from: word, label.
const ROLES: &[(&str, &str)] = &[("", "Both sides"), ("client", "Our jobs"), ("door", "Our doors")];

/// A column.
#[derive(Debug, Clone)]
pub struct Family {
    pub name: &'static str,
    pub class: &'static str,
    /// From which side.
    pub side: &'static str,
    pub seen: String,
}

/// An estimate.
#[derive(Debug, Clone)]
pub struct Shown {
    pub value: String,
    pub range: String,
    pub bar: IntervalBar,
    /// What stands at the two ends of the bar.
    pub ends: (String, String),
}

/// One protocol in one statistic.
#[derive(Debug, Clone)]
pub struct Cell {
    pub name: String,
    pub class: &'static str,
    pub shown: Option<Shown>,
    /// Why no figure stands there.
    pub lack: &'static str,
    /// What the figure rests on, or how far it is from being shown.
    pub n: String,
}

/// One statistic.
#[derive(Debug, Clone)]
pub struct StatRow {
    pub name: String,
    /// The unit and which way is good.
    pub unit: String,
    pub definition: String,
    pub cells: Vec<Cell>,
}

/// One other side or door.
#[derive(Debug, Clone)]
pub struct SourceRow {
    pub href: String,
    pub current: bool,
    pub endpoint: String,
    pub family: String,
    pub side: &'static str,
    pub connections: String,
    pub transfers: String,
    pub failed: String,
}

#[derive(Template)]
#[template(path = "reliability.html")]
pub(in crate::web) struct ReliabilityPage {
    pub frame: Frame,
    pub lead: String,
    pub caveat: &'static str,
    pub windows: Vec<Tab>,
    pub roles: Vec<Tab>,
    pub families: Vec<Family>,
    pub rows: Vec<StatRow>,
    pub sources: Vec<SourceRow>,
    /// Leads away from one endpoint.
    pub all: Option<String>,
}

/// What to compare.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Wanted {
    window: String,
    role: String,
    endpoint: String,
}

impl Wanted {
    /// The address of this choice.
    fn query(&self) -> String {
        let endpoint = utf8_percent_encode(&self.endpoint, NON_ALPHANUMERIC);
        format!("?window={}&role={}&endpoint={endpoint}", self.window, self.role)
    }

    fn role(&self) -> Option<Role> {
        [Role::Client, Role::Door].into_iter().find(|role| role.as_str() == self.role)
    }
}

/// What both the page and the JSON are made of.
struct Found {
    wanted: Wanted,
    label: &'static str,
    compared: Comparison,
    columns: Vec<Column>,
    sources: Vec<Source>,
}

async fn find(state: &WebState, mut wanted: Wanted) -> Result<Found, Problem> {
    let chosen = WINDOWS.iter().find(|w| w.0 == wanted.window).or_else(|| WINDOWS.get(1));
    let (word, label, hours) = chosen.copied().ok_or(Problem::Missing)?;
    word.clone_into(&mut wanted.window);
    wanted.role = wanted.role().map_or("", Role::as_str).to_owned();
    let window = Window::last(state.clock.now(), SignedDuration::from_hours(hours));
    let sources = sources(&state.db, &window).await?;
    let columns = columns(&sources, &wanted);
    let window = if wanted.endpoint.is_empty() { window } else { window.at(wanted.endpoint.as_str()) };
    let compared = reliability::compare_columns(&state.db, window, &columns).await?;
    Ok(Found { wanted, label, compared, columns, sources })
}

/// Each family from each side that was seen; a family that was not seen at all has a column, too.
fn columns(sources: &[Source], wanted: &Wanted) -> Vec<Column> {
    let mut columns = Vec::new();
    for family in FAMILIES {
        let asked = |role: Role| wanted.role().is_none_or(|only| only == role);
        let seen = |role: Role| {
            let here = |s: &&Source| wanted.endpoint.is_empty() || s.endpoint == wanted.endpoint;
            sources.iter().filter(here).any(|s| s.family == family && s.role == role)
        };
        let sides: Vec<_> = [Role::Client, Role::Door].into_iter().filter(|r| asked(*r) && seen(*r)).collect();
        match sides.as_slice() {
            [] => columns.push(Column { family, role: wanted.role() }),
            sides => columns.extend(sides.iter().map(|role| Column { family, role: Some(*role) })),
        }
    }
    columns
}

/// `GET /reliability`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let Found { wanted, label, compared, columns, sources } = find(&state, wanted).await?;
    // The first row counts every connection of its column.
    let tried = |at: usize| compared.rows.first().and_then(|row| row.cells.get(at)).map_or(0, |c| c.estimate.n);
    let all: u64 = (0..columns.len()).map(tried).sum();
    let lost = match compared.dropped {
        0 => String::new(),
        lost => format!(" {} could not be stored, because too many came at once.", shown::plural(lost, "more", "more")),
    };
    let families = columns.iter().enumerate().map(|(at, column)| Family {
        name: column.family,
        class: class(column.family),
        side: side(column.role, tried(at)),
        seen: shown::plural(tried(at), "connection", "connections"),
    });
    let of = if wanted.endpoint.is_empty() { String::new() } else { format!(" with {}", wanted.endpoint) };
    let tab = |label: &str, current, to: Wanted| Tab { href: to.query(), label: label.to_owned(), current };
    super::html(&ReliabilityPage {
        frame: Frame::new(&visitor, "Reliability"),
        lead: format!(
            "{label}: from {}{of} that really took place.{lost}",
            shown::plural(all, "connection", "connections")
        ),
        caveat: compared.caveat,
        windows: WINDOWS
            .iter()
            .map(|w| tab(w.1, w.0 == wanted.window, Wanted { window: w.0.to_owned(), ..wanted.clone() }))
            .collect(),
        roles: ROLES
            .iter()
            .map(|r| tab(r.1, r.0 == wanted.role, Wanted { role: r.0.to_owned(), ..wanted.clone() }))
            .collect(),
        families: families.collect(),
        rows: compared.rows.iter().map(row).collect(),
        sources: sources.iter().filter(|s| FAMILIES.contains(&s.family.as_str())).map(|s| source(s, &wanted)).collect(),
        all: (!wanted.endpoint.is_empty()).then(|| Wanted { endpoint: String::new(), ..wanted.clone() }.query()),
    })
}

fn class(family: &str) -> &'static str {
    match family {
        "FTP" => "ftp",
        "SFTP" => "sftp",
        _ => "webdav",
    }
}

fn side(role: Option<Role>, seen: u64) -> &'static str {
    match role {
        _ if seen == 0 => "nothing seen",
        Some(Role::Client) => "our client",
        Some(Role::Door) => "our door",
        None => "both sides",
    }
}

fn source(source: &Source, wanted: &Wanted) -> SourceRow {
    let to = Wanted { endpoint: source.endpoint.clone(), ..wanted.clone() };
    SourceRow {
        href: to.query(),
        current: source.endpoint == wanted.endpoint,
        endpoint: source.endpoint.clone(),
        family: source.family.clone(),
        side: side(Some(source.role), 1),
        connections: shown::count(source.connections),
        transfers: shown::count(source.transfers),
        failed: shown::count(source.failed),
    }
}

/// The factor from the stored unit to the shown one, its name behind a figure, and in a sentence.
fn scale(unit: Unit, largest: f64) -> (f64, &'static str, &'static str) {
    match unit {
        Unit::Share => (100.0, " %", "per cent, "),
        Unit::Seconds if largest > 0.0 && largest < 1.0 => (1000.0, " ms", "milliseconds, "),
        Unit::Seconds if largest < 600.0 => (1.0, " s", "seconds, "),
        Unit::Seconds => (1.0 / 60.0, " min", "minutes, "),
        // The title says it already.
        Unit::PerThousand => (1.0, "", ""),
        Unit::BytesPerSecond => (1e-6, " MB/s", "megabytes per second, "),
    }
}

/// The scale of a row: where its tracks begin and end, in shown units.
struct Axis {
    factor: f64,
    unit: &'static str,
    base: f64,
    top: f64,
}

fn row(row: &Row) -> StatRow {
    let statistic = row.statistic;
    let estimates = || row.cells.iter().map(|c| c.estimate).filter(|e| e.enough);
    let largest = estimates().filter_map(|e| e.value).fold(0.0, f64::max);
    let (factor, unit, spoken) = scale(statistic.unit, largest);
    // One scale for the whole row, a little wider than the widest interval.
    let top = estimates().filter_map(|e| e.high.or(e.value)).fold(0.0, f64::max) * factor * 1.05;
    let axis = if statistic.unit == Unit::Share && statistic.better == Better::Higher {
        // Shares near 100 look alike on a track that begins at zero.
        let lowest = estimates().filter_map(|e| e.low.or(e.value)).fold(1.0, f64::min) * factor;
        Axis { factor, unit, base: (lowest - 0.5).floor().max(0.0), top: 100.0 }
    } else {
        Axis { factor, unit, base: 0.0, top: if statistic.unit == Unit::Share { top.min(100.0) } else { top } }
    };
    let cells = row.cells.iter().map(|cell| {
        let shown = estimate(&cell.estimate, &axis);
        Cell {
            name: match cell.role {
                Some(role) => format!("{}, {}", cell.family, side(Some(role), 1)),
                None => cell.family.to_owned(),
            },
            class: class(cell.family),
            lack: lack(statistic, &cell.estimate),
            n: rests_on(statistic, &cell.estimate, shown.is_some()),
            shown,
        }
    });
    StatRow {
        name: statistic.title.to_owned(),
        unit: match statistic.better {
            Better::Higher => format!("{spoken}higher is better"),
            Better::Lower => format!("{spoken}lower is better"),
        },
        definition: statistic.definition.to_owned(),
        cells: cells.collect(),
    }
}

fn lack(statistic: &Statistic, estimate: &Estimate) -> &'static str {
    if statistic.counts_events && estimate.events >= statistic.minimum && estimate.value.is_none() {
        "more than half outlasted the watching"
    } else {
        "not enough data yet"
    }
}

/// The number below a figure: what was counted, and what is still needed.
fn rests_on(statistic: &Statistic, estimate: &Estimate, is_shown: bool) -> String {
    let (n, events, minimum) = [estimate.n, estimate.events, statistic.minimum].map(shown::count).into();
    match (statistic.counts_events, is_shown) {
        (true, true) => format!("n = {n} connections, {events} lost"),
        (true, false) => format!("n = {n}, with {events} of the {minimum} {} it needs", statistic.counted),
        (false, true) => format!("n = {n}"),
        (false, false) => format!("n = {n}, shown from {minimum} {}", statistic.counted),
    }
}

fn estimate(estimate: &Estimate, axis: &Axis) -> Option<Shown> {
    if !estimate.enough {
        return None;
    }
    let value = estimate.value? * axis.factor;
    let (low, high) = (estimate.low.map(|x| x * axis.factor), estimate.high.map(|x| x * axis.factor));
    let range = match (low, high) {
        (Some(low), Some(high)) => format!("{} to {}", shown::figure(low), shown::figure(high)),
        (Some(low), None) => format!("{} or more", shown::figure(low)),
        (None, Some(high)) => format!("up to {}", shown::figure(high)),
        (None, None) => "no interval".to_owned(),
    };
    let unit = axis.unit;
    let label = format!("{}{unit}, 95 % interval {range}", shown::figure(value));
    let (low, high) = (low.unwrap_or(axis.base), high.unwrap_or(axis.top));
    let bar = IntervalBar::new(value, (low, high), (axis.base, axis.top), label);
    let ends = (shown::figure(axis.base), format!("{}{unit}", shown::figure(axis.top)));
    Some(Shown { value: format!("{}{unit}", shown::figure(value)), range, bar, ends })
}

/// A figure as scripts read it, in seconds, bytes per second, shares and events per thousand.
#[derive(Serialize)]
struct CellJson {
    family: &'static str,
    role: Option<Role>,
    enough: bool,
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    n: u64,
    events: u64,
    excluded: u64,
}

#[derive(Serialize)]
struct RowJson {
    key: &'static str,
    title: &'static str,
    definition: &'static str,
    minimum: u64,
    counted: &'static str,
    cells: Vec<CellJson>,
}

#[derive(Serialize)]
struct ReliabilityJson {
    caveat: &'static str,
    dropped: u64,
    rows: Vec<RowJson>,
}

/// `GET /api/reliability`: the same, for scripts. A figure below its minimum is left out here, too.
pub(in crate::web) async fn json(
    State(state): State<WebState>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let compared = find(&state, wanted).await?.compared;
    let cell = |cell: &reliability::Cell| {
        let e = cell.estimate;
        let figure = |value: Option<f64>| value.filter(|_| e.enough);
        CellJson {
            family: cell.family,
            role: cell.role,
            enough: e.enough,
            value: figure(e.value),
            low: figure(e.low),
            high: figure(e.high),
            n: e.n,
            events: e.events,
            excluded: e.excluded,
        }
    };
    let row = |row: &Row| RowJson {
        key: row.statistic.key,
        title: row.statistic.title,
        definition: row.statistic.definition,
        minimum: row.statistic.minimum,
        counted: row.statistic.counted,
        cells: row.cells.iter().map(cell).collect(),
    };
    let told = ReliabilityJson {
        caveat: compared.caveat,
        dropped: compared.dropped,
        rows: compared.rows.iter().map(row).collect(),
    };
    let body = serde_json::to_string(&told).map_err(|error| Problem::Failed(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::STATISTICS;

    fn stat(key: &str) -> &'static Statistic {
        STATISTICS.iter().find(|s| s.key == key).unwrap()
    }

    #[test]
    fn roles_are_never_put_together() {
        let source = |family: &str, role, endpoint: &str| Source {
            family: family.into(),
            role,
            endpoint: endpoint.into(),
            connections: 1,
            transfers: 0,
            failed: 0,
        };
        let seen = [
            source("FTP", Role::Client, "a:21"),
            source("SFTP", Role::Door, "door"),
            source("SFTP", Role::Client, "b:22"),
        ];
        let of = |wanted: Wanted| columns(&seen, &wanted).iter().map(|c| (c.family, c.role)).collect::<Vec<_>>();
        assert_eq!(
            of(Wanted::default()),
            [("FTP", Some(Role::Client)), ("SFTP", Some(Role::Client)), ("SFTP", Some(Role::Door)), ("WebDAV", None)]
        );
        let doors = Wanted { role: "door".into(), ..Wanted::default() };
        assert_eq!(of(doors), [("FTP", Some(Role::Door)), ("SFTP", Some(Role::Door)), ("WebDAV", Some(Role::Door))]);
        let one = Wanted { endpoint: "b:22".into(), ..Wanted::default() };
        assert_eq!(of(one), [("FTP", None), ("SFTP", Some(Role::Client)), ("WebDAV", None)]);
    }

    #[test]
    fn n_says_what_it_counts() {
        let held = Estimate { n: 136, events: 4, ..Estimate::default() };
        assert_eq!(rests_on(stat("hold-time"), &held, false), "n = 136, with 4 of the 30 lost connections it needs");
        assert_eq!(lack(stat("hold-time"), &held), "not enough data yet");
        let outlasted = Estimate { events: 31, ..held };
        assert_eq!(lack(stat("hold-time"), &outlasted), "more than half outlasted the watching");
        let few = Estimate { n: 3, ..Estimate::default() };
        assert_eq!(rests_on(stat("resets"), &few, false), "n = 3, shown from 100 connections");
    }
}
