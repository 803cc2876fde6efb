//! How much of a file may be on its way at once: bandwidth × delay, found by trying.

use std::time::{Duration, Instant};

/// Where a file begins: eight requests of 64 KiB.
pub(super) const FIRST: usize = 512 << 10;
/// No file has more on its way.
pub(super) const MOST: usize = 16 << 20;
/// So many requests at least share a window, so that it moves smoothly.
const REQUESTS: usize = 8;
/// What every server takes (draft-ietf-secsh-filexfer-02, section 3: packets of 34,000 bytes).
pub(super) const SAFE_REQUEST: usize = 32 << 10;
/// A larger window is kept when it brings so much more,
const WORTH_IT: f64 = 1.1;
/// and is tried again after so long: the link may have become another.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Grows while goodput grows: whenever a whole window was confirmed, its rate is compared with the best so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    size: usize,
    /// The longest request that the server takes.
    request: usize,
    best: f64,
    round: usize,
    since: Instant,
    /// The last step made it larger, and whether that was worth it is not known yet.
    on_trial: bool,
    settled: Option<Instant>,
}

impl Window {
    /// Begins with `size` bytes (what an earlier file found), in requests of `request` bytes at most.
    pub(super) fn new(size: usize, request: usize, now: Instant) -> Self {
        let size = size.clamp(FIRST, MOST);
        Self { size, request, best: 0.0, round: 0, since: now, on_trial: false, settled: None }
    }

    /// Bytes that may be on their way.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// How long one request should be.
    pub(super) fn request(&self) -> usize {
        (self.size / REQUESTS).min(self.request)
    }

    /// `bytes` more were confirmed at `now`. `full`: as much was on its way as may be, so that the rate tells
    /// something about the window and not about whoever brings or takes the bytes.
    pub(super) fn confirmed(&mut self, bytes: usize, full: bool, now: Instant) {
        if !full {
            (self.round, self.since) = (0, now);
            return;
        }
        self.round += bytes;
        if self.round < self.size {
            return;
        }
        let took = now.duration_since(self.since).as_secs_f64().max(1e-6);
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        let rate = self.round as f64 / took;
        (self.round, self.since) = (0, now);
        if self.settled.is_some_and(|at| now.duration_since(at) < TRY_AGAIN) {
            return;
        }
        let measured_afresh = self.settled.take().is_some();
        if measured_afresh || rate > self.best * WORTH_IT {
            self.best = rate;
            let larger = (self.size * 2).min(MOST);
            self.on_trial = larger > self.size;
            self.size = larger;
        } else if std::mem::take(&mut self.on_trial) {
            // It brought nothing but a longer queue.
            self.size /= 2;
        }
        if !self.on_trial {
            self.settled = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of `rate` bytes per second and `rtt`: what `bytes` of a whole file find out.
    fn found(rate: f64, rtt: f64, bytes: usize) -> usize {
        let start = Instant::now();
        let mut window = Window::new(FIRST, 255 << 10, start);
        let (mut at, mut done) = (0.0, 0);
        while done < bytes {
            // One window takes a round trip, or as long as the link needs for it.
            let step = window.size();
            at += rtt.max(step as f64 / rate);
            window.confirmed(step, true, start + Duration::from_secs_f64(at));
            done += step;
        }
        window.size()
    }

    #[test]
    fn grows_to_bandwidth_times_delay_and_not_far_beyond() {
        let wide = found(100e6, 0.1, 1 << 30);
        assert!((10_000_000..=MOST).contains(&wide), "{wide}");
        let near = found(100e6, 0.001, 1 << 30);
        assert!(near <= 2 << 20, "{near}");
        let slow = found(1e6, 0.02, 64 << 20);
        assert!(slow <= 2 << 20, "{slow}");
    }

    #[test]
    fn a_window_that_was_never_full_says_nothing() {
        let start = Instant::now();
        let mut window = Window::new(FIRST, 255 << 10, start);
        for n in 1..1000 {
            window.confirmed(FIRST, false, start + Duration::from_millis(n));
        }
        assert_eq!(window.size(), FIRST);
        assert_eq!(window.request(), 64 << 10);
    }

    #[test]
    fn requests_are_as_long_as_the_server_takes_and_no_longer() {
        let window = Window::new(MOST * 2, 255 << 10, Instant::now());
        assert_eq!((window.size(), window.request()), (MOST, 255 << 10));
        assert_eq!(Window::new(MOST, SAFE_REQUEST, Instant::now()).request(), SAFE_REQUEST);
    }
}
