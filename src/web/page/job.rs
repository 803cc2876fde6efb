//! One job: how it works and what its runs did.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::jobs;
use super::overview::RunRow;
use crate::job::{Job, JobError, RunFilter};
use crate::manners;
use crate::mirror::heat::HotFolder;
use crate::mirror::{Links, Naming, Policy};
use crate::model::{Deadlines, JobId, RunId};
use crate::web::form::{Nothing, Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::stream;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Tone};
use crate::web::{show as shown, words};

/// Runs on one page.
const RUNS: u32 = 25;

#[derive(Template)]
#[template(path = "job.html")]
pub(in crate::web) struct JobPage {
    pub frame: Frame,
    pub href: String,
    pub name: String,
    pub chip: Chip,
    pub source: String,
    pub target: String,
    pub paused: bool,
    /// The run under way.
    pub active: Option<String>,
    pub seen: String,
    pub facts: Vec<(&'static str, String)>,
    pub runs: Vec<RunRow>,
    pub older: Option<String>,
}

/// Which runs to list.
#[derive(Deserialize)]
pub(in crate::web) struct Older {
    before: Option<i64>,
}

/// `GET /jobs/{id}`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Query(older): Query<Older>,
) -> Result<Response, Problem> {
    let job = state.jobs.get(JobId(id)).await?;
    let now = state.clock.now();
    let filter = RunFilter { job: Some(job.id), before: older.before.map(RunId), limit: RUNS, ..RunFilter::default() };
    let runs = state.jobs.runs(&filter).await?;
    let more = runs.len() >= usize::try_from(RUNS).unwrap_or(usize::MAX);
    let row = state.jobs.list(true).await?.into_iter().find(|row| row.job.id == job.id);
    super::html(&JobPage {
        frame: Frame::new(&visitor, &job.name),
        href: format!("/jobs/{id}"),
        chip: row.as_ref().map_or_else(|| Chip::new(Tone::Idle, "Removed"), jobs::chip),
        source: jobs::place(&job.source.endpoint, &state.tree),
        target: jobs::place(&job.target.endpoint, &state.tree),
        paused: job.paused,
        active: row.as_ref().and_then(|row| row.active.as_ref()).map(|run| format!("/runs/{}", run.id)),
        seen: stream::seen(row.as_ref()),
        facts: facts(&state, &job).into_iter().chain(stands(&state, &job).await?).collect(),
        older: runs.last().filter(|_| more).map(|run| format!("?before={}", run.id)),
        runs: runs.iter().map(|run| words::run_row(run, &job.name, now)).collect(),
        name: job.name,
    })
}

fn facts(state: &WebState, job: &Job) -> Vec<(&'static str, String)> {
    let policy = &job.policy;
    let starts = state.jobs.next_starts(job, 3);
    let next = match (job.paused, starts.is_empty()) {
        (true, _) => "paused".to_owned(),
        (false, true) => "not planned".to_owned(),
        (false, false) => starts.iter().map(|at| job.zone.show(*at)).collect::<Vec<_>>().join(", then "),
    };
    let mut facts = vec![("When", jobs::when(job)), ("Next start", next), ("Files", files(policy))];
    facts.push((
        "Vanished files",
        if policy.delete.enabled {
            format!(
                "to the trash, at most {} and {} % of them in a run",
                shown::plural(policy.delete.max_files, "file", "files"),
                policy.delete.max_percent
            )
        } else {
            "stay here".to_owned()
        },
    ));
    facts.push(("Proof", words::proving(policy.proof)));
    let connections = policy.connections.or(job.source.endpoint.options.connections);
    facts.push(("Connections", connections.map_or_else(|| "as many as pay".to_owned(), |most| most.to_string())));
    if let Some(allowed) = job.source.endpoint.options.active {
        let said = if allowed { "also when the server runs on this machine" } else { "never" };
        facts.push(("Active mode", said.to_owned()));
    }
    facts.push((
        "Bandwidth",
        policy.bandwidth.map_or_else(|| "no limit".to_owned(), |rate| format!("at most {}", shown::rate(rate))),
    ));
    if let Some(charset) = &policy.charset {
        let names = match charset.as_str() {
            "auto" => "to UTF-8, from the character set found out for each folder".to_owned(),
            charset => format!("from {charset} to UTF-8"),
        };
        facts.push(("Names", names));
    }
    if policy.uploads.rest_seconds == 0 {
        facts.push(("Uploads", "nothing is taken for an upload that is under way".to_owned()));
    }
    match policy.links {
        Links::Skip => {}
        Links::Follow => facts.push(("Links", "followed inside the source".to_owned())),
        Links::Recreate => facts.push(("Links", "made anew in the target".to_owned())),
    }
    if policy.names == Naming::Portable {
        facts.push(("Portable names", "as Windows can hold them".to_owned()));
    }
    if job.source.endpoint.options.insecure {
        facts.push(("Certificate", "any is accepted: the server could be anybody".to_owned()));
    }
    if job.source.endpoint.options.deadlines != Deadlines::default() {
        facts.push(("Deadlines", format!("{} (seconds)", job.source.endpoint.options.deadlines)));
    }
    if policy.dry_run {
        facts.push(("Dry run", "nothing is changed".to_owned()));
    }
    facts
}

/// How far the target is behind, and which folders are hot.
async fn stands(state: &WebState, job: &Job) -> Result<Vec<(&'static str, String)>, Problem> {
    let standing = state.jobs.standing(job.id).await?;
    let mut facts = Vec::new();
    if let Some(minutes) = job.policy.hot_minutes {
        let every = shown::plural(minutes.into(), "minute", "minutes");
        facts.push(("Hot folders", format!("looked at every {every} between its starts")));
    }
    let sentence = standing.sentence(state.clock.now(), |at| job.zone.show(at));
    facts.extend(sentence.map(|sentence| ("In step", sentence)));
    let folder = |folder: &HotFolder| {
        let path = if folder.path.is_root() { "the top folder".into() } else { folder.path.display() };
        format!("{path} ({})", shown::plural(folder.changes, "change", "changes"))
    };
    let borne = manners::sentence(&state.jobs.manners(job).await?, state.clock.now(), |at| job.zone.show(at));
    facts.extend(borne.map(|sentence| ("Its server bears", sentence)));
    let hot: Vec<_> = standing.hot.iter().map(folder).collect();
    if !hot.is_empty() {
        facts.push(("Changed lately", hot.join(", ")));
    }
    Ok(facts)
}

fn files(policy: &Policy) -> String {
    match (policy.include.as_slice(), policy.exclude.as_slice()) {
        ([], []) => "all".to_owned(),
        ([], without) => format!("all but {}", without.join(", ")),
        (only, []) => format!("only {}", only.join(", ")),
        (only, without) => format!("only {}, but not {}", only.join(", "), without.join(", ")),
    }
}

/// `POST /jobs/{id}/run`.
pub(in crate::web) async fn run_now(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    match state.jobs.run_now(&visitor.grant()?.actor(), JobId(id)).await {
        Ok(run) => Ok(done(&format!("/runs/{run}"), "The run starts now.")),
        Err(error @ JobError::AlreadyActive { run, .. }) => Ok(refused(&format!("/runs/{run}"), &error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// `POST /jobs/{id}/pause`.
pub(in crate::web) async fn pause(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    state.jobs.pause(&visitor.grant()?.actor(), JobId(id)).await?;
    Ok(done(&format!("/jobs/{id}"), "The job rests until somebody resumes it."))
}

/// `POST /jobs/{id}/resume`.
pub(in crate::web) async fn resume(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    state.jobs.resume(&visitor.grant()?.actor(), JobId(id)).await?;
    Ok(done(&format!("/jobs/{id}"), "The job goes on."))
}

/// `POST /jobs/{id}/delete`.
pub(in crate::web) async fn delete(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    state.jobs.remove(&visitor.grant()?.actor(), JobId(id)).await?;
    Ok(done("/jobs", "The job is deleted. Its files stay where they are."))
}
