//! `causeway survey`: one tree is looked over, and told about in one report.

mod text;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::Signals;
use crate::config::{Environment, Loaded, MIRROR_PASSWORDS};
use crate::manners::Manners;
use crate::model::SystemClock;
use crate::reliability::Recorder;
use crate::remote::{self, Context};
use crate::survey::usage::{Reader, Usage};
use crate::survey::{self, Limits, Order, Progress, Report};
use crate::task::{self, Tasks};
use crate::tree::file;

use super::args::SurveyArgs;
use super::{Failure, Out, endpoint, output};

/// Connections when nobody chose a number.
const CONNECTIONS: u16 = 2;
/// How long connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// How often progress is told.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Bytes of a log that are read at once.
const PIECE: usize = 256 << 10;

/// Surveys, and tells what was found.
pub(super) async fn run(args: SurveyArgs, _loaded: &Loaded, environment: &Environment) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    // A log that cannot be read is said before a server is asked for an hour.
    let usage = logs(args.logs.clone()).await?;
    let mut report = look_over(&args, environment).await?;
    report.usage = usage;
    let told = if out.json() { out.value(&report) } else { output::raw(text::render(&report).as_bytes()) };
    let verdict = if report.whole { Ok(()) } else { Err(Failure::Partial) };
    Failure::judge(verdict, told)
}

async fn look_over(args: &SurveyArgs, environment: &Environment) -> Result<Report, Failure> {
    let [variable, _] = MIRROR_PASSWORDS;
    let secret = environment.secret(variable);
    let mut endpoint = endpoint::read(&args.url, "tree", &args.via, secret, environment.ssh_agent())?;
    endpoint.options.zone = args.zone.clone();
    let connections = args.via.connections.unwrap_or(CONNECTIONS);
    endpoint.options.connections = Some(connections);
    let time = Duration::from_secs(args.max_time.into());
    let limits = Limits { connections, time, entries: args.max_entries, ..Limits::default() };
    let tasks = Tasks::new();
    let clock = Arc::new(SystemClock);
    let (recorder, manners) = (Recorder::discard(), Manners::forgetful());
    let context = Context { recorder, manners, clock: clock.clone(), tasks: tasks.child() };
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let shown = args
        .progress
        .shows_lines(args.format.json)
        .then(|| tasks.spawn("survey progress", lines(Arc::clone(&progress), tasks.token())));
    Signals::watch(&tasks, stop.clone());
    let report = match remote::open(&endpoint, &context).await {
        Ok(remote) => {
            let order = Order { remote: Arc::clone(&remote), endpoint, clock, limits };
            let report = survey::run(&order, &progress, &stop).await;
            remote.close().await;
            Ok(report)
        }
        Err(fault) => Err(fault.into()),
    };
    if !tasks.drain(GOODBYE).await {
        tracing::debug!("some connections did not say goodbye in time");
    }
    if let Some(shown) = shown
        && shown.await.is_err()
    {
        tracing::debug!("the progress was lost");
    }
    report
}

#[expect(clippy::print_stderr, reason = "progress goes beside the answer")]
async fn lines(progress: Arc<Progress>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LINE_EVERY) => {}
        }
        let now = progress.snapshot();
        eprintln!(
            "{}: {} folders read, {} wait; {} files, {}; {}",
            now.stage.word(),
            now.folders,
            now.waiting,
            now.files,
            output::bytes(now.bytes),
            now.folder
        );
    }
}

/// Reads the server's logs; none when there are none.
async fn logs(paths: Vec<PathBuf>) -> Result<Option<Usage>, Failure> {
    if paths.is_empty() {
        return Ok(None);
    }
    let read = task::blocking(move || {
        let mut reader = Reader::default();
        for path in paths {
            let failed =
                |error: std::io::Error| Failure::new(format!("the log {} cannot be read: {error}", path.display()));
            let log = file::open(&path).map_err(failed)?;
            let (mut buffer, mut at) = (vec![0; PIECE], 0);
            loop {
                let count = log.read_at(&mut buffer, at).map_err(failed)?;
                if count == 0 {
                    break;
                }
                reader.push(buffer.get(..count).unwrap_or_default());
                at += count as u64;
            }
            reader.end();
        }
        Ok(reader.finish())
    });
    read.await.map_err(|lost| Failure::new(lost.to_string()))?.map(Some)
}
