//! Takes observations in without ever making anybody wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::{self, Receiver, Sender, error::TryRecvError};

use super::rollup::{self, Attempts};
use super::{Observation, store};
use crate::db::Db;
use crate::task::Tasks;

/// How many observations may wait for the writer. At 8,192 a writer that is held up for some seconds
/// loses nothing at a thousand per second.
const QUEUE: usize = 8192;
/// Most observations per transaction.
const BATCH: usize = 1000;
/// How long the first of a batch may wait for company.
const LINGER: Duration = Duration::from_millis(500);
/// How often what is new is added to the roll-ups, by the observations' own time. Until then it is read row by row.
const ROLL_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// And after so many observations.
const ROLL_AFTER: u64 = 5000;
/// How often what is past its time is removed.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// After the stop: how long the queue must have been empty before the writer leaves.
const QUIET: Duration = Duration::from_millis(50);

/// A handle to record with; clones share the queue.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: Option<Sender<Observation>>,
    dropped: Arc<AtomicU64>,
}

impl Recorder {
    /// Starts the writer among `tasks` and returns the handle. The writer empties the queue when the
    /// group is told to stop: a group of its own, drained last, sees every observation.
    #[must_use]
    pub fn start(db: Db, tasks: &Tasks) -> Self {
        let (recorder, queue) = Self::channel(QUEUE);
        let dropped = Arc::clone(&recorder.dropped);
        let stop = tasks.token();
        tasks.spawn("observations", async move {
            let mut writer =
                Writer { db, queue, dropped, pruned: None, rolled: None, waiting: 0, attempts: Attempts::default() };
            writer.work(stop).await;
        });
        recorder
    }

    /// A recorder that forgets everything; for tests and for tools without a store.
    #[must_use]
    pub fn discard() -> Self {
        Self { queue: None, dropped: Arc::default() }
    }

    /// A recorder and the other end of its queue, for tests that look at what is recorded.
    #[must_use]
    pub fn channel(capacity: usize) -> (Self, Receiver<Observation>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self { queue: Some(sender), dropped: Arc::default() }, receiver)
    }

    /// Takes one observation, at once. When the queue is full it is dropped and counted; the count is
    /// stored and shown with the statistics.
    pub fn record(&self, observation: Observation) {
        if let Some(queue) = &self.queue
            && queue.try_send(observation).is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many were dropped and not yet stored as such.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

struct Writer {
    db: Db,
    queue: Receiver<Observation>,
    dropped: Arc<AtomicU64>,
    /// When old observations were last removed, by the observations' own time.
    pruned: Option<Timestamp>,
    /// When the roll-ups were last brought up to date.
    rolled: Option<Timestamp>,
    /// Observations that are in no roll-up yet.
    waiting: u64,
    /// Files that failed and may be tried again.
    attempts: Attempts,
}

impl Writer {
    async fn work(&mut self, stop: tokio_util::sync::CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                taken = self.queue.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                    gather(&mut self.queue, &mut batch, &stop).await;
                    self.store(&mut batch).await;
                }
                () = stop.cancelled() => break,
            }
        }
        // Others may still be ending: take what comes until it has been quiet for a moment.
        while let Ok(taken) = tokio::time::timeout(QUIET, self.queue.recv_many(&mut batch, BATCH)).await {
            if taken == 0 {
                break;
            }
            self.store(&mut batch).await;
        }
        self.store(&mut batch).await;
    }

    async fn store(&mut self, batch: &mut Vec<Observation>) {
        if batch.is_empty() {
            return;
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        if let Err(error) = store::insert(&self.db, batch, dropped).await {
            tracing::warn!(error = %error, observations.lost = count, "observations could not be stored");
            self.dropped.fetch_add(dropped.saturating_add(count), Ordering::Relaxed);
        }
        if let Some(last) = batch.last() {
            self.waiting += count;
            self.roll(last.at).await;
            self.prune(last.at).await;
        }
        batch.clear();
    }

    async fn roll(&mut self, now: Timestamp) {
        let lately = |last: Timestamp| now.duration_since(last) < ROLL_EVERY;
        if self.waiting < ROLL_AFTER && self.rolled.is_some_and(lately) {
            return;
        }
        (self.rolled, self.waiting) = (Some(now), 0);
        if let Err(error) = rollup::roll(&self.db, &mut self.attempts, now).await {
            tracing::warn!(error = %error, "the roll-ups of observations could not be brought up to date");
        }
    }

    /// Once a day, and with the first batch: what is too old goes.
    async fn prune(&mut self, now: Timestamp) {
        if self.pruned.is_some_and(|last| now.duration_since(last) < PRUNE_EVERY) {
            return;
        }
        self.pruned = Some(now);
        if let Err(error) = store::prune(&self.db, now).await {
            tracing::warn!(error = %error, "old observations could not be removed");
        }
    }
}

/// Waits a little for more, so that a trickle does not become a transaction each. A batch that is full waits for nobody:
/// else the writer could not keep up with more than two batches a second.
async fn gather(
    queue: &mut Receiver<Observation>,
    batch: &mut Vec<Observation>,
    stop: &tokio_util::sync::CancellationToken,
) {
    if batch.len() >= BATCH {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep(LINGER) => {}
        () = stop.cancelled() => {}
    }
    while batch.len() < BATCH {
        match queue.try_recv() {
            Ok(observation) => batch.push(observation),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::model::Protocol;
    use crate::reliability::{Detail, End, Role, What};

    fn check() -> Observation {
        Observation {
            at: Timestamp::UNIX_EPOCH,
            protocol: Protocol::Ftp,
            role: Role::Client,
            endpoint: "h:21".to_owned(),
            what: What::Check { bytes: 1, end: End::Clean },
            detail: Detail::default(),
        }
    }

    #[tokio::test]
    async fn a_trickle_waits_for_company_and_a_full_batch_does_not() {
        let (recorder, mut queue) = Recorder::channel(QUEUE);
        let stop = CancellationToken::new();
        recorder.record(check());
        let mut full = vec![check(); BATCH];
        assert!(gather(&mut queue, &mut full, &stop).now_or_never().is_some() && full.len() == BATCH);
        let mut batch = vec![check()];
        assert!(gather(&mut queue, &mut batch, &stop).now_or_never().is_none(), "it waits");
        gather(&mut queue, &mut batch, &stop).await;
        assert_eq!(batch.len(), 2);
        stop.cancel();
        assert!(gather(&mut queue, &mut batch, &stop).now_or_never().is_some(), "a stop waits for nobody");
    }
}
