//! Adding and editing a job.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::jobs;
use crate::job::{EndpointRef, Job, JobError, NewEndpoint, NewJob, Schedule, Zone};
use crate::mirror::{Deletions, Policy};
use crate::model::{Endpoint, JobId, Protocol, Secret};
use crate::tree::Tree;
use crate::web::form::{Posted, done};
use crate::web::frame::Frame;
use crate::web::problem::{Problem, sentence};
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};

/// The fields as a browser sends them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct JobForm {
    pub name: String,
    pub source: String,
    pub source_password: String,
    pub charset: String,
    pub pin: String,
    #[serde(deserialize_with = "super::ticked")]
    pub insecure: bool,
    pub target: String,
    pub schedule: String,
    pub cron: String,
    pub zone: String,
    pub at: String,
    pub at_zone: String,
    pub include: String,
    pub exclude: String,
    pub deletions: String,
    pub deletion_cap: String,
    pub connections: String,
    pub bandwidth: String,
    #[serde(deserialize_with = "super::ticked")]
    pub dry_run: bool,
}

impl Default for JobForm {
    fn default() -> Self {
        Self {
            name: String::new(),
            source: String::new(),
            source_password: String::new(),
            charset: String::new(),
            pin: String::new(),
            insecure: false,
            target: String::new(),
            schedule: "manual".to_owned(),
            cron: String::new(),
            zone: "UTC".to_owned(),
            at: String::new(),
            at_zone: "UTC".to_owned(),
            include: String::new(),
            exclude: String::new(),
            deletions: "keep".to_owned(),
            deletion_cap: String::new(),
            connections: "8".to_owned(),
            bandwidth: String::new(),
            dry_run: false,
        }
    }
}

/// One kind of schedule.
pub(in crate::web) struct Choice {
    pub value: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
}

pub(in crate::web) const SCHEDULES: &[Choice] = &[
    Choice { value: "manual", label: "By hand", hint: "Only when somebody says so." },
    Choice { value: "now", label: "At once", hint: "Once, as soon as it is saved." },
    Choice { value: "once", label: "Once, at a time", hint: "For a planned cut-over." },
    Choice { value: "cron", label: "Again and again", hint: "By a cron expression." },
];

#[derive(Template)]
#[template(path = "job_form.html")]
pub(in crate::web) struct JobFormPage {
    pub frame: Frame,
    pub action: String,
    pub back: String,
    pub editing: bool,
    pub target_hint: String,
    pub problems: Vec<String>,
    pub schedules: &'static [Choice],
    pub form: JobForm,
}

const TARGET_HINT: &str = "A folder of the served tree, such as partners/drop, or an absolute path of this machine.";

/// `GET /jobs/new`.
pub(in crate::web) async fn add(Asks(visitor): Asks) -> Result<Response, Problem> {
    render(&visitor, None, JobForm::default(), Vec::new())
}

/// `GET /jobs/{id}/edit`.
pub(in crate::web) async fn edit(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let job = state.jobs.get(JobId(id)).await?;
    render(&visitor, Some(job.id), of_job(&job, &state.tree), Vec::new())
}

/// `POST /jobs`.
pub(in crate::web) async fn create(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<JobForm>,
) -> Result<Response, Problem> {
    let new = match read(&form, None, &state) {
        Ok(new) => new,
        Err(problems) => return render(&visitor, None, form, problems),
    };
    match state.jobs.create(&visitor.grant()?.actor(), &new).await {
        Ok(id) => Ok(done(&format!("/jobs/{id}"), format!("The job “{}” is added.", new.name))),
        Err(JobError::Db(error)) => Err(error.into()),
        Err(error) => render(&visitor, None, form, vec![sentence(&error.to_string())]),
    }
}

/// `POST /jobs/{id}/edit`.
pub(in crate::web) async fn update(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(form): Posted<JobForm>,
) -> Result<Response, Problem> {
    let job = state.jobs.get(JobId(id)).await?;
    let new = match read(&form, Some(&job), &state) {
        Ok(new) => new,
        Err(problems) => return render(&visitor, Some(job.id), form, problems),
    };
    match state.jobs.update(&visitor.grant()?.actor(), job.id, &new).await {
        Ok(()) => Ok(done(&format!("/jobs/{id}"), "The job is saved. A run under way keeps its old settings.")),
        Err(JobError::Db(error)) => Err(error.into()),
        Err(error) => render(&visitor, Some(job.id), form, vec![sentence(&error.to_string())]),
    }
}

fn render(visitor: &Visitor, id: Option<JobId>, mut form: JobForm, problems: Vec<String>) -> Result<Response, Problem> {
    // A password that was typed goes in, never out again.
    form.source_password = String::new();
    let title = if id.is_some() { "Edit the job" } else { "New job" };
    super::html(&JobFormPage {
        frame: Frame::new(visitor, title),
        action: id.map_or_else(|| "/jobs".to_owned(), |id| format!("/jobs/{id}/edit")),
        back: id.map_or_else(|| "/jobs".to_owned(), |id| format!("/jobs/{id}")),
        editing: id.is_some(),
        target_hint: TARGET_HINT.to_owned(),
        problems,
        schedules: SCHEDULES,
        form,
    })
}

/// The settings in a form, or everything that is wrong with it at once.
fn read(form: &JobForm, old: Option<&Job>, state: &WebState) -> Result<NewJob, Vec<String>> {
    let mut problems = Vec::new();
    let mut keep = |problem: String| problems.push(sentence(&problem));
    let source = source(form, old).map_err(|e| keep(format!("copy from: {e}")));
    let target = target(&form.target, &state.tree).map_err(|e| keep(format!("copy to: {e}")));
    let timing = timing(form, old, state).map_err(&mut keep);
    let policy = policy(form, old).map_err(&mut keep);
    match (source, target, timing, policy) {
        (Ok(source), Ok(target), Ok((schedule, zone)), Ok(policy)) => Ok(NewJob {
            name: form.name.trim().to_owned(),
            source: EndpointRef::Inline(NewEndpoint::unnamed(source)),
            target: EndpointRef::Inline(NewEndpoint::unnamed(target)),
            policy,
            schedule,
            zone,
            paused: old.is_some_and(|job| job.paused),
        }),
        _ => Err(problems),
    }
}

fn source(form: &JobForm, old: Option<&Job>) -> Result<Endpoint, String> {
    let mut endpoint = Endpoint::parse(form.source.trim()).map_err(|e| e.to_string())?;
    if let Some(job) = old {
        endpoint.options = job.source.endpoint.options.clone();
    }
    if !form.source_password.is_empty() {
        endpoint.password = Some(Secret::new(form.source_password.as_str()));
    }
    endpoint.options.charset = text(&form.charset);
    endpoint.options.pin = text(&form.pin).map(|pin| pin.replace(':', "").to_ascii_lowercase());
    endpoint.options.insecure = form.insecure;
    if let Some(connections) = number(&form.connections, "connections")? {
        endpoint.options.connections = connections;
    }
    Ok(endpoint)
}

/// A relative path lies in the served tree.
fn target(place: &str, tree: &Tree) -> Result<Endpoint, String> {
    let place = place.trim();
    if place.contains("://") || place.starts_with('/') {
        return Endpoint::parse(place).map_err(|e| e.to_string());
    }
    if place == "the whole tree" {
        return local(tree, &crate::model::RelPath::root());
    }
    if place.is_empty() {
        return Err("name a folder".to_owned());
    }
    let inside = crate::model::RelPath::lenient(place).map_err(|e| e.to_string())?;
    local(tree, &inside)
}

#[expect(clippy::unnecessary_wraps, reason = "reads better where it is used")]
fn local(tree: &Tree, inside: &crate::model::RelPath) -> Result<Endpoint, String> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut root = jobs::absolute(tree).as_os_str().as_bytes().to_vec();
    if !inside.is_root() {
        root.push(b'/');
        root.extend_from_slice(inside.as_bytes());
    }
    Ok(Endpoint::local(&root))
}

fn timing(form: &JobForm, old: Option<&Job>, state: &WebState) -> Result<(Schedule, Zone), String> {
    let now = state.clock.now();
    let parse = |text: &str, zone: &str| {
        let zone = Zone::parse(zone).map_err(|e| e.to_string())?;
        let schedule = Schedule::parse(text, &zone, now).map_err(|e| e.to_string())?;
        Ok::<_, String>((schedule, zone))
    };
    match form.schedule.as_str() {
        "now" => parse("now", &form.zone),
        "once" => match old {
            // A start that lies in the past may stay as it is.
            Some(job) if of_schedule(job) == (form.at.clone(), form.at_zone.clone()) => {
                Ok((job.schedule.clone(), job.zone.clone()))
            }
            _ if form.at.is_empty() => Err("choose the time of the start".to_owned()),
            _ => parse(&format!("at {}", form.at), &form.at_zone),
        },
        "cron" if form.cron.trim().is_empty() => Err("write a cron expression such as 30 2 * * *".to_owned()),
        "cron" => parse(&form.cron, &form.zone),
        _ => parse("manual", &form.zone),
    }
}

fn policy(form: &JobForm, old: Option<&Job>) -> Result<Policy, String> {
    let base = old.map(|job| job.policy.clone()).unwrap_or_default();
    let max_files = number(&form.deletion_cap, "the number of files")?.unwrap_or(base.delete.max_files);
    Ok(Policy {
        include: lines(&form.include),
        exclude: lines(&form.exclude),
        delete: Deletions { enabled: form.deletions == "trash", max_files, ..base.delete.clone() },
        dry_run: form.dry_run,
        bandwidth: number::<u64>(&form.bandwidth, "the bandwidth")?
            .filter(|rate| *rate > 0)
            .map(|rate| rate.saturating_mul(1000)),
        connections: number(&form.connections, "connections")?,
        charset: text(&form.charset),
        ..base
    })
}

fn text(field: &str) -> Option<String> {
    Some(field.trim()).filter(|t| !t.is_empty()).map(str::to_owned)
}

fn number<T: std::str::FromStr>(field: &str, what: &str) -> Result<Option<T>, String> {
    let field = field.trim();
    if field.is_empty() {
        return Ok(None);
    }
    field.parse().map(Some).map_err(|_| format!("{what}: “{field}” is not a number that fits"))
}

fn lines(field: &str) -> Vec<String> {
    field.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A one-time start as the form shows it: local time and zone.
fn of_schedule(job: &Job) -> (String, String) {
    let at = match &job.schedule {
        Schedule::Once { at } => at.to_zoned(job.zone.time_zone().clone()).strftime("%Y-%m-%dT%H:%M").to_string(),
        Schedule::Manual | Schedule::Cron { .. } => String::new(),
    };
    (at, job.zone.name().to_owned())
}

fn of_job(job: &Job, tree: &Tree) -> JobForm {
    let (policy, options) = (&job.policy, &job.source.endpoint.options);
    let (at, at_zone) = of_schedule(job);
    let (schedule, cron) = match &job.schedule {
        Schedule::Manual => ("manual", String::new()),
        Schedule::Once { .. } => ("once", String::new()),
        Schedule::Cron { expr } => ("cron", expr.as_str().to_owned()),
    };
    let target = match job.target.endpoint.protocol {
        Protocol::Local => jobs::place(&job.target.endpoint, tree),
        _ => job.target.endpoint.url(),
    };
    JobForm {
        name: job.name.clone(),
        source: job.source.endpoint.url(),
        source_password: String::new(),
        charset: policy.charset.clone().or_else(|| options.charset.clone()).unwrap_or_default(),
        pin: options.pin.clone().unwrap_or_default(),
        insecure: options.insecure,
        target,
        schedule: schedule.to_owned(),
        cron,
        zone: job.zone.name().to_owned(),
        at,
        at_zone,
        include: policy.include.join("\n"),
        exclude: policy.exclude.join("\n"),
        deletions: if policy.delete.enabled { "trash" } else { "keep" }.to_owned(),
        deletion_cap: policy.delete.max_files.to_string(),
        connections: policy.connections.unwrap_or(options.connections).to_string(),
        bandwidth: policy.bandwidth.map(|rate| (rate / 1000).to_string()).unwrap_or_default(),
        dry_run: policy.dry_run,
    }
}
