//! Work that is done on the spot.
//!
//! Handing a request to a blocking thread and its answer back wakes two threads, which costs more than most requests
//! take: what the kernel has in memory is there in microseconds. So a request may be done on the thread of the door that
//! heard it, as long as the disk answers at once. A disk that once let somebody wait is not waited for again for a
//! while; its requests go to blocking threads. Those of a tree that does not lie on this machine always do: a server that
//! is gone may keep a thread for ever.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::open::lock;
use crate::task::{self, Lost};
use crate::tree::Tree;

/// Whoever was kept for longer than this was kept by a disk.
const SLOW: Duration = Duration::from_millis(5);

/// How long a slow disk is left to blocking threads.
const AFTER: Duration = Duration::from_secs(10);

/// How a request uses the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It reads or changes what the kernel has in memory.
    Light,
    /// It has to reach the disk before it is answered.
    Durable,
}

/// Who may work on the spot now. One for all connections.
#[derive(Debug, Default)]
pub struct Spot {
    slow_until: [Mutex<Option<Instant>>; 2],
    /// Does the tree lie on this machine, as far as was seen?
    near: AtomicBool,
}

impl Spot {
    /// Looks where the tree lies now. Blocks.
    pub fn look(&self, tree: &Tree) {
        let near = tree.is_near().unwrap_or_else(|error| {
            tracing::warn!(%error, "it cannot be seen where the tree lies: its requests are done more slowly");
            false
        });
        self.near.store(near, Ordering::Relaxed);
    }

    /// Whoever gets something may work now, for as long as it is held. `None` when the disk was slow lately or is none of
    /// this machine.
    pub fn begin(&self, kind: Kind) -> Option<Watched<'_>> {
        let slow_until = match kind {
            Kind::Light => &self.slow_until[0],
            Kind::Durable => &self.slow_until[1],
        };
        let since = Instant::now();
        let may = || lock(slow_until).is_none_or(|until| since >= until);
        (self.near.load(Ordering::Relaxed) && may()).then_some(Watched { slow_until, since })
    }

    /// Does `work` now, or on a blocking thread.
    ///
    /// # Errors
    /// [`Lost`] when it panicked there.
    pub async fn run<T, F>(&self, kind: Kind, work: F) -> Result<T, Lost>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if let Some(_watched) = self.begin(kind) {
            return Ok(work());
        }
        task::blocking(work).await
    }
}

/// Work on the spot. When it is over, it is known how long the disk took.
#[derive(Debug)]
pub struct Watched<'a> {
    slow_until: &'a Mutex<Option<Instant>>,
    since: Instant,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if self.since.elapsed() > SLOW {
            *lock(self.slow_until) = Some(Instant::now() + AFTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near() -> Spot {
        Spot { near: AtomicBool::new(true), ..Spot::default() }
    }

    #[test]
    fn a_slow_disk_is_left_alone() {
        let spot = near();
        let slow = spot.begin(Kind::Durable).unwrap();
        std::thread::sleep(2 * SLOW);
        drop(slow);
        assert!(spot.begin(Kind::Durable).is_none());
        assert!(spot.begin(Kind::Light).is_some(), "what is in memory is there all the same");
        *lock(&spot.slow_until[1]) = Some(Instant::now());
        assert!(spot.begin(Kind::Durable).is_some(), "it is tried again");
    }

    #[tokio::test]
    async fn what_may_never_come_back_is_waited_for_elsewhere() {
        let here = std::thread::current().id();
        let elsewhere = || std::thread::current().id();
        assert!(Spot::default().begin(Kind::Light).is_none());
        assert_ne!(Spot::default().run(Kind::Light, elsewhere).await.unwrap(), here);
        assert_eq!(near().run(Kind::Light, elsewhere).await.unwrap(), here);
        let folder = tempfile::tempdir().unwrap();
        let spot = Spot::default();
        let tree = Tree::open(folder.path()).unwrap();
        spot.look(&tree);
        assert_eq!(spot.begin(Kind::Light).is_some(), tree.is_near().unwrap());
    }
}
