//! As a page that needs nothing else: its style is in it, and no script.

use askama::Template;

use super::{FigureRow, Report};
use crate::reliability::pairs::{SHARES, SOURCE, TIMES};

const STYLE: &str = include_str!("../../../static/report.css");

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'a> {
    report: &'a Report,
    /// Rows that hold a figure.
    rows: Vec<&'a FigureRow>,
    /// The names of the columns.
    columns: Vec<&'a str>,
    /// What cannot be said yet.
    lacking: Vec<&'static str>,
    style: &'static str,
    paired: String,
}

/// The report as a page.
///
/// # Errors
/// The template's.
pub fn html(report: &Report) -> Result<String, askama::Error> {
    let has = |row: &&FigureRow| row.figures.iter().any(|figure| figure.enough);
    let phases = |row: &&FigureRow| row.group != "Set-up by phase" && !row.key.starts_with("throughput-");
    ReportPage {
        rows: report.rows.iter().filter(has).filter(phases).collect(),
        columns: report
            .rows
            .first()
            .map(|row| row.figures.iter().map(|figure| figure.whose.as_str()).collect())
            .unwrap_or_default(),
        lacking: report.rows.iter().filter(|row| !has(row)).filter(phases).map(|row| row.title).collect(),
        style: STYLE,
        paired: [TIMES.brief, SHARES.brief, SOURCE].join(" "),
        report,
    }
    .render()
}
