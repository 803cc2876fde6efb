//! A run under way, as pages and scripts see it.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::problem::Problem;
use super::show;
use super::state::WebState;
use super::widget::{Chip, Tone};
use super::words;
use crate::job::{JobRow, Run, RunState};
use crate::mirror::{Snapshot, Stage};
use crate::model::RunId;

/// A run under way, ready to be shown.
#[derive(Debug, Clone)]
pub struct LiveRun {
    /// The run's page.
    pub href: String,
    /// The job's name.
    pub job: String,
    /// What it does now.
    pub chip: Chip,
    /// It has no worker yet: nothing moves.
    pub waits: bool,
    /// None while nobody knows how much there is to do.
    pub percent: Option<u64>,
    /// "312 of 480 files".
    pub files: String,
    /// "1.2 of 3.4 GB".
    pub bytes: String,
    /// "24 MB/s".
    pub rate: Option<String>,
    /// "about 2 min left".
    pub left: Option<String>,
    /// "3 failed".
    pub failed: Option<String>,
    /// Files at once, and why so many.
    pub pace: Option<String>,
    /// What it waits for while it can do nothing.
    pub trouble: Option<String>,
    /// What is being copied at this moment.
    pub now: Vec<String>,
}

#[derive(Template)]
#[template(path = "part/meter.html")]
pub(in crate::web) struct MeterPart {
    pub live: LiveRun,
}

/// A run that is not over, from its live counters or from the last heartbeat of another process.
pub(super) fn of_run(state: &WebState, run: &Run, job: &str) -> LiveRun {
    let seen = state.jobs.live(run.id).map(|progress| progress.snapshot()).or_else(|| run.counters.clone());
    shown(run, job, &seen.unwrap_or_default())
}

fn shown(run: &Run, job: &str, seen: &Snapshot) -> LiveRun {
    let partial: u64 = seen.current.iter().map(|c| c.bytes).sum();
    let done = (seen.bytes_done + partial).min(seen.bytes_planned);
    let knows = matches!(seen.stage, Stage::Copying | Stage::Finishing | Stage::Done);
    let percent = knows.then(|| match (seen.bytes_planned, seen.files_planned) {
        (0, 0) => 100,
        (0, files) => show::percent(seen.files_done, files),
        (bytes, _) => show::percent(done, bytes),
    });
    let chip = match (run.state, seen.stage) {
        (RunState::Running, Stage::Listing) => Chip::new(Tone::Busy, "Listing"),
        (RunState::Running, Stage::Planning) => Chip::new(Tone::Busy, "Comparing"),
        (RunState::Running, Stage::Copying) => Chip::new(Tone::Busy, "Copying"),
        (RunState::Running, Stage::Finishing) => Chip::new(Tone::Busy, "Finishing"),
        _ => words::run_chip(run),
    };
    let waits = run.state == RunState::Queued;
    let (files, bytes) = if waits {
        ("Waits for a free place: other runs are at work.".to_owned(), String::new())
    } else if knows {
        (
            format!("{} of {} files", show::count(seen.files_done), show::count(seen.files_planned)),
            format!("{} of {}", show::bytes(done), show::bytes(seen.bytes_planned)),
        )
    } else {
        (
            format!("{} found", show::plural(seen.entries_seen, "entry", "entries")),
            show::plural(seen.dirs_listed, "folder", "folders"),
        )
    };
    let rate = whole(seen.rate);
    let left = seen.bytes_planned.saturating_sub(done);
    LiveRun {
        href: format!("/runs/{}", run.id),
        job: job.to_owned(),
        chip,
        waits,
        percent: percent.filter(|_| !waits),
        files,
        bytes,
        rate: (rate > 0).then(|| show::rate(rate)),
        left: (knows && rate > 0 && left > 0)
            .then(|| format!("about {} left", show::span(Duration::from_secs((left / rate).max(1))))),
        failed: (seen.files_failed > 0).then(|| format!("{} failed", show::count(seen.files_failed))),
        pace: seen.connections.clone().filter(|_| !waits),
        trouble: seen.waits_for.clone(),
        now: seen.current.iter().take(4).map(|c| c.path.clone()).collect(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is for display")]
fn whole(rate: f64) -> u64 {
    rate as u64
}

/// Every run that is not over, with the name of its job.
pub(super) fn running(state: &WebState, rows: &[JobRow]) -> Vec<LiveRun> {
    rows.iter().filter_map(|row| row.active.as_ref().map(|run| of_run(state, run, &row.job.name))).collect()
}

/// Said when nothing runs.
pub(super) const IDLE: &str = "Nothing is running at this moment.";

/// A run as scripts read it.
#[derive(Serialize)]
struct RunJson {
    run: Run,
    job: String,
    live: Option<Snapshot>,
}

/// `GET /api/runs/{id}`.
pub(super) async fn json(State(state): State<WebState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let page = state.jobs.run_page(RunId(id)).await?;
    let live = page.live.map(|progress| progress.snapshot());
    let body = serde_json::to_string(&RunJson { run: page.run, job: page.job.name, live })
        .map_err(|error| Problem::Failed(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
