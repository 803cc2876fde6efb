//! `causeway doctor`: why do transfers from this server break?

mod text;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::{Signals, Store};
use crate::config::{Environment, Loaded, MIRROR_PASSWORDS};
use crate::diagnose::{self, Limits, Order, Progress, Report};
use crate::model::{Clock, Endpoint, RelPath, SystemClock};
use crate::task::Tasks;

use super::args::DoctorArgs;
use super::{Failure, Out, endpoint, output, state};

/// How long the rest may take to end.
const GOODBYE: Duration = Duration::from_secs(5);
/// How often it is looked for something new to show.
const EVERY: Duration = Duration::from_millis(200);

/// Looks, tells, and keeps what helps.
pub(super) async fn run(args: DoctorArgs, loaded: &Loaded, environment: &Environment) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let [variable, _] = MIRROR_PASSWORDS;
    let secret = environment.secret(variable);
    let endpoint = endpoint::read(&args.url, "server", &args.via, secret, environment.ssh_agent())?;
    let limits = Limits {
        at_once: args.via.connections.unwrap_or(Limits::default().at_once),
        time: Duration::from_secs(args.max_time.into()),
        hold: Duration::from_secs(args.hold.into()),
        quick: args.quick,
        ..Limits::default()
    };
    // A diagnosis does without a folder of its own.
    let captures = state::folder(args.state.as_deref(), loaded, environment).ok().map(|state| state.join("captures"));
    let upload = args.upload.as_deref().map(folder).transpose()?;
    let order = Order { endpoint, limits, upload, captures, clock: Arc::new(SystemClock) };
    let report = look(&args, &order).await?;
    let kept =
        if args.look_only { Vec::new() } else { keep(&args, &order.endpoint, &report, loaded, environment).await? };
    let told =
        if out.json() { out.value(&report) } else { output::raw(text::render(&report, &kept, args.letter).as_bytes()) };
    let verdict = if report.findings.is_empty() { Ok(()) } else { Err(Failure::Found) };
    Failure::judge(verdict, told)
}

fn folder(text: &str) -> Result<RelPath, Failure> {
    match text {
        "." => Ok(RelPath::root()),
        text => RelPath::new(text).map_err(|error| Failure::new(format!("--upload: {error}"))),
    }
}

async fn look(args: &DoctorArgs, order: &Order) -> Result<Report, Failure> {
    let tasks = Tasks::new();
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let shown = args
        .progress
        .shows_lines(args.format.json)
        .then(|| tasks.spawn("doctor progress", lines(Arc::clone(&progress), tasks.token())));
    Signals::watch(&tasks, stop.clone());
    let mut report = diagnose::run(order, &progress, &stop).await;
    if let (true, Ok(found)) = (args.trial, &mut report) {
        found.trials = diagnose::trial::run(order, found, &stop).await;
    }
    if !tasks.drain(GOODBYE).await {
        tracing::debug!("something did not end in time");
    }
    if let Some(shown) = shown
        && shown.await.is_err()
    {
        tracing::debug!("the progress was lost");
    }
    Ok(report?)
}

/// Each look as it comes.
#[expect(clippy::print_stderr, reason = "progress goes beside the answer")]
async fn lines(progress: Arc<Progress>, stop: CancellationToken) {
    let (mut known, mut step) = (0, None);
    loop {
        let over = stop.is_cancelled();
        for seen in progress.since(known) {
            if step != Some(seen.step) {
                eprintln!("-- {}", seen.step.word());
                step = Some(seen.step);
            }
            eprintln!("{:>7.1} s  [{}] {seen}", seen.at, seen.id);
            known = seen.id;
        }
        if over {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Keeps what was shown to help. Its sentences.
async fn keep(
    args: &DoctorArgs,
    endpoint: &Endpoint,
    report: &Report,
    loaded: &Loaded,
    environment: &Environment,
) -> Result<Vec<String>, Failure> {
    if report.shown().next().is_none() {
        return Ok(Vec::new());
    }
    let folder = state::folder(args.state.as_deref(), loaded, environment)?;
    let store = Store::open_at(&folder).await?;
    let kept = diagnose::prescribe(&store.db, &endpoint.server(), report, SystemClock.now()).await;
    store.db.close().await;
    Ok(kept?.iter().map(ToString::to_string).collect())
}
