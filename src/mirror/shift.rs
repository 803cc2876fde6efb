//! A listing's clock that is set to another zone, or to daylight saving time, moves every time in it by as much. That is
//! one event, and not so many changed files: pure decisions over how far the times moved since the last run.

use jiff::{SignedDuration, Timestamp};

use crate::model::{Fingerprint, Precision, TimeSource};

/// Zones differ by whole quarters of an hour.
const QUARTER: i64 = 15 * 60 * 1_000_000_000;
/// From -12 to +14 hours.
const FARTHEST: i64 = 26 * 4 * QUARTER;
/// Fewer files may have been touched by hand.
const FEWEST: u64 = 3;
/// So many changed files to one whose time moved are no clock.
const OTHERS: u64 = 10;

/// By how much the source's clock moved: `moves` holds distances in nanoseconds and how many files of unchanged size
/// moved so far. All of them moved by the same quarters of an hour, but for the few that were changed besides; none
/// stayed where it was.
pub(super) fn of_clock(moves: &[(i64, u64)]) -> Option<SignedDuration> {
    together(moves, FEWEST)
}

/// Could that have been the clock? A few files prove nothing, but following them alone would hide from the next run over
/// the whole tree that all of it moved.
pub(super) fn may_be_clock(moves: &[(i64, u64)]) -> bool {
    together(moves, 1).is_some()
}

/// By how much at least `fewest` files moved together.
fn together(moves: &[(i64, u64)], fewest: u64) -> Option<SignedDuration> {
    let (by, files) = moves.iter().copied().max_by_key(|(_, files)| *files)?;
    let others: u64 = moves.iter().filter(|(other, _)| *other != by).map(|(_, files)| files).sum();
    let stayed = moves.iter().any(|(other, files)| *other == 0 && *files > 0);
    let is_zone = by != 0 && by % QUARTER == 0 && by.unsigned_abs() <= FARTHEST.unsigned_abs();
    (is_zone && !stayed && files >= fewest && others <= files / OTHERS).then_some(SignedDuration::from_nanos(by))
}

/// How much older than its publishing (in nanoseconds) a file must look, so that it cannot have been written again since:
/// no clock shows a present farther back than the farthest zone. A job that rewrites its files at the same hour every day
/// moves their times by a whole quarter, too.
pub(super) const CERTAIN: i64 = FARTHEST;

/// The version as it would have been told before the clock moved; `None` when its time is not one of that clock, or so
/// recent that the file published at `published` may have been written again since.
pub(super) fn back(version: &Fingerprint, by: SignedDuration, published: Timestamp) -> Option<Fingerprint> {
    let mtime = version.mtime.filter(|mtime| mtime.source == TimeSource::List && mtime.precision < Precision::Day)?;
    if published.duration_since(mtime.at) <= SignedDuration::from_nanos(CERTAIN) {
        return None;
    }
    let at = mtime.at.checked_sub(by).ok()?;
    Some(Fingerprint { mtime: Some(crate::model::Mtime { at, ..mtime }), ..version.clone() })
}

/// For the summary.
pub(super) fn note(by: SignedDuration, files: u64) -> String {
    let minutes = by.as_mins();
    format!(
        "the times in the source's listings all moved by {minutes:+} minutes: its clock shows another zone, or daylight \
         saving time; {files} files that moved by just that count as unchanged"
    )
}

/// How many of `moves` are by that much.
pub(super) fn files(moves: &[(i64, u64)], by: SignedDuration) -> u64 {
    moves.iter().filter(|(other, _)| i128::from(*other) == by.as_nanos()).map(|(_, files)| files).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_tree_by_whole_quarters_is_a_clock() {
        let hour = 4 * QUARTER;
        let moved = |by: i64| Some(SignedDuration::from_nanos(by));
        for (moves, found) in [
            (&[(hour, 1000)][..], moved(hour)),
            (&[(-QUARTER, 3)], moved(-QUARTER)),
            (&[(23 * QUARTER, 50), (777, 3), (QUARTER, 2)], moved(23 * QUARTER)),
            // Too few, too many others, one that stayed, no quarters, farther than any zone, nothing.
            (&[(hour, 2)], None),
            (&[(hour, 50), (777, 6)], None),
            (&[(hour, 1000), (0, 1)], None),
            (&[(0, 1000)], None),
            (&[(hour + 60_000_000_000, 1000)], None),
            (&[(27 * hour, 1000)], None),
            (&[(i64::MIN, 1000)], None),
            (&[], None),
        ] {
            assert_eq!(of_clock(moves), found, "{moves:?}");
        }
        assert!(may_be_clock(&[(hour, 1)]) && !may_be_clock(&[(hour, 1), (0, 1)]) && !may_be_clock(&[]));
        assert_eq!(files(&[(hour, 7), (1, 2)], SignedDuration::from_hours(1)), 7);
    }
}
