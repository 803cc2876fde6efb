//! One survey: how far it is, then its report.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::surveys::{chip, who};
use crate::model::SurveyId;
use crate::remote::DotFiles;
use crate::survey::census::{Census, Mark};
use crate::survey::eta::{Estimate, Forecast};
use crate::survey::findings::{Finding, Weight};
use crate::survey::histogram::Bin;
use crate::survey::{self, Report, Snapshot, Stored};
use crate::web::form::{Nothing, Posted, done};
use crate::web::frame::{Frame, Note};
use crate::web::page::run::Count;
use crate::web::problem::{Problem, sentence};
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Gauge, Moment, Tone};

/// Examples of a finding on the page; the report holds more.
const EXAMPLES: usize = 5;

/// How far a survey is.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "part/survey.html")]
pub(in crate::web) struct ProgressPart {
    pub stage: String,
    pub folders: String,
    pub waiting: String,
    pub files: String,
    pub bytes: String,
    pub folder: String,
}

impl ProgressPart {
    pub(in crate::web) fn of(now: &Snapshot) -> Self {
        Self {
            stage: sentence(now.stage.word()).trim_end_matches('.').to_owned(),
            folders: format!("{} read", shown::plural(now.folders, "folder", "folders")),
            waiting: format!("{} wait", shown::count(now.waiting)),
            files: shown::plural(now.files, "file", "files"),
            bytes: shown::bytes(now.bytes),
            folder: now.folder.clone(),
        }
    }
}

/// One class of a histogram.
#[derive(Debug, Clone)]
pub struct Bar {
    pub label: String,
    pub gauge: Gauge,
    pub files: String,
    pub bytes: String,
}

/// A histogram.
#[derive(Debug, Clone)]
pub struct Chart {
    pub title: &'static str,
    pub bars: Vec<Bar>,
}

/// One finding.
#[derive(Debug, Clone)]
pub struct FindingShown {
    pub chip: Chip,
    pub what: String,
    pub advice: String,
    pub examples: Vec<String>,
}

/// The time for one number of connections.
#[derive(Debug, Clone)]
pub struct ForecastShown {
    pub connections: u16,
    /// Listing, round trips, handling, sending, waiting, link, this side.
    pub terms: Vec<(&'static str, String)>,
    pub total: String,
    pub bound: &'static str,
}

/// What stands out in one way.
#[derive(Debug, Clone)]
pub struct Table {
    pub title: &'static str,
    pub rows: Vec<(String, String)>,
}

/// A report, ready to be shown.
#[derive(Debug, Clone)]
pub struct ReportShown {
    pub counts: Vec<Count>,
    pub findings: Vec<FindingShown>,
    pub charts: Vec<Chart>,
    pub forecasts: Vec<ForecastShown>,
    pub model: Vec<(&'static str, String)>,
    pub tables: Vec<Table>,
    pub server: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "survey.html")]
pub(in crate::web) struct SurveyPage {
    pub frame: Frame,
    pub href: String,
    pub url: String,
    pub chip: Chip,
    pub started: Moment,
    pub by: String,
    /// While it runs in this process.
    pub live: Option<ProgressPart>,
    pub said: Option<Note>,
    pub report: Option<ReportShown>,
}

/// `GET /surveys/{id}`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let id = SurveyId(id);
    let live = state.surveys.live(id);
    let (stored, report) = state.surveys.get(id).await?;
    super::html(&SurveyPage {
        frame: Frame::new(&visitor, format!("Survey of {}", stored.url)),
        href: format!("/surveys/{id}"),
        url: stored.url.clone(),
        chip: chip(stored.state),
        started: Moment::around(stored.started, state.clock.now()),
        by: who(&stored.by),
        live: live.as_ref().map(ProgressPart::of),
        said: said(&stored, report.as_ref()),
        report: report.as_ref().map(ReportShown::of),
    })
}

fn said(stored: &Stored, report: Option<&Report>) -> Option<Note> {
    let (tone, text) = match (stored.state, report) {
        (survey::State::Failed, _) => (Tone::Bad, sentence(stored.said.as_deref().unwrap_or("it failed"))),
        (survey::State::Lost, _) => {
            (Tone::Warn, "Causeway went down while this survey ran. Nothing of it was kept; start another.".to_owned())
        }
        (survey::State::Partial, Some(report)) => {
            let why = report.stopped.as_ref().map(survey::Stopped::sentence);
            let why = why.unwrap_or_else(|| "some folders could not be read".to_owned());
            (Tone::Warn, format!("The figures are those of a part of the tree: {why}."))
        }
        _ => return None,
    };
    Some(Note { tone, text })
}

impl ReportShown {
    /// As the page has it.
    pub(in crate::web) fn of(report: &Report) -> Self {
        Self {
            counts: counts(report),
            findings: report.findings.iter().map(finding).collect(),
            charts: vec![
                Chart { title: "Files by size", bars: bars(report.census.sizes.bins(), size) },
                Chart { title: "Files by age", bars: bars(&report.census.ages.bins, Bin::age) },
            ],
            forecasts: report.estimate.forecasts.iter().map(forecast).collect(),
            model: model(&report.estimate),
            tables: tables(&report.census),
            server: server(report),
        }
    }
}

fn counts(report: &Report) -> Vec<Count> {
    let census = &report.census;
    let weighs = |weight| report.findings.iter().filter(|one| one.weight == weight).count() as u64;
    let count = |label, value: String, bad| Count { label, value, more: String::new(), bad };
    let fastest = report.estimate.forecasts.iter().min_by(|one, other| one.total.total_cmp(&other.total));
    let mut counts = vec![
        count("Files", shown::count(census.files), false),
        count("Folders", shown::count(census.folders), false),
        count("Bytes", shown::bytes(census.bytes), false),
        count("Left behind", shown::plural(weighs(Weight::Lost), "finding", "findings"), weighs(Weight::Lost) > 0),
        count("To decide", shown::plural(weighs(Weight::Decide), "finding", "findings"), false),
    ];
    counts.extend(fastest.map(|one| Count {
        label: "A mirror takes about",
        value: seconds(one.total),
        more: format!("with {}", shown::plural(one.connections.into(), "connection", "connections")),
        bad: false,
    }));
    counts
}

fn finding(finding: &Finding) -> FindingShown {
    let chip = match finding.weight {
        Weight::Lost => Chip::new(Tone::Bad, "Left behind"),
        Weight::Decide => Chip::new(Tone::Warn, "To decide"),
        Weight::Know => Chip::new(Tone::Idle, "Good to know"),
    };
    FindingShown {
        chip,
        what: sentence(&finding.what),
        advice: sentence(&finding.advice),
        examples: finding.examples.iter().take(EXAMPLES).cloned().collect(),
    }
}

/// The classes from the first to the last that has any.
fn bars(bins: &[Bin], label: impl Fn(&Bin) -> String) -> Vec<Bar> {
    let most = bins.iter().map(|bin| bin.files).max().unwrap_or_default();
    let Some(first) = bins.iter().position(|bin| bin.files > 0) else { return Vec::new() };
    let last = bins.iter().rposition(|bin| bin.files > 0).unwrap_or_default();
    let bar = |bin: &Bin| Bar {
        label: label(bin),
        gauge: Gauge::new(bin.files, most),
        files: shown::count(bin.files),
        bytes: shown::bytes(bin.bytes),
    };
    bins.iter().take(last + 1).skip(first).map(bar).collect()
}

/// Powers of two, by their own units.
fn size(bin: &Bin) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let of = |bytes: u64| {
        let step = (63 - bytes.max(1).leading_zeros()) / 10;
        let unit = usize::try_from(step).ok().and_then(|step| UNITS.get(step)).copied().unwrap_or("GiB");
        format!("{} {unit}", bytes >> (10 * step.min(3)))
    };
    match bin.below {
        Some(1) => "empty".to_owned(),
        Some(below) => format!("below {}", of(below)),
        None => format!("from {}", of(bin.from)),
    }
}

fn forecast(one: &Forecast) -> ForecastShown {
    let terms = [
        ("Listing", one.listing),
        ("Round trips", one.round_trips),
        ("Handling", one.handling),
        ("Sending", one.sending),
        ("Waiting", one.waiting),
        ("Link", one.link),
        ("This side", one.here),
    ];
    ForecastShown {
        connections: one.connections,
        terms: terms.into_iter().map(|(name, value)| (name, seconds(value))).collect(),
        total: seconds(one.total),
        bound: one.bound.word(),
    }
}

fn model(estimate: &Estimate) -> Vec<(&'static str, String)> {
    let model = &estimate.model;
    let rate = |rate: Option<f64>| rate.map_or_else(|| "not measured".to_owned(), |rate| shown::rate(whole(rate)));
    let trips = format!("{:.1} a small file, {:.1} a larger one", model.round_trips_small, model.round_trips_large);
    vec![
        ("Round trip", format!("{}, the median of some questions", seconds(model.round_trip))),
        ("Round trips", trips),
        (
            "Handling",
            format!("{} a file beyond them, the median of {} files", seconds(model.handling), model.timed_files),
        ),
        ("One connection", rate(model.goodput_one)),
        ("Two connections", rate(model.goodput_two)),
        ("End of the link", rate(model.link())),
        ("Listing", format!("{} a folder, the mean", seconds(model.per_folder))),
        ("Set-up", seconds(model.setup)),
        (
            "Not known",
            "packets that a bad link will lose; a run of a second or two is as long as this machine is busy".to_owned(),
        ),
        (
            "This side, assumed",
            format!(
                "{} for start and end, {} a file, {}",
                seconds(model.here_per_run),
                seconds(model.here_per_file),
                shown::rate(whole(model.here_rate))
            ),
        ),
    ]
}

fn tables(census: &Census) -> Vec<Table> {
    let marks = |marks: &[Mark], show: fn(u64) -> String| {
        marks.iter().map(|mark| (mark.path.clone(), show(mark.value))).collect::<Vec<_>>()
    };
    let hot = census.hot.iter();
    let hot = hot.map(|one| (one.path.clone(), format!("{} in a day, {} in a week", one.day, one.week))).collect();
    let endings = census.endings.iter().take(10).map(|one| {
        let name = if one.ending.is_empty() { "(none)".to_owned() } else { format!(".{}", one.ending) };
        (name, format!("{}, {}", shown::plural(one.files, "file", "files"), shown::bytes(one.bytes)))
    });
    let tables = [
        Table { title: "Largest files", rows: marks(&census.largest_files, shown::bytes) },
        Table {
            title: "Fullest folders",
            rows: marks(&census.largest_folders, |n| shown::plural(n, "entry", "entries")),
        },
        Table { title: "Where files change", rows: hot },
        Table { title: "Endings", rows: endings.collect() },
    ];
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

fn server(report: &Report) -> Vec<(String, String)> {
    let server = &report.server;
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: Option<String>| facts.extend(value.map(|value| (name.to_owned(), value)));
    add("Greeting", server.greeting.clone());
    add("System", server.system.clone());
    add("Encryption", Some(server.encryption.sentence()));
    for skill in &server.skills {
        add(&skill.name, Some(skill.sentence()));
    }
    add("Listed by", server.listing.clone());
    add(
        "Dot files",
        match server.dot_files {
            DotFiles::Shown => Some("a plain listing shows them".to_owned()),
            DotFiles::Hidden => Some("a plain LIST hides them; Causeway sees them".to_owned()),
            DotFiles::Unknown => None,
        },
    );
    add("Clock", report.clock.sentence());
    add("Names", Some(report.charset.clone()));
    add("Asked", server.manner.clone());
    add("Announces", Some(server.announced.join(", ")).filter(|all| !all.is_empty()));
    let connections = &server.connections;
    let limit = match connections.limit {
        Some(limit) => format!("no more than {limit} at once"),
        None => format!("{} at once were borne; no limit was met", connections.most),
    };
    add("Connections", (connections.most > 0).then_some(limit));
    facts
}

fn seconds(seconds: f64) -> String {
    if seconds > 0.0 && seconds < 0.001 {
        return format!("{:.0} µs", seconds * 1e6);
    }
    shown::span(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is for display")]
fn whole(rate: f64) -> u64 {
    rate as u64
}

/// `GET /surveys/{id}/report`: the report as JSON, to be saved.
pub(in crate::web) async fn download(State(state): State<WebState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let (_, report) = state.surveys.get(SurveyId(id)).await?;
    super::json_file(&report.ok_or(Problem::Missing)?, &format!("survey-{id}.json"))
}

/// `POST /surveys/{id}/stop`.
pub(in crate::web) async fn stop(
    State(state): State<WebState>,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    state.surveys.get(SurveyId(id)).await?;
    state.surveys.stop(SurveyId(id));
    Ok(done(&format!("/surveys/{id}"), "The survey ends, with a report about what it has read."))
}

/// `POST /surveys/{id}/delete`.
pub(in crate::web) async fn delete(
    State(state): State<WebState>,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    state.surveys.forget(SurveyId(id)).await?;
    Ok(done("/surveys", "The report is deleted."))
}
