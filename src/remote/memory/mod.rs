//! A tree in memory that misbehaves on cue: the mirror's sparring partner.
//!
//! Every call of [`Remote`], [`Lister`], [`Source`] and [`Sink`] counts as one step; a [`Script`] says which step
//! fails and how, which listings are doubtful, which files change while they are read, and more.

mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{Capabilities, Completeness, Doubt, Lister, Remote, Sink, Source};
use crate::model::{
    Algorithm, Checksum, Clock, Digest, Entry, EntryKind, Fault, FaultKind, Folds, Hasher, Mtime, Phase, Precision,
    RelPath, ServerZone, TimeSource,
};

use streams::{MemoryLister, MemorySink, MemorySource};

/// What a [`Memory`] does wrong.
#[derive(Debug, Clone)]
pub struct Script {
    /// The step with this number (from 1) fails so.
    pub fail_at: Option<(u64, Fault)>,
    /// Every step from this one on fails so.
    pub fail_from: Option<(u64, Fault)>,
    /// At the step with this number somebody else removes this file.
    pub gone_at: Option<(u64, RelPath)>,
    /// At the step with this number somebody else puts this file there, with this content.
    pub put_at: Option<(u64, RelPath, Vec<u8>)>,
    /// The step with this number is done, but nobody hears of it, and every later one fails so: to those who
    /// ask, this is a process that was killed.
    pub unheard_from: Option<(u64, Fault)>,
    /// Names cannot change places in one step.
    pub no_exchange: bool,
    /// No digest is told: whoever wants one reads.
    pub no_digest: bool,
    /// It cannot hold links.
    pub no_links: bool,
    /// Which names it takes for one.
    pub folds: Folds,
    /// Names with this byte cannot be kept.
    pub refuses: Option<u8>,
    /// Listings do not say where links point; a question does.
    pub hides_targets: bool,
    /// The absolute path of its root.
    pub root: Option<Vec<u8>>,
    /// Directories whose listing is doubtful.
    pub doubtful: BTreeMap<RelPath, Doubt>,
    /// Directories that cannot be listed.
    pub unreadable: BTreeSet<RelPath>,
    /// Files whose size is told wrongly (or not at all).
    pub told_size: BTreeMap<RelPath, Option<u64>>,
    /// Files that get this content when somebody has read their first bytes.
    pub changes_while_read: BTreeMap<RelPath, Vec<u8>>,
    /// Files whose bytes end after so many, with a clean closing word.
    pub cut: BTreeMap<RelPath, usize>,
    /// Reading at an offset begins at the start all the same.
    pub ignores_offset: bool,
    /// How exact times are told; none = no time is told at all.
    pub precision: Option<Precision>,
    /// Listings tell times to the minute, by a clock of this zone, as LIST does; a question still tells them exactly.
    pub listed_by: Option<ServerZone>,
    /// What is written by somebody else gets the time of this clock, which goes wrong by so much; none = each file
    /// gets a time of long ago.
    pub clock: Option<(Arc<dyn Clock>, SignedDuration)>,
    /// The hashes that it tells of its files.
    pub hashes: Vec<Algorithm>,
    /// Files of which it tells the hashes of this content.
    pub told_content: BTreeMap<RelPath, Vec<u8>>,
    /// Bytes per chunk.
    pub chunk: usize,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            fail_at: None,
            fail_from: None,
            gone_at: None,
            put_at: None,
            unheard_from: None,
            no_exchange: false,
            no_digest: false,
            no_links: false,
            folds: Folds::default(),
            refuses: None,
            hides_targets: false,
            root: None,
            doubtful: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            told_size: BTreeMap::new(),
            changes_while_read: BTreeMap::new(),
            cut: BTreeMap::new(),
            ignores_offset: false,
            precision: Some(Precision::Second),
            listed_by: None,
            clock: None,
            hashes: Algorithm::ALL.to_vec(),
            told_content: BTreeMap::new(),
            chunk: 64 * 1024,
        }
    }
}

/// One node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: EntryKind,
    /// Its content.
    pub data: Vec<u8>,
    /// Its time.
    pub mtime: Timestamp,
    /// Its permission bits.
    pub mode: u32,
}

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<RelPath, Node>,
    script: Script,
    steps: u64,
    log: Vec<String>,
    clock: i64,
    /// By which clock its listings are believed to be.
    zone: ServerZone,
}

/// A tree in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<State>>);

/// Files made without a time are this old (seconds since 1970), and each younger than the one before.
const OLD: i64 = 1_500_000_000;

impl Memory {
    /// An empty tree that does nothing wrong.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what goes wrong, and counts steps from 1 again.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        let mut state = self.state();
        change(&mut state.script);
        state.steps = 0;
        state.log.clear();
    }

    /// Steps since the last change of the script.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// The steps, in words such as `read a/b`.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// Puts a file (and the directories above it) with a time of its own.
    pub fn put(&self, path: &RelPath, data: impl Into<Vec<u8>>) {
        let mut state = self.state();
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            state.nodes.entry(dir.clone()).or_insert_with(dir_node);
            above = dir.parent();
        }
        let mtime = state.tick();
        state.nodes.insert(path.clone(), Node { kind: EntryKind::File, data: data.into(), mtime, mode: 0o644 });
    }

    /// Puts any node.
    pub fn put_node(&self, path: &RelPath, node: Node) {
        self.state().nodes.insert(path.clone(), node);
    }

    /// Removes a path and all below it.
    pub fn take(&self, path: &RelPath) {
        self.state().nodes.retain(|at, _| !at.starts_with(path));
    }

    /// Everything that is no secret of Causeway: path to node.
    #[must_use]
    pub fn tree(&self) -> BTreeMap<RelPath, Node> {
        self.state().nodes.iter().filter(|(path, _)| !path.is_reserved()).map(|(p, n)| (p.clone(), n.clone())).collect()
    }

    /// Everything, parts and trash too.
    #[must_use]
    pub fn whole(&self) -> BTreeMap<RelPath, Node> {
        self.state().nodes.clone()
    }

    /// Counts a step and says whether it fails.
    fn step(&self, what: &str, path: &RelPath) -> Result<MutexGuard<'_, State>, Fault> {
        let mut state = self.state();
        state.steps += 1;
        let step = state.steps;
        state.log.push(format!("{what} {}", path.display()));
        if let Some((_, gone)) = state.script.gone_at.take_if(|(at, _)| *at == step) {
            state.nodes.remove(&gone);
        }
        if let Some((_, at, data)) = state.script.put_at.take_if(|(at, ..)| *at == step) {
            let mtime = state.tick();
            state.nodes.insert(at, Node { kind: EntryKind::File, data, mtime, mode: 0o644 });
        }
        if let Some((_, fault)) = state.script.unheard_from.as_ref().filter(|(at, _)| *at < step) {
            return Err(fault.clone());
        }
        if let Some((_, fault)) = state.script.fail_at.as_ref().filter(|(at, _)| *at == step) {
            return Err(fault.clone());
        }
        if let Some((_, fault)) = state.script.fail_from.as_ref().filter(|(from, _)| *from <= step) {
            return Err(fault.clone());
        }
        Ok(state)
    }
}

fn dir_node() -> Node {
    Node { kind: EntryKind::Dir, data: Vec::new(), mtime: Timestamp::from_second(OLD).unwrap_or_default(), mode: 0o755 }
}

/// The time as it is told: everything below its precision is cut off.
fn floor(at: Timestamp, precision: Precision) -> Timestamp {
    let tick = match precision {
        Precision::Nanosecond => return at,
        Precision::Second => 1,
        Precision::Minute => 60,
        Precision::Day => 86_400,
    };
    Timestamp::from_second(at.as_second().div_euclid(tick) * tick).unwrap_or(at)
}

fn missing(phase: Phase, path: &RelPath) -> Fault {
    Fault::new(phase, FaultKind::Missing, format!("{} is not there", path.display()))
}

impl State {
    fn tick(&mut self) -> Timestamp {
        if let Some((clock, skew)) = &self.script.clock {
            return clock.now().saturating_add(*skew).unwrap_or_default();
        }
        self.clock += 2;
        Timestamp::from_second(OLD + self.clock).unwrap_or_default()
    }

    /// The answer to a step that changed something.
    fn answer(&self) -> Result<(), Fault> {
        match &self.script.unheard_from {
            Some((at, fault)) if *at <= self.steps => Err(fault.clone()),
            _ => Ok(()),
        }
    }

    fn entry(&self, path: &RelPath, node: &Node) -> Option<Entry> {
        let size = match self.script.told_size.get(path) {
            Some(told) => *told,
            None => u64::try_from(node.data.len()).ok(),
        };
        let name = path.name().or_else(|| crate::model::Name::new(b"root").ok())?;
        let told = |precision| Mtime { at: floor(node.mtime, precision), precision, source: TimeSource::Mlsd };
        let mtime = self.script.precision.map(told);
        Some(Entry { name, kind: node.kind.clone(), size, mtime, mode: Some(node.mode), unique: None })
    }

    /// The entry as a listing has it.
    fn listed(&self, entry: Entry) -> Entry {
        let by_its_clock = |zone: &ServerZone, mtime: Mtime| {
            let at = self.zone.instant(zone.face(floor(mtime.at, Precision::Minute))).unwrap_or(mtime.at);
            Mtime { at, precision: Precision::Minute, source: TimeSource::List }
        };
        let mtime = entry.mtime.map(|mtime| match &self.script.listed_by {
            Some(zone) => by_its_clock(zone, mtime),
            None => mtime,
        });
        let kind = match entry.kind {
            EntryKind::Symlink(_) if self.script.hides_targets => EntryKind::Symlink(None),
            kind => kind,
        };
        Entry { mtime, kind, ..entry }
    }

    /// The name that lies there and is taken for `path`, else `path` itself.
    fn kept(&self, path: &RelPath) -> RelPath {
        let folds = self.script.folds;
        if !folds.any() || self.nodes.contains_key(path) {
            return path.clone();
        }
        let keys = |path: &RelPath| path.names().map(|name| folds.key(&name)).collect::<Vec<_>>();
        let wanted = keys(path);
        self.nodes.keys().find(|there| keys(there) == wanted).cloned().unwrap_or_else(|| path.clone())
    }

    fn check_name(&self, path: &RelPath) -> Result<(), Fault> {
        match self.script.refuses {
            Some(byte) if path.as_bytes().contains(&byte) => {
                Err(Fault::new(Phase::Publish, FaultKind::BadName, format!("{} is no name here", path.display())))
            }
            _ => Ok(()),
        }
    }

    fn is_dir(&self, path: &RelPath) -> bool {
        path.is_root() || self.nodes.get(path).is_some_and(|node| node.kind == EntryKind::Dir)
    }

    fn need_parent(&self, path: &RelPath) -> Result<(), Fault> {
        let parent = path.parent().unwrap_or_default();
        if self.is_dir(&parent) { Ok(()) } else { Err(missing(Phase::Open, &parent)) }
    }
}

#[async_trait]
impl Remote for Memory {
    fn capabilities(&self) -> Capabilities {
        let state = self.state();
        Capabilities {
            resume_read: true,
            reads_ahead: false,
            resume_write: true,
            write: true,
            set_mtime: true,
            set_mode: true,
            digest: true,
            checksum: !state.script.hashes.is_empty(),
            exchange: true,
            links: !state.script.no_links,
            read_tells: false,
            parallel: 4,
        }
    }

    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        let state = self.step("list", dir)?;
        let dir = &state.kept(dir);
        if !state.is_dir(dir) {
            return Err(missing(Phase::List, dir));
        }
        if state.script.unreadable.contains(dir) {
            return Err(Fault::new(Phase::List, FaultKind::Permission, format!("{} may not be read", dir.display())));
        }
        let entries = state
            .nodes
            .iter()
            .filter(|(path, _)| path.parent().as_ref() == Some(dir) && !path.is_reserved())
            .filter_map(|(path, node)| state.entry(path, node))
            .map(|entry| state.listed(entry))
            .collect();
        let doubts = state.script.doubtful.get(dir).cloned().into_iter().collect();
        let verdict = Completeness::from_doubts(doubts, "memory tells all");
        Ok(Box::new(MemoryLister::new(self.clone(), dir, entries, verdict)))
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        let state = self.step("stat", path)?;
        let path = &state.kept(path);
        let root = dir_node();
        let node = if path.is_root() { Some(&root) } else { state.nodes.get(path) };
        Ok(node.and_then(|node| state.entry(path, node)))
    }

    fn root(&self) -> Option<Vec<u8>> {
        self.state().script.root.clone()
    }

    fn listing_zone(&self) -> Option<ServerZone> {
        let state = self.state();
        state.script.listed_by.is_some().then(|| state.zone.clone())
    }

    fn set_listing_zone(&self, zone: &ServerZone) {
        self.state().zone = zone.clone();
    }

    async fn read(&self, path: &RelPath, offset: u64, _size: Option<u64>) -> Result<Box<dyn Source>, Fault> {
        let state = self.step("read", path)?;
        let path = &state.kept(path);
        let node = state.nodes.get(path).filter(|node| node.kind == EntryKind::File);
        if node.is_none() {
            return Err(missing(Phase::Open, path));
        }
        let offset = if state.script.ignores_offset { 0 } else { usize::try_from(offset).unwrap_or(usize::MAX) };
        Ok(Box::new(MemorySource::new(self.clone(), path, offset)))
    }

    async fn write(&self, path: &RelPath, offset: u64) -> Result<Box<dyn Sink>, Fault> {
        let mut state = self.step("write", path)?;
        state.check_name(path)?;
        let path = &state.kept(path);
        state.need_parent(path)?;
        let mtime = state.tick();
        let new = Node { kind: EntryKind::File, data: Vec::new(), mtime, mode: 0o600 };
        let node = if offset == 0 {
            state.nodes.entry(path.clone()).or_insert(new)
        } else {
            state.nodes.get_mut(path).ok_or_else(|| missing(Phase::Open, path))?
        };
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if node.data.len() < offset {
            return Err(Fault::new(
                Phase::Open,
                FaultKind::Mismatch,
                "the file is shorter than where writing should go on",
            ));
        }
        node.data.truncate(offset);
        Ok(Box::new(MemorySink::new(self.clone(), path, offset)))
    }

    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault> {
        let state = self.step("digest", path)?;
        let path = &state.kept(path);
        let node = state.nodes.get(path).ok_or_else(|| missing(Phase::Verify, path))?;
        if state.script.no_digest {
            return Ok(None);
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&node.data);
        Ok(Digest::try_from(hasher).ok())
    }

    async fn checksum(&self, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
        let state = self.step("checksum", path)?;
        let path = &state.kept(path);
        let node = state.nodes.get(path).ok_or_else(|| missing(Phase::Verify, path))?;
        let Some(algorithm) = wanted.iter().find(|wanted| state.script.hashes.contains(wanted)) else {
            return Ok(None);
        };
        let mut hasher = Hasher::new(*algorithm);
        hasher.update(state.script.told_content.get(path).unwrap_or(&node.data));
        Ok(hasher.finish().ok())
    }

    async fn set_attributes(&self, path: &RelPath, mtime: Option<Mtime>, mode: Option<u32>) -> Result<(), Fault> {
        let mut state = self.step("set-attributes", path)?;
        let path = &state.kept(path);
        let node = state.nodes.get_mut(path).ok_or_else(|| missing(Phase::Publish, path))?;
        node.mtime = mtime.map_or(node.mtime, |m| m.at);
        node.mode = mode.unwrap_or(node.mode);
        state.answer()
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<Option<Entry>, Fault> {
        let mut state = self.step("rename", to)?;
        state.check_name(to)?;
        let (from, to) = (&state.kept(from), &state.kept(to));
        state.need_parent(to)?;
        if state.nodes.contains_key(to) {
            return Err(Fault::new(Phase::Publish, FaultKind::Exists, format!("{} is there already", to.display())));
        }
        let node = state.nodes.remove(from).ok_or_else(|| missing(Phase::Publish, from))?;
        let below: Vec<_> = state.nodes.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for path in below {
            let rest = path.as_bytes().get(from.as_bytes().len() + 1..).unwrap_or_default();
            if let (Ok(rest), Some(node)) = (RelPath::new(rest), state.nodes.remove(&path)) {
                state.nodes.insert(to.concat(&rest), node);
            }
        }
        state.nodes.insert(to.clone(), node);
        state.answer().map(|()| None)
    }

    async fn exchange(&self, one: &RelPath, other: &RelPath) -> Result<(), Fault> {
        let mut state = self.step("exchange", other)?;
        let (one, other) = (&state.kept(one), &state.kept(other));
        if state.script.no_exchange {
            return Err(Fault::new(Phase::Publish, FaultKind::Unsupported, "names cannot change places here"));
        }
        let held = |at: &RelPath| state.nodes.get(at).cloned().ok_or_else(|| missing(Phase::Publish, at));
        let (first, second) = (held(one)?, held(other)?);
        state.nodes.insert(one.clone(), second);
        state.nodes.insert(other.clone(), first);
        state.answer()
    }

    async fn remove_file(&self, path: &RelPath) -> Result<(), Fault> {
        let mut state = self.step("remove", path)?;
        let path = &state.kept(path);
        match state.nodes.get(path).map(|node| node.kind == EntryKind::Dir) {
            None => Err(missing(Phase::Command, path)),
            Some(true) => Err(Fault::new(Phase::Command, FaultKind::Exists, "a directory is not removed like a file")),
            Some(false) => {
                state.nodes.remove(path);
                state.answer()
            }
        }
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<(), Fault> {
        let mut state = self.step("remove-dir", path)?;
        let path = &state.kept(path);
        if !state.nodes.contains_key(path) {
            return Err(missing(Phase::Command, path));
        }
        if state.nodes.keys().any(|other| other.parent().as_ref() == Some(path)) {
            return Err(Fault::new(Phase::Command, FaultKind::Exists, "the directory is not empty"));
        }
        state.nodes.remove(path);
        Ok(())
    }

    async fn make_link(&self, path: &RelPath, target: &[u8]) -> Result<(), Fault> {
        let mut state = self.step("make-link", path)?;
        state.check_name(path)?;
        let path = &state.kept(path);
        state.need_parent(path)?;
        if state.script.no_links {
            return Err(Fault::new(Phase::Publish, FaultKind::Unsupported, "there are no links here"));
        }
        if state.nodes.contains_key(path) {
            return Err(Fault::new(Phase::Publish, FaultKind::Exists, format!("{} is there already", path.display())));
        }
        let (kind, mtime) = (EntryKind::Symlink(Some(target.to_vec())), state.tick());
        state.nodes.insert(path.clone(), Node { kind, data: Vec::new(), mtime, mode: 0o777 });
        state.answer()
    }

    async fn make_dir(&self, path: &RelPath) -> Result<(), Fault> {
        let mut state = self.step("make-dir", path)?;
        state.check_name(path)?;
        let path = &state.kept(path);
        state.need_parent(path)?;
        match state.nodes.get(path).map(|node| node.kind == EntryKind::Dir) {
            Some(false) => {
                return Err(Fault::new(Phase::Command, FaultKind::Exists, "a file lies in the directory's place"));
            }
            Some(true) => {}
            None => {
                state.nodes.insert(path.clone(), dir_node());
            }
        }
        Ok(())
    }

    async fn close(&self) {}
}
