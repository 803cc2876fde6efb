//! One run: progress, counts, and every path it had to do something about.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::Pager;
use super::manifest::ProofShown;
use crate::job::{JobError, Run, RunState};
use crate::mirror::store::{self, AttemptRow, ItemFilter, RunCounts};
use crate::mirror::{Action, ItemState, Summary};
use crate::model::{ItemId, RunId};
use crate::web::form::{Nothing, Posted, done, refused};
use crate::web::frame::{Frame, Note};
use crate::web::live::{self, LiveRun};
use crate::web::problem::{Problem, sentence};
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment};
use crate::web::words::Again;
use crate::web::{show as shown, words};

/// Items on one page.
const ITEMS: u32 = 100;
/// Attempts shown of one item.
const ATTEMPTS: usize = 20;

/// One number with its name.
#[derive(Debug, Clone)]
pub struct Count {
    pub label: &'static str,
    pub value: String,
    pub more: String,
    pub bad: bool,
}

/// A filter above a list.
#[derive(Debug, Clone)]
pub struct Tab {
    pub href: String,
    pub label: String,
    pub current: bool,
}

/// A fault as a page shows it.
#[derive(Debug, Clone)]
pub struct FaultShown {
    /// What happened, in plain words.
    pub plain: String,
    /// What was seen.
    pub evidence: String,
}

/// One try at a path.
#[derive(Debug, Clone)]
pub struct Try {
    pub at: Moment,
    pub said: String,
}

/// One path of the run.
#[derive(Debug, Clone)]
pub struct ItemRow {
    /// In the target.
    pub path: String,
    /// Its name at the source, when that is another one.
    pub source: Option<String>,
    pub size: String,
    pub chip: Chip,
    pub fault: Option<FaultShown>,
    pub attempts: Vec<Try>,
    pub attempts_label: String,
    /// The algorithm and the hexadecimal digits.
    pub digest: Option<(&'static str, String)>,
    /// How the content was proven.
    pub proof: String,
}

/// "Started … by the schedule".
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = "{% if let Some(at) = at %}Started {{ at }}{% else if over %}Not started{% else %}Waits for a free place{% endif %}, {{ cause }}{% if !took.is_empty() %}, took {{ took }}{% endif %}."
)]
pub struct Began {
    pub at: Option<Moment>,
    pub over: bool,
    pub cause: &'static str,
    pub took: String,
}

impl askama::filters::HtmlSafe for Began {}

#[derive(Template)]
#[template(path = "run.html")]
pub(in crate::web) struct RunPage {
    pub frame: Frame,
    pub id: i64,
    pub href: String,
    pub job: String,
    pub job_href: String,
    pub chip: Chip,
    pub began: Began,
    pub live: Option<LiveRun>,
    pub said: Option<Note>,
    pub counts: Vec<Count>,
    pub doubts: Vec<String>,
    pub proof: Option<ProofShown>,
    pub tabs: Vec<Tab>,
    pub items: Vec<ItemRow>,
    /// Why no item stands there.
    pub no_items: &'static str,
    pub pager: Pager,
}

/// Which items to show.
#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
    #[serde(default)]
    state: String,
    after: Option<i64>,
}

/// `GET /runs/{id}`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let page = state.jobs.run_page(RunId(id)).await?;
    let (run, job) = (&page.run, &page.job);
    let counts = store::counts(&state.db, run.id).await?;
    let again = Again::of(job);
    let filter = ItemFilter {
        state: wanted_state(&wanted.state, &counts),
        fault: None,
        after: wanted.after.map(ItemId),
        limit: ITEMS,
    };
    let (items, last) = items(&state, run.id, &filter, again).await?;
    let proof = ProofShown::of(&state, run).await?;
    let summary = run.summary.as_ref();
    let more = items.len() >= usize::try_from(ITEMS).unwrap_or(usize::MAX);
    let word = filter.state.map_or("all", ItemState::as_str);
    super::html(&RunPage {
        frame: Frame::new(&visitor, format!("Run {id}")),
        id,
        href: format!("/runs/{id}"),
        job: job.name.clone(),
        job_href: format!("/jobs/{}", job.id),
        chip: words::run_chip(run),
        began: Began {
            at: run.started.map(|at| Moment::around(at, state.clock.now())),
            over: run.state.is_over(),
            cause: words::cause(run, &job.schedule),
            took: if run.ended.is_some() { words::took(run, state.clock.now()) } else { String::new() },
        },
        live: (!run.state.is_over()).then(|| live::of_run(&state, run, &job.name)),
        said: run.state.is_over().then(|| words::ending(run, again)).flatten().map(|(tone, text)| Note { tone, text }),
        counts: figures(run, &counts),
        doubts: summary.map(doubts).unwrap_or_default(),
        proof,
        tabs: tabs(&counts, filter.state),
        no_items: no_items(run, &counts),
        items,
        pager: Pager {
            newer: wanted.after.map(|_| format!("?state={word}#items")),
            newer_label: "First page",
            older: last.filter(|_| more).map(|last| format!("?state={word}&after={last}#items")),
            older_label: "Next page",
        },
    })
}

fn figures(run: &Run, counts: &RunCounts) -> Vec<Count> {
    let count = |label, number: u64| Count { label, value: shown::count(number), more: String::new(), bad: false };
    let failed = counts.state(ItemState::Failed);
    let copied =
        Count { more: shown::bytes(counts.bytes_published), ..count("Copied", counts.state(ItemState::Published)) };
    let Some(summary) = &run.summary else {
        // While it runs the meter says it all; the journal counts folders, too, and would contradict it.
        if !run.state.is_over() || counts.by_state.is_empty() {
            return Vec::new();
        }
        return vec![copied, Count { bad: failed > 0, ..count("Missing", failed) }];
    };
    let numbers = &summary.counts;
    let missing = words::missing(summary);
    let mut figures = vec![
        Count { more: shown::bytes(numbers.bytes_published), ..count("Copied", numbers.files_published) },
        count("Unchanged", numbers.files_unchanged + numbers.files_adopted),
        Count { bad: missing > numbers.files_uploading, ..count("Missing", missing) },
        count("Folders", numbers.dirs_listed),
        count("Retries", numbers.retries),
    ];
    if numbers.files_uploading > 0 {
        figures.push(count("Of these still uploaded", numbers.files_uploading));
    }
    if numbers.modes_set > 0 {
        figures.push(count("Modes set", numbers.modes_set));
    }
    if numbers.links_made > 0 {
        figures.push(count("Links made", numbers.links_made));
    }
    if numbers.files_trashed > 0 {
        figures.push(count("To the trash", numbers.files_trashed));
    }
    if let Some(lag) = summary.lag {
        let more = format!("{} new, the last within {} s", shown::count(lag.files), lag.longest_seconds);
        figures.push(Count { label: "Lag", value: format!("{} s", lag.median_seconds), more, bad: false });
    }
    if numbers.entries_skipped > 0 {
        figures.push(count("Left out", numbers.entries_skipped));
    }
    figures
}

fn doubts(summary: &Summary) -> Vec<String> {
    let folders = summary.unsure.iter().map(|dir| {
        let path = if dir.path.is_root() { "the top folder".into() } else { dir.path.display() };
        let mut why: Vec<_> = dir.doubts.iter().map(words::doubt).collect();
        why.extend(dir.fault.iter().map(|fault| fault.message.clone()));
        format!("{path}: {}.", why.join("; "))
    });
    folders.chain(summary.notes.iter().map(|note| sentence(note))).collect()
}

/// The items that a page begins with: what is missing, if anything is.
fn wanted_state(word: &str, counts: &RunCounts) -> Option<ItemState> {
    match word {
        "all" => None,
        "" if counts.state(ItemState::Failed) > 0 => Some(ItemState::Failed),
        word => ItemState::of(word),
    }
}

/// What an empty list of items means; empty when the list itself says nothing.
fn no_items(run: &Run, counts: &RunCounts) -> &'static str {
    let none = counts.by_state.is_empty();
    match run.state {
        RunState::Done if none => "Nothing had changed since the last run.",
        state if state.is_over() && none => "",
        state if !state.is_over() && none => "Nothing is planned yet: the source is still being listed.",
        _ => "Nothing is in this list.",
    }
}

fn tabs(counts: &RunCounts, current: Option<ItemState>) -> Vec<Tab> {
    let all: u64 = counts.by_state.iter().map(|(_, number)| number).sum();
    if all == 0 {
        return Vec::new();
    }
    let label = |word: &str, number| format!("{word} {}", shown::count(number));
    let mut tabs =
        vec![Tab { href: "?state=all#items".to_owned(), label: label("All", all), current: current.is_none() }];
    for (state, word) in [
        (ItemState::Failed, "Missing"),
        (ItemState::Transferring, "Copying"),
        (ItemState::Planned, "Waiting"),
        (ItemState::Published, "In place"),
        (ItemState::Skipped, "Left out"),
    ] {
        let number = counts.state(state);
        if number > 0 || current == Some(state) {
            let href = format!("?state={state}#items");
            tabs.push(Tab { href, label: label(word, number), current: current == Some(state) });
        }
    }
    tabs
}

async fn items(
    state: &WebState,
    run: RunId,
    filter: &ItemFilter,
    again: Again,
) -> Result<(Vec<ItemRow>, Option<ItemId>), Problem> {
    let stored = store::items(&state.db, run, filter).await?;
    let last = stored.last().map(|item| item.id);
    let mut rows = Vec::with_capacity(stored.len());
    for item in stored {
        // The first try that worked has nothing to tell.
        let tried = item.attempts > 1 || item.fault.is_some() && item.attempts > 0;
        let attempts = if tried { store::attempts(&state.db, item.id).await? } else { Vec::new() };
        rows.push(ItemRow {
            path: item.target.display().into_owned(),
            source: (item.path != item.target).then(|| item.path.display().into_owned()),
            size: item
                .size
                .filter(|_| !matches!(item.action, Action::MakeDir | Action::Link))
                .map(shown::bytes)
                .unwrap_or_default(),
            chip: words::item_chip(item.state),
            fault: item.fault.as_ref().filter(|_| item.state != ItemState::Published).map(|f| words::fault(f, again)),
            attempts_label: shown::plural(u64::from(item.attempts), "attempt", "attempts"),
            attempts: attempts.iter().rev().take(ATTEMPTS).rev().map(attempt).collect(),
            digest: item.digest.map(|digest| (digest.algorithm().label(), digest.hex())),
            proof: item.proof.as_ref().map(words::proof).unwrap_or_default(),
        });
    }
    Ok((rows, last))
}

fn attempt(row: &AttemptRow) -> Try {
    let from = if row.from_offset == 0 { String::new() } else { format!(" on from {}", shown::bytes(row.from_offset)) };
    let moved = shown::bytes(row.bytes);
    let said = match &row.fault {
        None => format!("{from} {moved} moved, done."),
        Some(fault) => format!("{from} {moved} moved, then {}.", fault.message.trim_end_matches('.')),
    };
    Try { at: Moment::exact(row.started), said }
}

/// `POST /runs/{id}/cancel`.
pub(in crate::web) async fn cancel(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    let here = format!("/runs/{id}");
    match state.jobs.cancel(&visitor.grant()?.actor(), RunId(id)).await {
        Ok(()) => Ok(done(&here, "The run comes to its end.")),
        Err(error @ JobError::NotNow { .. }) => Ok(refused(&here, &error.to_string())),
        Err(error) => Err(error.into()),
    }
}
