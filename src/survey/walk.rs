//! Reads the whole tree politely: few connections, a rest after each answer that is as long as the answer took, and an
//! end when time or patience is over. What was read is counted at once and forgotten.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::census::{Counter, Folder, depth};
use super::progress::Progress;
use super::report::{Doubtful, Stopped, Unread, Why};
use super::{Order, clock};
use crate::model::{Entry, EntryKind, Fault, FaultKind, Mtime, Phase, RelPath, Retry};
use crate::remote::{Completeness, Doubt, Sample, Step};

/// Directories that are asked for in one conversation.
const TOGETHER: usize = 32;
/// Entries of one directory that wait until it is known that they are all.
const HELD: usize = 50_000;
/// Folders that wait to be read; more are not entered, and that is said.
const WAITING: usize = 200_000;
/// Deeper than this no tree of people is: it is a loop.
const DEEPEST: u64 = 200;
/// So often a folder is tried.
const TRIES: u32 = 3;
/// Examples that are told.
const EXAMPLES: usize = 20;
/// Small files that are remembered, to be read later.
const SMALL_FILES: usize = 24;
/// A small file has no more bytes than these.
const SMALL: u64 = 64 << 10;

/// What the walk found.
pub(super) struct Walked {
    pub(super) counter: Counter,
    pub(super) clock: clock::Sample,
    pub(super) small: Vec<Sample>,
    /// A folder that holds names with a dot in front.
    pub(super) dotted: Option<RelPath>,
    pub(super) unread: Unread,
    pub(super) doubtful: Doubtful,
    pub(super) stopped: Option<Stopped>,
    /// How long connections were busy with listings, and how many folders that brought.
    pub(super) busy: Duration,
    pub(super) listed: u64,
    /// Folders deeper than others.
    pub(super) levels: u64,
}

/// Walks.
pub(super) struct Walk<'a> {
    pub(super) order: &'a Order,
    pub(super) progress: &'a Progress,
    pub(super) stop: &'a CancellationToken,
    pub(super) started: Instant,
    state: Mutex<Walked>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(order: &'a Order, counter: Counter, progress: &'a Progress, stop: &'a CancellationToken) -> Self {
        let state = Walked {
            counter,
            clock: clock::Sample::default(),
            small: Vec::new(),
            dotted: None,
            unread: Unread::default(),
            doubtful: Doubtful::default(),
            stopped: None,
            busy: Duration::ZERO,
            listed: 0,
            levels: 0,
        };
        Self { order, progress, stop, started: Instant::now(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, Walked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads everything, as far as time and patience go.
    pub(super) async fn run(self) -> Walked {
        let able = self.order.remote.capabilities().parallel;
        let width = usize::from(self.order.limits.connections.min(able).max(1));
        let mut waiting = vec![RelPath::root()];
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < width && self.why_stop().is_none() && !waiting.is_empty() {
                let share = waiting.len().div_ceil(width - running.len()).min(TOGETHER);
                // The last found are read first: fewer wait.
                running.push(self.share(waiting.split_off(waiting.len() - share)));
            }
            let Some(found) = running.next().await else { break };
            for dir in found {
                self.queue(&mut waiting, dir);
            }
            self.progress.waiting(waiting.len());
        }
        drop(running);
        let why = self.why_stop();
        let mut walked = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let left = waiting.len() as u64;
        if let (Some(why), Some(next)) = (why, waiting.pop()) {
            walked.stopped = Some(Stopped { why, next: super::census::shown(&next), folders_left: left });
        }
        walked
    }

    fn queue(&self, waiting: &mut Vec<RelPath>, dir: RelPath) {
        let levels = depth(&dir);
        let mut state = self.state();
        state.levels = state.levels.max(levels);
        if levels > DEEPEST {
            let why = format!("it lies {levels} levels deep, which looks like a loop");
            state.unread.note(&dir, &Fault::new(Phase::List, FaultKind::Unsupported, why), EXAMPLES);
        } else if waiting.len() >= WAITING {
            state.unread.not_entered += 1;
        } else {
            waiting.push(dir);
        }
    }

    /// Why no more is read.
    fn why_stop(&self) -> Option<Why> {
        let state = self.state();
        if let Some(fault) = &state.unread.gone {
            return Some(Why::Gone { fault: fault.to_string() });
        }
        let limits = &self.order.limits;
        if self.stop.is_cancelled() {
            return Some(Why::Asked);
        }
        if self.started.elapsed() >= limits.time {
            return Some(Why::Time { seconds: limits.time.as_secs() });
        }
        (state.counter.entries() >= limits.entries).then_some(Why::Entries { entries: limits.entries })
    }

    /// Reads some folders in one conversation or one by one, and rests after each answer. Gives back what is still to be
    /// read.
    async fn share(&self, dirs: Vec<RelPath>) -> Vec<RelPath> {
        let mut found = Vec::new();
        let alone = if dirs.len() > 1 {
            let started = Instant::now();
            let alone = self.together(dirs, &mut found).await;
            self.answered(started.elapsed()).await;
            alone
        } else {
            dirs
        };
        for dir in alone {
            if self.why_stop().is_some() {
                found.push(dir);
            } else {
                let started = Instant::now();
                self.alone(dir, &mut found).await;
                self.answered(started.elapsed()).await;
            }
        }
        found
    }

    /// A connection was busy for so long, and rests as long.
    async fn answered(&self, took: Duration) {
        self.state().busy += took;
        self.rest(took.min(self.order.limits.rest)).await;
    }

    async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// Reads folders in one conversation, where that is possible. Gives back those that want to be read alone.
    async fn together(&self, dirs: Vec<RelPath>, found: &mut Vec<RelPath>) -> Vec<RelPath> {
        let Ok(Some(mut together)) = self.order.remote.list_together(&dirs).await else { return dirs };
        let mut left = dirs.into_iter();
        let (mut unclear, mut held) = (Vec::new(), Vec::new());
        while held.len() <= HELD {
            match together.next().await {
                Ok(Some(Step::Entries(mut entries))) => held.append(&mut entries),
                Ok(Some(Step::Whole(listed))) => {
                    let Some(dir) = left.next() else { break };
                    let mut folder = self.folder(dir);
                    self.count(&mut folder, &held, found);
                    held.clear();
                    self.end(folder, &listed);
                }
                Ok(Some(Step::Unclear)) => {
                    held.clear();
                    unclear.extend(left.next());
                }
                // Those that are left are read alone, which tells what is the matter.
                Ok(None) | Err(_) => break,
            }
        }
        unclear.extend(left);
        unclear
    }

    /// Reads one folder, again when that may help.
    async fn alone(&self, dir: RelPath, found: &mut Vec<RelPath>) {
        let mut pause = self.order.limits.again;
        for tries in 1.. {
            let mut folder = self.folder(dir.clone());
            let fault = match self.list(&mut folder, found).await {
                Ok(listed) => return self.end(folder, &listed),
                Err(fault) => fault,
            };
            let hopeless = fault.retry == Retry::Never || tries >= TRIES || self.stop.is_cancelled();
            // What was counted already must not be counted twice.
            if hopeless || folder.entries() > 0 {
                return self.give_up(folder, fault);
            }
            self.state().unread.tried_again += 1;
            self.rest(pause).await;
            pause *= 2;
        }
    }

    fn give_up(&self, folder: Folder, fault: Fault) {
        let reached =
            !matches!(fault.phase, Phase::Resolve | Phase::Connect | Phase::Banner | Phase::Tls | Phase::Login);
        let mut state = self.state();
        state.unread.note(folder.path(), &fault, EXAMPLES);
        if folder.entries() > 0 {
            state.counter.end(folder);
        }
        if !reached {
            state.unread.gone = Some(fault);
        }
    }

    async fn list(&self, folder: &mut Folder, found: &mut Vec<RelPath>) -> Result<Completeness, Fault> {
        let mut lister = self.order.remote.list(folder.path()).await?;
        while let Some(entries) = lister.next().await? {
            self.count(folder, &entries, found);
            if self.why_stop().is_some() && folder.entries() > 0 {
                return Err(Fault::new(Phase::List, FaultKind::Cancelled, "the survey ended in the middle of it"));
            }
        }
        lister.finish().await
    }

    fn folder(&self, dir: RelPath) -> Folder {
        self.state().counter.folder(dir)
    }

    fn count(&self, folder: &mut Folder, entries: &[Entry], found: &mut Vec<RelPath>) {
        let zone = &self.order.endpoint.options.zone.clone().unwrap_or_default();
        let mut guard = self.state();
        let state = &mut *guard;
        for entry in entries {
            state.counter.add(folder, entry);
            let path = || folder.path().join(&entry.name);
            state.clock.add(path, entry, zone);
            if state.dotted.is_none() && entry.name.as_bytes().starts_with(b".") {
                state.dotted = Some(folder.path().clone());
            }
            match entry.kind {
                EntryKind::Dir => found.push(path()),
                EntryKind::File => remember(&mut state.small, folder.path(), entry),
                _ => {}
            }
        }
        let (folders, files, bytes) = state.counter.sums();
        drop(guard);
        self.progress.read(folders, files, bytes, folder.path());
    }

    /// A folder was read to its end.
    fn end(&self, folder: Folder, listed: &Completeness) {
        let mut state = self.state();
        if let Completeness::Doubtful { doubts } = listed {
            state.doubtful.note(folder.path(), doubts, EXAMPLES);
        }
        state.listed += 1;
        state.counter.end(folder);
    }
}

/// One small file of each folder, as far as there is room.
fn remember(small: &mut Vec<Sample>, folder: &RelPath, entry: &Entry) {
    let Some(size) = entry.size.filter(|size| (1..=SMALL).contains(size)) else { return };
    let readable = entry.mode.is_none_or(|mode| mode & 0o444 != 0);
    let here = small.last().is_some_and(|last| last.path.parent().as_ref() == Some(folder));
    // Of the first folders several, in case there are no others.
    let crowded = small.len() >= SMALL_FILES / 2 && here;
    if readable && !crowded && small.len() < SMALL_FILES && !entry.name.is_reserved() {
        let mtime: Option<Mtime> = entry.mtime;
        small.push(Sample { path: folder.join(&entry.name), size, mtime });
    }
}

/// Does a doubt say that something is missing?
pub(super) fn hides(doubts: &[Doubt]) -> bool {
    doubts.iter().any(Doubt::hides_something)
}
