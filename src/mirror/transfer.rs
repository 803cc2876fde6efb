//! Moves the bytes of one file into its part.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::ahead::{self, Ahead};
use super::copy::{Failure, at_source, at_target};
use super::engine::{Broken, Engine};
use super::journal::{Change, Item};
use super::marks::{Marks, Prefix};
use super::progress::Ticket;
use super::publish;
use super::scan::store::Side;
use super::stripes;
use super::words::ItemState;
use crate::model::{
    Digest, DigestAlgorithm, Entry, Fault, FaultKind, Fingerprint, Hasher, JobId, Mtime, Name, Phase, RelPath,
};
use crate::remote::{Coming, Sink, Source, read_digest};

/// So many bytes before the confirmed offset are read again and compared.
const OVERLAP: u64 = 64 * 1024;
/// The journal learns of progress in steps of so many bytes,
const NOTE_EVERY: u64 = 16 * 1024 * 1024;
/// or after so long: what a killed process had moved since then is moved again.
const NOTE_AFTER: Duration = Duration::from_secs(1);

/// All bytes are in the part.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    pub digest: Digest,
    pub size: u64,
    /// Where reading began in this try.
    pub from: u64,
    /// What the source said of the file after the last byte, if it said it unasked.
    pub after: Option<Entry>,
    /// The part has its permission bits and this time already.
    pub stamped: Option<Option<Mtime>>,
}

/// The part's place: beside the file, named after the file, the version that is copied and the job, so that
/// neither another version nor another job ever continues it or writes into it while it is published.
pub(super) fn part_path(job: JobId, target: &RelPath, version: &Fingerprint) -> Result<RelPath, Fault> {
    let text = [target.as_bytes(), b"\0", version.to_string().as_bytes(), b"\0", job.to_string().as_bytes()].concat();
    let hash = digest(&SHA256, &text);
    let short = HEXLOWER.encode(hash.as_ref().get(..8).unwrap_or_default());
    let name = Name::new(format!(".causeway-part-{short}"))
        .map_err(|error| Fault::new(Phase::Open, FaultKind::BadName, error.to_string()))?;
    Ok(target.parent().unwrap_or_default().join(&name))
}

/// Where a transfer begins: what is in the part already, both sides open just behind it.
struct Begin {
    hash: Hasher,
    offset: u64,
    source: Box<dyn Source>,
    sink: Box<dyn Sink>,
    /// Bytes that were read beyond the overlap.
    beyond: Bytes,
}

/// Moves the file. What is confirmed when it fails is in `item` and in the journal.
pub(super) async fn transfer(
    engine: &Engine,
    item: &mut Item,
    version: &Fingerprint,
    ticket: &Ticket<'_>,
    (lane, lanes): (SemaphorePermit<'_>, &Arc<Semaphore>),
    open: Option<Box<dyn Source>>,
) -> Result<Moved, Failure> {
    let part = part_path(engine.order.job, &item.target, version).map_err(at_target)?;
    if item.part.as_ref() != Some(&part) {
        drop_part(engine, item).await;
        (item.confirmed, item.digest) = (0, None);
        item.part = Some(part.clone());
    }
    let resumed = if open.is_some() { None } else { resume(engine, item, &part).await? };
    let Begin { hash, offset, source, sink, beyond } = match resumed {
        Some(begin) => begin,
        None => restart(engine, item, &part, version, open).await?,
    };
    // What was compared beyond the overlap is given out first.
    let source = spread(engine, item, version, source, offset + beyond.len() as u64, lanes);
    let is_big = version.size.is_none_or(|size| size - offset.min(size) >= ahead::MIN_SIZE);
    let source = if is_big { Box::new(Ahead::new(source, &engine.tasks)) } else { source };
    let begin = Prefix::of(offset, &hash).map_err(at_target)?;
    (item.state, item.confirmed, item.digest) = (ItemState::Transferring, offset, Some(begin.digest));
    let (marks, noted_at) = (Marks::new(begin), Instant::now());
    let mut mover = Mover { engine, item, ticket, hash, marks, from: offset, at: offset, noted: offset, noted_at };
    mover.run(source, sink, beyond, version, lane).await
}

/// A big file may be read over several connections, where one of them does not carry as much as the road bears.
fn spread(
    engine: &Engine,
    item: &Item,
    version: &Fingerprint,
    source: Box<dyn Source>,
    at: u64,
    lanes: &Arc<Semaphore>,
) -> Box<dyn Source> {
    let remote = Arc::clone(&engine.order.source);
    let size = version
        .size
        .filter(|size| *size >= stripes::MIN_SIZE && !item.undivided)
        .filter(|_| stripes::pay(&remote.capabilities()));
    let Some(size) = size else { return source };
    let (path, version, tasks) = (item.path.clone(), version.clone(), engine.tasks.clone());
    let (lanes, turn) = (Arc::clone(lanes), Arc::clone(&engine.in_pieces));
    let plan = stripes::Plan { remote, path, version, size, lanes, turn, tasks };
    Box::new(stripes::Striped::new(plan, source, at))
}

/// The part of another version is of no use any more.
async fn drop_part(engine: &Engine, item: &Item) {
    if let Some(old) = &item.part
        && let Err(fault) = engine.order.target.remove_file(old).await
        && fault.kind != FaultKind::Missing
    {
        tracing::warn!(part = %old.display(), fault = %fault, "a part of an older version could not be removed");
    }
}

/// Unless the source is open already, the target is opened first: one that cannot be written must not cost the source a
/// transfer that is thrown away.
async fn restart(
    engine: &Engine,
    item: &Item,
    part: &RelPath,
    version: &Fingerprint,
    open: Option<Box<dyn Source>>,
) -> Result<Begin, Failure> {
    engine.journal.put(Change::Started { item: item.id, part: part.clone(), confirmed: None }).await?;
    let coming = Coming { size: version.size, mtime: version.mtime };
    let sink = engine.order.target.write_new(part, coming).await.map_err(at_target)?;
    let source = match open {
        Some(source) => source,
        None => engine.order.source.read(&item.path, 0, version.size).await.map_err(at_source)?,
    };
    let hash = Hasher::of_digest(engine.order.policy.digest);
    Ok(Begin { hash, offset: 0, source, sink, beyond: Bytes::new() })
}

/// Goes on behind what is confirmed, when the part still holds exactly that and the source still says the same.
/// None: begin at the start.
async fn resume(engine: &Engine, item: &Item, part: &RelPath) -> Result<Option<Begin>, Failure> {
    let (source, target) = (&engine.order.source, &engine.order.target);
    let able = source.capabilities().resume_read && target.capabilities().resume_write;
    let Some(digest) = item.digest.filter(|_| able && item.confirmed > OVERLAP) else { return Ok(None) };
    let confirmed = Prefix { length: item.confirmed, digest };
    let there = target.stat(part).await.map_err(at_target)?;
    if there.and_then(|entry| entry.size).is_none_or(|size| size < item.confirmed) {
        return Ok(None);
    }
    // As it was begun, whatever the policy wants now: no byte is sent again for that.
    let read = read_part(engine, part, item.confirmed, digest.algorithm()).await?;
    let Some((hash, tail)) = read else { return Ok(None) };
    if Prefix::of(item.confirmed, &hash).map_err(at_target)? != confirmed {
        tracing::warn!(path = %item.path.display(), "the target lost what it had confirmed: the file is copied from its start");
        return Ok(None);
    }
    let mut source = source.read(&item.path, item.confirmed - OVERLAP, None).await.map_err(at_source)?;
    let mut again = Vec::with_capacity(tail.len());
    while again.len() < tail.len() {
        match source.next().await.map_err(at_source)? {
            Some(bytes) => again.extend_from_slice(&bytes),
            None => break,
        }
    }
    if again.get(..tail.len()) != Some(tail.as_slice()) {
        tracing::info!(path = %item.path.display(), "the part does not match the source any more: the file is copied from its start");
        return Ok(None);
    }
    let beyond = Bytes::from(again.split_off(tail.len()));
    engine.journal.put(Change::Started { item: item.id, part: part.clone(), confirmed: Some(confirmed) }).await?;
    let sink = target.write(part, item.confirmed).await.map_err(at_target)?;
    Ok(Some(Begin { hash, offset: item.confirmed, source, sink, beyond }))
}

/// Hashes the first `length` bytes of the part and keeps the last [`OVERLAP`] of them.
async fn read_part(
    engine: &Engine,
    part: &RelPath,
    length: u64,
    algorithm: DigestAlgorithm,
) -> Result<Option<(Hasher, Vec<u8>)>, Failure> {
    let mut reader = engine.order.target.read(part, 0, None).await.map_err(at_target)?;
    let mut hash = Hasher::of_digest(algorithm);
    let mut tail = Vec::new();
    let mut left = length;
    while left > 0 {
        let Some(bytes) = reader.next().await.map_err(at_target)? else { return Ok(None) };
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let bytes = bytes.slice(..take);
        hash.update(&bytes);
        left -= u64::try_from(take).unwrap_or(left);
        tail.extend_from_slice(&bytes);
        let extra = tail.len().saturating_sub(usize::try_from(OVERLAP).unwrap_or(usize::MAX));
        tail.drain(..extra);
    }
    Ok(Some((hash, tail)))
}

/// The digest of what the source gives out now.
pub(super) async fn source_digest(
    engine: &Engine,
    path: &RelPath,
    algorithm: DigestAlgorithm,
) -> Result<Digest, Fault> {
    read_digest(&*engine.order.source, path, algorithm).await
}

struct Mover<'a> {
    engine: &'a Engine,
    item: &'a mut Item,
    ticket: &'a Ticket<'a>,
    /// Of the first `at` bytes.
    hash: Hasher,
    marks: Marks,
    from: u64,
    at: u64,
    noted: u64,
    noted_at: Instant,
}

/// How the reading ended.
enum Read {
    /// To the end; what the source said then.
    All(Result<Option<Entry>, Fault>),
    Failed(Fault),
    Stopped,
}

impl Read {
    /// Is what was read, `at` bytes, all that there was `expected` to be?
    fn has_all(&self, at: u64, expected: Option<u64>) -> bool {
        match self {
            Self::All(Ok(_)) => expected.is_none_or(|size| at >= size),
            Self::All(Err(fault)) => expected == Some(at) && is_silence(fault),
            Self::Failed(_) | Self::Stopped => false,
        }
    }
}

impl Mover<'_> {
    async fn run(
        &mut self,
        source: Box<dyn Source>,
        mut sink: Box<dyn Sink>,
        beyond: Bytes,
        version: &Fingerprint,
        lane: SemaphorePermit<'_>,
    ) -> Result<Moved, Failure> {
        let expected = version.size;
        if !beyond.is_empty() {
            self.take(&mut sink, beyond).await?;
        }
        // The next file may be read while this one is made durable.
        let read = self.pump(source, &mut sink, expected, lane).await?;
        let mode = publish::mode(self.engine, self.item).unwrap_or(publish::FILE_MODE);
        let whole = matches!(&read, Read::All(Ok(_)));
        let stamped = (whole && sink.stamp(version.mtime, Some(mode))).then_some(version.mtime);
        let at = self.at;
        let length = if read.has_all(at, expected) || self.engine.order.target.capabilities().resume_write {
            // Also after a failure: what arrived is made safe, so that the next try goes on from here.
            let length = sink.finish().await.map_err(|fault| self.blame(Side::Target, fault))?;
            if length != at {
                let message = format!("the target holds {length} bytes of {at} that were written");
                return Err(self.blame(Side::Target, Fault::new(Phase::Finish, FaultKind::Mismatch, message)));
            }
            length
        } else {
            // Nobody will go on with it, and a part must not be ended as if it were the whole.
            drop(sink);
            0
        };
        let mut seen = None;
        match read {
            // vsftpd says 226 for bytes that never arrived. What did arrive is gone on with, and whether it is
            // still the same version is looked at then.
            Read::All(Ok(_)) if expected.is_some_and(|size| at < size) => {
                self.confirm(length).await?;
                let message = format!("the source ended at byte {at} of {}", expected.unwrap_or_default());
                let fault = Fault::new(Phase::Verify, FaultKind::Mismatch, message);
                return Err(self.blame(Side::Source, fault.bytes(at - self.from)));
            }
            Read::All(Ok(after)) => seen = after,
            // In FTP a missing closing reply after all bytes is the classic reset of an idle control
            // connection. The second look at the source decides; nothing is sent again.
            Read::All(Err(fault)) if expected == Some(at) && is_silence(&fault) => {
                tracing::info!(path = %self.item.path.display(), fault = %fault, "all bytes arrived without a closing word");
            }
            Read::All(Err(fault)) | Read::Failed(fault) => {
                // More than there is: a server that ignores REST, or another version. Nothing of it is kept.
                let length = if fault.kind == FaultKind::Changed { 0 } else { length };
                self.confirm(length).await?;
                return Err(self.blame(Side::Source, fault.bytes(at - self.from)));
            }
            Read::Stopped => {
                self.confirm(length).await?;
                return Err(Failure::Broken(Broken::Stopped));
            }
        }
        let digest = Prefix::of(at, &self.hash).map_err(|fault| self.blame(Side::Target, fault))?.digest;
        self.item.confirmed = length;
        Ok(Moved { digest, size: at, from: self.from, after: seen, stamped })
    }

    async fn pump(
        &mut self,
        mut source: Box<dyn Source>,
        sink: &mut Box<dyn Sink>,
        expected: Option<u64>,
        lane: SemaphorePermit<'_>,
    ) -> Result<Read, Failure> {
        let mut lane = Some(lane);
        loop {
            let next = tokio::select! {
                biased;
                () = self.engine.stop.cancelled() => return Ok(Read::Stopped),
                next = source.next() => next,
            };
            match next {
                Ok(Some(bytes)) => self.take(sink, bytes).await?,
                Ok(None) => {
                    lane = lane.filter(|_| !source.is_off_the_road());
                    let ended = source.finish().await;
                    drop(lane);
                    return Ok(Read::All(ended));
                }
                Err(fault) => return Ok(Read::Failed(fault)),
            }
            if expected.is_some_and(|size| self.at > size) {
                let message = "the source sends more bytes than the file had: it grew while it was read";
                // What is in the part belongs to no version.
                return Ok(Read::Failed(Fault::new(Phase::Transfer, FaultKind::Changed, message)));
            }
        }
    }

    async fn take(&mut self, sink: &mut Box<dyn Sink>, bytes: Bytes) -> Result<(), Failure> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if let Err(fault) = sink.write(bytes.clone()).await {
            let confirmed = sink.confirmed();
            self.confirm(confirmed).await?;
            return Err(self.blame(Side::Target, fault));
        }
        self.hash.update(&bytes);
        self.at += count;
        self.marks.pass(self.at, &self.hash).map_err(|fault| self.blame(Side::Target, fault))?;
        self.engine.progress.bytes_moved.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        self.ticket.at(self.at);
        let confirmed = sink.confirmed();
        if confirmed >= self.noted + NOTE_EVERY || (confirmed > self.noted && self.noted_at.elapsed() >= NOTE_AFTER) {
            self.confirm(confirmed).await?;
        }
        Ok(())
    }

    /// The first `length` bytes are safe, or a little less: as much as is known by its digest.
    async fn confirm(&mut self, length: u64) -> Result<(), Failure> {
        let confirmed = if length == self.at {
            Some(Prefix::of(length, &self.hash).map_err(|fault| self.blame(Side::Target, fault))?)
        } else {
            self.marks.within(length)
        };
        let (length, digest) = confirmed.map_or((0, None), |prefix| (prefix.length, Some(prefix.digest)));
        (self.item.confirmed, self.item.digest) = (length, digest);
        (self.noted, self.noted_at) = (length, Instant::now());
        Ok(self.engine.journal.put(Change::Confirmed { item: self.item.id, confirmed }).await?)
    }

    fn blame(&self, side: Side, fault: Fault) -> Failure {
        Failure::Fault { side, fault, from: self.from, bytes: self.at.saturating_sub(self.from) }
    }
}

/// The other side fell silent or went away; it did not say that something went wrong.
fn is_silence(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Reset | FaultKind::ClosedEarly | FaultKind::Timeout | FaultKind::Stalled)
}
