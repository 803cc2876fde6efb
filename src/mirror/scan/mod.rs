//! Reading both trees, many directories at once, into the table `scan`. Memory stays bounded: entries go
//! through a bounded queue into the store, and directories that wait beyond a number wait there.

mod guard;
mod names;
pub(super) mod store;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use self::guard::Guard;
use self::names::Names;
use self::store::{Listed, ScanRow, Side};
use super::charset::Folder;
use super::engine::{Broken, Engine, Facts};
use super::heat::{self, Dir, Seeds};
use super::names::{self as mirror_names, Naming};
use super::plan::Kind;
use super::policy::Links;
use super::{MirrorError, codes, journal, links, presence};
use crate::db::DbError;
use crate::model::{Entry, EntryKind, Fault, FaultKind, Phase, RelPath, ServerZone};
use crate::remote::{Completeness, Doubt, Remote, Step, Together};

/// Batches on their way to the store.
const QUEUE: usize = 16;
/// Rows per transaction, about.
const ROWS: usize = 4000;
/// Directories that wait in memory; more wait in the store.
const DIRS: usize = 4096;
/// Paths that are looked at together.
const PAGE: i64 = 1000;
/// Directories that are asked for in one conversation.
const TOGETHER: usize = 64;

/// A tree of so many paths has folders enough for every connection.
const MANY: i64 = 500;

enum Message {
    Entries(Vec<ScanRow>),
    End(RelPath, Listed),
    /// What was read of this directory does not count: it is read again.
    Again(RelPath),
    /// Answer when everything before is stored.
    Flush(oneshot::Sender<()>),
}

/// Directories in a directory, as far as memory allows.
#[derive(Default)]
struct Found {
    dirs: Vec<Dir>,
    /// There are more; they wait in the store.
    more: bool,
    /// These were not read after all, and want to be read alone.
    alone: Vec<Dir>,
    /// In these are links, of which is not known yet what becomes of them.
    linked: Vec<(Dir, Naming)>,
}

impl Found {
    fn push(&mut self, dir: Dir) {
        if self.dirs.len() < DIRS { self.dirs.push(dir) } else { self.more = true }
    }
}

/// A listing that was read to its end.
struct Shown {
    listed: Completeness,
    found: Found,
    names: Names,
    naming: Naming,
    unsettled: Unsettled,
}

/// What a listing leaves open.
#[derive(Debug, Clone, Copy, Default)]
struct Unsettled {
    /// Of some names only a question will tell what they are.
    unknown: bool,
    /// There are links that the policy does not leave out.
    links: bool,
}

/// What is known of an entry.
enum Look {
    /// What its listing says.
    First,
    /// All that will be known, and why it is not to be mirrored.
    Settled(Option<Fault>),
}

/// Reads both trees. Directories that cannot be read are marked; the scan goes on without them.
///
/// # Errors
/// [`Broken`]: told to stop, a root that cannot be read, or the store failed.
pub(super) async fn both(engine: &Engine, facts: &mut Facts) -> Result<(), Broken> {
    let Seeds { source, target, more } = heat::seeds(engine).await?;
    if more {
        facts.overlooked = true;
        facts
            .notes
            .push(format!("more than {} folders are hot: only those that changed last were looked at", heat::MOST_HOT));
    }
    store::begin(&engine.order.db, engine.order.run, [(Side::Source, &source), (Side::Target, &target)]).await?;
    let (source, target) = tokio::join!(side(engine, Side::Source, source), side(engine, Side::Target, target));
    // The source is named first: its failure is the more telling one.
    source.and(target)
}

async fn side(engine: &Engine, side: Side, seeds: Vec<Dir>) -> Result<(), Broken> {
    let (queue, messages) = mpsc::channel(QUEUE);
    let guard = Guard::new(engine.order.policy.limits);
    let remote = engine.remote(side);
    let zone = remote.listing_zone().filter(|_| side == Side::Source);
    let walker = Walker { engine, side, remote, zone, queue, guard };
    let begun = seeds.iter().map(|(target, _)| target.clone()).collect();
    let scanned = async { tokio::join!(walker.walk(seeds, &begun), write(engine, side, &begun, messages)) };
    let (walked, written) = tokio::select! {
        biased;
        scanned = scanned => scanned,
        never = async { warm(engine, side).await; std::future::pending().await } => never,
    };
    // When the store fails the walker only sees a closed queue.
    written?;
    walked?;
    went_away(engine, side).await
}

/// Has the connections ready that a tree of many folders is going to be read over, while its root is still being listed.
async fn warm(engine: &Engine, side: Side) {
    if side == Side::Source
        && engine.order.extent == heat::Extent::Whole
        && let Ok(true) = journal::holds(&engine.order.db, engine.order.job, MANY).await
    {
        engine.remote(side).warm(engine.width(side)).await;
    }
}

/// Directories that could not be listed because they went away after their parent was: only a new listing of the
/// parent proves it, and one is enough for all of its directories.
async fn went_away(engine: &Engine, side: Side) -> Result<(), Broken> {
    let (db, run) = (&engine.order.db, engine.order.run);
    let mut after = RelPath::root();
    loop {
        engine.check_stop()?;
        let page = store::failed(db, run, side, &after, PAGE).await?;
        let Some((last, ..)) = page.last() else { return Ok(()) };
        after = last.clone();
        let suspects: Vec<_> = page.into_iter().filter(|(.., fault)| presence::may_be_gone(fault)).collect();
        let sources: Vec<_> = suspects.iter().map(|(_, source, _)| source.clone()).collect();
        let gone = presence::gone(engine, side, &sources).await?;
        let ends: Vec<_> = suspects
            .into_iter()
            .filter(|(_, source, _)| gone.contains(source))
            .map(|(dir, ..)| (dir, Listed::Gone))
            .collect();
        store::write(db, run, side, &[], &ends).await?;
    }
}

async fn write(
    engine: &Engine,
    side: Side,
    begun: &HashSet<RelPath>,
    mut messages: mpsc::Receiver<Message>,
) -> Result<(), DbError> {
    // Only a closed queue is the end: a message may well say nothing.
    while let Some(first) = messages.recv().await {
        let (mut rows, mut ends, mut again, mut answers) = (Vec::new(), Vec::new(), None, Vec::new());
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Message::Entries(mut more) => rows.append(&mut more),
                Message::End(dir, listed) => ends.push((dir, listed)),
                Message::Again(dir) => again = Some(dir),
                Message::Flush(answer) => answers.push(answer),
            }
            // What came before these two is stored before what comes after.
            if rows.len() < ROWS && answers.is_empty() && again.is_none() {
                next = messages.try_recv().ok();
            }
        }
        if !rows.is_empty() || !ends.is_empty() {
            store::write(&engine.order.db, engine.order.run, side, &rows, &ends).await?;
        }
        if let Some(dir) = again {
            store::forget_children(&engine.order.db, engine.order.run, side, &dir, begun).await?;
        }
        for answer in answers {
            // Nobody waits any more when the walker was stopped.
            answer.send(()).ok();
        }
    }
    Ok(())
}

struct Walker<'a> {
    engine: &'a Engine,
    side: Side,
    remote: Arc<dyn Remote>,
    /// By whose clock the listings of a source are read.
    zone: Option<ServerZone>,
    queue: mpsc::Sender<Message>,
    guard: Guard,
}

impl Walker<'_> {
    async fn walk(self, seeds: Vec<Dir>, begun: &HashSet<RelPath>) -> Result<(), Broken> {
        let width = usize::from(self.engine.width(self.side));
        let mut waiting = VecDeque::from(seeds);
        let mut alone = Vec::new();
        let mut overflow = false;
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < width {
                // Spread over the connections: the last share is no bigger than the first.
                let share = waiting.len().div_ceil(width - running.len()).min(TOGETHER);
                match alone.pop() {
                    Some(dir) => running.push(self.read_all(vec![dir])),
                    None if share > 0 => running.push(self.read_all(waiting.split_off(waiting.len() - share).into())),
                    None => break,
                }
            }
            if let Some(found) = running.next().await {
                let Found { dirs, more, alone: unread, linked: _ } = found?;
                overflow |= more;
                alone.extend(unread);
                for dir in self.not_cold(dirs, begun).await? {
                    if waiting.len() < DIRS { waiting.push_back(dir) } else { overflow = true }
                }
            } else if overflow {
                let stored = self.stored().await?;
                overflow = stored.len() >= DIRS;
                waiting.extend(self.not_cold(stored, begun).await?);
            } else {
                return Ok(());
            }
        }
    }

    /// Those of `dirs` that are to be read, and were not among those that this side began with.
    async fn not_cold(&self, mut dirs: Vec<Dir>, begun: &HashSet<RelPath>) -> Result<Vec<Dir>, Broken> {
        if self.engine.order.extent == heat::Extent::Hot {
            dirs.retain(|(target, _)| !begun.contains(target));
        }
        let cold = heat::cold(self.engine, &dirs).await?;
        dirs.retain(|(target, _)| !cold.contains(target));
        for dir in cold {
            self.send(Message::End(dir, Listed::Cold)).await?;
        }
        Ok(dirs)
    }

    /// Directories that were too many for memory.
    async fn stored(&self) -> Result<Vec<Dir>, Broken> {
        self.flush().await?;
        let limit = i64::try_from(DIRS).unwrap_or(i64::MAX);
        Ok(store::waiting(&self.engine.order.db, self.engine.order.run, self.side, limit).await?)
    }

    /// Waits until everything that was sent before is in the store.
    async fn flush(&self) -> Result<(), Broken> {
        let (answer, stored) = oneshot::channel();
        self.send(Message::Flush(answer)).await?;
        stored.await.map_err(|_| Broken::Queue)
    }

    async fn send(&self, message: Message) -> Result<(), Broken> {
        self.queue.send(message).await.map_err(|_| Broken::Queue)
    }

    /// Reads directories, together where the other side can. Returns the directories in them, and those that have to
    /// be read alone.
    async fn read_all(&self, mut dirs: Vec<Dir>) -> Result<Found, Broken> {
        if let [only] = &mut dirs[..] {
            return self.read(std::mem::take(only)).await;
        }
        let sources: Vec<_> = dirs.iter().map(|(_, source)| source.clone()).collect();
        let mut all = Found::default();
        match self.remote.list_together(&sources).await {
            Ok(Some(listing)) => {
                let mut done = 0;
                let read = self.read_together(listing, &dirs, &mut all, &mut done);
                if let Ok(broken) = tokio::time::timeout(self.guard.patience(), read).await {
                    broken?;
                }
                // Only now, when the conversation has given its session back.
                for (dir, naming) in std::mem::take(&mut all.linked) {
                    self.settle_links(&dir, naming, &mut all).await?;
                }
                // Whatever was wrong with the rest shows when each of them is read alone.
                let rest = dirs.split_off(done.min(dirs.len()));
                if let Some((broken_off, _)) = rest.first() {
                    self.send(Message::Again(broken_off.clone())).await?;
                }
                all.alone.extend(rest);
            }
            Ok(None) => all.alone = dirs,
            Err(fault) => {
                tracing::debug!(side = self.side.word(), fault = %fault, "directories are read one by one");
                all.alone = dirs;
            }
        }
        Ok(all)
    }

    /// Reads `dirs` in one conversation. `done` says how many of them are settled, also when this is stopped; those that
    /// are not clear are in `all.alone`.
    async fn read_together(
        &self,
        mut listing: Box<dyn Together>,
        dirs: &[Dir],
        all: &mut Found,
        done: &mut usize,
    ) -> Result<(), Broken> {
        for dir in dirs {
            let (mut found, mut counted, mut unclear) = (Found::default(), self.guard.listing(), false);
            let mut links = false;
            let mut folder = self.folder();
            let listed = loop {
                match listing.next().await {
                    Ok(Some(Step::Entries(entries))) => {
                        // Only a listing alone asks what each of unknown kind is.
                        let unsettled = self.unsettled(&entries);
                        unclear |= counted.take(&entries).is_err() || unsettled.unknown;
                        links |= unsettled.links;
                        if !unclear {
                            self.show(dir, &mut folder, entries, &mut found).await?;
                        }
                    }
                    Ok(Some(Step::Whole(listed))) => break Some(listed).filter(|_| !unclear),
                    Ok(Some(Step::Unclear)) => break None,
                    Ok(None) => return Ok(()),
                    Err(fault) => {
                        tracing::debug!(side = self.side.word(), fault = %fault, "directories are read one by one");
                        return Ok(());
                    }
                }
            };
            let Some(listed) = listed else {
                self.send(Message::Again(dir.0.clone())).await?;
                all.alone.push(dir.clone());
                *done += 1;
                continue;
            };
            self.show_held(dir, &mut folder, &mut found).await?;
            counted.keep();
            self.ended(dir, listed).await?;
            all.more |= found.more;
            all.linked.extend(links.then(|| (dir.clone(), folder.naming())));
            for dir in found.dirs {
                all.push(dir);
            }
            *done += 1;
        }
        Ok(())
    }

    /// All of a directory was read.
    async fn ended(&self, dir: &Dir, listed: Completeness) -> Result<(), Broken> {
        let linked = self.side == Side::Source && self.engine.links.detours.leads_to(&dir.1);
        let listed = if linked { listed.doubted(Doubt::Linked) } else { listed };
        self.send(Message::End(dir.0.clone(), Listed::Ended(listed))).await?;
        if self.side == Side::Source {
            self.engine.progress.dirs_listed.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// Reads one directory, again when that may help. Returns the directories in it.
    async fn read(&self, dir: Dir) -> Result<Found, Broken> {
        let mut tries = 0;
        let read = self.engine.persist(|| {
            tries += 1;
            self.try_read(&dir, tries > 1)
        });
        match read.await? {
            Ok((listed, found)) => {
                self.ended(&dir, listed).await?;
                Ok(found)
            }
            Err(fault) if dir.0.is_root() => Err(Broken::Run(MirrorError::Root { side: self.side.word(), fault })),
            Err(fault) => {
                tracing::warn!(side = self.side.word(), dir = %dir.1.display(), fault = %fault, "a directory could not be listed");
                self.send(Message::Again(dir.0.clone())).await?;
                self.send(Message::End(dir.0, Listed::Failed(fault))).await?;
                Ok(Found::default())
            }
        }
    }

    /// One try. The outer result ends the scan, the inner one is about this directory.
    async fn try_read(&self, dir: &Dir, again: bool) -> Result<Result<(Completeness, Found), Fault>, Broken> {
        if again {
            self.send(Message::Again(dir.0.clone())).await?;
        }
        let Ok(shown) = tokio::time::timeout(self.guard.patience(), self.list(dir)).await else {
            return Ok(Err(self.guard.too_slow()));
        };
        let Shown { listed, mut found, names, naming, unsettled } = match shown? {
            Ok(shown) => shown,
            Err(fault) => return Ok(Err(fault)),
        };
        if unsettled.unknown
            && let Err(fault) = self.identify(dir, naming, &mut found).await?
        {
            return Ok(Err(fault));
        }
        // What was not known may turn out to be a link.
        if unsettled.links || unsettled.unknown {
            self.settle_links(dir, naming, &mut found).await?;
        }
        if !names::may_be_cut(&listed) {
            return Ok(Ok((listed, found)));
        }
        let again = async { names::compare(self.remote.list(&dir.1).await?, names, listed).await };
        match tokio::time::timeout(self.guard.patience(), again).await {
            Ok(compared) => Ok(compared.map(|listed| (listed, found))),
            Err(_) => Ok(Err(self.guard.too_slow())),
        }
    }

    /// Reads one listing to its end.
    async fn list(&self, dir: &Dir) -> Result<Result<Shown, Fault>, Broken> {
        let mut lister = match self.remote.list(&dir.1).await {
            Ok(lister) => lister,
            Err(fault) => return Ok(Err(fault)),
        };
        let (mut found, mut names, mut unsettled) = (Found::default(), Names::default(), Unsettled::default());
        let mut counted = self.guard.listing();
        let mut folder = self.folder();
        loop {
            let entries = match lister.next().await {
                Ok(Some(entries)) => entries,
                Ok(None) => break,
                Err(fault) => return Ok(Err(fault)),
            };
            if let Err(fault) = counted.take(&entries) {
                return Ok(Err(fault));
            }
            names.add(&entries);
            let more = self.unsettled(&entries);
            unsettled = Unsettled { unknown: unsettled.unknown || more.unknown, links: unsettled.links || more.links };
            self.show(dir, &mut folder, entries, &mut found).await?;
        }
        self.show_held(dir, &mut folder, &mut found).await?;
        let listed = lister.finish().await;
        if listed.is_ok() {
            counted.keep();
        }
        let naming = folder.naming();
        Ok(listed.map(|listed| Shown { listed, found, names, naming, unsettled }))
    }

    /// How the names of a directory that is about to be read are to be understood.
    fn folder(&self) -> Folder {
        Folder::new(match self.side {
            Side::Source => self.engine.names,
            Side::Target => mirror_names::Names::Everywhere(Naming::default()),
        })
    }

    /// Hands on what a listing showed, as soon as it is known how its names are written.
    async fn show(&self, dir: &Dir, folder: &mut Folder, entries: Vec<Entry>, found: &mut Found) -> Result<(), Broken> {
        let ready = folder.take(entries);
        self.send_rows(dir, folder.naming(), &ready, found).await?;
        if folder.is_full() { self.show_held(dir, folder, found).await } else { Ok(()) }
    }

    /// No more names come, or enough did: hands on what was held back.
    async fn show_held(&self, dir: &Dir, folder: &mut Folder, found: &mut Found) -> Result<(), Broken> {
        let held = folder.settle(self.engine, &dir.1).await?;
        self.send_rows(dir, folder.naming(), &held, found).await
    }

    async fn send_rows(&self, dir: &Dir, naming: Naming, entries: &[Entry], found: &mut Found) -> Result<(), Broken> {
        self.keep_faces(dir, entries);
        let row = |entry: &Entry| self.row(dir, naming, entry, Look::First, found);
        let rows: Vec<_> = entries.iter().filter_map(row).collect();
        self.count(&rows);
        if rows.is_empty() { Ok(()) } else { self.send(Message::Entries(rows)).await }
    }

    /// Some of the files may tell the zone of the clock.
    fn keep_faces(&self, dir: &Dir, entries: &[Entry]) {
        let Some(zone) = &self.zone else { return };
        let mut faces = self.engine.faces.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().for_each(|entry| faces.add(|| dir.1.join(&entry.name), entry, zone));
    }

    /// What a listing leaves open of `entries`.
    fn unsettled(&self, entries: &[Entry]) -> Unsettled {
        let any = |is: fn(&EntryKind) -> bool| entries.iter().any(|entry| is(&entry.kind));
        Unsettled {
            unknown: any(|kind| *kind == EntryKind::Unknown),
            links: self.minds_links() && any(|kind| matches!(kind, EntryKind::Symlink(_))),
        }
    }

    /// Are links more than names to be counted?
    fn minds_links(&self) -> bool {
        self.side == Side::Source && self.engine.order.policy.links != Links::Skip
    }

    /// Counts what was seen of the source; an unknown one when it is known.
    fn count(&self, rows: &[ScanRow]) {
        let known = rows.iter().filter(|row| self.side == Side::Source && row.kind != Kind::Unknown).count();
        self.engine.progress.entries_seen.fetch_add(u64::try_from(known).unwrap_or(u64::MAX), Relaxed);
    }

    /// What becomes of the links in a directory. As with [`Self::identify`], only when the listing has given its
    /// session back.
    async fn settle_links(&self, dir: &Dir, naming: Naming, found: &mut Found) -> Result<(), Broken> {
        let (db, run) = (&self.engine.order.db, self.engine.order.run);
        let mut after = dir.0.clone();
        while self.minds_links() {
            self.flush().await?;
            let page = store::of_kind(db, run, (self.side, Kind::Link), &dir.0, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.target.clone();
            let links = page.into_iter().filter_map(|link| Some((link.source.name()?, link.link)));
            for (entry, why) in links::settle(self.engine, dir, naming, links.collect()).await? {
                let message = match self.row(dir, naming, &entry, Look::Settled(why), found) {
                    Some(row) => Message::Entries(vec![row]),
                    None => Message::End(dir.0.join(&naming.map(&entry.name).unwrap_or(entry.name)), Listed::LeftOut),
                };
                self.send(message).await?;
            }
        }
        Ok(())
    }

    /// Asks for each entry of a directory whose listing does not say what it is: bare names, or facts without a type.
    /// Only now, when the listing has given its session back: listers that wait for one another's would wait for ever.
    async fn identify(&self, dir: &Dir, naming: Naming, found: &mut Found) -> Result<Result<(), Fault>, Broken> {
        let (db, run) = (&self.engine.order.db, self.engine.order.run);
        let mut after = dir.0.clone();
        loop {
            self.flush().await?;
            let page = store::of_kind(db, run, (self.side, Kind::Unknown), &dir.0, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(Ok(())) };
            after = last.target.clone();
            for store::Unsettled { target, source, .. } in page {
                let entry = match self.remote.stat(&source).await {
                    Ok(Some(entry)) => entry,
                    // It stays unknown, and is reported.
                    Ok(None) => continue,
                    Err(fault) => return Ok(Err(fault)),
                };
                let message = match self.row(dir, naming, &entry, Look::First, found) {
                    Some(row) => {
                        self.count(std::slice::from_ref(&row));
                        Message::Entries(vec![row])
                    }
                    None => Message::End(target, Listed::LeftOut),
                };
                self.send(message).await?;
            }
        }
    }

    /// What the table will hold of an entry; nothing for what the policy leaves out.
    fn row(&self, dir: &Dir, naming: Naming, entry: &Entry, look: Look, found: &mut Found) -> Option<ScanRow> {
        let kind = codes::kind_of(&entry.kind);
        let is_dir = kind == Kind::Dir;
        let source = dir.1.join(&entry.name);
        let (name, mut refused) = match self.side {
            Side::Target if entry.name.is_reserved() => return None,
            Side::Target => (entry.name.clone(), None),
            Side::Source => {
                // What nobody knows yet is left out only when it would be as a file and as a directory.
                let may_be_dir = matches!(look, Look::First)
                    && (kind == Kind::Unknown || kind == Kind::Link && self.engine.order.policy.links == Links::Follow);
                if self.engine.filter.leaves_out(&source, is_dir)
                    && (!may_be_dir || self.engine.filter.leaves_out(&source, true))
                {
                    return None;
                }
                let why = if let Look::Settled(why) = look { why } else { None };
                match naming.map(&entry.name) {
                    Ok(name) => (name, why),
                    Err(fault) => (entry.name.clone(), Some(fault)),
                }
            }
        };
        let path = dir.0.join(&name);
        if path.as_bytes().len() > MOST_PATH {
            refused = Some(Fault::new(
                Phase::List,
                FaultKind::BadName,
                "the path is longer than 4000 bytes: shorten it in the source",
            ));
        }
        if is_dir && refused.is_none() {
            refused = self.guard.too_deep(&path);
        }
        if is_dir && refused.is_none() {
            found.push((path.clone(), source.clone()));
        }
        let source = Some(source).filter(|source| *source != path);
        let link = if let EntryKind::Symlink(target) = &entry.kind { target.clone() } else { None };
        Some(ScanRow { path, source, kind, version: entry.fingerprint(), mode: entry.mode, refused, link })
    }
}

/// Longer paths cannot be opened on the systems that we know.
const MOST_PATH: usize = 4000;
