//! How long to wait before an endpoint is tried again, at the start of a run. Pure.

use std::time::Duration;

use crate::model::{Fault, FaultKind, Retry};

/// Tries after a fault that may pass at once.
const QUICK_TRIES: u32 = 3;
/// Tries after a fault that takes its time: a server that restarts.
const SLOW_TRIES: u32 = 5;
/// Tries against "too many connections": 1 s, 2 s, 4 s … 60 s, some ten minutes in all.
const LIMIT_TRIES: u32 = 15;
const LONGEST: Duration = Duration::from_secs(60);

/// The pause after the `tries`-th failed try (from 1); none = give up, also when it would be longer than the patience
/// that is `left`. `chance` from 0 to 255 spreads the tries of several workers.
pub(super) fn pause(fault: &Fault, tries: u32, chance: u8, left: Duration) -> Option<Duration> {
    let (most, first) = match (fault.kind, fault.retry) {
        (FaultKind::Limit, _) => (LIMIT_TRIES, Duration::from_secs(1)),
        (_, Retry::Now) => (QUICK_TRIES, Duration::from_millis(500)),
        (_, Retry::Later) => (SLOW_TRIES, Duration::from_secs(1)),
        (_, Retry::Never) => return None,
    };
    if tries >= most {
        return None;
    }
    let doubled = first.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(LONGEST);
    // Between three quarters and the whole of it.
    Some(doubled.mul_f64(0.75 + f64::from(chance) / 1024.0)).filter(|pause| *pause <= left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Phase;

    fn waits(kind: FaultKind) -> Vec<Duration> {
        waits_within(kind, Duration::MAX)
    }

    fn waits_within(kind: FaultKind, patience: Duration) -> Vec<Duration> {
        let fault = Fault::new(Phase::Login, kind, "x");
        let mut left = patience;
        let mut next = |tries| {
            let pause = pause(&fault, tries, 255, left)?;
            left = left.saturating_sub(pause);
            Some(pause)
        };
        (1..).map_while(&mut next).collect()
    }

    #[test]
    fn patience_ends_the_tries_before_their_number_does() {
        assert!(waits_within(FaultKind::Refused, Duration::ZERO).is_empty());
        assert_eq!(waits_within(FaultKind::Refused, Duration::from_secs(3)).len(), 2);
        let limit: Duration = waits_within(FaultKind::Limit, Duration::from_secs(100)).iter().sum();
        assert!(limit <= Duration::from_secs(100));
    }

    #[test]
    fn gives_up_where_waiting_cannot_help() {
        for kind in [FaultKind::Auth, FaultKind::Tls, FaultKind::Unsupported, FaultKind::Missing] {
            assert!(waits(kind).is_empty(), "{kind}: a wrong password must not lock anybody out");
        }
        assert_eq!(waits(FaultKind::Reset).len(), 2);
        assert_eq!(waits(FaultKind::Refused).len(), 4);
    }

    #[test]
    fn a_limit_is_waited_for_ever_longer_and_bounded() {
        let waits = waits(FaultKind::Limit);
        assert!(waits.is_sorted() && waits.iter().all(|w| *w <= LONGEST));
        let all: Duration = waits.iter().sum();
        assert!((400..700).contains(&all.as_secs()), "{all:?}");
    }
}
