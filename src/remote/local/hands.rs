//! Who works in a tree: a bounded number of threads.
//!
//! More at once are no faster on any disk, and each costs memory and makes the others wait for a processor. A mount that
//! hangs holds up these, and nobody who works elsewhere.

use std::io;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::{Fault, FaultKind, Phase};
use crate::task::{self, Blocking};

/// So much is done in one tree at once.
const MOST: usize = 16;

/// The hands of one tree. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Hands(Arc<Semaphore>);

impl Default for Hands {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Hands {
    /// Begins `work` off the async threads, as soon as there is a hand for it.
    pub(super) async fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Blocking<io::Result<T>> {
        // Nobody closes it.
        let hand: Option<OwnedSemaphorePermit> = Arc::clone(&self.0).acquire_owned().await.ok();
        task::blocking(move || {
            let _hand = hand;
            work()
        })
    }

    /// Does `work` off the async threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        phase: Phase,
        translate: impl FnOnce(&io::Error) -> Fault,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        heard(phase, translate, self.begin(work).await).await
    }
}

/// What came of `work`.
pub(super) async fn heard<T>(
    phase: Phase,
    translate: impl FnOnce(&io::Error) -> Fault,
    work: Blocking<io::Result<T>>,
) -> Result<T, Fault> {
    match work.await {
        Ok(done) => done.map_err(|error| translate(&error)),
        Err(lost) => Err(Fault::new(phase, FaultKind::Io, lost.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn only_so_many_work_at_once_and_all_get_their_turn() {
        let (hands, now, peak) = (Hands::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let all = (0..MOST * 4).map(|number| {
            let (hands, now, peak) = (hands.clone(), Arc::clone(&now), Arc::clone(&peak));
            async move {
                let work = move || {
                    peak.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    now.fetch_sub(1, SeqCst);
                    Ok(number)
                };
                hands.run(Phase::Command, |error| panic!("{error}"), work).await.unwrap()
            }
        });
        let done = futures_util::future::join_all(all).await;
        assert_eq!(done, (0..MOST * 4).collect::<Vec<_>>());
        assert_eq!(peak.load(SeqCst), MOST);
    }
}
