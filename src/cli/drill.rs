//! `causeway drill`: what becomes of a job when something breaks?

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::{Signals, Store, operator};
use crate::drill::{self, Exercise, Leg, Limits, Order, Place, Rehearsed, Report};
use crate::mirror::Progress;
use crate::task::{self, Tasks};
use crate::tree::file;

use super::args::DrillArgs;
use super::{Failure, Out, job, output};

/// How often a copy that is to be killed says how far it is.
const EVERY: Duration = Duration::from_millis(5);
/// The orders of such a copy, in bytes.
const MOST_ORDERS: u64 = 64 << 20;

/// Does the exercises one after the other, tells, and writes it down.
pub(super) async fn run(args: DrillArgs, store: &Store) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let jobs = job::jobs(store);
    let found = job::find(&jobs, &args.job).await?;
    let source = jobs.unsealed(found.source.id).await?;
    let program =
        std::env::current_exe().map_err(|error| Failure::new(format!("this program does not find itself: {error}")))?;
    let place = Place::make(&store.folder).await?;
    let mut order = Order::of(&found, source, store.db.clone(), place, program);
    if !args.only.is_empty() {
        order.exercises = args.only;
    }
    order.at = args.at;
    order.limits = Limits { files: usize::try_from(args.max_files).unwrap_or(usize::MAX), bytes: args.max_bytes };
    let (tasks, stop) = (Tasks::new(), CancellationToken::new());
    Signals::watch(&tasks, stop.clone());
    let quiet = args.format.json;
    let report = drill::run(&order, &move |exercise, done| tell(quiet, exercise, done), &stop).await;
    tasks.stop();
    let report = report?;
    drill::record(&store.db, (&operator(), found.id), store.clock.now(), &report).await?;
    let told = if out.json() { out.value(&report) } else { output::raw(text(&report).as_bytes()) };
    if let Some(path) = args.report {
        keep(path, &report).await?;
    }
    let verdict = if report.passed() { Ok(()) } else { Err(Failure::Said) };
    Failure::judge(verdict, told)
}

#[expect(clippy::print_stderr, reason = "progress goes beside the answer")]
fn tell(quiet: bool, exercise: Exercise, done: Option<&Rehearsed>) {
    match done {
        _ if quiet => {}
        None => eprintln!("-- {exercise}: {}", exercise.what()),
        Some(done) => eprintln!("   {}", done.verdict()),
    }
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{} files, {}, copied each time from {}\n\n{:<16} {:>10} {:>10} {:>10}  what came of it\n",
        report.files,
        report.size(),
        report.source,
        "exercise",
        "noticed",
        "went on",
        "whole copy"
    );
    for done in &report.exercises {
        let [noticed, resumed, whole] = done.times();
        let name = done.exercise.as_str();
        text.push_str(&format!("{name:<16} {noticed:>10} {resumed:>10} {whole:>10}  {}\n", done.verdict()));
    }
    text.push_str(&format!("\n{}\n", report.verdict()));
    text
}

/// Writes the page.
async fn keep(path: PathBuf, report: &Report) -> Result<(), Failure> {
    let page = drill::render_page(report).map_err(|error| Failure::new(error.to_string()))?;
    let shown = path.display().to_string();
    let written = task::blocking(move || file::write_public(&path, page.as_bytes())).await;
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("the report {shown} cannot be written: {error}"));
    written.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// A copy that waits to be killed: its orders come on standard input, and it says how many bytes it has copied.
pub(super) async fn copy() -> Result<(), Failure> {
    let read = task::blocking(|| {
        let mut text = String::new();
        std::io::stdin().take(MOST_ORDERS).read_to_string(&mut text).map(|_| text)
    });
    let text = read.await.map_err(|error| Failure::new(error.to_string()))?;
    let leg = Leg::of_text(&text.map_err(|error| Failure::new(error.to_string()))?)?;
    let (progress, tasks, alone) = (Arc::new(Progress::new()), Tasks::new(), CancellationToken::new());
    let (shown, over, nobody) = (Arc::clone(&progress), tasks.token(), alone.clone());
    tasks.spawn("drill: bytes", async move {
        while !over.is_cancelled() {
            // Nobody who reads any more: it is over, and the folder is swept by the next drill.
            if output::raw(format!("{}\n", shown.snapshot().bytes_moved).as_bytes()).is_err() {
                return nobody.cancel();
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    let end = leg.copy(progress, alone).await;
    tasks.stop();
    end.map(drop).map_err(Failure::from)
}
