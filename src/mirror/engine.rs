//! What all steps of a run share, and the order of the steps.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::filter::Filter;
use super::heat::{self, Extent};
use super::journal::Journal;
use super::links::Links;
use super::names::Names;
use super::retry::{Health, History, Outage, Verdict, concerns_endpoint};
use super::scan::store::Side;
use super::uploads::{self, Uploads};
use super::{Counts, Ended, MirrorError, MirrorRun, Progress, Stage, Summary};
use super::{
    charset, clock, delete, dispatch, doubt, finish, intents, journal, lag, names, place, planner, scan, vanished,
};
use crate::db::DbError;
use crate::model::{Fault, FaultKind, Folds, RelPath};
use crate::remote::Remote;
use crate::remote::faces::Faces;
use crate::task::Tasks;

/// Why the steps of a run ended early.
#[derive(Debug)]
pub(super) enum Broken {
    /// Told to stop.
    Stopped,
    /// A side stayed out of reach or refused the login.
    GaveUp(Fault),
    /// The run as a whole failed.
    Run(MirrorError),
    /// A queue's other end is gone; its own error says why.
    Queue,
}

impl From<DbError> for Broken {
    fn from(error: DbError) -> Self {
        Self::Run(error.into())
    }
}

impl From<MirrorError> for Broken {
    fn from(error: MirrorError) -> Self {
        Self::Run(error)
    }
}

/// What all steps share.
#[derive(Clone)]
pub(super) struct Engine {
    pub order: MirrorRun,
    pub progress: Arc<Progress>,
    pub stop: CancellationToken,
    pub filter: Filter,
    pub names: Names,
    /// The source's symbolic links.
    pub links: Links,
    /// What may still be being uploaded.
    pub uploads: Uploads,
    pub journal: Journal,
    /// Files of the source by which the clock of its listings can be told.
    pub faces: Arc<Mutex<Faces>>,
    folds: Arc<OnceCell<Folds>>,
    /// Background work of this run.
    pub tasks: Tasks,
    /// One big file at a time is read in pieces.
    pub in_pieces: Arc<Semaphore>,
    /// What both sides showed, once they were read.
    pub scanned: Arc<OnceLock<Scanned>>,
    started: Instant,
}

impl Engine {
    pub(super) fn remote(&self, side: Side) -> Arc<dyn Remote> {
        match side {
            Side::Source => Arc::clone(&self.order.source),
            Side::Target => Arc::clone(&self.order.target),
        }
    }

    /// How much may go on at once on a side.
    pub(super) fn width(&self, side: Side) -> u16 {
        let able = self.remote(side).capabilities().parallel;
        let wanted = match side {
            Side::Source => self.order.policy.connections.unwrap_or(READERS),
            Side::Target => able,
        };
        wanted.min(able).clamp(1, MOST_WIDTH)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// A number from 0 to 1, to spread retries.
    pub(super) fn chance(&self) -> f64 {
        let mut byte = [128_u8];
        match crate::random::fill(&mut byte) {
            Ok(()) | Err(_) => f64::from(byte[0]) / 255.0,
        }
    }

    /// Waits, unless the run is told to stop.
    pub(super) async fn sleep(&self, pause: Duration) -> Result<(), Broken> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Broken::Stopped),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// Does something that belongs to no item, again when that may help. The outer result ends the run, the
    /// inner one is about what was to be done.
    pub(super) async fn persist<T, F>(&self, mut work: impl FnMut() -> F) -> Result<Result<T, Fault>, Broken>
    where
        F: Future<Output = Result<Result<T, Fault>, Broken>>,
    {
        let policy = &self.order.policy;
        let patience = Duration::from_secs(policy.patience_seconds.into());
        let (mut history, mut health) = (History::default(), Health::default());
        loop {
            let done = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Broken::Stopped),
                done = work() => done?,
            };
            let Err(fault) = done else {
                self.progress.goes_on();
                return Ok(done);
            };
            let pause = if concerns_endpoint(&fault) {
                match health.failed(&fault, self.elapsed(), false, patience, self.chance()) {
                    Outage::Pause(pause) => {
                        self.progress.wait_for(&fault);
                        pause
                    }
                    Outage::GiveUp => return Err(self.give_up(fault)),
                }
            } else {
                match history.failed(&fault, false, policy.attempts, self.chance()) {
                    Verdict::Again(pause) => pause,
                    Verdict::GiveUp => return Ok(Err(fault)),
                }
            };
            self.progress.retries.fetch_add(1, Relaxed);
            self.sleep(pause).await?;
        }
    }

    /// Which names the target takes for one. When it cannot be found out, all that any file system takes for one:
    /// nothing is to overwrite anything.
    pub(super) async fn folds(&self) -> Folds {
        let probe = || async {
            let target = &self.order.target;
            match self.persist(|| async { Ok(crate::remote::folds::probe(target.as_ref()).await) }).await {
                Ok(Ok(folds)) => folds,
                Ok(Err(fault)) => {
                    tracing::warn!(fault = %fault, "which names the target takes for one cannot be found out");
                    Folds::BOTH
                }
                Err(_) => Folds::BOTH,
            }
        };
        *self.folds.get_or_init(probe).await
    }

    /// Ends the run because of a side as a whole. A full disk is no use to hear of without how much it lacks.
    pub(super) fn give_up(&self, fault: Fault) -> Broken {
        let left = self.progress.bytes_left().div_ceil(1 << 20);
        let full = fault.kind == FaultKind::DiskFull && left > 0;
        let message = if full {
            format!("{}; about {left} MiB are still to be written, the next run goes on from here", fault.message)
        } else {
            fault.message
        };
        Broken::GaveUp(Fault { message, ..fault })
    }

    /// Resolves when the run was told to stop and copies had the time to note how far they are.
    pub(super) async fn stopped_long_enough(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(STOP_GRACE).await;
    }

    pub(super) fn check_stop(&self) -> Result<(), Broken> {
        if self.stop.is_cancelled() { Err(Broken::Stopped) } else { Ok(()) }
    }
}

/// When the source had been read, and the newest time that it showed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanned {
    pub at: Instant,
    pub newest: Option<Timestamp>,
}

/// Directories that are read side by side when nobody chose a number.
const READERS: u16 = 8;
/// More side by side helps nobody.
const MOST_WIDTH: u16 = 64;

/// How long a copy may take to come to rest when the run is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// How long background work may take to end after the run did.
const GRACE: Duration = Duration::from_secs(60);

/// Runs all steps.
pub(super) async fn run(
    order: MirrorRun,
    progress: Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Summary, MirrorError> {
    let mut order = order;
    let patience = Duration::from_secs(order.policy.patience_seconds.into());
    let hears: Arc<dyn crate::db::Waiting> = Arc::<Progress>::clone(&progress);
    order.db = order.db.patient(patience, hears);
    if let Some(limit) = order.policy.bandwidth {
        order.source = crate::remote::layer::limited(order.source, limit);
    }
    let links = Links::default();
    if order.policy.links == super::Links::Follow {
        order.source = crate::remote::layer::detoured(order.source, links.detours.clone());
    }
    let (journal, writer) =
        Journal::new(order.db.clone(), order.job, order.run, order.actor.clone(), Arc::clone(&order.clock));
    let tasks = Tasks::new();
    let begun = order.clock.now();
    let engine = Engine {
        filter: Filter::new(&order.policy)?,
        names: Names::new(&order.policy)?,
        links,
        uploads: Uploads::new(&order).await?,
        faces: Arc::default(),
        folds: Arc::default(),
        order,
        progress,
        // A child: a run that gives up stops its own copies, not its caller.
        stop: stop.child_token(),
        journal,
        tasks: tasks.clone(),
        in_pieces: Arc::new(Semaphore::new(1)),
        scanned: Arc::default(),
        started: Instant::now(),
    };
    let writer = tasks.spawn("mirror journal", writer);
    // Dropping this future at any await ends the copies, too.
    let _ends_with_us = engine.stop.clone().drop_guard();
    let report = Engine { journal: Journal::closed(), ..engine.clone() };
    let steps = Box::pin(steps(engine)).await;
    // Every handle is gone now: the writer stores what is left and ends.
    let stored = writer.await.map_err(|lost| MirrorError::Lost(lost.to_string()))?;
    tasks.drain(GRACE).await;
    stored?;
    let (ended, facts) = match steps {
        Ok(facts) => (Ended::Finished, facts),
        Err((Broken::Stopped, facts)) => (Ended::Stopped, facts),
        Err((Broken::Queue, facts)) if stop.is_cancelled() => (Ended::Stopped, facts),
        // Nobody stopped it: called a stop, the run would be taken up again without end.
        Err((Broken::Queue, _)) => return Err(MirrorError::Lost("a queue of the run closed early".to_owned())),
        Err((Broken::GaveUp(fault), facts)) => (Ended::GaveUp { fault }, facts),
        Err((Broken::Run(error), _)) => return Err(error),
    };
    let looked = !facts.overlooked;
    let summary = finish::summary(&report, ended, facts).await?;
    if looked {
        lag::keep(&report, begun, &summary).await?;
    }
    if summary.ended == Ended::Finished {
        scan::store::clear(&report.order.db, report.order.run).await?;
    }
    report.progress.goes_on();
    report.progress.enter(Stage::Done);
    Ok(summary)
}

/// What the steps found that is in no table.
#[derive(Debug, Default, Clone)]
pub(super) struct Facts {
    pub counts: Counts,
    pub notes: Vec<String>,
    pub scanned: bool,
    /// By how much the times in the source's listings moved since the last run, in nanoseconds, and how many files.
    pub moves: Vec<(i64, u64)>,
    /// Nothing was compared, for a reason that is among the notes.
    pub unplanned: bool,
    /// Hot folders that were not looked at.
    pub overlooked: bool,
    /// Directories whose names may not survive a power cut.
    pub unsynced: Failures,
    /// Directories without the source's time or mode.
    pub unsettled: Failures,
}

/// What did not work although the run went on: how often, and the first of it.
#[derive(Debug, Default, Clone)]
pub(super) struct Failures {
    pub count: u64,
    pub first: Option<(RelPath, Fault)>,
}

impl Failures {
    /// Counts a failure; what is not there any more needs nothing.
    pub(super) fn note(&mut self, at: &RelPath, result: Result<(), Fault>) {
        match result {
            Err(fault) if fault.kind != FaultKind::Missing => {
                tracing::warn!(path = %at.display(), fault = %fault, "could not be finished");
                self.count += 1;
                self.first.get_or_insert_with(|| (at.clone(), fault));
            }
            _ => {}
        }
    }

    /// For the summary: `what` failed for so many, the first of them and why.
    pub(super) fn sentence(&self, what: &str) -> Option<String> {
        let (path, fault) = self.first.as_ref()?;
        Some(format!("{} {what}, the first is {}: {fault}", self.count, path.display()))
    }
}

async fn steps(engine: Engine) -> Result<Facts, (Broken, Facts)> {
    let mut facts = Facts::default();
    match all_steps(&engine, &mut facts).await {
        Ok(()) => Ok(facts),
        Err(broken) => Err((broken, facts)),
    }
}

async fn all_steps(engine: &Engine, facts: &mut Facts) -> Result<(), Broken> {
    engine.progress.enter(Stage::Listing);
    clock::believe(engine).await?;
    scan::both(engine, facts).await?;
    facts.scanned = true;
    place::settle(engine, facts).await?;
    clock::settle(engine, facts).await?;
    facts.notes.extend(charset::notes(&engine.order.db, engine.order.job, engine.names).await?);
    let newest = scan::store::newest(&engine.order.db, engine.order.run, engine.order.clock.now()).await?;
    engine.scanned.get_or_init(|| Scanned { at: Instant::now(), newest });
    names::collide::settle(engine, facts).await?;
    journal::unbury(&engine.order.db, engine.order.job, engine.order.run).await?;
    if !engine.order.policy.dry_run {
        intents::settle(engine).await?;
        // Of a run over hot folders there is no manifest; the next one over the whole tree sees to all of it.
        if engine.order.extent == Extent::Whole {
            doubt::settle(engine).await?;
        }
    }
    engine.progress.enter(Stage::Planning);
    planner::plan(engine, facts).await?;
    engine.progress.enter(Stage::Copying);
    if !engine.order.policy.dry_run {
        dispatch::copy_all(engine).await?;
        vanished::settle(engine).await?;
    }
    engine.progress.enter(Stage::Finishing);
    // What was not looked at proves nothing, and may still need its parts.
    let whole = engine.order.extent == Extent::Whole;
    if whole {
        delete::gone(engine, facts).await?;
    }
    if !engine.order.policy.dry_run {
        if whole {
            finish::sweep_parts(engine).await?;
        }
        finish::settle_dirs(engine, facts).await?;
        heat::note(engine).await?;
        uploads::settle(engine).await?;
    }
    engine.progress.entries_skipped.store(facts.counts.entries_skipped, Relaxed);
    Ok(())
}
