//! Work that is done on the spot.
//!
//! Handing a request to a blocking thread and its answer back wakes two threads, which costs more than most requests
//! take: what the kernel has in memory is there in microseconds. So a request may be done on the thread of the door that
//! heard it, as long as the disk answers at once. A slow disk is not waited for again for a while; its requests go to
//! blocking threads. Those of a tree that does not lie on this machine always do: a server that is gone may keep a thread
//! for ever.
//!
//! A request that took long may have waited for the processor, not for the disk: on a busy machine a thread loses it for
//! some milliseconds now and then. That seldom strikes several requests on end, and never for long; a slow disk lets
//! every request wait that reaches it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Lost, Tasks, blocking};

/// Whoever was kept for longer than this was kept by a disk, or by others who wanted the processor.
const LONG: Duration = Duration::from_millis(5);

/// So many on end were kept by a disk.
const ON_END: u32 = 3;

/// Whoever was kept for longer than this was kept by a disk.
const STUCK: Duration = Duration::from_millis(100);

/// How long a slow disk is left to blocking threads.
const AFTER: Duration = Duration::from_secs(10);

/// How often it is looked where the tree lies: something may be mounted below it.
const LOOK: Duration = Duration::from_secs(10);

/// What was seen of a disk.
#[derive(Debug, Default)]
struct Disk {
    /// How many requests on end took long, up to [`ON_END`].
    long: u32,
    slow_until: Option<Instant>,
}

impl Disk {
    fn is_slow(&self, now: Instant) -> bool {
        self.slow_until.is_some_and(|until| now < until)
    }

    /// A request was over at `now`, after `span`.
    fn took(&mut self, span: Duration, now: Instant) {
        self.long = match span {
            span if span > STUCK => ON_END,
            span if span > LONG => ON_END.min(self.long + 1),
            _ => 0,
        };
        if self.long == ON_END {
            self.slow_until = Some(now + AFTER);
        }
    }
}

/// How a request uses the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskUse {
    /// It reads or changes what the kernel has in memory.
    Light,
    /// It has to reach the disk before it is answered.
    Durable,
}

/// Who may work on the spot now. One for all connections of a door.
#[derive(Debug, Default)]
pub struct Spot {
    disk: [Mutex<Disk>; 2],
    /// Does the tree lie on this machine, as far as was seen?
    near: AtomicBool,
}

impl Spot {
    /// Of a tree that is looked at again and again, until the tasks stop: `near` says whether it lies on this machine,
    /// and may block.
    pub fn watching<F>(name: &'static str, near: F, tasks: &Tasks) -> Arc<Self>
    where
        F: Fn() -> io::Result<bool> + Clone + Send + Sync + 'static,
    {
        let spot = Arc::<Self>::default();
        tasks.spawn(name, watch(Arc::clone(&spot), near, tasks.clone()));
        spot
    }

    /// Where the tree lies now.
    pub fn learn(&self, near: io::Result<bool>) {
        let near = near.unwrap_or_else(|error| {
            tracing::warn!(%error, "it cannot be seen where the tree lies: its requests are done more slowly");
            false
        });
        self.near.store(near, Ordering::Relaxed);
    }

    /// Whoever gets something may work now, for as long as it is held. `None` when the disk was slow lately or is none of
    /// this machine.
    pub fn begin(&self, kind: DiskUse) -> Option<Watched<'_>> {
        let disk = match kind {
            DiskUse::Light => &self.disk[0],
            DiskUse::Durable => &self.disk[1],
        };
        let since = Instant::now();
        let may = self.near.load(Ordering::Relaxed) && !lock(disk).is_slow(since);
        may.then_some(Watched { disk, since })
    }

    /// Does `work` now, or on a blocking thread.
    ///
    /// # Errors
    /// [`Lost`] when it panicked there.
    pub async fn run<T, F>(&self, kind: DiskUse, work: F) -> Result<T, Lost>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if let Some(_watched) = self.begin(kind) {
            return Ok(work());
        }
        blocking(work).await
    }
}

async fn watch<F>(spot: Arc<Spot>, near: F, tasks: Tasks)
where
    F: Fn() -> io::Result<bool> + Clone + Send + Sync + 'static,
{
    loop {
        let (spot, near) = (Arc::clone(&spot), near.clone());
        if let Err(error) = blocking(move || spot.learn(near())).await {
            tracing::warn!(%error, "it cannot be seen where the tree lies");
        }
        tokio::select! {
            () = tasks.stopped() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// A lock that a panic elsewhere does not take away.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work on the spot. When it is over, it is known how long the disk took.
#[derive(Debug)]
pub struct Watched<'a> {
    disk: &'a Mutex<Disk>,
    since: Instant,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        lock(self.disk).took(now.duration_since(self.since), now);
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
        let (mut disk, mut now) = (Disk::default(), Instant::now());
        let long = LONG + Duration::from_millis(1);
        for _ in 0..ON_END {
            assert!(!disk.is_slow(now));
            disk.took(long, now);
        }
        assert!(disk.is_slow(now) && disk.is_slow(now + AFTER / 2));
        now += AFTER;
        assert!(!disk.is_slow(now), "it is tried again");
        disk.took(long, now);
        assert!(disk.is_slow(now), "and one that has not become faster is known at once");
        now += AFTER;
        disk.took(Duration::from_micros(50), now);
        disk.took(long, now);
        assert!(!disk.is_slow(now), "one that has become faster begins anew");
        disk.took(STUCK + Duration::from_millis(1), now);
        assert!(disk.is_slow(now), "once is enough for one that is stuck");
    }

    #[test]
    fn a_busy_processor_is_no_slow_disk() {
        let (mut disk, now) = (Disk::default(), Instant::now());
        for number in 0..10_000 {
            let lost = number % 3 > 0;
            disk.took(if lost { 4 * LONG } else { Duration::from_micros(50) }, now);
            assert!(!disk.is_slow(now), "{number}");
        }
    }

    #[test]
    fn what_takes_long_is_seen_for_its_kind() {
        let spot = near();
        for _ in 0..ON_END {
            let slow = spot.begin(DiskUse::Durable).unwrap();
            std::thread::sleep(2 * LONG);
            drop(slow);
        }
        assert!(spot.begin(DiskUse::Durable).is_none());
        assert!(spot.begin(DiskUse::Light).is_some(), "what is in memory is there all the same");
    }

    #[tokio::test]
    async fn what_may_never_come_back_is_waited_for_elsewhere() {
        let here = std::thread::current().id();
        let elsewhere = || std::thread::current().id();
        assert!(Spot::default().begin(DiskUse::Light).is_none());
        assert_ne!(Spot::default().run(DiskUse::Light, elsewhere).await.unwrap(), here);
        assert_eq!(near().run(DiskUse::Light, elsewhere).await.unwrap(), here);
    }

    #[tokio::test]
    async fn where_the_tree_lies_is_learned() {
        let spot = Spot::default();
        spot.learn(Ok(true));
        assert!(spot.begin(DiskUse::Light).is_some());
        spot.learn(Err(io::Error::other("gone")));
        assert!(spot.begin(DiskUse::Light).is_none());
        let tasks = Tasks::new();
        let watched = Spot::watching("looks", || Ok(true), &tasks);
        while watched.begin(DiskUse::Light).is_none() {
            tokio::task::yield_now().await;
        }
        tasks.stop();
        tasks.ended().await;
    }
}
