//! `causeway run …`.

use serde_json::json;

use crate::app::{Store, operator};
use crate::job::{Jobs, Run, RunFilter, RunPage};
use crate::mirror::store::{self as journal, ItemRow};
use crate::model::{RelPath, RunId};

use super::args::{RunList, RunShow, RunVerb};
use super::job::{find, jobs};
use super::{Failure, Out, output, summary};

/// Items read from the store at once.
const PAGE: u32 = 500;

/// Does what was asked of runs.
pub(super) async fn run(verb: RunVerb, store: &Store) -> Result<(), Failure> {
    let jobs = jobs(store);
    match verb {
        RunVerb::List(args) => list(&jobs, &args).await,
        RunVerb::Show(args) => show(&jobs, store, &args).await,
        RunVerb::Cancel(args) => {
            jobs.cancel(&operator(), RunId(args.run)).await?;
            Out::new(args.format.json).say(format!("run {} ends; what it published stays", args.run))
        }
    }
}

async fn show(jobs: &Jobs, store: &Store, args: &RunShow) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let page = jobs.run_page(RunId(args.run)).await?;
    let run = &page.run;
    if args.mapped {
        return mapped(&out, store, run).await;
    }
    match (args.missing, out.json()) {
        (false, true) => out.value(run),
        (true, true) => {
            missing(&out, store, run).await?;
            let text = serde_json::to_string(run).map_err(|error| Failure::new(error.to_string()))?;
            out.line(text)
        }
        (false, false) => {
            head(&out, &page)?;
            match (&run.summary, &run.counters) {
                (Some(found), _) => summary::print(&out, found, args.state.as_deref()),
                (None, Some(now)) => out.line(format!(
                    "{} of {} files, {} of {}",
                    now.files_done,
                    now.files_planned,
                    output::bytes(now.bytes_done),
                    output::bytes(now.bytes_planned)
                )),
                (None, None) => Ok(()),
            }
        }
        (true, false) => {
            head(&out, &page)?;
            if let Some(found) = &run.summary {
                summary::head(&out, found)?;
            }
            let told = missing(&out, store, run).await?;
            let Some(found) = &run.summary else { return Ok(()) };
            if told < found.counts.files_failed.saturating_add(found.counts.files_waiting) {
                out.line("its list is not kept any more: see 'jobs.keep-runs'; these were the first")?;
                summary::examples(&out, found, found.missing.len())?;
            }
            summary::folders(&out, found, found.unsure.len())?;
            summary::notes(&out, found)
        }
    }
}

fn head(out: &Out, page: &RunPage) -> Result<(), Failure> {
    let run = &page.run;
    out.line(format!("run {} of '{}': {}", run.id, page.job.name, run.state))?;
    out.line(format!("{} → {}", page.job.source.endpoint, page.job.target.endpoint))?;
    for (what, at) in [("asked for", Some(run.queued)), ("started", run.started), ("ended", run.ended)] {
        if let Some(at) = at {
            out.line(format!("{what} {}", page.job.zone.show(at)))?;
        }
    }
    run.reason.as_ref().map_or(Ok(()), |reason| out.line(reason))
}

/// Every path that is not there as it should be, page by page from the journal. Returns how many.
async fn missing(out: &Out, store: &Store, run: &Run) -> Result<u64, Failure> {
    let (mut last, mut told) = (None, 0_u64);
    loop {
        let page = journal::missing(&store.db, run.id, last, PAGE).await?;
        let Some(end) = page.last() else { return Ok(told) };
        last = Some(end.id);
        for item in &page {
            told = told.saturating_add(1);
            out.line(if out.json() { as_json(item) } else { as_text(item, run) })?;
        }
    }
}

/// Every path that the job's target holds under another name, page by page.
async fn mapped(out: &Out, store: &Store, run: &Run) -> Result<(), Failure> {
    let mut last = RelPath::root();
    loop {
        let page = crate::mirror::mapped(&store.db, run.job, &last, PAGE).await?;
        let Some((end, _)) = page.last() else { return Ok(()) };
        last = end.clone();
        for (source, target) in &page {
            out.line(if out.json() {
                json!({ "source": source, "target": target }).to_string()
            } else {
                format!("{} → {}", source.display(), target.display())
            })?;
        }
    }
}

fn as_json(item: &ItemRow) -> String {
    json!({ "path": item.path, "state": item.state, "size": item.size, "attempts": item.attempts, "fault": item.fault })
        .to_string()
}

fn as_text(item: &ItemRow, run: &Run) -> String {
    let why = match &item.fault {
        Some(fault) => fault.to_string(),
        None if run.state.is_over() => "the run ended before it".to_owned(),
        None => "not yet".to_owned(),
    };
    format!("missing: {}: {why}", item.path.display())
}

async fn list(jobs: &Jobs, args: &RunList) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let job = match &args.job {
        Some(named) => Some(find(jobs, named).await?.id),
        None => None,
    };
    let runs = jobs.runs(&RunFilter { job, limit: args.last, ..RunFilter::default() }).await?;
    if out.json() { out.value(&runs) } else { print(&out, &runs) }
}

/// The runs as a table.
pub(super) fn print(out: &Out, runs: &[Run]) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let counts = run.summary.as_ref().map(|found| &found.counts);
            vec![
                run.id.to_string(),
                run.job.to_string(),
                run.state.to_string(),
                run.started.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}")),
                counts.map_or_else(|| "-".to_owned(), |c| c.files_published.to_string()),
                counts.map_or_else(|| "-".to_owned(), |c| c.files_failed.to_string()),
                run.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return out.line("no runs yet");
    }
    out.table(&["run", "job", "state", "started", "copied", "failed", "why"], &rows)
}
