//! Live progress: the same fragments that a page holds at first, sent again as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::Stream;
use futures_util::stream;
use serde::{Deserialize, Serialize};

use super::page::overview::RunningPart;
use super::problem::Problem;
use super::show;
use super::state::WebState;
use super::widget::{Chip, Tone};
use super::words;
use crate::job::{JobRow, Run, RunState};
use crate::mirror::{Snapshot, Stage};
use crate::model::RunId;

/// How often progress is looked at.
const BEAT: Duration = Duration::from_millis(700);
/// Percent between two announcements to screen readers.
const SAY_EVERY: u64 = 25;

/// A run under way, ready to be shown.
#[derive(Debug, Clone)]
pub struct LiveRun {
    /// The run's page.
    pub href: String,
    /// The job's name.
    pub job: String,
    /// What it does now.
    pub chip: Chip,
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
    let (files, bytes) = if knows {
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
        percent,
        files,
        bytes,
        rate: (rate > 0).then(|| show::rate(rate)),
        left: (knows && rate > 0 && left > 0)
            .then(|| format!("about {} left", show::span(Duration::from_secs((left / rate).max(1))))),
        failed: (seen.files_failed > 0).then(|| format!("{} failed", show::count(seen.files_failed))),
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

/// The runs that a page shows, as one word: when it changes, the page is out of date.
pub(super) fn seen(rows: &[JobRow]) -> String {
    let ids: Vec<_> = rows.iter().filter_map(|row| row.active.as_ref().map(|run| run.id.to_string())).collect();
    ids.join("-")
}

/// What the stream of the first page was opened with.
#[derive(Deserialize)]
pub(super) struct Since {
    #[serde(default)]
    seen: String,
}

/// `GET /live/overview`: the running jobs, until one starts or ends.
pub(super) async fn overview(
    State(state): State<WebState>,
    Query(since): Query<Since>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let beat = move |state: WebState, shown: String| {
        let since = since.seen.clone();
        async move {
            let rows = state.jobs.list(true).await.ok()?;
            if seen(&rows) != since {
                return Some((Event::default().event("end").data("over"), None));
            }
            let part = RunningPart { running: running(&state, &rows), idle: IDLE.to_owned() }.render().ok()?;
            let event = if part == shown {
                Event::default().comment("same")
            } else {
                Event::default().event("part").data(&part)
            };
            Some((event, Some(part)))
        }
    };
    stream_of(state, beat)
}

/// Said when nothing runs.
pub(super) const IDLE: &str = "Nothing is running at this moment.";

/// `GET /runs/{id}/live`: one run, until it is over.
pub(super) async fn run(
    State(state): State<WebState>,
    Path(id): Path<i64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let page = state.jobs.run_page(RunId(id)).await?;
    let job = page.job.name;
    let beat = move |state: WebState, shown: String| {
        let job = job.clone();
        async move {
            let run = state.jobs.run(RunId(id)).await.ok()?;
            if run.state.is_over() {
                return Some((Event::default().event("end").data("over"), None));
            }
            let live = of_run(&state, &run, &job);
            let said = live.percent.map(|p| (p / SAY_EVERY) * SAY_EVERY);
            let part = MeterPart { live }.render().ok()?;
            // Screen readers hear of quarters only; everything else would talk over the page.
            let mark = format!("{said:?}\n");
            let event = match said.filter(|p| *p > 0) {
                Some(percent) if !shown.starts_with(&mark) => {
                    Event::default().event("say").data(format!("{percent} percent"))
                }
                _ if shown.ends_with(&part) => Event::default().comment("same"),
                _ => Event::default().event("part").data(&part),
            };
            Some((event, Some(format!("{mark}{part}"))))
        }
    };
    Ok(stream_of(state, beat))
}

/// Asks `beat` again and again: it returns an event and what is shown now, or no more of it at the end.
fn stream_of<F, W>(state: WebState, beat: F) -> Sse<impl Stream<Item = Result<Event, Infallible>>>
where
    F: Fn(WebState, String) -> W + Send + Clone + 'static,
    W: Future<Output = Option<(Event, Option<String>)>> + Send,
{
    let stream = stream::unfold((state, beat, Some(String::new())), |(state, beat, shown)| async move {
        let shown = shown?;
        if !shown.is_empty() {
            tokio::select! {
                () = state.stop.cancelled() => return None,
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        let (event, next) = beat(state.clone(), shown).await?;
        Some((Ok(event), (state, beat, next)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

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
