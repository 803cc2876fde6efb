//! What each figure says, exactly.

use askama::Template;
use axum::response::Response;

use crate::reliability::stat::{INTERVAL, SOURCE, WINDOW};
use crate::reliability::{Definition, STATISTICS, Statistic, alarm, concurrency, objective, pairs};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::visitor::Asks;

/// One figure.
#[derive(Debug, Clone)]
pub struct DefinitionShown {
    pub key: &'static str,
    pub title: String,
    pub brief: &'static str,
    /// Word and text.
    pub parts: Vec<(&'static str, String)>,
}

/// Figures that belong together.
#[derive(Debug, Clone)]
pub struct DefinitionGroup {
    pub title: &'static str,
    pub figures: Vec<DefinitionShown>,
}

#[derive(Template)]
#[template(path = "definitions.html")]
pub(in crate::web) struct DefinitionsPage {
    pub frame: Frame,
    /// What all of them have in common.
    pub common: Vec<(&'static str, &'static str)>,
    pub groups: Vec<DefinitionGroup>,
}

/// The parts of a definition, the same for pages and reports.
pub(in crate::web) fn parts(definition: &Definition, unit: &str, minimum: &str) -> Vec<(&'static str, String)> {
    [
        ("Counted", definition.counted),
        ("Out of", definition.of),
        ("Left out", definition.left_out),
        ("Method", definition.method),
        ("Unit", unit),
        ("Shown from", minimum),
    ]
    .map(|(word, text)| (word, text.to_owned()))
    .to_vec()
}

fn statistic(one: &Statistic) -> DefinitionShown {
    let minimum = format!("{} {}", show::count(one.minimum), one.counted);
    let parts = parts(&one.definition, one.unit.words(), &minimum);
    DefinitionShown { key: one.key, title: one.title.to_owned(), brief: one.definition.brief, parts }
}

/// Every figure of the page, by group.
pub(in crate::web) fn groups() -> Vec<DefinitionGroup> {
    let together = STATISTICS.chunk_by(|one, other| one.group == other.group);
    let group = |all: &[&Statistic]| {
        let title = all.first()?.group.title();
        Some(DefinitionGroup { title, figures: all.iter().map(|one| statistic(one)).collect() })
    };
    let minimum = format!("{} pairs", pairs::MINIMUM);
    let paired = [
        ("pairs-time", "Differences of times", pairs::TIMES, "seconds"),
        ("pairs-share", "Differences of success", pairs::SHARES, "percentage points"),
    ];
    let paired = paired.map(|(key, title, definition, unit)| {
        let mut parts = parts(&definition, unit, &minimum);
        parts.extend([("Window", pairs::WINDOW.to_owned()), ("Source", pairs::SOURCE.to_owned())]);
        DefinitionShown { key, title: title.to_owned(), brief: definition.brief, parts }
    });
    let paired = DefinitionGroup { title: "Compared in pairs", figures: paired.to_vec() };
    let told = |group, key, title: &str, brief, about: &[(&'static str, &str)]| DefinitionGroup {
        title: group,
        figures: vec![DefinitionShown {
            key,
            title: title.to_owned(),
            brief,
            parts: about.iter().map(|(word, text)| (*word, (*text).to_owned())).collect(),
        }],
    };
    let others = [
        told(
            "Objectives",
            "objectives",
            "Availability, error budget and burn rate",
            "How an endpoint stands to the share of connections that should become ready.",
            &objective::ABOUT,
        ),
        told(
            "Limits",
            "concurrency",
            "Highest sustained concurrency",
            "How many connections an endpoint bore together, and what kept it from more.",
            &concurrency::ABOUT,
        ),
        told(
            "Early warning",
            "early-warning",
            "Alarms",
            "Something changes for the worse at an endpoint: its set-up time, its errors or its resets.",
            &alarm::ABOUT,
        ),
    ];
    std::iter::once(paired).chain(together.filter_map(group)).chain(others).collect()
}

/// What all figures but those of pairs have in common.
pub(in crate::web) fn common() -> Vec<(&'static str, &'static str)> {
    vec![("Window", WINDOW), ("Source", SOURCE), ("Intervals", INTERVAL)]
}

/// `GET /reliability/definitions`.
pub(in crate::web) async fn show(Asks(visitor): Asks) -> Result<Response, Problem> {
    let frame = Frame::new(&visitor, "What the figures say");
    super::html(&DefinitionsPage { frame, common: common(), groups: groups() })
}
