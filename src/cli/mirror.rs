//! `causeway mirror`: one pair, in the foreground.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::{Signals, Store, operator};
use crate::config::{Environment, Loaded, MIRROR_PASSWORDS};
use crate::job::{Engine, Jobs, MirrorEngine, OnceEnd, OnceRequest, RunState, run_once};
use crate::manifest::Kept;
use crate::manners::Manners;
use crate::mirror::{Deletions, Existing, PlannedStep, Policy, Progress};
use crate::model::Endpoint;
use crate::reliability::Recorder;
use crate::remote::Context;
use crate::task::Tasks;

use super::args::{MirrorArgs, Via};
use super::progress::Shower;
use super::{Failure, Out, endpoint, host_key, output, state, summary};

/// How long connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// Steps of a plan that wait to be printed.
const PLAN_QUEUE: usize = 256;

/// Copies, and tells how it went.
pub(super) async fn run(args: MirrorArgs, loaded: &Loaded, environment: &Environment) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let (mut source, mut target) = endpoints(&args, environment)?;
    let folder = state::folder(args.state.as_deref(), loaded, environment)?;
    let store = Store::open_at(&folder).await?;
    // Where a person finds this journal again, from whatever folder.
    let elsewhere =
        (folder != loaded.config.data).then(|| std::path::absolute(&folder).unwrap_or_else(|_| folder.clone()));
    let tasks = Tasks::new();
    let recorder = Recorder::start(store.db.clone(), &tasks);
    let jobs = Jobs::new(store.db.clone(), Arc::clone(&store.vault), Arc::clone(&store.clock))
        .keeping(loaded.config.jobs.keep_runs)
        .with_manifests(&store.folder);
    host_key::know(&jobs, &mut source).await?;
    host_key::know(&jobs, &mut target).await?;
    let manners = Manners::new(store.db.clone(), &tasks);
    let context = Context { recorder, manners, clock: Arc::clone(&store.clock), tasks: tasks.child() };
    let engine: Arc<dyn Engine> = Arc::new(MirrorEngine::new(store.db.clone(), context));
    let stop = CancellationToken::new();
    let (plan, printer) = plan_printer(args.dry_run, out.json());
    let progress = Arc::new(plan.map_or_else(Progress::new, Progress::with_plan));
    let shower = Shower::start(&args, Arc::clone(&progress), &tasks);
    // Beside the run: the plan waits for its reader.
    let printed = printer.map(|printer| tasks.spawn("plan printer", printer.print()));
    Signals::watch(&tasks, stop.clone());
    let request = OnceRequest { source, target, policy: policy(&args), actor: operator() };
    let end = run_once(&jobs, &engine, request, Arc::clone(&progress), stop.clone()).await;
    shower.end().await;
    drop(progress);
    let printed = match printed {
        Some(printed) => printed.await.unwrap_or_else(|error| Err(Failure::new(format!("the plan was lost: {error}")))),
        None => Ok(()),
    };
    let told = match end {
        Ok(end) => {
            let manifest = manifest(&jobs, &end).await;
            let told = printed.and_then(|()| tell(&out, &end, elsewhere.as_deref(), manifest.as_ref()));
            Failure::judge(verdict(&args, &end), told)
        }
        Err(error) => Err(Failure::new(error.to_string())),
    };
    if !tasks.drain(GOODBYE).await {
        tracing::debug!("some connections did not say goodbye in time");
    }
    store.db.close().await;
    told
}

fn endpoints(args: &MirrorArgs, environment: &Environment) -> Result<(Endpoint, Endpoint), Failure> {
    let [source_variable, target_variable] = MIRROR_PASSWORDS;
    let agent = environment.ssh_agent();
    let (from, to) = (environment.secret(source_variable), environment.secret(target_variable));
    let mut source = endpoint::read(&args.source, "source", &args.via, from, agent.clone())?;
    let target = endpoint::read(&args.target, "target", &Via::from(&args.toward), to, agent)?;
    source.options.zone = args.zone.clone();
    Ok((endpoint::absolute(source)?, endpoint::absolute(target)?))
}

fn policy(args: &MirrorArgs) -> Policy {
    let delete = Deletions {
        enabled: args.delete,
        max_percent: args.delete_limit.unwrap_or(Deletions::default().max_percent),
        ..Deletions::default()
    };
    Policy {
        include: args.include.clone(),
        exclude: args.exclude.clone(),
        uploads: args.uploads.clone().into(),
        delete,
        proof: args.proof.proof,
        digest: args.proof.digest,
        manifest: !args.proof.no_manifest,
        existing: if args.adopt { Existing::Adopt } else { Existing::Prove },
        links: args.carry.links,
        names: args.carry.names,
        dry_run: args.dry_run,
        bandwidth: args.bandwidth,
        connections: args.via.connections,
        charset: args.via.charset.clone(),
        patience_seconds: args.patience.unwrap_or(Policy::default().patience_seconds),
        ..Policy::default()
    }
}

/// Prints the steps of a dry run, after the progress lines.
struct PlanPrinter {
    steps: mpsc::Receiver<PlannedStep>,
    json: bool,
}

fn plan_printer(dry_run: bool, json: bool) -> (Option<mpsc::Sender<PlannedStep>>, Option<PlanPrinter>) {
    if !dry_run {
        return (None, None);
    }
    let (sender, steps) = mpsc::channel(PLAN_QUEUE);
    (Some(sender), Some(PlanPrinter { steps, json }))
}

impl PlanPrinter {
    async fn print(mut self) -> Result<(), Failure> {
        while let Some(step) = self.steps.recv().await {
            print_step(&step, self.json)?;
        }
        Ok(())
    }
}

fn print_step(step: &PlannedStep, json: bool) -> Result<(), Failure> {
    if json {
        let line = serde_json::to_string(step).map_err(|error| Failure::new(error.to_string()))?;
        return output::raw(format!("{line}\n").as_bytes());
    }
    let size = step.size.map(|size| format!(" ({})", output::bytes(size))).unwrap_or_default();
    let why = step.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    output::raw(format!("{:<8} {}{size}{why}\n", step.action, step.path.display()).as_bytes())
}

/// The manifest that tells what the target holds now.
async fn manifest(jobs: &Jobs, end: &OnceEnd) -> Option<Kept> {
    let found = async { jobs.manifest_of(&jobs.run(end.run).await?).await };
    found.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the manifests cannot be listed");
        None
    })
}

fn tell(out: &Out, end: &OnceEnd, state: Option<&Path>, manifest: Option<&Kept>) -> Result<(), Failure> {
    if out.json() {
        let failure = end.failure.as_ref().map(ToString::to_string);
        // One line, also after the lines of a plan.
        let value = json!({
            "run": end.run, "state": end.state, "taken-up": end.taken_up,
            "summary": end.summary, "failure": failure,
            "manifest": manifest.map(|kept| kept.path.to_string_lossy()),
        });
        out.line(value.to_string())?;
    } else {
        if end.taken_up {
            out.line("went on where an earlier run had been interrupted")?;
        }
        if let Some(found) = &end.summary {
            summary::print(out, found, state)?;
        }
        match manifest {
            Some(kept) if kept.run == end.run => out.line(format!("manifest: {}", kept.path.display()))?,
            Some(kept) => {
                out.line(format!("manifest: {} (of run {}, nothing changed since)", kept.path.display(), kept.run))?;
            }
            None => {}
        }
    }
    Ok(())
}

/// What the exit code is to say, whether or not anybody reads the rest.
fn verdict(args: &MirrorArgs, end: &OnceEnd) -> Result<(), Failure> {
    if let Some(failure) = &end.failure {
        return Err(Failure::new(failure.to_string()));
    }
    let verified = end.summary.as_ref().is_some_and(|found| found.verified);
    match end.state {
        RunState::Done if args.dry_run || verified => Ok(()),
        RunState::Done => Err(Failure::NotVerified),
        RunState::Interrupted | RunState::Cancelled | RunState::Paused => {
            Err(Failure::new("stopped before the end: the same command goes on from here"))
        }
        _ => Err(Failure::new("not everything is there: see above; the same command tries what is missing again")),
    }
}
