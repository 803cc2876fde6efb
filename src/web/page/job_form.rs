//! Adding and editing a job.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::jobs;
use crate::job::{EndpointRef, Job, JobError, NewEndpoint, NewJob, Schedule, Zone};
use crate::mirror::{Deletions, Links, Naming, Policy, Proving, ProvingError, Uploads};
use crate::model::{DeadlinesError, DigestAlgorithm, Endpoint, JobId, Protocol, RelPath, Secret};
use crate::remote::{can_read, can_write, jump_host};
use crate::tree::Tree;
use crate::web::form::{Posted, done};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};
use crate::web::widget::Problems;

/// The fields as a browser sends them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct JobForm {
    pub name: String,
    pub source: String,
    pub source_password: String,
    pub charset: String,
    pub pin: String,
    pub key_file: String,
    pub jump: String,
    pub jump_pin: String,
    pub deadlines: String,
    pub active: String,
    #[serde(deserialize_with = "super::ticked")]
    pub insecure: bool,
    pub target: String,
    pub target_password: String,
    pub target_pin: String,
    pub target_key_file: String,
    pub target_jump: String,
    pub target_jump_pin: String,
    #[serde(deserialize_with = "super::ticked")]
    pub target_insecure: bool,
    pub schedule: String,
    pub cron: String,
    pub zone: String,
    pub at: String,
    pub at_zone: String,
    pub hot: String,
    pub include: String,
    pub exclude: String,
    pub uploading: String,
    pub uploading_rest: String,
    pub links: String,
    pub names: String,
    pub deletions: String,
    pub deletion_cap: String,
    pub proof: String,
    pub sample: String,
    pub digest: String,
    #[serde(deserialize_with = "super::ticked")]
    pub no_manifest: bool,
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
            key_file: String::new(),
            jump: String::new(),
            jump_pin: String::new(),
            deadlines: String::new(),
            active: String::new(),
            insecure: false,
            target: String::new(),
            target_password: String::new(),
            target_pin: String::new(),
            target_key_file: String::new(),
            target_jump: String::new(),
            target_jump_pin: String::new(),
            target_insecure: false,
            schedule: "manual".to_owned(),
            cron: String::new(),
            zone: "UTC".to_owned(),
            at: String::new(),
            at_zone: "UTC".to_owned(),
            hot: String::new(),
            include: String::new(),
            exclude: String::new(),
            uploading: Uploads::default().names.join("\n"),
            uploading_rest: Uploads::default().rest_seconds.to_string(),
            links: Links::default().to_string(),
            names: Naming::default().to_string(),
            deletions: "keep".to_owned(),
            deletion_cap: Deletions::default().max_files.to_string(),
            proof: Proving::default().to_string(),
            sample: "5".to_owned(),
            digest: DigestAlgorithm::default().to_string(),
            no_manifest: false,
            connections: String::new(),
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

pub(in crate::web) const LINKS: &[Choice] = &[
    Choice { value: "skip", label: "Left out", hint: "And counted." },
    Choice {
        value: "follow",
        label: "Followed",
        hint: "What they lead to is mirrored in their place, inside the source only.",
    },
    Choice { value: "recreate", label: "Made anew", hint: "The target gets links with the same bytes." },
];

pub(in crate::web) const NAMES: &[Choice] = &[
    Choice { value: "keep", label: "As they are", hint: "What the target cannot hold is reported." },
    Choice {
        value: "portable",
        label: "As Windows can hold them",
        hint: "Escaped so that they can be told back, and listed. Names that differ only in case get a suffix where need be.",
    },
];

pub(in crate::web) const PROOFS: &[Choice] = &[
    Choice {
        value: "stream-hash",
        label: "The digest of what arrives",
        hint: "Kept with every file. Unchanged size and time are believed.",
    },
    Choice {
        value: "server-hash",
        label: "The server's own hash",
        hint: "Compared where the server tells one, of unchanged files too.",
    },
    Choice {
        value: "second-read",
        label: "Read twice",
        hint: "Every file in every run, unchanged ones too: the surest, and the slowest.",
    },
    Choice { value: "sampling", label: "Read a sample twice", hint: "Always the same share of the files." },
    Choice { value: "size", label: "Size only", hint: "Nothing is called verified." },
];

pub(in crate::web) const DIGESTS: &[Choice] = &[
    Choice { value: "sha256", label: "SHA-256", hint: "What every tool and auditor can check." },
    Choice {
        value: "blake3",
        label: "BLAKE3",
        hint: "Costs less where the processor has no instructions for SHA-256.",
    },
];

#[derive(Template)]
#[template(path = "job_form.html")]
pub(in crate::web) struct JobFormPage {
    pub frame: Frame,
    pub heading: &'static str,
    pub action: String,
    pub back: String,
    pub editing: bool,
    pub target_hint: String,
    pub problems: Problems,
    /// A password was typed, and is not sent back.
    pub forgot: bool,
    pub schedules: &'static [Choice],
    pub links: &'static [Choice],
    pub names: &'static [Choice],
    pub proofs: &'static [Choice],
    pub digests: &'static [Choice],
    pub form: JobForm,
}

const TARGET_HINT: &str = "A folder of the served tree, such as partners/drop, an absolute path of this machine, sftp://user@host/folder, or davs://user@host/folder.";

/// `GET /jobs/new`.
pub(in crate::web) async fn add(Asks(visitor): Asks) -> Result<Response, Problem> {
    render(&visitor, None, JobForm::default(), Problems::default())
}

/// `GET /jobs/{id}/edit`.
pub(in crate::web) async fn edit(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let job = state.jobs.get(JobId(id)).await?;
    render(&visitor, Some(job.id), of_job(&job, &state.tree), Problems::default())
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
        Err(error) => render(&visitor, None, form, of_error(&error)),
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
        Err(error) => render(&visitor, Some(job.id), form, of_error(&error)),
    }
}

fn render(visitor: &Visitor, id: Option<JobId>, mut form: JobForm, problems: Problems) -> Result<Response, Problem> {
    // A password that was typed goes in, never out again.
    let source = without_password(&form.source);
    let target = without_password(&form.target);
    let typed = !form.source_password.is_empty() || !form.target_password.is_empty();
    let forgot = typed || source != form.source || target != form.target;
    (form.source, form.target) = (source, target);
    (form.source_password, form.target_password) = (String::new(), String::new());
    let title = if id.is_some() { "Edit the job" } else { "New job" };
    let told = if problems.is_empty() { title.to_owned() } else { format!("Error: {title}") };
    super::html(&JobFormPage {
        frame: Frame::new(visitor, told),
        heading: title,
        forgot,
        action: id.map_or_else(|| "/jobs".to_owned(), |id| format!("/jobs/{id}/edit")),
        back: id.map_or_else(|| "/jobs".to_owned(), |id| format!("/jobs/{id}")),
        editing: id.is_some(),
        target_hint: TARGET_HINT.to_owned(),
        problems,
        schedules: SCHEDULES,
        links: LINKS,
        names: NAMES,
        proofs: PROOFS,
        digests: DIGESTS,
        form,
    })
}

/// An address as it may be shown again. What cannot be told apart from a password is left out whole.
fn without_password(typed: &str) -> String {
    let text = typed.trim();
    if let Ok(endpoint) = Endpoint::parse(text)
        && endpoint.password.is_some()
    {
        return endpoint.url();
    }
    // A password with '/' or '#' in it ends up in the port or the path, and a wrong scheme hides all of it.
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let userinfo = rest.rsplit_once('@').map(|(before, _)| before);
    let is_path = text.starts_with('/') || text.starts_with("file://");
    if !is_path && userinfo.is_some_and(|part| part.contains(':')) { String::new() } else { typed.to_owned() }
}

/// The field that an error of the store of jobs is about.
fn of_error(error: &JobError) -> Problems {
    let field = match error {
        JobError::NoName(_) | JobError::LongName { .. } | JobError::JobNameTaken(_) => "name",
        JobError::SamePlace(_) | JobError::TargetInside { .. } | JobError::SourceInside { .. } => "target",
        JobError::Endpoint(_) => "source",
        JobError::Schedule(_) => "cron",
        _ => "",
    };
    Problems::one(field, &error.to_string())
}

/// The field, and what is wrong with it.
type Wrong = (&'static str, String);

/// The settings in a form, or everything that is wrong with it at once.
fn read(form: &JobForm, old: Option<&Job>, state: &WebState) -> Result<NewJob, Problems> {
    let mut problems = Problems::default();
    let mut keep = |(field, why): Wrong| problems.add(field, &why);
    if form.name.trim().is_empty() {
        keep(("name", "the job needs a name".to_owned()));
    }
    let source = source(form, old).map_err(&mut keep);
    let target = target(form, old, &state.tree).map_err(&mut keep);
    let timing = timing(form, old, state).map_err(&mut keep);
    let policy = policy(form, old).map_err(&mut keep);
    match (source, target, timing, policy) {
        (Ok(source), Ok(target), Ok((schedule, zone)), Ok(policy)) if problems.is_empty() => Ok(NewJob {
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

fn source(form: &JobForm, old: Option<&Job>) -> Result<Endpoint, Wrong> {
    let wrong = |why: String| ("source", format!("copy from: {why}"));
    let mut endpoint = Endpoint::parse(form.source.trim()).map_err(|e| wrong(e.to_string()))?;
    if !can_read(endpoint.protocol) {
        let protocol = endpoint.protocol;
        return Err(wrong(format!("{protocol}:// cannot be read: use ftp, ftp+tls, ftps, sftp, davs, dav or a path")));
    }
    check_user(&endpoint).map_err(wrong)?;
    if let Some(job) = old {
        endpoint.options = job.source.endpoint.options.clone();
    }
    if !form.source_password.is_empty() {
        endpoint.password = Some(Secret::new(form.source_password.as_str()));
    }
    endpoint.options.charset = text(&form.charset);
    endpoint.options.pin = pin(&form.pin);
    endpoint.options.key_file = text(&form.key_file);
    (endpoint.options.jump, endpoint.options.jump_pin) = (text(&form.jump), pin(&form.jump_pin));
    jump_host(&endpoint).map_err(|fault| ("jump", fault.message))?;
    endpoint.options.insecure = form.insecure;
    endpoint.options.active = match form.active.as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    endpoint.options.deadlines =
        form.deadlines.parse().map_err(|e: DeadlinesError| ("deadlines", format!("deadlines: {e}")))?;
    if let Some(connections) = number(&form.connections, "connections", "connections")? {
        endpoint.options.connections = Some(connections);
    }
    Ok(endpoint)
}

/// Nobody comes into an SFTP server without a name.
fn check_user(endpoint: &Endpoint) -> Result<(), String> {
    let nameless = endpoint.protocol == Protocol::Sftp && endpoint.user.is_empty();
    if nameless { Err("SFTP needs a user: write sftp://user@host/folder".to_owned()) } else { Ok(()) }
}

/// A fingerprint as `ssh-keygen` writes it is kept as it is; the other form is hexadecimal.
fn pin(typed: &str) -> Option<String> {
    text(typed).map(|pin| if pin.starts_with("SHA256:") { pin } else { pin.replace(':', "").to_ascii_lowercase() })
}

fn target(form: &JobForm, old: Option<&Job>, tree: &Tree) -> Result<Endpoint, Wrong> {
    let mut endpoint = place(&form.target, tree).map_err(|why| ("target", format!("copy to: {why}")))?;
    if endpoint.protocol == Protocol::Local {
        return Ok(endpoint);
    }
    check_user(&endpoint).map_err(|why| ("target", format!("copy to: {why}")))?;
    if let Some(job) = old.filter(|job| job.target.endpoint.protocol == endpoint.protocol) {
        endpoint.options = job.target.endpoint.options.clone();
    }
    if !form.target_password.is_empty() {
        endpoint.password = Some(Secret::new(form.target_password.as_str()));
    }
    endpoint.options.pin = pin(&form.target_pin);
    endpoint.options.key_file = text(&form.target_key_file);
    (endpoint.options.jump, endpoint.options.jump_pin) = (text(&form.target_jump), pin(&form.target_jump_pin));
    jump_host(&endpoint).map_err(|fault| ("target_jump", fault.message))?;
    endpoint.options.insecure = form.target_insecure;
    Ok(endpoint)
}

/// A relative path lies in the served tree.
fn place(place: &str, tree: &Tree) -> Result<Endpoint, String> {
    let place = place.trim();
    if place.contains("://") || place.starts_with('/') {
        let endpoint = Endpoint::parse(place).map_err(|e| e.to_string())?;
        let protocol = endpoint.protocol;
        return if can_write(protocol) {
            Ok(endpoint)
        } else {
            Err(format!("{protocol}:// cannot be written: use a folder of this machine, sftp, davs or dav"))
        };
    }
    if place == "the whole tree" {
        return Ok(local(tree, &RelPath::root()));
    }
    if place.is_empty() {
        return Err("name a folder".to_owned());
    }
    Ok(local(tree, &super::folder(place)?))
}

fn local(tree: &Tree, inside: &RelPath) -> Endpoint {
    use std::os::unix::ffi::OsStrExt as _;
    let mut root = jobs::absolute(tree).as_os_str().as_bytes().to_vec();
    if !inside.is_root() {
        root.push(b'/');
        root.extend_from_slice(inside.as_bytes());
    }
    Endpoint::local(&root)
}

fn timing(form: &JobForm, old: Option<&Job>, state: &WebState) -> Result<(Schedule, Zone), Wrong> {
    let now = state.clock.now();
    let parse = |field, text: &str, at: &'static str, zone: &str| {
        let zone = Zone::parse(zone).map_err(|e| (at, e.to_string()))?;
        let schedule = Schedule::parse(text, &zone, now).map_err(|e| (field, e.to_string()))?;
        Ok::<_, Wrong>((schedule, zone))
    };
    match form.schedule.as_str() {
        "now" => parse("", "now", "zone", &form.zone),
        "once" => match old {
            // A start that lies in the past may stay as it is.
            Some(job) if of_schedule(job) == (form.at.clone(), form.at_zone.clone()) => {
                Ok((job.schedule.clone(), job.zone.clone()))
            }
            _ if form.at.is_empty() => Err(("at", "choose the time of the start".to_owned())),
            _ => parse("at", &format!("at {}", form.at), "at_zone", &form.at_zone),
        },
        "cron" if form.cron.trim().is_empty() => Err(("cron", "write a cron expression such as 30 2 * * *".to_owned())),
        "cron" => parse("cron", &form.cron, "zone", &form.zone),
        _ => parse("", "manual", "zone", &form.zone),
    }
}

fn policy(form: &JobForm, old: Option<&Job>) -> Result<Policy, Wrong> {
    let base = old.map(|job| job.policy.clone()).unwrap_or_default();
    let cap = number(&form.deletion_cap, "deletion_cap", "the number of files")?;
    let max_files = cap.unwrap_or(base.delete.max_files);
    Ok(Policy {
        include: lines(&form.include),
        exclude: lines(&form.exclude),
        uploads: Uploads {
            names: lines(&form.uploading),
            rest_seconds: number(&form.uploading_rest, "uploading_rest", "the seconds")?.unwrap_or(0),
        },
        links: form.links.parse().map_err(|error| ("links", format!("links: {error}")))?,
        names: form.names.parse().map_err(|error| ("names", format!("names: {error}")))?,
        proof: proof(form)?,
        digest: form.digest.parse().map_err(|error| ("digest", format!("digest: {error}")))?,
        manifest: !form.no_manifest,
        delete: Deletions { enabled: form.deletions == "trash", max_files, ..base.delete.clone() },
        dry_run: form.dry_run,
        bandwidth: number::<u64>(&form.bandwidth, "bandwidth", "the bandwidth")?
            .filter(|rate| *rate > 0)
            .map(|rate| rate.saturating_mul(1000)),
        connections: number(&form.connections, "connections", "connections")?,
        charset: text(&form.charset),
        hot_minutes: number::<u32>(&form.hot, "hot", "the minutes")?.filter(|minutes| *minutes > 0),
        ..base
    })
}

fn proof(form: &JobForm) -> Result<Proving, Wrong> {
    let (text, field) = match form.proof.as_str() {
        "sampling" => (format!("sampling={}", form.sample.trim()), "sample"),
        other => (other.to_owned(), "proof"),
    };
    text.parse().map_err(|error: ProvingError| (field, format!("proof: {error}")))
}

/// The way of proving, and the share of a sample, as the form shows them.
fn of_proof(proof: Proving) -> (String, String) {
    match proof {
        Proving::Sampling(percent) => ("sampling".to_owned(), percent.to_string()),
        other => (other.to_string(), JobForm::default().sample),
    }
}

fn text(field: &str) -> Option<String> {
    Some(field.trim()).filter(|t| !t.is_empty()).map(str::to_owned)
}

fn number<T: std::str::FromStr>(typed: &str, field: &'static str, what: &str) -> Result<Option<T>, Wrong> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    typed.parse().map(Some).map_err(|_| (field, format!("{what}: “{typed}” is not a number that fits")))
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
    let toward = &job.target.endpoint.options;
    let (at, at_zone) = of_schedule(job);
    let (proof, sample) = of_proof(policy.proof);
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
        key_file: options.key_file.clone().unwrap_or_default(),
        jump: options.jump.clone().unwrap_or_default(),
        jump_pin: options.jump_pin.clone().unwrap_or_default(),
        deadlines: options.deadlines.to_string(),
        active: options.active.map_or("", |allowed| if allowed { "on" } else { "off" }).to_owned(),
        insecure: options.insecure,
        target,
        target_password: String::new(),
        target_pin: toward.pin.clone().unwrap_or_default(),
        target_key_file: toward.key_file.clone().unwrap_or_default(),
        target_jump: toward.jump.clone().unwrap_or_default(),
        target_jump_pin: toward.jump_pin.clone().unwrap_or_default(),
        target_insecure: toward.insecure,
        links: policy.links.to_string(),
        names: policy.names.to_string(),
        schedule: schedule.to_owned(),
        cron,
        zone: job.zone.name().to_owned(),
        at,
        at_zone,
        include: policy.include.join("\n"),
        exclude: policy.exclude.join("\n"),
        uploading: policy.uploads.names.join("\n"),
        uploading_rest: policy.uploads.rest_seconds.to_string(),
        deletions: if policy.delete.enabled { "trash" } else { "keep" }.to_owned(),
        deletion_cap: policy.delete.max_files.to_string(),
        proof,
        sample,
        digest: policy.digest.to_string(),
        no_manifest: !policy.manifest,
        hot: policy.hot_minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
        connections: policy.connections.or(options.connections).map(|most| most.to_string()).unwrap_or_default(),
        bandwidth: policy.bandwidth.map(|rate| (rate / 1000).to_string()).unwrap_or_default(),
        dry_run: policy.dry_run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_password_is_never_shown_again() {
        for typed in [
            "ftp://anna:sekret@host/in",
            "ftp://anna:sek/ret@host/in",
            "ftp://anna:12/sekret@host/in",
            "ftp://anna:sekret#@host/",
            "http://anna:sekret@host/",
            "anna:sekret@host",
            "ftp://anna:sekret@ho st/",
        ] {
            let shown = without_password(typed);
            assert!(!shown.contains("sek") && !shown.contains("12"), "{typed} → {shown}");
        }
        assert_eq!(without_password("ftp://anna:sekret@host/in"), "ftp://anna@host/in");
        for harmless in ["ftp://anna@host:2121/in", "/srv/a:b@c", "ftp://host/a@b", "partners/drop"] {
            assert_eq!(without_password(harmless), harmless);
        }
    }
}
