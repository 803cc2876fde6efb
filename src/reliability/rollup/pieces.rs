//! Which roll-ups a window is made of.

/// Microseconds of a minute, an hour, a day.
pub const MINUTE: i64 = 60_000_000;
/// An hour.
pub const HOUR: i64 = 60 * MINUTE;
/// A day, as UTC has it.
pub const DAY: i64 = 24 * HOUR;

/// Roll-ups of one span, from and to a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub span: i64,
    pub from: i64,
    pub to: i64,
}

/// How far the spans are whole, and from where on the finer ones are still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// Up to here there are hours.
    pub hours: i64,
    /// Up to here there are days.
    pub days: i64,
    /// Before it minutes have expired.
    pub minutes_from: i64,
    /// Before it hours have expired.
    pub hours_from: i64,
}

impl Marks {
    /// The same, as if there were no spans that are wider than `width`.
    #[must_use]
    pub const fn within(self, width: i64) -> Self {
        let days = if width >= DAY { self.days } else { 0 };
        let hours = if width >= HOUR { self.hours } else { 0 };
        Self { hours, days, ..self }
    }
}

/// Widths that slices may have.
const WIDTHS: [i64; 13] = [
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
    28 * DAY,
];

/// The finest of the widths of which `from..to` has at most `most`, and for which the roll-ups are there.
#[must_use]
pub fn width((from, to): (i64, i64), marks: Marks, most: i64) -> i64 {
    let least = match from {
        from if from < marks.hours_from => DAY,
        from if from < marks.minutes_from => HOUR,
        _ => MINUTE,
    };
    let fits = |width: &i64| *width >= least && to.saturating_sub(from) <= width.saturating_mul(most);
    WIDTHS.into_iter().find(fits).unwrap_or(28 * DAY)
}

/// The beginning of the span that `at` lies in.
#[must_use]
pub const fn floor(at: i64, span: i64) -> i64 {
    at - at.rem_euclid(span)
}

const fn ceil(at: i64, span: i64) -> i64 {
    floor(at.saturating_add(span - 1), span)
}

/// Two times, widened to whole minutes; where finer roll-ups have expired, to whole hours or days. Widening again changes
/// nothing.
#[must_use]
pub fn widened(from: i64, to: i64, marks: Marks) -> (i64, i64) {
    let finest = |at: i64| match at {
        at if at < marks.hours_from => DAY,
        at if at < marks.minutes_from => HOUR,
        _ => MINUTE,
    };
    (floor(from, finest(from)), ceil(to, finest(to)))
}

/// The pieces between two times that were [`widened`].
#[must_use]
pub fn pieces((from, to): (i64, i64), marks: Marks) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = vec![(from, to)];
    for (span, whole_until) in [(DAY, marks.days), (HOUR, marks.hours), (MINUTE, i64::MAX)] {
        rest = rest
            .into_iter()
            .flat_map(|(from, to)| {
                let (begin, end) = (ceil(from, span), floor(to.min(whole_until), span));
                if begin >= end {
                    return vec![(from, to)];
                }
                pieces.push(Piece { span, from: begin, to: end });
                vec![(from, begin), (end, to)]
            })
            .filter(|(from, to)| from < to)
            .collect();
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every minute of the window exactly once.
    fn check(from: i64, to: i64, marks: Marks) -> Vec<Piece> {
        let wide = widened(from, to, marks);
        assert_eq!(widened(wide.0, wide.1, marks), wide);
        let mut found = pieces(wide, marks);
        found.sort_by_key(|piece| piece.from);
        for both in found.windows(2) {
            assert_eq!(both[0].to, both[1].from);
        }
        let (first, last) = (found.first().unwrap(), found.last().unwrap());
        assert!(first.from <= from && last.to >= to, "{found:?}");
        for piece in &found {
            assert!(piece.from % piece.span == 0 && piece.to % piece.span == 0 && piece.from < piece.to);
        }
        found
    }

    #[test]
    fn slices_are_as_fine_as_there_are_roll_ups() {
        let marks = Marks { hours: 100 * DAY, days: 100 * DAY, minutes_from: 97 * DAY, hours_from: 20 * DAY };
        let of = |from, to| width((from, to), marks, 30);
        assert_eq!(of(99 * DAY, 99 * DAY + HOUR), 2 * MINUTE);
        assert_eq!((of(99 * DAY, 100 * DAY), of(50 * DAY, 50 * DAY + HOUR)), (HOUR, HOUR));
        assert_eq!((of(70 * DAY, 100 * DAY), of(10 * DAY, 10 * DAY + HOUR), of(0, 366 * DAY)), (DAY, DAY, 28 * DAY));
        let found = pieces((98 * DAY, 100 * DAY), marks.within(HOUR));
        assert!(found.iter().all(|piece| piece.span == HOUR), "{found:?}");
    }

    #[test]
    fn a_window_is_made_of_the_coarsest_that_fit() {
        let all = Marks { hours: 100 * DAY, days: 100 * DAY, ..Marks::default() };
        let spans = |pieces: &[Piece]| pieces.iter().map(|piece| piece.span).collect::<Vec<_>>();
        let found = check(DAY - 61 * MINUTE - 1, 3 * DAY + 2 * HOUR + MINUTE, all);
        assert_eq!(spans(&found), [MINUTE, HOUR, DAY, HOUR, MINUTE]);
        assert_eq!(spans(&check(10, 20, all)), [MINUTE]);
        assert_eq!(spans(&check(0, DAY, all)), [DAY]);
        // What is not whole yet is made of what is.
        let none = Marks::default();
        assert_eq!(spans(&check(0, DAY, none)), [MINUTE]);
        let some = Marks { hours: 3 * DAY + 5 * HOUR, days: 3 * DAY, ..none };
        assert_eq!(spans(&check(0, 4 * DAY, some)), [DAY, HOUR, MINUTE]);
        // What has expired is made of what there is.
        let old = Marks { minutes_from: 50 * DAY, hours_from: 20 * DAY, ..all };
        assert_eq!(spans(&check(HOUR + 5, 90 * DAY, old)), [DAY]);
        assert_eq!(spans(&check(30 * DAY + 5, 90 * DAY, old)), [DAY]);
        assert_eq!(spans(&check(30 * DAY + HOUR + 5, 90 * DAY, old)), [HOUR, DAY]);
    }
}
