//! `causeway job …`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::app::{Store, operator};
use crate::config::{Config, Environment, MIRROR_PASSWORDS};
use crate::job::{EndpointRef, Job, JobRow, Jobs, NewEndpoint, NewJob, Run, RunFilter, Schedule, Standing, Zone};
use crate::manners;
use crate::mirror::proof::store as proofs;
use crate::mirror::{Deletions, Policy};
use crate::model::{Endpoint, EndpointOptions, JobId, Protocol, Secret};

use super::args::{Format, JobAdd, JobNamed, JobVerb, Via};
use super::{Failure, Out, endpoint, runs};

pub(super) fn jobs(store: &Store) -> Jobs {
    Jobs::new(store.db.clone(), store.vault.clone(), store.clock.clone()).with_manifests(&store.folder)
}

/// Does what was asked of jobs.
pub(super) async fn run(
    verb: JobVerb,
    store: &Store,
    config: &Config,
    environment: &Environment,
) -> Result<(), Failure> {
    let jobs = jobs(store).keeping_out_of(&store.folder, &config.tree);
    match verb {
        JobVerb::List(format) => list(&jobs, format).await,
        JobVerb::Add(args) => add(*args, &jobs, config, environment).await,
        JobVerb::Show(args) => show(&jobs, store, &args).await,
        JobVerb::Pause(args) => {
            let job = find(&jobs, &args.job).await?;
            jobs.pause(&operator(), job.id).await?;
            Out::new(args.format.json).say(format!("'{}' rests until 'causeway job resume {}'", job.name, args.job))
        }
        JobVerb::Resume(args) => {
            let job = find(&jobs, &args.job).await?;
            jobs.resume(&operator(), job.id).await?;
            Out::new(args.format.json).say(format!("'{}' goes on", job.name))
        }
        JobVerb::Run(args) => {
            let job = find(&jobs, &args.job).await?;
            let run = jobs.run_now(&operator(), job.id).await?;
            let out = Out::new(args.format.json);
            match out.json() {
                true => out.value(&json!({ "run": run })),
                false => out.line(format!("run {run} starts: 'causeway run show {run}' tells how it goes")),
            }
        }
        JobVerb::Remove(args) => {
            let job = find(&jobs, &args.job).await?;
            jobs.remove(&operator(), job.id).await?;
            Out::new(args.format.json).say(format!("'{}' is gone; what it copied stays", job.name))
        }
    }
}

/// By number or by name.
pub(super) async fn find(jobs: &Jobs, named: &str) -> Result<Job, Failure> {
    match (jobs.by_name(named).await, named.parse()) {
        (Ok(job), _) => Ok(job),
        (Err(_), Ok(number)) => Ok(jobs.get(JobId(number)).await?),
        (Err(error), Err(_)) => Err(error.into()),
    }
}

async fn list(jobs: &Jobs, format: Format) -> Result<(), Failure> {
    let out = Out::new(format.json);
    let rows = jobs.list(false).await?;
    if out.json() {
        return out.value(&rows.iter().map(row_json).collect::<Vec<_>>());
    }
    if rows.is_empty() {
        return out.line("no jobs yet: make one with 'causeway job add NAME SOURCE TARGET'");
    }
    let table: Vec<Vec<String>> = rows.iter().map(row).collect();
    out.table(&["no", "name", "starts", "next", "now", "last", "from"], &table)
}

fn row(row: &JobRow) -> Vec<String> {
    let job = &row.job;
    let next = match (job.paused, job.next_start) {
        (true, _) => "paused".to_owned(),
        (false, Some(at)) => job.zone.show(at),
        (false, None) => "-".to_owned(),
    };
    let state = |run: &Option<Run>| run.as_ref().map_or_else(|| "-".to_owned(), |run| run.state.to_string());
    vec![
        job.id.to_string(),
        job.name.clone(),
        job.schedule.describe(&job.zone),
        next,
        state(&row.active),
        state(&row.last),
        job.source.endpoint.to_string(),
    ]
}

fn job_json(job: &Job) -> Value {
    json!({
        "job": job.id,
        "name": job.name,
        "source": job.source.endpoint.url(),
        "target": job.target.endpoint.url(),
        "schedule": job.schedule.to_text(),
        "zone": job.zone.name(),
        "paused": job.paused,
        "next-start": job.next_start,
        "policy": job.policy,
        "options": job.source.endpoint.options,
        "target-options": job.target.endpoint.options,
    })
}

/// What is set otherwise than it comes, one line each.
fn settings(job: &Job) -> Vec<String> {
    let policy = changed(json!(job.policy), json!(Policy::default()));
    let options = changed(json!(job.source.endpoint.options), json!(EndpointOptions::default()));
    // Both know the connections and the character set; the policy's word counts.
    let all: BTreeMap<String, Value> = options.chain(policy).collect();
    let target = changed(json!(job.target.endpoint.options), json!(EndpointOptions::default()));
    let target = target.map(|(name, value)| (format!("target {name}"), value));
    all.into_iter()
        .chain(target)
        .map(|(name, value)| format!("{name}: {}", value.as_str().map_or(value.to_string(), str::to_owned)))
        .collect()
}

fn changed(is: Value, usual: Value) -> impl Iterator<Item = (String, Value)> {
    let fields = if let Value::Object(fields) = is { fields } else { Map::new() };
    fields.into_iter().filter(move |(name, value)| usual.get(name) != Some(value))
}

fn row_json(row: &JobRow) -> Value {
    let mut value = job_json(&row.job);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("active".to_owned(), json!(row.active));
        fields.insert("last".to_owned(), json!(row.last));
    }
    value
}

async fn show(jobs: &Jobs, store: &Store, args: &JobNamed) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let job = find(jobs, &args.job).await?;
    let found = jobs.runs(&RunFilter { job: Some(job.id), limit: 10, ..RunFilter::default() }).await?;
    let proven = proofs::of_job(&store.db, job.id).await?;
    let standing = jobs.standing(job.id).await?;
    let manners = jobs.manners(&job).await?;
    if out.json() {
        let mut value = job_json(&job);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("proven".to_owned(), json!(proven));
            let Standing { looks, newest, hot } = &standing;
            let newest =
                newest.as_ref().map(|newest| json!({ "path": newest.path, "at": newest.at, "files": newest.files }));
            let hot: Vec<_> = hot
                .iter()
                .map(|folder| json!({ "path": folder.path, "changes": folder.changes, "at": folder.at }))
                .collect();
            fields.insert("in_step".to_owned(), json!({ "whole": looks.whole, "hot": looks.hot }));
            fields.insert("newest_missing".to_owned(), json!(newest));
            fields.insert("hot_folders".to_owned(), json!(hot));
            fields.insert("manners".to_owned(), json!(manners));
            fields.insert("runs".to_owned(), json!(found));
        }
        return out.value(&value);
    }
    out.line(format!("job {}: {}", job.id, job.name))?;
    out.line(format!("{} → {}", job.source.endpoint, job.target.endpoint))?;
    out.line(format!("starts {}{}", job.schedule.describe(&job.zone), if job.paused { ", paused" } else { "" }))?;
    for at in jobs.next_starts(&job, 3) {
        out.line(format!("  next {}", job.zone.show(at)))?;
    }
    out.line(format!("content is proven by {}", job.policy.proof))?;
    for setting in settings(&job) {
        out.line(format!("  {setting}"))?;
    }
    if let Some(sentence) = standing.sentence(jobs.now(), |at| job.zone.show(at)) {
        out.line(sentence)?;
    }
    if let Some(sentence) = manners::sentence(&manners, jobs.now(), |at| job.zone.show(at)) {
        out.line(format!("the source's server bears: {sentence}"))?;
    }
    for folder in &standing.hot {
        let changes = folder.changes;
        out.line(format!(
            "  hot: {} ({changes} changes, the last on {})",
            folder.path.display(),
            job.zone.show(folder.at)
        ))?;
    }
    if !proven.is_empty() {
        let parts: Vec<_> = proven.iter().map(|(how, count)| format!("{count} by {how}")).collect();
        out.line(format!("files here are proven: {}", parts.join(", ")))?;
    }
    runs::print(&out, &found)
}

async fn add(args: JobAdd, jobs: &Jobs, config: &Config, environment: &Environment) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let zone = Zone::parse(&args.zone)?;
    let schedule = match (&args.cron, &args.at, args.now) {
        (Some(text), _, _) => Schedule::parse(text, &zone, jobs.now())?,
        (None, Some(at), _) => Schedule::once(at, &zone, jobs.now())?,
        (None, None, true) => Schedule::Once { at: jobs.now() },
        (None, None, false) => Schedule::Manual,
    };
    let variable = environment.secret(MIRROR_PASSWORDS[0]);
    // Whoever serves has another agent, or none.
    let mut source = endpoint::absolute(endpoint::read(&args.source, "source", &args.via, variable, None)?)?;
    source.options.zone = args.server_zone.clone();
    let target = target(&args, config, environment.secret(MIRROR_PASSWORDS[1]))?;
    let new = NewJob {
        name: args.name,
        source: EndpointRef::Inline(NewEndpoint::unnamed(source)),
        target: EndpointRef::Inline(NewEndpoint::unnamed(target)),
        policy: Policy {
            include: args.include,
            exclude: args.exclude,
            uploads: args.uploads.into(),
            delete: Deletions { enabled: args.delete, ..Deletions::default() },
            links: args.carry.links,
            names: args.carry.names,
            proof: args.proof.proof,
            digest: args.proof.digest,
            manifest: !args.proof.no_manifest,
            bandwidth: args.bandwidth,
            connections: args.via.connections,
            charset: args.via.charset,
            hot_minutes: args.hot,
            ..Policy::default()
        },
        schedule,
        zone,
        paused: false,
    };
    let id = jobs.create(&operator(), &new).await?;
    if out.json() {
        return out.value(&json!({ "job": id }));
    }
    out.line(format!("job {id} '{}': starts {}", new.name, new.schedule.describe(&new.zone)))
}

/// A folder of the served tree, unless it is absolute or a URL.
fn target(args: &JobAdd, config: &Config, variable: Option<Secret>) -> Result<Endpoint, Failure> {
    let text = args.target.as_str();
    let endpoint = endpoint::read(text, "target", &Via::from(&args.toward), variable, None)?;
    if endpoint.protocol != Protocol::Local || text.starts_with('/') {
        return Ok(endpoint);
    }
    let path = std::path::absolute(config.tree.join(text))
        .map_err(|error| Failure::new(format!("the target cannot be made absolute: {error}")))?;
    Ok(Endpoint::local(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())))
}
