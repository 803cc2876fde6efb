//! The list of jobs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;

use crate::job::{Job, JobRow as Stored, RunState};
use crate::model::{Endpoint, Protocol};
use crate::tree::Tree;
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::stream;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};
use crate::web::words;

/// One job in the list.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// The job's page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// Where it reads.
    pub source: String,
    /// Where it writes.
    pub target: String,
    /// When, in words.
    pub schedule: String,
    /// When it starts next.
    pub next: Option<Moment>,
    /// How it stands.
    pub chip: Chip,
    /// The run that the chip speaks of.
    pub run: Option<String>,
    /// Is that run under way?
    pub active: bool,
}

#[derive(Template)]
#[template(path = "jobs.html")]
pub(in crate::web) struct JobsPage {
    pub frame: Frame,
    pub rows: Vec<JobRow>,
    pub seen: String,
}

/// `GET /jobs`.
pub(in crate::web) async fn show(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let now = state.clock.now();
    let rows = state.jobs.list(false).await?;
    let seen = stream::seen(&rows);
    let rows = rows.iter().map(|row| shown(row, &state.tree, now)).collect();
    super::html(&JobsPage { frame: Frame::new(&visitor, "Jobs"), rows, seen })
}

fn shown(row: &Stored, tree: &Tree, now: Timestamp) -> JobRow {
    let job = &row.job;
    JobRow {
        href: format!("/jobs/{}", job.id),
        name: job.name.clone(),
        source: place(&job.source.endpoint, tree),
        target: place(&job.target.endpoint, tree),
        schedule: when(job),
        next: job.next_start.filter(|_| !job.paused).map(|at| Moment::around(at, now)),
        chip: chip(row),
        run: row.active.as_ref().or(row.last.as_ref()).map(|run| format!("/runs/{}", run.id)),
        active: row.active.is_some(),
    }
}

/// How a job stands: what it does now, or how its last run ended.
pub(in crate::web) fn chip(row: &Stored) -> Chip {
    match (&row.active, &row.last) {
        (Some(run), _) => words::run_chip(run),
        (None, _) if row.job.paused => Chip::new(Tone::Idle, "Paused"),
        (None, Some(run)) if run.state == RunState::Incomplete => {
            let missing = run.summary.as_ref().map_or(0, words::missing);
            let word = if missing > 0 { format!("{missing} missing") } else { "Incomplete".to_owned() };
            Chip::new(Tone::Warn, word)
        }
        (None, Some(run)) => words::run_chip(run),
        (None, None) => Chip::new(Tone::Idle, "New"),
    }
}

/// An address for people: a folder of the served tree by its path in it, everything else by its URL.
pub(in crate::web) fn place(endpoint: &Endpoint, tree: &Tree) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    if endpoint.protocol != Protocol::Local {
        return endpoint.url();
    }
    let root = absolute(tree);
    let inside = endpoint.root.strip_prefix(root.as_os_str().as_bytes());
    match inside.map(|rest| rest.strip_prefix(b"/").unwrap_or(rest)) {
        Some(b"") => "the whole tree".to_owned(),
        Some(rest) if !rest.starts_with(b"/") => String::from_utf8_lossy(rest).into_owned(),
        _ => endpoint.url(),
    }
}

/// The served tree's folder from the root of this machine, whatever the configuration wrote.
pub(in crate::web) fn absolute(tree: &Tree) -> std::path::PathBuf {
    std::path::absolute(tree.path()).unwrap_or_else(|_| tree.path().to_path_buf())
}

/// When a job starts, as part of a sentence.
pub(in crate::web) fn when(job: &Job) -> String {
    job.schedule.describe(&job.zone).replace(". (", " (").trim_end_matches('.').to_owned()
}
