//! May a file be read now, or may somebody still write to it without its time showing it? A time shows a later write
//! only when the tick in which it was told is over, and that on the source's clock, which may be wrong. Where there are
//! signs of an upload (see [`super::uploads`]) a file has to be quiet for longer: its client may only pause.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Fingerprint, Mtime, Precision};

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

/// Judges `version`, which has been seen for `seen`, by a policy that wants `settle` seconds beyond the tick. Signs of an
/// upload want it to have been `quiet` for so long.
pub(super) fn rest(version: &Fingerprint, seen: Duration, clocks: Clocks, settle: u32, quiet: Duration) -> Rest {
    let pause = pause(version, seen, clocks, quiet);
    match tick_over(version, seen, clocks, settle) {
        Rest::Wait(more) => Rest::Wait(more.max(pause)),
        told if pause.is_zero() => told,
        Rest::Settled | Rest::Untold => Rest::Wait(pause),
    }
}

/// Would a later write show?
fn tick_over(version: &Fingerprint, seen: Duration, clocks: Clocks, settle: u32) -> Rest {
    let Some(mtime) = version.mtime else { return Rest::Untold };
    let settled = SignedDuration::from_secs(settle.into());
    let quiet = tick(mtime.precision).saturating_add(settled);
    if mtime.precision == Precision::Nanosecond
        || settle == 0
        || is_older(mtime, settled, clocks)
        || seen >= quiet.unsigned_abs()
    {
        return Rest::Settled;
    }
    if mtime.precision == Precision::Day {
        return Rest::Untold;
    }
    Rest::Wait(quiet.unsigned_abs().saturating_sub(seen))
}

/// So much longer the version has to be seen, unless it was last written so long ago.
fn pause(version: &Fingerprint, seen: Duration, clocks: Clocks, quiet: Duration) -> Duration {
    if is_old(version, clocks, quiet) { Duration::ZERO } else { quiet.saturating_sub(seen) }
}

/// Was the version surely not written to for `age`?
pub(super) fn is_old(version: &Fingerprint, clocks: Clocks, age: Duration) -> bool {
    let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
    version.mtime.is_some_and(|mtime| is_older(mtime, age, clocks))
}

/// Has `age` passed since the tick of `mtime`, whatever the source's clock is off by?
fn is_older(mtime: Mtime, age: SignedDuration, clocks: Clocks) -> bool {
    // Overflow is a time at the end of the calendar: not that old.
    let end = mtime.at.checked_add(tick(mtime.precision).saturating_add(age));
    let passed = |clock: Timestamp, more: SignedDuration| {
        end.as_ref().is_ok_and(|at| at.checked_add(more).is_ok_and(|end| end <= clock))
    };
    clocks.newest.is_some_and(|newest| passed(newest, SignedDuration::ZERO)) || passed(clocks.now, SKEW)
}

const fn tick(precision: Precision) -> SignedDuration {
    SignedDuration::from_secs(match precision {
        Precision::Nanosecond => 0,
        Precision::Second => 1,
        Precision::Minute => 60,
        Precision::Day => 86_400,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TimeSource;

    const NOW: i64 = 1_700_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn judged(age: i64, precision: Precision, newest: i64, seen: u64) -> Rest {
        let mtime = Some(Mtime { at: at(NOW - age), precision, source: TimeSource::List });
        let version = Fingerprint { size: Some(1), mtime, unique: None };
        rest(
            &version,
            Duration::from_secs(seen),
            Clocks { now: at(NOW), newest: Some(at(NOW - newest)) },
            2,
            Duration::ZERO,
        )
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
        assert_eq!(rest(&version, Duration::from_secs(1000), clocks, 2, Duration::ZERO), Rest::Untold);
        assert_eq!(judged(3600, Precision::Day, 3600, 0), Rest::Untold);
    }

    #[test]
    fn signs_of_an_upload_want_more_than_the_tick() {
        let uploaded = |age: i64, precision, newest: i64, seen| {
            let mtime = Some(Mtime { at: at(NOW - age), precision, source: TimeSource::List });
            let version = Fingerprint { size: Some(1), mtime, unique: None };
            let clocks = Clocks { now: at(NOW), newest: Some(at(NOW - newest)) };
            rest(&version, Duration::from_secs(seen), clocks, 2, Duration::from_secs(300))
        };
        // Settled by its tick, but young by the source's clock.
        assert_eq!(uploaded(100, Precision::Second, 0, 0), wait(300));
        assert_eq!(uploaded(100, Precision::Nanosecond, 0, 250), wait(50));
        assert_eq!(uploaded(100, Precision::Second, 0, 300), Rest::Settled, "two equal observations");
        assert_eq!(uploaded(301, Precision::Second, 0, 0), Rest::Settled, "old");
        assert_eq!(uploaded(301, Precision::Second, 301, 0), wait(300), "old only if the clock is right");
        // Where no time tells, it is seen for so long and then read twice.
        assert_eq!(uploaded(3600, Precision::Day, 3600, 0), wait(300));
        assert_eq!(uploaded(3600, Precision::Day, 3600, 300), Rest::Untold);
    }
}
