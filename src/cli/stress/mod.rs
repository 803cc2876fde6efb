//! `causeway stress`: how much does a server bear?

mod text;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::Signals;
use crate::config::{Environment, Loaded, MIRROR_PASSWORDS};
use crate::model::{RelPath, SystemClock};
use crate::stress::{self, Books, Load, Order, Report};
use crate::task::{self, Tasks};
use crate::tree::file;

use super::args::StressArgs;
use super::{Failure, Out, endpoint, output};

/// How long the rest may take to end.
const GOODBYE: Duration = Duration::from_secs(5);
/// How often the line is written anew on a terminal, and elsewhere.
const EVERY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];
/// Most bytes of one upload: it lies in memory.
const MOST_UPLOAD: u64 = 64 << 20;
/// Most transfers a second when nobody said how many.
const USUAL_RATE: f64 = 100.0;
/// The longest ramp when nobody said how long.
const USUAL_RAMP: u32 = 60;

/// Sends the load, and tells what came of it.
pub(super) async fn run(args: StressArgs, _loaded: &Loaded, environment: &Environment) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let order = order(&args, environment)?;
    let report = send(&args, &order).await?;
    let told = if out.json() { out.value(&report) } else { output::raw(text::render(&report).as_bytes()) };
    // What was seen is told first: hours of it must not be lost with a page that cannot be written.
    if let Some(path) = args.report.clone() {
        keep(path, &report).await?;
    }
    let verdict = if report.borne { Ok(()) } else { Err(Failure::Found) };
    Failure::judge(verdict, told)
}

fn order(args: &StressArgs, environment: &Environment) -> Result<Order, Failure> {
    let [variable, _] = MIRROR_PASSWORDS;
    // What people copy from a browser is WebDAV here.
    let url = match args.url.split_once("://") {
        Some(("https", rest)) => format!("davs://{rest}"),
        Some(("http", rest)) => format!("dav://{rest}"),
        _ => args.url.clone(),
    };
    let endpoint = endpoint::read(&url, "server", &args.via(), environment.secret(variable), environment.ssh_agent())?;
    let time = args.hours.map_or(args.duration, |hours| hours.saturating_mul(3_600));
    let ramp = args.ramp.unwrap_or((time / 4).min(USUAL_RAMP));
    if ramp > time {
        return Err(Failure::new("--ramp is longer than the whole run"));
    }
    if args.size > MOST_UPLOAD {
        return Err(Failure::new("--size is 64MiB at most"));
    }
    let mut load = Load {
        connections: args.connections,
        moving: args.moving,
        rate: 0.0,
        every: Duration::from_secs(args.every.into()),
        ramp: Duration::from_secs(ramp.into()),
        time: Duration::from_secs(time.into()),
        bytes: args.max_bytes,
    };
    load.rate = args.rate.unwrap_or(f64::from(load.movers()).clamp(1.0, USUAL_RATE));
    let folder = |text: &str| match text {
        "." => Ok(RelPath::root()),
        text => RelPath::new(text).map_err(|error| Failure::new(format!("--upload: {error}"))),
    };
    let upload = args.upload.as_deref().map(folder).transpose()?;
    Ok(Order {
        endpoint,
        load,
        upload: upload.map(|folder| (folder, usize::try_from(args.size).unwrap_or(usize::MAX))),
        largest: args.largest,
        pid: args.pid,
        own_host: args.i_own_this_host,
        clock: Arc::new(SystemClock),
    })
}

async fn send(args: &StressArgs, order: &Order) -> Result<Report, Failure> {
    let (tasks, stop) = (Tasks::new(), CancellationToken::new());
    Signals::watch(&tasks, stop.clone());
    let tell = |books: Arc<Books>| {
        if !args.format.json {
            tasks.spawn("stress: live line", show(books, order.load, tasks.token()));
        }
    };
    let report = stress::run(order, tell, &stop).await;
    if !tasks.drain(GOODBYE).await {
        tracing::debug!("something did not end in time");
    }
    Ok(report?)
}

/// One line that is written anew on a terminal; one line after the other elsewhere.
#[expect(clippy::print_stderr, reason = "progress goes beside the answer")]
async fn show(books: Arc<Books>, load: Load, stop: CancellationToken) {
    let terminal = std::io::stderr().is_terminal();
    let [quick, slow] = EVERY;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(if terminal { quick } else { slow }) => {}
        }
        let (open, answered, failed, bytes) = books.glance();
        let line = format!(
            "{:>6.0} of {} s: {open} of {} connections, {answered} answered, {failed} failed, {}, p95 {}",
            books.start().elapsed().as_secs_f64(),
            load.time.as_secs(),
            load.connections,
            output::bytes(bytes),
            text::span(books.last_p95())
        );
        if terminal {
            eprint!("\r{line}\x1b[K");
        } else {
            eprintln!("{line}");
        }
    }
    if terminal {
        eprintln!();
    }
}

/// Writes the page.
async fn keep(path: PathBuf, report: &Report) -> Result<(), Failure> {
    let page = stress::render_page(report).map_err(|error| Failure::new(error.to_string()))?;
    let shown = path.display().to_string();
    let written = task::blocking(move || file::write_public(&path, page.as_bytes())).await;
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("the report {shown} cannot be written: {error}"));
    written.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}
