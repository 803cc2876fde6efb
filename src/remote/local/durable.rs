//! Making many files durable at the price of one.
//!
//! A disk writes out its caches in about the same time for one file as for a hundred. So nobody who wants a file synced
//! begins at once while another sync is under way: when that one ends, everybody who came meanwhile is served by the next.
//! A sync counts only for those who asked before it began.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::task;
use crate::tree::PartFile;

/// A sync of all files may take so long, and so much longer for each that is waited for. Beyond that somebody else
/// fills the disk's caches, and files are synced one by one for a while.
const FAIR: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(5));
/// That while.
const APART: Duration = Duration::from_secs(30);

type Answer = (PartFile, io::Result<()>);

/// Who waits for the next sync of a tree.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    /// Held by whoever syncs for all.
    turn: tokio::sync::Mutex<()>,
    asked: Mutex<Vec<(PartFile, oneshot::Sender<Answer>)>>,
    apart_until: Mutex<Option<Instant>>,
}

impl Syncs {
    /// Makes `part` survive a power cut.
    ///
    /// # Errors
    /// Those of `fsync(2)`; `None` for the part when whoever did it for all was stopped.
    pub(super) async fn sync(self: &Arc<Self>, part: PartFile) -> (Option<PartFile>, io::Result<()>) {
        if self.are_apart() {
            return match task::blocking(move || (part.sync(), part)).await {
                Ok((synced, part)) => (Some(part), synced),
                Err(lost) => (None, Err(io::Error::other(lost))),
            };
        }
        let (answer, mut heard) = oneshot::channel();
        lock(&self.asked).push((part, answer));
        let _turn = self.turn.lock().await;
        if let Ok((part, synced)) = heard.try_recv() {
            return (Some(part), synced);
        }
        let all = Arc::clone(self);
        let done = task::blocking(move || all.sync_all()).await;
        match heard.try_recv() {
            Ok((part, synced)) => (Some(part), synced),
            Err(_) => (None, Err(done.err().map_or_else(|| io::ErrorKind::Interrupted.into(), io::Error::other))),
        }
    }

    /// Serves everybody who asked so far.
    fn sync_all(&self) {
        let (parts, answers): (Vec<_>, Vec<_>) = std::mem::take(&mut *lock(&self.asked)).into_iter().unzip();
        let begun = Instant::now();
        let synced = PartFile::sync_together(&parts);
        let fair = FAIR.0 + FAIR.1 * u32::try_from(parts.len()).unwrap_or(u32::MAX);
        if begun.elapsed() > fair {
            *lock(&self.apart_until) = Some(Instant::now() + APART);
        }
        for ((part, answer), synced) in parts.into_iter().zip(answers).zip(synced) {
            // Whoever asked may have been stopped.
            answer.send((part, synced)).ok();
        }
    }

    fn are_apart(&self) -> bool {
        lock(&self.apart_until).is_some_and(|until| Instant::now() < until)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
