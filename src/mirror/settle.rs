//! May a file be read now, or may somebody still write to it without its time showing it? A time shows a later write
//! only when the tick in which it was told is over, and that on the source's clock, which may be wrong.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Fingerprint, Precision};

/// How far the source's clock may be from ours, its time zone included: no place on earth is further away.
const SKEW: SignedDuration = SignedDuration::from_hours(26);

/// What is known about the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    /// Ours.
    pub now: Timestamp,
    /// The newest time of any file in the source that is not ahead of ours: the source's own clock was there already.
    pub newest: Option<Timestamp>,
}

/// Whether a file may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// A later write will show in its time.
    Settled,
    /// So much longer this version has to be seen before a later write is sure to show.
    Wait(Duration),
    /// No time tells: only reading it twice does.
    Untold,
}

/// Judges `version`, which has been seen for `seen`, by a policy that wants `settle` seconds beyond the tick.
pub(super) fn rest(version: &Fingerprint, seen: Duration, clocks: Clocks, settle: u32) -> Rest {
    let Some(mtime) = version.mtime else { return Rest::Untold };
    let tick = match mtime.precision {
        Precision::Nanosecond => return Rest::Settled,
        Precision::Second => 1,
        Precision::Minute => 60,
        Precision::Day => 86_400,
    };
    let quiet = SignedDuration::from_secs(tick + i64::from(settle));
    // Overflow is a time at the end of the calendar: not settled.
    let later = |more: SignedDuration| mtime.at.checked_add(quiet).and_then(|at| at.checked_add(more));
    let passed = |clock: Timestamp, more| later(more).is_ok_and(|end| end <= clock);
    if settle == 0
        || clocks.newest.is_some_and(|newest| passed(newest, SignedDuration::ZERO))
        || passed(clocks.now, SKEW)
        || seen >= quiet.unsigned_abs()
    {
        return Rest::Settled;
    }
    if mtime.precision == Precision::Day {
        return Rest::Untold;
    }
    Rest::Wait(quiet.unsigned_abs().saturating_sub(seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mtime, TimeSource};

    const NOW: i64 = 1_700_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn judged(age: i64, precision: Precision, newest: i64, seen: u64) -> Rest {
        let mtime = Some(Mtime { at: at(NOW - age), precision, source: TimeSource::List });
        let version = Fingerprint { size: Some(1), mtime, unique: None };
        rest(&version, Duration::from_secs(seen), Clocks { now: at(NOW), newest: Some(at(NOW - newest)) }, 2)
    }

    fn wait(seconds: u64) -> Rest {
        Rest::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_older_than_any_clock_is_wrong_is_never_waited_for() {
        let days = 27 * 3600;
        for precision in [Precision::Nanosecond, Precision::Second, Precision::Minute] {
            assert_eq!(judged(days, precision, days, 0), Rest::Settled, "{precision:?}");
        }
        assert_eq!(judged(3 * 86_400, Precision::Day, 3 * 86_400, 0), Rest::Settled);
    }

    #[test]
    fn a_recent_time_settles_when_the_sources_own_clock_is_beyond_its_tick() {
        // An hour old by our clock: the source's may be an hour behind, and the file written right now.
        assert_eq!(judged(3600, Precision::Minute, 3600, 0), wait(62));
        assert_eq!(judged(3600, Precision::Second, 3600, 1), wait(2));
        // A newer file shows that it is not.
        assert_eq!(judged(3600, Precision::Minute, 3539, 0), wait(62));
        assert_eq!(judged(3600, Precision::Minute, 3538, 0), Rest::Settled);
    }

    #[test]
    fn a_time_in_the_future_is_not_settled_until_it_was_seen_long_enough() {
        assert_eq!(judged(-3600, Precision::Minute, 0, 0), wait(62));
        assert_eq!(judged(-3600, Precision::Minute, 0, 61), wait(1));
        assert_eq!(judged(-3600, Precision::Minute, 0, 62), Rest::Settled);
    }

    #[test]
    fn where_no_time_tells_the_file_is_read_twice() {
        let version = Fingerprint { size: Some(1), ..Fingerprint::default() };
        let clocks = Clocks { now: at(NOW), newest: None };
        assert_eq!(rest(&version, Duration::from_secs(1000), clocks, 2), Rest::Untold);
        assert_eq!(judged(3600, Precision::Day, 3600, 0), Rest::Untold);
    }
}
