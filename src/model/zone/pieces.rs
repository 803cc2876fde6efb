//! From one reading of a clock face to another: a face that was read by one zone is to be read by another one. Between the
//! instants at which one of the two zones changes, that moves every time by the same.

use jiff::{SignedDuration, Timestamp};

use super::ServerZone;

/// Times before an instant move by so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Times before it, and not before the piece ahead; none: all that are left.
    pub before: Option<Timestamp>,
    /// By how much they move.
    pub by: SignedDuration,
}

/// How times between `first` and `last` move that were read by `from` and are to be read by `to`, in order. Where a clock
/// is set back, its face is read as the first of the two times, as [`ServerZone::instant`] does.
#[must_use]
pub fn pieces(from: &ServerZone, to: &ServerZone, first: Timestamp, last: Timestamp) -> Vec<Piece> {
    let mut begins = changes(from, first, last);
    for change in changes(to, first.saturating_sub(DAY).unwrap_or(first), last.saturating_add(DAY).unwrap_or(last)) {
        let earlier = change.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(change);
        // The face from which on the new rule is the only one.
        let face = to.0.to_offset(earlier).to_datetime(change).max(to.face(change));
        let read = from.0.to_ambiguous_timestamp(face);
        begins.extend([read.earlier(), read.later()].into_iter().flatten());
    }
    begins.retain(|at| (first..=last).contains(at));
    begins.push(first);
    begins.sort_unstable();
    begins.dedup();
    let mut pieces: Vec<Piece> = Vec::new();
    for at in begins {
        let by = to.instant(from.face(at)).map_or(SignedDuration::ZERO, |moved| moved.duration_since(at));
        match pieces.last_mut() {
            Some(before) if before.by == by => {}
            before => {
                if let Some(before) = before {
                    before.before = Some(at);
                }
                pieces.push(Piece { before: None, by });
            }
        }
    }
    pieces
}

/// No face is farther from its instant.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// When the zone changes between two instants.
fn changes(zone: &ServerZone, first: Timestamp, last: Timestamp) -> Vec<Timestamp> {
    zone.0.following(first).map(|change| change.timestamp()).take_while(|at| *at <= last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_moves_as_reading_its_face_anew_would_move_it() {
        let (first, last): (Timestamp, Timestamp) =
            ("2019-01-01T00:00:00Z".parse().unwrap(), "2026-12-31T23:59:00Z".parse().unwrap());
        let zones = ["UTC", "60", "345", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran"];
        for from in zones {
            for to in zones {
                let (from, to): (ServerZone, ServerZone) = (from.parse().unwrap(), to.parse().unwrap());
                let pieces = pieces(&from, &to, first, last);
                assert!(pieces.len() <= 70, "{from} to {to}: {}", pieces.len());
                assert_eq!(pieces.last().unwrap().before, None);
                if from == to {
                    assert!(pieces.len() <= 20, "{pieces:?}");
                }
                // Every seven minutes would take long: an odd step meets each quarter of an hour soon enough.
                let mut at = first;
                while at <= last {
                    let piece = pieces.iter().find(|piece| piece.before.is_none_or(|before| at < before)).unwrap();
                    let anew = to.instant(from.face(at)).unwrap();
                    assert_eq!(at + piece.by, anew, "{from} to {to}: {at}");
                    at += SignedDuration::from_mins(13);
                }
            }
        }
    }

    #[test]
    fn zones_without_a_rule_make_one_piece() {
        let (first, last) = (Timestamp::from_second(0).unwrap(), Timestamp::from_second(2_000_000_000).unwrap());
        let pieces = pieces(&ServerZone::default(), &"120".parse().unwrap(), first, last);
        assert_eq!(pieces, [Piece { before: None, by: SignedDuration::from_hours(-2) }]);
    }
}
