//! The figures for scripts.

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::Found;
use super::wanted::Wanted;
use crate::reliability::{Cell, Role, Row};
use crate::web::problem::Problem;
use crate::web::report::AlarmLine;
use crate::web::state::WebState;

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
    group: &'static str,
    title: &'static str,
    definition: &'static str,
    minimum: u64,
    counted: &'static str,
    cells: Vec<CellJson>,
}

#[derive(Serialize)]
struct ReliabilityJson {
    remark: Option<&'static str>,
    caveat: &'static str,
    /// From when to when, as the observations behind the figures are asked for.
    from: String,
    to: String,
    dropped: u64,
    rows: Vec<RowJson>,
    /// Early warning's, of the window.
    alarms: Vec<AlarmLine>,
}

fn cell(cell: &Cell) -> CellJson {
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
}

fn row(row: &Row) -> RowJson {
    RowJson {
        key: row.statistic.key,
        group: row.statistic.group.title(),
        title: row.statistic.title,
        definition: row.statistic.definition.brief,
        minimum: row.statistic.minimum,
        counted: row.statistic.counted,
        cells: row.cells.iter().map(cell).collect(),
    }
}

/// `GET /api/reliability`: the same as the page. A figure below its minimum is left out here, too.
pub(in crate::web) async fn json(
    State(state): State<WebState>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let found = Found::of(&state, wanted).await?;
    let (from, to) = found.bounds();
    answer(&ReliabilityJson {
        remark: state.remark,
        caveat: found.compared.caveat,
        from,
        to,
        dropped: found.compared.dropped,
        rows: found.compared.rows.iter().map(row).collect(),
        alarms: found.alarms.iter().map(AlarmLine::of).collect(),
    })
}

/// JSON that nobody keeps.
pub(in crate::web::page) fn answer(told: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_string(told).map_err(|error| Problem::Failed(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response())
}
