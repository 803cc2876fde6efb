//! Work that is done on the spot.
//!
//! Handing a request to a blocking thread and its answer back wakes two threads, which costs more than most requests
//! take: what the kernel has in memory is there in microseconds. So the door has threads of its own, more than there
//! are processors, and a request may be done on the one that heard it, as long as the disk answers at once. A few of
//! them at a time: the others go on hearing whatever happens. A disk that once let somebody wait is not waited for
//! again for a while; its requests go to blocking threads.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::open::lock;

/// Requests that are done on the spot at a time.
pub const SPOTS: usize = 8;

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
#[derive(Debug)]
pub struct Spot {
    free: Semaphore,
    slow_until: [Mutex<Option<Instant>>; 2],
}

impl Default for Spot {
    fn default() -> Self {
        Self { free: Semaphore::new(SPOTS), slow_until: Default::default() }
    }
}

impl Spot {
    /// Does `work` now, unless too many do already or the disk was slow lately.
    pub fn try_do<T>(&self, kind: Kind, work: impl FnOnce() -> T) -> Option<T> {
        let _spot = self.free.try_acquire().ok()?;
        let slow_until = match kind {
            Kind::Light => &self.slow_until[0],
            Kind::Durable => &self.slow_until[1],
        };
        let since = Instant::now();
        if lock(slow_until).is_some_and(|until| since < until) {
            return None;
        }
        let done = work();
        if since.elapsed() > SLOW {
            *lock(slow_until) = Some(Instant::now() + AFTER);
        }
        Some(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_disk_is_left_alone() {
        let spot = Spot::default();
        let quick = || 1;
        let slow = || {
            std::thread::sleep(2 * SLOW);
            2
        };
        assert_eq!(spot.try_do(Kind::Durable, slow), Some(2));
        assert_eq!(spot.try_do(Kind::Durable, quick), None);
        assert_eq!(spot.try_do(Kind::Light, quick), Some(1), "what is in memory is there all the same");
        *lock(&spot.slow_until[1]) = Some(Instant::now());
        assert_eq!(spot.try_do(Kind::Durable, quick), Some(1), "it is tried again");
    }

    #[test]
    fn the_others_go_on_hearing() {
        fn nested(spot: &Spot, depth: usize) -> usize {
            spot.try_do(Kind::Light, || nested(spot, depth + 1)).unwrap_or(depth)
        }
        assert_eq!(nested(&Spot::default(), 0), SPOTS);
    }
}
