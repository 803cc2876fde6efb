//! The first page: how things stand, what runs now, what is missing, and where the doors are.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::job::{JobRow, RunFilter, RunState};
use crate::task;
use crate::tree::Tree;
use crate::web::frame::Frame;
use crate::web::live::{self, LiveRun};
use crate::web::problem::{Problem, sentence};
use crate::web::state::{DoorShown, WebState};
use crate::web::stream;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};
use crate::web::words::Again;
use crate::web::{show, words};

/// How many ended runs the page shows.
const LAST_RUNS: usize = 8;

/// The state of the house in one sentence.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Good or bad.
    pub tone: Tone,
    /// The sentence.
    pub headline: String,
    /// What stands behind it.
    pub detail: String,
}

/// A job whose last run failed, or could not bring everything.
#[derive(Debug, Clone)]
pub struct MissingRow {
    /// The run's page.
    pub href: String,
    /// The job's name.
    pub job: String,
    /// "Failed", or how many files are missing.
    pub chip: Chip,
    /// Why it failed, or the reason of the first missing file.
    pub why: String,
}

/// One ended run.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// The run's page.
    pub href: String,
    /// The run's number.
    pub id: i64,
    /// The job's name.
    pub job: String,
    /// When it began.
    pub started: Moment,
    /// How long it took.
    pub took: String,
    /// What it copied.
    pub copied: String,
    /// What it could not copy.
    pub missing: String,
    /// How it ended.
    pub chip: Chip,
}

/// Space of the served tree's file system.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Used, in percent.
    pub percent: u64,
    /// Space that is taken.
    pub used: String,
    /// Space that is left.
    pub free: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
pub(in crate::web) struct OverviewPage {
    pub frame: Frame,
    pub verdict: Verdict,
    pub running: Vec<LiveRun>,
    pub idle: String,
    pub missing: Vec<MissingRow>,
    pub recent: Vec<RunRow>,
    pub storage: Option<Storage>,
    pub seen: String,
    pub doors: Vec<DoorShown>,
}

#[derive(Template)]
#[template(path = "part/running.html")]
pub(in crate::web) struct RunningPart {
    pub running: Vec<LiveRun>,
    pub idle: String,
}

/// `GET /`.
pub(in crate::web) async fn show(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let rows = state.jobs.list(true).await?;
    let now = state.clock.now();
    let filter = RunFilter { limit: 60, ..RunFilter::default() };
    let ended = state.jobs.runs(&filter).await?.into_iter().filter(|run| run.state.is_over());
    let name = |id| rows.iter().find(|row| row.job.id == id).map_or("a removed job", |row| row.job.name.as_str());
    let recent = ended.take(LAST_RUNS).map(|run| words::run_row(&run, name(run.job), now)).collect();
    super::html(&OverviewPage {
        frame: Frame::new(&visitor, "Overview"),
        verdict: verdict(&rows),
        running: live::running(&state, &rows),
        seen: stream::seen(&rows),
        idle: live::IDLE.to_owned(),
        missing: rows.iter().filter_map(missing).collect(),
        recent,
        storage: storage(&state.tree).await,
        doors: doors(&(state.doors)(&visitor.authority)),
    })
}

/// A fingerprint that stands above already (one certificate for many addresses) is not repeated.
fn doors(doors: &[DoorShown]) -> Vec<DoorShown> {
    let mut shown: Vec<DoorShown> = Vec::with_capacity(doors.len());
    for door in doors {
        let known = shown.iter().any(|other| other.fingerprint == door.fingerprint);
        shown.push(DoorShown { fingerprint: door.fingerprint.clone().filter(|_| !known), ..door.clone() });
    }
    shown
}

/// What the last run of a job could not do.
fn missing(row: &JobRow) -> Option<MissingRow> {
    let run = row.last.as_ref()?;
    let again = Again::of(&row.job);
    let shown = |href: String, chip, why| Some(MissingRow { href, job: row.job.name.clone(), chip, why });
    if run.state == RunState::Failed {
        let why = words::ending(run, again).map_or_else(|| "The log of the server says why.".to_owned(), |said| said.1);
        return shown(format!("/runs/{}", run.id), Chip::new(Tone::Bad, "Failed"), why);
    }
    let summary = run.summary.as_ref().filter(|summary| !summary.dry_run)?;
    let count = words::missing(summary);
    let why = match summary.missing.first() {
        Some(item) => format!("{}: {}", item.path.display(), sentence(&item.fault.message)),
        None => "The run ended before it could copy them.".to_owned(),
    };
    let chip = Chip::new(Tone::Warn, format!("{} missing", show::count(count)));
    if count > 0 { shown(format!("/runs/{}?state=failed", run.id), chip, why) } else { None }
}

/// The state of the house, from the last run of every job.
fn verdict(rows: &[JobRow]) -> Verdict {
    let last: Vec<_> = rows.iter().filter_map(|row| row.last.as_ref()).collect();
    let summaries: Vec<_> = last.iter().filter_map(|run| run.summary.as_ref()).filter(|s| !s.dry_run).collect();
    let lost: u64 = summaries.iter().map(|s| words::missing(s)).sum();
    let unsure: u64 = summaries.iter().map(|s| s.counts.dirs_unsure).sum();
    let failed = last.iter().filter(|run| run.state == RunState::Failed).count();
    let here: u64 =
        summaries.iter().map(|s| s.counts.files_published + s.counts.files_unchanged + s.counts.files_adopted).sum();
    let jobs = show::plural(len(rows.len()), "job", "jobs");
    // Nothing is said about what nobody has looked at yet.
    let unfinished = len(rows.iter().filter(|row| row.last.is_none() && !row.job.ad_hoc).count());
    let held = format!("{} of {jobs}", show::plural(here, "file", "files"));
    let lacks =
        |row: &&JobRow| row.last.as_ref().and_then(|r| r.summary.as_ref()).is_some_and(|s| words::missing(s) > 0);
    let planned = rows.iter().filter(lacks).all(|row| Again::of(&row.job) == Again::Planned);
    let again = if planned { Again::Planned } else { Again::ByHand };
    let active = rows.iter().filter(|row| row.active.is_some()).count();
    let (tone, headline, detail) = if rows.is_empty() {
        (
            Tone::Idle,
            "Nothing is mirrored yet".to_owned(),
            "Add a job: where the files are now, and where they belong.".to_owned(),
        )
    } else if failed > 0 {
        let headline = format!("{} could not do its work", show::plural(len(failed), "job", "jobs"));
        (
            Tone::Bad,
            if failed == 1 { headline } else { headline.replace("its work", "their work") },
            format!("The reason stands below. {held} are here."),
        )
    } else if lost > 0 {
        (
            Tone::Warn,
            format!("{} not here yet", show::plural(lost, "file is", "files are")),
            format!("{held} are here. {}", again.sentence()),
        )
    } else if unsure > 0 {
        (
            Tone::Warn,
            format!("{} not be listed to the end", show::plural(unsure, "folder could", "folders could")),
            format!("Every file that was listed is here: {held}. Nothing is deleted on the word of such a listing."),
        )
    } else if summaries.is_empty() {
        let headline = if active > 0 { "The first copy is under way" } else { "No job has run yet" };
        (if active > 0 { Tone::Busy } else { Tone::Idle }, headline.to_owned(), format!("{jobs} defined."))
    } else if unfinished > 0 {
        (
            if active > 0 { Tone::Busy } else { Tone::Idle },
            format!("{} to finish the first run", show::plural(unfinished, "job has still", "jobs have still")),
            format!("{held} are here. What the others hold is not known yet."),
        )
    } else if summaries.iter().all(|s| s.verified) {
        (
            Tone::Ok,
            "Everything is here".to_owned(),
            format!("{held}, each read from its source and kept with its SHA-256."),
        )
    } else {
        (Tone::Ok, "Everything is here".to_owned(), format!("{held}. Some were believed by size and time."))
    };
    Verdict { tone, headline, detail }
}

fn len(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

async fn storage(tree: &std::sync::Arc<Tree>) -> Option<Storage> {
    let tree = tree.clone();
    let space = task::blocking(move || tree.view(&crate::model::Scope::whole())?.space()).await.ok()?.ok()?;
    // As df counts: what is kept for the system is neither used nor left.
    let used = space.total.saturating_sub(space.free);
    Some(Storage {
        percent: show::percent(used, used.saturating_add(space.available)),
        used: show::bytes(used),
        free: show::bytes(space.available),
    })
}
