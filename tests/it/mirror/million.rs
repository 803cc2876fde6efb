//! A run of very many files in bounded memory: half of them in one directory, half in thousands. Both sides are
//! made up as they are asked for, so that what is measured is the mirror and its store.
//!
//! Every test run takes ten thousand and then fifty thousand: what the process grows by in between is what forty
//! thousand files cost. `CAUSEWAY_TEST_FILES=1000000 tests/run bounded_memory` takes the million (seven minutes on
//! two cores).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use causeway::model::{Digest, Entry, EntryKind, Fault, FaultKind, Mtime, Name, Phase, Precision, RelPath, TimeSource};
use causeway::remote::{Capabilities, Completeness, Lister, Remote, Sink, Source};

use super::*;

/// The others than the first half lie in directories of so many.
const FEW: usize = 100;
const BATCH: usize = 1024;

/// What the process may use, all in all, however many files there are.
const MEMORY: u64 = 200 << 20;

/// What a file more may cost, bytes: pages of the store that were not held before (they end at their bound, see the
/// million), but no record of its own.
const EACH: u64 = 1536;

/// How many files there are to begin with, and how many then.
const FIRST: usize = 10_000;

fn most() -> usize {
    std::env::var("CAUSEWAY_TEST_FILES").map_or(50_000, |count| count.parse().expect("a number"))
}

fn size(number: usize) -> u64 {
    number as u64 % 40
}

fn name(text: String) -> Name {
    Name::new(text).unwrap()
}

fn dir(dir: usize) -> Name {
    name(format!("dir-{dir:05}"))
}

fn file(number: usize) -> Name {
    name(format!("report of a partner, number {number:07}.csv"))
}

/// The file's number, when `path` is a file's own name.
fn number(path: &RelPath) -> Option<usize> {
    let text = path.name()?.display().into_owned();
    text.strip_prefix("report of a partner, number ")?.strip_suffix(".csv")?.parse().ok()
}

fn entry(name: Name, kind: EntryKind, size: Option<u64>) -> Entry {
    let at = jiff::Timestamp::from_second(1_500_000_000).unwrap();
    let mtime = Some(Mtime { at, precision: Precision::Nanosecond, source: TimeSource::FileSystem });
    Entry { name, kind, size, mtime, mode: Some(0o644), unique: None }
}

fn missing(path: &RelPath) -> Fault {
    Fault::new(Phase::Open, FaultKind::Missing, format!("{} is not there", path.display()))
}

/// A source that has all files, or a target that has those that were published.
struct Crowd {
    files: usize,
    /// For a target: which files and directories it has.
    has: Option<Mutex<(Vec<bool>, std::collections::HashSet<RelPath>)>>,
    reads: AtomicU64,
    /// The parts' sizes, by their names.
    parts: Mutex<std::collections::HashMap<RelPath, u64>>,
}

impl Crowd {
    fn source(files: usize) -> Arc<Self> {
        Arc::new(Self { files, has: None, reads: AtomicU64::new(0), parts: Mutex::default() })
    }

    fn target(files: usize) -> Arc<Self> {
        let has = Some(Mutex::new((vec![false; files], std::collections::HashSet::from([RelPath::root()]))));
        Arc::new(Self { files, has, reads: AtomicU64::new(0), parts: Mutex::default() })
    }

    /// The first so many lie in one directory.
    fn in_one_folder(&self) -> usize {
        self.files / 2
    }

    fn has_file(&self, number: usize) -> bool {
        self.has.as_ref().is_none_or(|has| has.lock().unwrap().0[number])
    }

    fn has_dir(&self, path: &RelPath) -> bool {
        self.has.as_ref().is_none_or(|has| has.lock().unwrap().1.contains(path))
    }

    fn count(&self) -> usize {
        self.has.as_ref().map_or(self.files, |has| has.lock().unwrap().0.iter().filter(|there| **there).count())
    }
}

struct CrowdLister {
    entries: Box<dyn Iterator<Item = Entry> + Send>,
}

#[async_trait]
impl Lister for CrowdLister {
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        let batch: Vec<_> = self.entries.by_ref().take(BATCH).collect();
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }

    async fn finish(self: Box<Self>) -> Result<Completeness, Fault> {
        Ok(Completeness::Proven { how: "it is made up".into() })
    }
}

struct Zeros(u64);

#[async_trait]
impl Source for Zeros {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let size = std::mem::take(&mut self.0) as usize;
        Ok((size > 0).then(|| Bytes::from(vec![0; size])))
    }

    async fn finish(self: Box<Self>) -> Result<Option<Entry>, Fault> {
        Ok(None)
    }
}

struct Counter {
    crowd: Arc<Crowd>,
    part: RelPath,
    length: u64,
}

#[async_trait]
impl Sink for Counter {
    async fn write(&mut self, data: Bytes) -> Result<(), Fault> {
        self.length += data.len() as u64;
        Ok(())
    }

    fn confirmed(&self) -> u64 {
        0
    }

    async fn finish(self: Box<Self>) -> Result<u64, Fault> {
        self.crowd.parts.lock().unwrap().insert(self.part, self.length);
        Ok(self.length)
    }
}

/// The trait wants `&self`, the sink wants to keep it.
struct Shared(Arc<Crowd>);

#[async_trait]
impl Remote for Shared {
    fn capabilities(&self) -> Capabilities {
        Capabilities { write: true, set_mtime: true, parallel: 8, ..Capabilities::default() }
    }

    async fn list(&self, at: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        let crowd = Arc::clone(&self.0);
        if !crowd.has_dir(at) {
            return Err(missing(at));
        }
        let alone = crowd.in_one_folder();
        let dirs = 1 + (crowd.files - alone) / FEW;
        let entries: Box<dyn Iterator<Item = Entry> + Send> = if at.is_root() {
            let there = move |name: &Name| crowd.has_dir(&RelPath::root().join(name));
            Box::new((0..dirs).map(dir).filter(there).map(|name| entry(name, EntryKind::Dir, None)))
        } else {
            let which: usize = at.display()[4..].parse().unwrap();
            let begin = if which == 0 { 0 } else { alone + (which - 1) * FEW };
            let range = begin..if which == 0 { alone } else { begin + FEW };
            let there = move |number: &usize| crowd.has_file(*number);
            Box::new(range.filter(there).map(|n| entry(file(n), EntryKind::File, Some(size(n)))))
        };
        Ok(Box::new(CrowdLister { entries }))
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        let Some(name) = path.name() else { return Ok(None) };
        if let Some(number) = number(path) {
            let there = entry(name, EntryKind::File, Some(size(number)));
            return Ok(self.0.has_file(number).then_some(there));
        }
        if let Some(length) = self.0.parts.lock().unwrap().get(path) {
            return Ok(Some(entry(name, EntryKind::File, Some(*length))));
        }
        Ok(self.0.has_dir(path).then(|| entry(name, EntryKind::Dir, None)))
    }

    async fn read(&self, path: &RelPath, _: u64, _: Option<u64>) -> Result<Box<dyn Source>, Fault> {
        self.0.reads.fetch_add(1, Relaxed);
        let number = number(path).ok_or_else(|| missing(path))?;
        Ok(Box::new(Zeros(size(number))))
    }

    async fn write(&self, path: &RelPath, _: u64) -> Result<Box<dyn Sink>, Fault> {
        Ok(Box::new(Counter { crowd: Arc::clone(&self.0), part: path.clone(), length: 0 }))
    }

    async fn digest(&self, _: &RelPath) -> Result<Option<Digest>, Fault> {
        Ok(None)
    }

    async fn set_attributes(&self, _: &RelPath, _: Option<Mtime>, _: Option<u32>) -> Result<(), Fault> {
        Ok(())
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<Option<Entry>, Fault> {
        let length = self.0.parts.lock().unwrap().remove(from).ok_or_else(|| missing(from))?;
        let number = number(to).ok_or_else(|| missing(to))?;
        assert_eq!(length, size(number));
        self.0.has.as_ref().expect("only the target is written").lock().unwrap().0[number] = true;
        Ok(None)
    }

    async fn remove_file(&self, path: &RelPath) -> Result<(), Fault> {
        self.0.parts.lock().unwrap().remove(path).map(drop).ok_or_else(|| missing(path))
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<(), Fault> {
        Err(missing(path))
    }

    async fn make_dir(&self, path: &RelPath) -> Result<(), Fault> {
        self.0.has.as_ref().expect("only the target is written").lock().unwrap().1.insert(path.clone());
        Ok(())
    }

    async fn close(&self) {}
}

/// Most memory that this process has had in use, bytes.
pub fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// Mirrors so many files twice; the second run copies none.
async fn mirror(lab: &Lab, job: JobId, files: usize) {
    let (source, target) = (Crowd::source(files), Crowd::target(files));
    for number in 1..=2 {
        let begin = Instant::now();
        let order = MirrorRun {
            db: lab.db.clone(),
            clock: lab.context.clock.clone(),
            recorder: lab.context.recorder.clone(),
            job,
            run: RunId(job.0 * 2 + number),
            source: Arc::new(Shared(Arc::clone(&source))),
            target: Arc::new(Shared(Arc::clone(&target))),
            extent: Extent::Whole,
            server: "source".to_owned(),
            zone: None,
            place: "target".to_owned(),
            policy: Policy::default(),
            actor: Actor::Job(job),
        };
        let summary = run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap();
        println!("{files} files, run {number}: {:?}, at most {} MiB", begin.elapsed(), peak() >> 20);
        assert!(summary.complete && summary.verified, "{summary:?}");
        let all = files as u64;
        let copied = if number == 1 { all } else { 0 };
        assert_eq!((summary.counts.files_published, summary.counts.files_unchanged), (copied, all - copied));
        assert_eq!((target.count(), source.reads.load(Relaxed)), (files, all));
        assert!(peak() < MEMORY, "{} MiB of {}", peak() >> 20, MEMORY >> 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_very_many_files_cost_bounded_memory() {
    let lab = Lab::new().await;
    mirror(&lab, JobId(1), FIRST).await;
    let before = peak();
    mirror(&lab, JobId(2), most()).await;
    let (grown, more) = (peak() - before, (most() - FIRST) as u64);
    assert!(grown < more * EACH, "{grown} bytes for {more} files more");
}
