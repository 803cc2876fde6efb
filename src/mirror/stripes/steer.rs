//! How many pieces of one file are read at once. Pure.
//!
//! One flow fills most roads. Where each flow is held back for itself (packet loss, a window that is too small, a
//! limit per connection), several are faster; where they are not, they only waste what is under way when a piece
//! ends. So the number is doubled as long as that pays.

use std::time::Duration;

/// How long a number is tried.
const TRIED_FOR: Duration = Duration::from_secs(1);
/// More pieces pay when they bring so much more.
const PAYS: f64 = 1.15;
/// After a step that did not pay, the next is tried so much later.
const CALM: Duration = Duration::from_secs(60);
/// A flow this fast (bytes per second) is not held back by anything that a second one would get around.
const FAST: f64 = 150e6;
/// Most pieces of one file.
const MOST: usize = 16;

/// Finds the number.
#[derive(Debug)]
pub(super) struct Steer {
    tried_for: Duration,
    want: usize,
    since: Duration,
    bytes_then: u64,
    before: Option<f64>,
    /// Bytes per second of one piece, at the last look.
    flow: f64,
    calm_until: Duration,
}

impl Steer {
    pub(super) const fn new() -> Self {
        Self::that_tries_for(TRIED_FOR)
    }

    /// Looks so often.
    pub(super) const fn that_tries_for(tried_for: Duration) -> Self {
        Self {
            tried_for,
            want: 1,
            since: Duration::ZERO,
            bytes_then: 0,
            before: None,
            flow: FAST,
            calm_until: Duration::ZERO,
        }
    }

    /// Pieces at once.
    pub(super) const fn want(&self) -> usize {
        self.want
    }

    /// What one flow brings in `time`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size, and it saturates")]
    pub(super) fn brings(&self, time: Duration) -> u64 {
        (self.flow * time.as_secs_f64()) as u64
    }

    /// Looks at `bytes` that were read until `now` by `used` pieces.
    pub(super) fn look(&mut self, now: Duration, bytes: u64, used: usize) {
        let took = now.saturating_sub(self.since);
        if took < self.tried_for {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        let rate = bytes.saturating_sub(self.bytes_then) as f64 / took.as_secs_f64();
        (self.since, self.bytes_then) = (now, bytes);
        self.flow = rate / f64::from(u16::try_from(used.max(1)).unwrap_or(u16::MAX));
        // Fewer connections were free than were wanted: nothing is learned about that number.
        if used < self.want {
            self.before = None;
            return;
        }
        match self.before.take() {
            Some(before) if rate < before * PAYS => {
                self.want = (self.want / 2).max(1);
                self.calm_until = now + CALM;
            }
            _ if rate < FAST && self.want < MOST && now >= self.calm_until => {
                self.want *= 2;
                self.before = Some(rate);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(steer: &mut Steer, seconds: u64, rate: impl Fn(usize) -> u64) {
        let (mut bytes, start) = (steer.bytes_then, steer.since.as_secs());
        for second in start + 1..=start + seconds {
            bytes += rate(steer.want());
            steer.look(Duration::from_secs(second), bytes, steer.want());
        }
    }

    #[test]
    fn flows_that_are_held_back_one_by_one_are_many() {
        let mut steer = Steer::new();
        run(&mut steer, 20, |want| want as u64 * 400_000);
        assert_eq!(steer.want(), MOST);
    }

    #[test]
    fn a_road_that_is_full_keeps_one_flow() {
        let mut steer = Steer::new();
        run(&mut steer, 20, |_| 24_000_000);
        assert_eq!(steer.want(), 1);
    }

    #[test]
    fn a_fast_flow_is_left_alone() {
        let mut steer = Steer::new();
        run(&mut steer, 4, |_| 1_000_000_000);
        assert_eq!((steer.want(), steer.calm_until), (1, Duration::ZERO));
    }

    #[test]
    fn a_number_that_could_not_be_tried_is_not_judged() {
        let mut steer = Steer::new();
        steer.look(Duration::from_secs(1), 1_000_000, 1);
        assert_eq!(steer.want(), 2);
        steer.look(Duration::from_secs(2), 2_000_000, 1);
        assert_eq!((steer.want(), steer.before), (2, None));
    }
}
