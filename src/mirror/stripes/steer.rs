//! How many pieces of one file are read at once. Pure.
//!
//! One flow fills most roads. Where each flow is held back for itself (packet loss, a window that is too small, a
//! limit per connection), several are faster; where they are not, they only waste what is under way when a piece
//! ends. So many are tried, and one is gone back to when that does not pay. It is one step from one flow to many: a flow
//! that packets are lost from is now twice as fast and now half, so a little more would prove nothing.

use std::time::Duration;

/// How long a number is tried. The first half of that at the beginning is not judged: flows grow then.
const TRIED_FOR: Duration = Duration::from_secs(2);
/// More pieces pay when they bring so much more.
const PAYS: f64 = 1.15;
/// When that did not pay, it is tried again so much later; then twice as late, up to the second.
const CALM: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(240));
/// A flow this fast (bytes per second) is not held back by anything that a second one would get around.
const FAST: f64 = 150e6;
/// Most pieces of one file.
const MOST: usize = 16;

/// Finds the number.
#[derive(Debug)]
pub(super) struct Steer {
    tried_for: Duration,
    want: usize,
    warm: bool,
    since: Duration,
    bytes_then: u64,
    /// The number before the last step and what it brought.
    before: Option<(usize, f64)>,
    /// Bytes per second of one piece, at the last look.
    flow: f64,
    calm: Duration,
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
            warm: false,
            since: Duration::ZERO,
            bytes_then: 0,
            before: None,
            flow: FAST,
            calm: CALM.0,
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

    /// There are connections for no more than `able`.
    pub(super) fn limit(&mut self, able: usize) {
        self.want = self.want.min(able).max(1);
    }

    /// Looks at `bytes` that were read until `now` by `used` pieces.
    pub(super) fn look(&mut self, now: Duration, bytes: u64, used: usize) {
        let took = now.saturating_sub(self.since);
        if took < if self.warm { self.tried_for } else { self.tried_for / 2 } {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        let rate = bytes.saturating_sub(self.bytes_then) as f64 / took.as_secs_f64();
        (self.since, self.bytes_then) = (now, bytes);
        self.flow = rate / f64::from(u16::try_from(used.max(1)).unwrap_or(u16::MAX));
        if !std::mem::replace(&mut self.warm, true) {
            return;
        }
        match self.before.take() {
            Some((fewer, brought)) if rate < brought * PAYS => {
                (self.want, self.calm_until) = (fewer, now + self.calm);
                self.calm = (self.calm * 2).min(CALM.1);
            }
            _ if rate < FAST && self.want < MOST && now >= self.calm_until => {
                self.before = Some((self.want, rate));
                self.want = MOST;
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
    fn where_fewer_connections_are_free_their_number_is_tried() {
        let mut steer = Steer::new();
        steer.look(Duration::from_secs(1), 1_000_000, 1);
        assert_eq!(steer.want(), 1, "flows grow at first");
        steer.look(Duration::from_secs(3), 3_000_000, 1);
        assert_eq!(steer.want(), MOST);
        steer.limit(3);
        assert_eq!(steer.want(), 3);
        steer.look(Duration::from_secs(5), 9_000_000, 3);
        assert_eq!(steer.want(), MOST, "three pay: more are tried, should there be connections by now");
        steer.limit(3);
        steer.look(Duration::from_secs(7), 15_000_000, 3);
        assert_eq!(steer.want(), 3);
    }

    #[test]
    fn flows_that_are_now_fast_and_now_slow_are_judged_by_their_mean() {
        // Twice as fast in every other second.
        let mut steer = Steer::new();
        let (mut bytes, mut wanted) = (0, Vec::new());
        for second in 1..=12 {
            bytes += steer.want() as u64 * if second % 2 == 0 { 200_000 } else { 400_000 };
            steer.look(Duration::from_secs(second), bytes, steer.want());
            wanted.push(steer.want());
        }
        assert_eq!(steer.want(), MOST, "{wanted:?}");
    }
}
