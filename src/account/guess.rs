//! Slow-down and lock-out. Pure: what was counted so far goes in, what follows comes out.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How much guessing is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures on one account within [`Limits::window`] that lock its password logins. The owner must not
    /// be shut out by a stranger: a key still opens it, since keys cannot be guessed, and addresses from
    /// which the account came in [lately](Limits::known) are counted each for itself.
    pub account_failures: u32,
    /// Failures from one address (IPv6: its /64) within the window that lock the address out.
    pub peer_failures: u32,
    /// Failures are counted together while not more than this lies between the first and the last.
    pub window: SignedDuration,
    /// How long the address of a login is known afterwards.
    pub known: SignedDuration,
    /// How long a lock-out lasts.
    pub lock: SignedDuration,
    /// Failures that cost nothing: people mistype.
    pub free_failures: u32,
    /// The wait before the next answer after those; it doubles with every failure.
    pub delay: Duration,
    /// The longest such wait.
    pub longest_delay: Duration,
}

impl Limits {
    /// Ten failures on an account or fifty from an address within 15 minutes lock for 15 minutes; from
    /// the fourth failure on answers come 250 ms, 500 ms, 1 s and at most 2 s later.
    pub const DEFAULT: Self = Self {
        account_failures: 10,
        peer_failures: 50,
        window: SignedDuration::from_mins(15),
        known: SignedDuration::from_hours(30 * 24),
        lock: SignedDuration::from_mins(15),
        free_failures: 3,
        delay: Duration::from_millis(250),
        longest_delay: Duration::from_secs(2),
    };

    /// How long the answer to the next attempt waits.
    #[must_use]
    pub fn slow_down(&self, failures: u32) -> Duration {
        let steps = failures.saturating_sub(self.free_failures);
        if steps == 0 {
            return Duration::ZERO;
        }
        let factor = 1_u32.checked_shl(steps - 1).unwrap_or(u32::MAX);
        self.delay.saturating_mul(factor).min(self.longest_delay)
    }
}

/// What is counted of one account or address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guesses {
    pub(super) failures: u32,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) locked_until: Option<Timestamp>,
}

impl Guesses {
    /// Nothing yet.
    pub(super) fn none(now: Timestamp) -> Self {
        Self { failures: 0, first: now, last: now, locked_until: None }
    }

    /// Locked at `now`?
    pub(super) fn lock(&self, now: Timestamp) -> Option<Timestamp> {
        self.locked_until.filter(|until| *until > now)
    }

    /// Failures that still count at `now`.
    pub(super) fn counted(&self, now: Timestamp, limits: &Limits) -> u32 {
        let served = self.locked_until.is_some_and(|until| until <= now);
        if served || now.duration_since(self.first) > limits.window { 0 } else { self.failures }
    }

    /// After one more failure.
    pub(super) fn after_failure(&self, now: Timestamp, most: u32, limits: &Limits) -> Self {
        let counted = self.counted(now, limits);
        let failures = counted.saturating_add(1);
        let first = if counted == 0 { now } else { self.first };
        let locked_until = self
            .lock(now)
            .or_else(|| (failures >= most).then(|| now.saturating_add(limits.lock).unwrap_or(Timestamp::MAX)));
        Self { failures, first, last: now, locked_until }
    }
}

/// The address as it is counted: IPv4 as it is, IPv6 by its /64, since one customer has at least that.
pub(super) fn peer_subject(peer: IpAddr) -> String {
    match peer.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) if v6.is_loopback() => v6.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn locks_at_the_limit_and_opens_again() {
        let limits = Limits::DEFAULT;
        let mut guesses = Guesses::none(at(0));
        for second in 1..10 {
            guesses = guesses.after_failure(at(second), 10, &limits);
            assert_eq!(guesses.lock(at(second)), None);
        }
        guesses = guesses.after_failure(at(10), 10, &limits);
        assert_eq!(guesses.lock(at(11)), Some(at(10 + 900)));
        // More failures do not make it longer: a stranger could keep it locked for ever.
        assert_eq!(guesses.after_failure(at(300), 10, &limits).lock(at(300)), Some(at(910)));
        assert_eq!(guesses.lock(at(910)), None);
        assert_eq!(guesses.counted(at(910), &limits), 0);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let limits = Limits::DEFAULT;
        let guesses = Guesses::none(at(0)).after_failure(at(0), 10, &limits);
        assert_eq!(guesses.counted(at(900), &limits), 1);
        assert_eq!(guesses.counted(at(901), &limits), 0);
    }

    #[test]
    fn waits_grow_to_a_bound() {
        let waits: Vec<_> = (0..9).map(|n| Limits::DEFAULT.slow_down(n).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 250, 500, 1000, 2000, 2000]);
        assert_eq!(Limits::DEFAULT.slow_down(u32::MAX), Duration::from_secs(2));
    }

    #[test]
    fn addresses_are_counted_by_customer() {
        assert_eq!(peer_subject("192.0.2.7".parse().unwrap()), "192.0.2.7");
        assert_eq!(peer_subject("::ffff:192.0.2.7".parse().unwrap()), "192.0.2.7");
        assert_eq!(peer_subject("2001:db8:1:2:3:4:5:6".parse().unwrap()), "2001:db8:1:2::/64");
    }
}
