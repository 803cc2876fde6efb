//! The journal's writer: many changes in one transaction, together with their audit entries, so that ten
//! thousand small files do not wait for ten thousand commits.

mod lots;
mod questions;
mod store;

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use self::lots::Lot;
use super::engine::Broken;
use super::marks::Prefix;
use super::plan::Kind;
use super::words::Action;
use crate::audit::{Actor, Event};
use crate::db::{Db, DbError};
use crate::model::{Digest, Fault, Fingerprint, ItemId, JobId, Proof, RelPath, RunId};

pub(super) use questions::store::{
    Candidate, Found, Intent, Item, biggest_open, called_missing, candidates, count_paths, file_known, holds, intended,
    leftover_parts, missing_examples, parts_of, publishing, still_open, totals, vanished_names,
};
pub(super) use store::{NewItem, bury, forget_all, plan_items, remember, sweep_tombstones, unbury, unlink_parts};

/// Changes that may wait; more make those wait who bring them.
const QUEUE: usize = 512;
/// Most changes per transaction.
const BATCH: usize = 256;
/// So long the steps of copies wait for those of others: a transaction costs as much as the rows of many files. Copies lose
/// nothing by it, since others are under way meanwhile.
const GATHER: Duration = Duration::from_millis(25);

/// What is remembered of a published path.
#[derive(Debug, Clone)]
pub(super) struct FileRow {
    pub path: RelPath,
    pub target: RelPath,
    pub kind: Kind,
    /// Where a link points.
    pub link: Option<Vec<u8>>,
    pub version: Fingerprint,
    pub listed: Fingerprint,
    pub digest: Option<Digest>,
    pub proven: bool,
    /// None: it keeps the one that it had.
    pub proof: Option<Proof>,
    pub target_size: Option<u64>,
    pub target_mtime: Option<i64>,
}

/// A finished try.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub number: u32,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub from: u64,
    pub bytes: u64,
}

/// One change of the journal.
#[derive(Debug)]
pub(super) enum Change {
    /// Bytes begin to move into `part`, behind what is confirmed there.
    Started { item: ItemId, part: RelPath, confirmed: Option<Prefix> },
    /// So much is safe in the part.
    Confirmed { item: ItemId, confirmed: Option<Prefix> },
    /// The part holds all of the version with this digest.
    Verified { item: ItemId, digest: Digest, size: u64, proof: Proof },
    /// What looked unchanged has another content.
    Unseen { item: ItemId },
    /// What lies in the target in this place, or does not, is not known to be what the job published there. Only when it
    /// is the job's `own` all the same may it go for good.
    Doubted { target: RelPath, own: bool },
    /// The part is about to change places with what lies in the item's place.
    Replacing { item: ItemId },
    /// What lay there is put away.
    PutAway { item: ItemId, event: Option<Event> },
    /// A try failed and is followed by another.
    Tried { item: ItemId, attempt: Attempt, fault: Fault, retry_at: Timestamp },
    /// A try failed and was the last in this run.
    Failed { item: ItemId, attempt: Attempt, fault: Fault },
    /// The file at `path` of the source is left for a later run: its `version`, seen since `since`, may not be the last.
    Left { item: ItemId, path: RelPath, version: Fingerprint, since: Timestamp, fault: Fault },
    /// The source no longer has what failed: there is nothing to copy.
    Vanished { item: ItemId, fault: Fault },
    /// These are about to be moved into the trash: path in the source, in the target, and kind.
    Intended { job: JobId, run: RunId, paths: Vec<(RelPath, RelPath, Kind)> },
    /// What was intended is not done after all.
    Dropped { run: RunId, path: RelPath, event: Option<Event> },
    /// A directory or link is there that this run meant to make.
    Made { run: RunId, file: Box<FileRow>, events: Vec<Event> },
    /// A file has the mode that this run meant to give it.
    ModeSet { run: RunId, path: RelPath, event: Event },
    /// Under its name in the target.
    Published { item: ItemId, action: Action, attempt: Option<Attempt>, file: Box<FileRow>, events: Vec<Event> },
    /// A file of the target is in the trash, because the source no longer has it.
    Trashed { job: JobId, run: RunId, path: RelPath, target: RelPath, kind: Kind, event: Event },
}

struct Message {
    /// None: only the answer is wanted, when everything before is stored.
    change: Option<Change>,
    answer: Option<oneshot::Sender<()>>,
}

/// Where changes are handed in. Clones share the queue.
#[derive(Debug, Clone)]
pub(super) struct Journal(mpsc::Sender<Message>);

impl Message {
    /// Is it a step of a copy, one among many that are under way?
    const fn may_wait(&self) -> bool {
        matches!(
            self.change,
            Some(
                Change::Started { .. } | Change::Confirmed { .. } | Change::Verified { .. } | Change::Published { .. }
            )
        )
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.change.fmt(f)
    }
}

impl Journal {
    /// The handle, and the writer that must be polled until every handle is gone.
    pub(super) fn new(
        db: Db,
        job: JobId,
        run: RunId,
        actor: Actor,
        clock: std::sync::Arc<dyn crate::model::Clock>,
    ) -> (Self, impl Future<Output = Result<(), DbError>> + Send + 'static) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (Self(sender), write(Writer { db, job, run, actor, clock }, queue))
    }

    /// A handle that leads nowhere, for steps that only read.
    pub(super) fn closed() -> Self {
        Self(mpsc::channel(1).0)
    }

    /// Hands in a change; it will be stored soon, and in order.
    pub(super) async fn put(&self, change: Change) -> Result<(), Broken> {
        self.0.send(Message { change: Some(change), answer: None }).await.map_err(|_| Broken::Queue)
    }

    /// Hands in a change and waits until it is stored.
    pub(super) async fn commit(&self, change: Change) -> Result<(), Broken> {
        self.ask(Some(change)).await
    }

    /// Waits until everything that was handed in before is stored.
    pub(super) async fn flush(&self) -> Result<(), Broken> {
        self.ask(None).await
    }

    async fn ask(&self, change: Option<Change>) -> Result<(), Broken> {
        let (answer, stored) = oneshot::channel();
        self.0.send(Message { change, answer: Some(answer) }).await.map_err(|_| Broken::Queue)?;
        stored.await.map_err(|_| Broken::Queue)
    }
}

struct Writer {
    db: Db,
    job: JobId,
    run: RunId,
    actor: Actor,
    clock: std::sync::Arc<dyn crate::model::Clock>,
}

impl Writer {
    async fn store(
        &self,
        tx: &mut sqlx::SqliteConnection,
        at: Timestamp,
        mut lot: Lot,
        events: &mut Vec<Event>,
    ) -> Result<(), DbError> {
        events.append(&mut lot.events);
        lots::store::apply(tx, self.job, self.run, at, &lot).await
    }
}

/// Adds to `batch` what comes within a moment, unless somebody is held up by it.
async fn gather(queue: &mut mpsc::Receiver<Message>, batch: &mut Vec<Message>) {
    let until = Instant::now() + GATHER;
    let mut may_wait = batch.iter().all(Message::may_wait);
    while may_wait && batch.len() < BATCH {
        let Ok(Some(message)) = timeout_at(until, queue.recv()).await else { return };
        may_wait = message.may_wait();
        batch.push(message);
    }
}

async fn write(writer: Writer, mut queue: mpsc::Receiver<Message>) -> Result<(), DbError> {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        gather(&mut queue, &mut batch).await;
        let at = writer.clock.now();
        let mut events = Vec::new();
        let mut answers = Vec::new();
        let mut tx = writer.db.write().await?;
        let mut lot = Lot::default();
        for message in batch.drain(..) {
            if let Some(change) = message.change
                && let Err(next) = lot.take(change)
            {
                writer.store(&mut tx, at, std::mem::take(&mut lot), &mut events).await?;
                if let Err(single) = lot.take(*next) {
                    store::apply(&mut tx, writer.job, writer.run, at, *single, &mut events).await?;
                }
            }
            answers.extend(message.answer);
        }
        writer.store(&mut tx, at, lot, &mut events).await?;
        if !events.is_empty() {
            crate::audit::append_many(&mut tx, at, &writer.actor, &events).await?;
        }
        tx.commit().await?;
        for answer in answers {
            // Whoever asked may have been stopped.
            answer.send(()).ok();
        }
    }
    Ok(())
}
