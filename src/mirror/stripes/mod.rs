//! One big file, read in pieces over several connections, given out in order.
//!
//! Whoever reads sees one [`Source`]: hashing, writing, resuming and verifying need not know. The pieces lie in memory
//! until it is their turn, so together they are bounded. Every piece is of the version that was asked for, or the whole
//! reading fails: a file that is replaced meanwhile is never spliced.

mod steer;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::steer::Steer;
use crate::model::{Entry, EntryKind, Fault, FaultKind, Fingerprint, Phase, RelPath, Retry};
use crate::remote::{Capabilities, Remote, Source};
use crate::task::Tasks;

/// Smaller files are read in one piece.
pub(super) const MIN_SIZE: u64 = 32 << 20;
/// All pieces that wait to be given out, together.
const MEMORY: u64 = 64 << 20;
/// Bounds of one piece: less costs more round trips than it brings.
const PIECE: std::ops::RangeInclusive<u64> = 1 << 20..=8 << 20;
/// A piece takes about so long, that a slow one does not hold up the end for minutes.
const PIECE_TIME: Duration = Duration::from_secs(6);
/// The last pieces are smaller, so that all flows end together; but not smaller than this.
const LAST: u64 = 512 << 10;
/// Bytes are handed on in lots of so many.
const GATHER: u64 = 64 << 10;
/// A piece that broke off is gone on with so often before the whole reading fails.
const TRIES: u32 = 3;

/// Can a file be read in pieces, and can that be faster?
pub(super) const fn pay(able: &Capabilities) -> bool {
    able.resume_read && able.read_tells && !able.reads_ahead
}

/// What is read, and over what.
#[derive(Clone)]
pub(super) struct Plan {
    pub remote: Arc<dyn Remote>,
    pub path: RelPath,
    pub version: Fingerprint,
    pub size: u64,
    /// Connections that may be used besides the one that there is.
    pub lanes: Arc<Semaphore>,
    /// Held by the one file of the run that is in pieces: they lie in memory.
    pub turn: Arc<Semaphore>,
    pub tasks: Tasks,
}

/// A piece on its way.
enum Piece {
    /// Read as it is given out, up to `end` or to the end of the file.
    Direct { source: Box<dyn Source>, end: Option<u64> },
    /// Read ahead.
    Ahead { end: u64, bytes: mpsc::Receiver<Result<Word, Fault>>, task: JoinHandle<()>, own: bool },
}

impl Piece {
    /// Does it still use a connection? One that was read ahead to its end only waits for its turn.
    fn is_under_way(&self) -> bool {
        match self {
            Self::Direct { .. } => true,
            Self::Ahead { task, .. } => !task.is_finished(),
        }
    }

    /// Is it read over the connection that the copy has anyway?
    const fn is_on_own_connection(&self) -> bool {
        match self {
            Self::Direct { .. } => true,
            Self::Ahead { own, .. } => *own,
        }
    }
}

/// What a piece says.
enum Word {
    Bytes(Bytes),
    /// The file ended; what the other side says of it now.
    End(Option<Entry>),
}

/// A file in pieces.
pub(super) struct Striped {
    plan: Plan,
    pieces: VecDeque<Piece>,
    /// Given out up to here.
    at: u64,
    /// Asked for up to here; beyond only a direct piece without an end goes.
    asked: u64,
    begun: Instant,
    /// Bytes that came over all connections.
    came: Arc<AtomicU64>,
    steer: Steer,
    turn: Option<OwnedSemaphorePermit>,
    ended: Option<Option<Entry>>,
}

impl Striped {
    /// Goes on with `source`, which is open at `offset`.
    pub(super) fn new(plan: Plan, source: Box<dyn Source>, offset: u64) -> Self {
        let asked = plan.size;
        Self {
            plan,
            pieces: VecDeque::from([Piece::Direct { source, end: None }]),
            at: offset,
            asked,
            begun: Instant::now(),
            came: Arc::default(),
            steer: Steer::new(),
            turn: None,
            ended: None,
        }
    }

    fn length(&self) -> u64 {
        let want = u64::try_from(self.steer.want()).unwrap_or(u64::MAX);
        let left = self.plan.size.saturating_sub(self.at);
        // While the first is given out, those behind it that are finished already wait, and others are under way.
        let length = self.steer.brings(PIECE_TIME).min(MEMORY / (2 * want)).clamp(*PIECE.start(), *PIECE.end());
        length.min((left / want).max(LAST))
    }

    fn under_way(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.is_under_way()).count()
    }

    /// Begins pieces, as many as pay and as there are connections for.
    fn spread(&mut self) {
        if self.steer.want() == 1 {
            // What lies in memory is given out first.
            self.turn = self.turn.take().filter(|_| self.pieces.len() > 1);
        } else {
            self.turn = self.turn.take().or_else(|| Arc::clone(&self.plan.turn).try_acquire_owned().ok());
            while self.under_way() < self.steer.want() {
                let Some(start) = self.start_of_next() else { break };
                if self.turn.is_none() || !self.begin(start) {
                    self.steer.limit(self.under_way());
                }
            }
        }
        self.steer.look(self.begun.elapsed(), self.came.load(Relaxed), self.under_way());
    }

    /// Where the next piece begins, if there is one left and memory for it.
    fn start_of_next(&self) -> Option<u64> {
        let length = self.length();
        let start = match self.pieces.front() {
            Some(Piece::Direct { end: None, .. }) => {
                let left = self.plan.size.saturating_sub(self.at);
                (left >= 3 * length).then_some(self.at + length)?
            }
            _ => self.asked,
        };
        (start < self.plan.size && start + length <= self.at + MEMORY).then_some(start)
    }

    /// Begins a piece at `start`. False: no connection is free.
    fn begin(&mut self, start: u64) -> bool {
        // The connection of the copy itself, which is nobody's once what began on it has ended.
        let own = self.pieces.iter().any(|piece| piece.is_under_way() && piece.is_on_own_connection());
        let lane = if own { Arc::clone(&self.plan.lanes).try_acquire_owned().ok() } else { None };
        if own && lane.is_none() {
            return false;
        }
        let end = (start + self.length()).min(self.plan.size);
        // What the first one reads is bounded when the second begins.
        if let Some(Piece::Direct { end, .. }) = self.pieces.front_mut() {
            end.get_or_insert(start);
        }
        self.pieces.push_back(ahead(self.plan.clone(), Arc::clone(&self.came), (start, end), lane));
        self.asked = end;
        true
    }

    /// One flow again, to the end of the file.
    async fn alone(&mut self) -> Result<(), Fault> {
        let source = open(&self.plan, self.at).await?;
        self.pieces.push_back(Piece::Direct { source, end: None });
        self.asked = self.plan.size;
        Ok(())
    }
}

#[async_trait]
impl Source for Striped {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            if self.ended.is_some() {
                return Ok(None);
            }
            self.spread();
            let Some(piece) = self.pieces.front_mut() else {
                self.alone().await?;
                continue;
            };
            match piece {
                Piece::Direct { source, end } => {
                    let left = end.map(|end| end - self.at);
                    if left == Some(0) {
                        if let Some(Piece::Direct { source, .. }) = self.pieces.pop_front() {
                            source.stop().await;
                        }
                        continue;
                    }
                    let Some(mut bytes) = source.next().await? else {
                        let Some(Piece::Direct { source, .. }) = self.pieces.pop_front() else { continue };
                        self.ended = Some(source.finish().await?);
                        continue;
                    };
                    if let Some(left) = left.and_then(|left| usize::try_from(left).ok()) {
                        bytes.truncate(left);
                    }
                    self.at += length_of(&bytes);
                    self.came.fetch_add(length_of(&bytes), Relaxed);
                    return Ok(Some(bytes));
                }
                Piece::Ahead { end, bytes, .. } => match bytes.recv().await {
                    Some(Ok(Word::Bytes(bytes))) => {
                        self.at += length_of(&bytes);
                        return Ok(Some(bytes));
                    }
                    Some(Ok(Word::End(entry))) => self.ended = Some(entry),
                    Some(Err(fault)) => return Err(fault),
                    None if self.at == *end => drop(self.pieces.pop_front()),
                    None => {
                        let message = "a piece of the file was lost";
                        return Err(Fault::new(Phase::Transfer, FaultKind::Cancelled, message).retry(Retry::Now));
                    }
                },
            }
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<Option<Entry>, Fault> {
        self.ended
            .take()
            .ok_or_else(|| Fault::new(Phase::Finish, FaultKind::Cancelled, "the file was not read to its end"))
    }
}

impl Drop for Striped {
    fn drop(&mut self) {
        for piece in &self.pieces {
            if let Piece::Ahead { task, .. } = piece {
                task.abort();
            }
        }
    }
}

fn length_of(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Begins to read from `start` to `end`, holding `lane`; without one, over the connection of the copy.
fn ahead(plan: Plan, came: Arc<AtomicU64>, (start, end): (u64, u64), lane: Option<OwnedSemaphorePermit>) -> Piece {
    // Room for all of it: a piece is read to its end while it waits for its turn.
    let room = usize::try_from((end - start) / GATHER).unwrap_or_default() + 8;
    let (words, bytes) = mpsc::channel(room);
    let own = lane.is_none();
    let tasks = plan.tasks.clone();
    let task = tasks.spawn("piece of a file", async move {
        let _lane = lane;
        let mut at = start;
        let mut tries = 0;
        while let Err(fault) = read(&plan, &mut at, end, &came, &words).await {
            tries += 1;
            if tries == TRIES || fault.retry != Retry::Now {
                // Nobody listens any more when the reading was given up.
                words.send(Err(fault)).await.ok();
                return;
            }
            tracing::debug!(path = %plan.path.display(), at, fault = %fault, "a piece is gone on with");
        }
    });
    Piece::Ahead { end, bytes, task, own }
}

/// Reads up to `end` and says it, `at` is how far it came.
async fn read(
    plan: &Plan,
    at: &mut u64,
    end: u64,
    came: &AtomicU64,
    words: &mpsc::Sender<Result<Word, Fault>>,
) -> Result<(), Fault> {
    let mut source = open(plan, *at).await?;
    let mut gathered = BytesMut::new();
    while *at < end {
        let have = u64::try_from(gathered.len()).unwrap_or(u64::MAX);
        let Some(mut bytes) = source.next().await? else { break };
        bytes.truncate(usize::try_from(end - *at - have).unwrap_or(usize::MAX));
        came.fetch_add(length_of(&bytes), Relaxed);
        let have = have + length_of(&bytes);
        gathered.extend_from_slice(&bytes);
        // Only what was handed on counts: what breaks off before is read again.
        if have >= GATHER || *at + have == end {
            *at += have;
            words.send(Ok(Word::Bytes(gathered.split().freeze()))).await.ok();
        }
    }
    if *at < end {
        let message = format!("the file ended at byte {at}, its listing says {}", plan.size);
        return Err(Fault::new(Phase::Transfer, FaultKind::Changed, message));
    }
    if end < plan.size {
        source.stop().await;
        return Ok(());
    }
    // The last piece: nothing may come behind it.
    if source.next().await?.is_some() {
        let message = "the source sends more bytes than the file had: it grew while it was read";
        return Err(Fault::new(Phase::Transfer, FaultKind::Changed, message));
    }
    let entry = source.finish().await?;
    words.send(Ok(Word::End(entry))).await.ok();
    Ok(())
}

/// Opens the version that is wanted at `offset`.
async fn open(plan: &Plan, offset: u64) -> Result<Box<dyn Source>, Fault> {
    let source = plan.remote.read(&plan.path, offset, Some(plan.size)).await?;
    let other = source.opened().is_some_and(|entry| {
        let now = entry.fingerprint();
        let later = now.mtime.zip(plan.version.mtime).is_some_and(|(now, then)| !now.agrees(&then));
        entry.kind != EntryKind::File || now.size.is_some_and(|size| size != plan.size) || later
    });
    if other {
        return Err(Fault::new(Phase::Open, FaultKind::Changed, "the file changed in the source while it was read"));
    }
    Ok(source)
}
