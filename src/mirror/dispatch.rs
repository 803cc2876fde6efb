//! Hands files to copies: how many at once, which is tried again and when, and when the other side as a
//! whole is left alone. All state is here, in one place; the decisions are those of `retry`.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::copy::{self, Failure};
use super::engine::{Broken, Engine};
use super::journal::{self, Attempt, Change, Item};
use super::pace::{Moved, Pace};
use super::retry::{Health, History, Outage, Verdict, concerns_endpoint};
use super::scan::store::Side;
use super::{MirrorError, vanished};
use crate::model::{Fault, FaultKind, ItemId, Phase};

/// Items read from the store at once.
const PAGE: i64 = 500;
/// Failed items that wait for another try; when there are more, nothing new is begun.
const MOST_WAITING: usize = 1000;

/// Files that are verified and published while others are read; the disk syncs many at the price of one.
const AHEAD: usize = 128;

/// So long a file may rest in all before it is read: a minute, the coarsest tick that is waited for, and a little more.
const LONGEST_REST: Duration = Duration::from_secs(70);

/// From this size on a file is big: its bytes take longer than its round trips.
const BIG: u64 = 4 << 20;

/// How often the number of connections is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Does the fault speak of more connections than the source bears?
fn is_too_much(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Reset | FaultKind::Refused | FaultKind::Limit)
}

/// A file on its way.
struct Task {
    item: Item,
    history: History,
    /// The farthest that was ever confirmed.
    reached: u64,
    /// How long it was waited for in all, because it might still be written.
    rested: Duration,
}

impl Task {
    fn is_big(&self) -> bool {
        self.item.listed.size.is_some_and(|size| size >= BIG)
    }
}

struct Report {
    task: Task,
    started: jiff::Timestamp,
    result: Result<(), Failure>,
}

/// Moves every open item of the run.
pub(super) async fn copy_all(engine: &Engine) -> Result<(), Broken> {
    let big = journal::biggest_open(&engine.order.db, engine.order.run, BIG, PAGE).await?;
    let able = engine.remote(Side::Source).capabilities().parallel;
    let pace = Pace::new(engine.order.policy.connections, able, engine.elapsed());
    let width = usize::from(pace.width());
    engine.progress.uses(format!("{width}"));
    let mut dispatcher = Dispatcher {
        engine,
        lanes: Arc::new(Semaphore::new(width)),
        granted: width,
        pace,
        running: FuturesUnordered::new(),
        fresh: VecDeque::new(),
        singled_out: big.iter().map(|item| item.id).collect(),
        big: big.into(),
        big_running: 0,
        after: ItemId(0),
        all_read: false,
        waiting: Vec::new(),
        paused_until: None,
        health: [Health::default(); 2],
    };
    let done = dispatcher.work().await;
    // Copies that are under way stop by themselves; their last words still belong into the journal.
    if done.is_err() {
        engine.stop.cancel();
    }
    while let Some(report) = dispatcher.running.next().await {
        dispatcher.note_last(report.map_err(|error| lost(&error))?).await?;
    }
    done
}

/// A copy that panicked: its file is not done, and nobody knows why.
fn lost(error: &tokio::task::JoinError) -> Broken {
    Broken::Run(MirrorError::Lost(error.to_string()))
}

struct Dispatcher<'a> {
    engine: &'a Engine,
    /// One for each connection that moves a file.
    lanes: Arc<Semaphore>,
    /// How many there are.
    granted: usize,
    pace: Pace,
    running: FuturesUnordered<JoinHandle<Report>>,
    fresh: VecDeque<Item>,
    /// The biggest of all, the biggest first: what takes longest must not come last.
    big: VecDeque<Item>,
    /// Those that are or were in `big`.
    singled_out: HashSet<ItemId>,
    /// Big ones under way. Small ones take the other half of the connections: they wait for the road, the big ones
    /// fill it.
    big_running: usize,
    after: ItemId,
    all_read: bool,
    waiting: Vec<(Instant, Task)>,
    paused_until: Option<Instant>,
    /// Of the source and the target.
    health: [Health; 2],
}

impl Dispatcher<'_> {
    async fn work(&mut self) -> Result<(), Broken> {
        loop {
            self.engine.check_stop()?;
            self.keep_pace();
            while self.running.len() < self.most() && !self.is_paused() {
                let Some(task) = self.next().await? else { break };
                self.start(task);
            }
            let idle_until = self.next_due();
            if self.running.is_empty() && idle_until.is_none() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = self.engine.stop.cancelled() => return Err(Broken::Stopped),
                Some(report) = self.running.next() => self.settle(report.map_err(|error| lost(&error))?).await?,
                () = tokio::time::sleep_until(idle_until.unwrap_or_else(Instant::now)), if idle_until.is_some() => {}
                // Big files report seldom; how many are moved at once is looked at all the same.
                () = tokio::time::sleep(LOOK), if !self.running.is_empty() => {}
            }
        }
    }

    /// Files under way: more than there are connections, so that while some are made durable and published, the next
    /// are read.
    fn most(&self) -> usize {
        self.granted + AHEAD
    }

    /// Uses as many connections as pay, and no more than the source bears.
    fn keep_pace(&mut self) {
        let able = self.engine.remote(Side::Source).capabilities().parallel;
        let (now, moved) = (self.engine.elapsed(), self.moved());
        let why = self.pace.look(now, moved, able);
        self.follow(why);
    }

    fn follow(&mut self, why: Option<String>) {
        if let Some(why) = why {
            self.engine.progress.uses(why);
        }
        let wanted = usize::from(self.pace.width());
        if wanted > self.granted {
            self.lanes.add_permits(wanted - self.granted);
            self.granted = wanted;
        }
        // What is in use comes back with the next look.
        self.granted -= self.lanes.forget_permits(self.granted.saturating_sub(wanted));
    }

    fn moved(&self) -> Moved {
        let progress = &self.engine.progress;
        Moved { files: progress.files_done.load(Relaxed), bytes: progress.bytes_moved.load(Relaxed) }
    }

    fn is_paused(&self) -> bool {
        self.paused_until.is_some_and(|until| Instant::now() < until)
    }

    /// When to look again although nothing was reported.
    fn next_due(&self) -> Option<Instant> {
        if self.is_paused() {
            return self.paused_until;
        }
        if self.running.len() >= self.most() {
            return None;
        }
        self.waiting.iter().map(|(due, _)| *due).min()
    }

    /// A task that is due again, or the next of the plan.
    async fn next(&mut self) -> Result<Option<Task>, Broken> {
        let now = Instant::now();
        if let Some(place) = self.waiting.iter().position(|(due, _)| *due <= now) {
            return Ok(Some(self.waiting.swap_remove(place).1));
        }
        if self.waiting.len() >= MOST_WAITING {
            return Ok(None);
        }
        if self.fresh.is_empty() && !self.all_read {
            let page = journal::still_open(&self.engine.order.db, self.engine.order.run, self.after, PAGE).await?;
            match page.last() {
                Some(last) => self.after = last.id,
                None => self.all_read = true,
            }
            self.fresh.extend(page.into_iter().filter(|item| !self.singled_out.contains(&item.id)));
            // A whole page may have been singled out.
            if self.fresh.is_empty() && !self.all_read {
                return Box::pin(self.next()).await;
            }
        }
        let share = self.granted.div_ceil(2);
        let next = if self.big_running < share || self.fresh.is_empty() { self.big.pop_front() } else { None };
        let next = next.or_else(|| self.fresh.pop_front());
        Ok(next.map(|item| Task { reached: item.confirmed, item, history: History::default(), rested: Duration::ZERO }))
    }

    fn start(&mut self, mut task: Task) {
        let (engine, lanes) = (self.engine.clone(), Arc::clone(&self.lanes));
        let started = engine.order.clock.now();
        let tasks = engine.tasks.clone();
        self.big_running += usize::from(task.is_big());
        self.running.push(tasks.spawn("copy of a file", async move {
            let result = tokio::select! {
                result = copy::copy(&engine, &mut task.item, &lanes) => result,
                // Whatever it waits for: another process may be about to take the run up.
                () = engine.stopped_long_enough() => Err(Failure::Broken(Broken::Stopped)),
            };
            Report { task, started, result }
        }));
    }

    async fn settle(&mut self, report: Report) -> Result<(), Broken> {
        let Report { mut task, started, result } = report;
        self.big_running -= usize::from(task.is_big());
        let failure = match result {
            Ok(()) => {
                self.health.iter_mut().for_each(Health::worked);
                self.engine.progress.goes_on();
                return Ok(());
            }
            Err(failure) => failure,
        };
        let (side, fault, from, bytes) = match failure {
            Failure::Broken(broken) => return Err(broken),
            Failure::Unsettled(pause) => return self.let_rest(task, pause).await,
            Failure::Fault { side, fault, from, bytes } => (side, fault, from, bytes),
        };
        tracing::debug!(path = %task.item.path.display(), side = side.word(), fault = %fault, "a try failed");
        let called_missing = side == Side::Source && fault.kind == FaultKind::Missing;
        let fault = if called_missing { vanished::contradicted(&fault) } else { fault };
        if side == Side::Source && is_too_much(&fault) {
            let why = self.pace.cut(self.engine.elapsed(), self.moved(), &fault.message);
            self.follow(why);
        }
        let policy = &self.engine.order.policy;
        let chance = self.engine.chance();
        let further = task.item.confirmed > task.reached;
        task.reached = task.reached.max(task.item.confirmed);
        let verdict = if concerns_endpoint(&fault) {
            let patience = Duration::from_secs(policy.patience_seconds.into());
            let paused = self.is_paused();
            let health = match side {
                Side::Source => self.health.first_mut(),
                Side::Target => self.health.last_mut(),
            };
            let outage =
                health.map_or(Outage::GiveUp, |h| h.failed(&fault, self.engine.elapsed(), paused, patience, chance));
            match outage {
                Outage::GiveUp => {
                    self.note(&mut task, started, &fault, (from, bytes), Verdict::Again(Duration::ZERO)).await?;
                    return Err(self.engine.give_up(fault));
                }
                Outage::Pause(pause) => {
                    self.engine.progress.wait_for(&fault);
                    self.pause(pause);
                    Verdict::Again(pause)
                }
            }
        } else {
            task.history.failed(&fault, further, policy.attempts, chance)
        };
        self.note(&mut task, started, &fault, (from, bytes), verdict).await?;
        match verdict {
            Verdict::Again(pause) => {
                self.engine.progress.retries.fetch_add(1, Relaxed);
                self.waiting.push((Instant::now() + pause, task));
            }
            Verdict::GiveUp => {
                tracing::warn!(path = %task.item.path.display(), fault = %fault, "a file could not be mirrored");
                self.engine.progress.files_failed.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }

    /// The file may still be written. When it does not come to rest within a bounded time, it is left for the next run.
    async fn let_rest(&mut self, mut task: Task, pause: Duration) -> Result<(), Broken> {
        task.rested += pause;
        if task.rested <= LONGEST_REST {
            self.waiting.push((Instant::now() + pause, task));
            return Ok(());
        }
        let Item { id, path, listed, seen, .. } = task.item;
        let planned = listed.size.unwrap_or(0);
        tracing::info!(path = %path.display(), "a file may still be being written: it is left for a later run");
        let (version, since) = seen.unwrap_or_else(|| (listed, Instant::now()));
        let seen_for = jiff::SignedDuration::try_from(since.elapsed()).unwrap_or_default();
        let now = self.engine.order.clock.now();
        let since = now.saturating_sub(seen_for).unwrap_or(now);
        let message = format!(
            "the file may still be being written in the source: the next run that finds it unchanged for {} s copies it",
            self.engine.uploads.asks(&path).time.max(pause).as_secs()
        );
        let fault = Fault::new(Phase::Open, FaultKind::Unsettled, message);
        self.engine.progress.plans_less(planned);
        self.engine.journal.put(Change::Left { item: id, path, version, since, fault }).await
    }

    /// Begins nothing new for a while.
    fn pause(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        self.paused_until = Some(self.paused_until.map_or(until, |old| old.max(until)));
    }

    /// Writes a failed try into the journal.
    async fn note(
        &self,
        task: &mut Task,
        started: jiff::Timestamp,
        fault: &Fault,
        (from, bytes): (u64, u64),
        verdict: Verdict,
    ) -> Result<(), Broken> {
        let ended = self.engine.order.clock.now();
        task.item.attempts += 1;
        let attempt = Attempt { number: task.item.attempts, started, ended, from, bytes };
        let (item, fault) = (task.item.id, fault.clone());
        let change = match verdict {
            Verdict::Again(pause) => {
                let pause = jiff::SignedDuration::try_from(pause).unwrap_or_default();
                let retry_at = ended.saturating_add(pause).unwrap_or(ended);
                Change::Tried { item, attempt, fault, retry_at }
            }
            Verdict::GiveUp => Change::Failed { item, attempt, fault },
        };
        self.engine.journal.put(change).await
    }

    /// The last word of a copy that was under way when the run ended.
    async fn note_last(&self, report: Report) -> Result<(), Broken> {
        let Report { mut task, started, result } = report;
        match result {
            Err(Failure::Fault { fault, from, bytes, .. }) => {
                self.note(&mut task, started, &fault, (from, bytes), Verdict::Again(Duration::ZERO)).await
            }
            Ok(()) | Err(Failure::Broken(_) | Failure::Unsettled(_)) => Ok(()),
        }
    }
}
