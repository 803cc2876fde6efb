//! How many files are moved at once: a budget that finds its own size.
//!
//! Nobody can know it beforehand: over a long way small files want as many connections as the server bears, on a short
//! one more than a few only get into each other's way. So the budget is doubled as long as that pays, taken back when
//! it does not, and halved when the server shows that it is too much; above what was left by that it grows by one at a
//! time (slow start, then additive increase and multiplicative decrease, as TCP finds the width of a road: RFC 5681
//! section 3.1). Pure: what happened goes in, a size and its reason come out.

use std::time::Duration;

/// How it begins when nobody chose a number.
const BEGIN: u16 = 4;
/// More at once is asked of a server only by somebody who knows it.
const MOST: u16 = 32;
/// How long a size is tried at least, and until so many files per connection came.
const TRIED_FOR: Duration = Duration::from_millis(400);
const TRIED_FILES: u64 = 2;
/// A size that brings no files is judged by its bytes after so long.
const TRIED_AT_MOST: Duration = Duration::from_secs(4);
/// More connections pay when they bring so much more.
const PAYS: f64 = 1.1;
/// After a step that did not pay, another is tried so much later.
const CALM: Duration = Duration::from_secs(20);
/// After the server showed that it was too much.
const SHY: Duration = Duration::from_secs(60);
/// What a file costs beside its bytes, in bytes.
const PER_FILE: f64 = 65_536.0;

/// What was moved so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub files: u64,
    pub bytes: u64,
}

/// The budget.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    now: u16,
    most: u16,
    fixed: bool,
    begun: Duration,
    at_begin: Moved,
    /// The size before the last doubling and what it brought.
    before: Option<(u16, f64)>,
    /// Up to here it is doubled: all there is, until the server shows that it is too much.
    doubled_to: u16,
    calm_until: Duration,
}

impl Pace {
    /// `chosen` by somebody, or found; never more than `able`. It begins `now`.
    pub(super) fn new(chosen: Option<u16>, able: u16, now: Duration) -> Self {
        let able = able.max(1);
        let (size, most) = match chosen {
            Some(chosen) => (chosen.clamp(1, able), chosen.clamp(1, able)),
            None => (BEGIN.min(able), MOST.min(able)),
        };
        let fixed = chosen.is_some();
        let at_begin = Moved::default();
        let calm_until = Duration::ZERO;
        Self { now: size, most, fixed, begun: now, at_begin, before: None, doubled_to: most, calm_until }
    }

    /// Files at once.
    pub(super) const fn width(&self) -> u16 {
        self.now
    }

    /// Looks at what was moved until `now`, where the other side bears `able` at once. Why the size changed, if it did.
    pub(super) fn look(&mut self, now: Duration, moved: Moved, able: u16) -> Option<String> {
        if able < self.now {
            self.set(able.max(1), now, moved);
            self.calm_until = now + SHY;
            return Some(format!("{}: the server bears no more", self.now));
        }
        let took = now.saturating_sub(self.begun);
        let files = moved.files - self.at_begin.files;
        let enough = took >= TRIED_FOR && files >= TRIED_FILES * u64::from(self.now) || took >= TRIED_AT_MOST;
        if self.fixed || !enough || now < self.calm_until {
            return None;
        }
        let rate = self.rate(took, moved);
        match self.before.take() {
            Some((size, brought)) if rate < brought * PAYS => {
                self.set(size, now, moved);
                self.calm_until = now + CALM;
                Some(format!("{size}: more were not faster"))
            }
            _ => self.grow(rate, now, moved, able),
        }
    }

    fn grow(&mut self, rate: f64, now: Duration, moved: Moved, able: u16) -> Option<String> {
        let last = self.now;
        let doubles = last < self.doubled_to;
        let next = if doubles { last.saturating_mul(2).min(self.doubled_to) } else { last + 1 };
        let next = next.min(self.most).min(able);
        if next == last {
            return None;
        }
        self.set(next, now, moved);
        if !doubles {
            return Some(format!("{next}: {last} were borne"));
        }
        self.before = Some((last, rate));
        let faster = last > BEGIN;
        Some(if faster { format!("{next}: {last} were faster than half as many") } else { format!("{next}: a try") })
    }

    /// A connection was reset, or the server had no room: half as many, for a while.
    pub(super) fn cut(&mut self, now: Duration, moved: Moved, why: &str) -> Option<String> {
        // One cut for all connections that break at once.
        if self.fixed || self.now == 1 || now < self.calm_until {
            return None;
        }
        self.set((self.now / 2).max(1), now, moved);
        (self.doubled_to, self.calm_until) = (self.now, now + CALM);
        Some(format!("{}: {why}", self.now))
    }

    fn set(&mut self, size: u16, now: Duration, moved: Moved) {
        (self.now, self.begun, self.at_begin, self.before) = (size, now, moved, None);
    }

    /// Bytes per second, with what a file costs beside its bytes.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
    fn rate(&self, took: Duration, moved: Moved) -> f64 {
        let files = (moved.files - self.at_begin.files) as f64;
        let bytes = moved.bytes.saturating_sub(self.at_begin.bytes) as f64;
        (files * PER_FILE + bytes) / took.as_secs_f64().max(0.001)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drives a budget against a world where `rate(width)` files come per second.
    fn run(pace: &mut Pace, seconds: u64, able: u16, rate: impl Fn(u16) -> u64) {
        let start = pace.begun;
        let mut files = pace.at_begin.files;
        for step in 1..=seconds * 10 {
            files += rate(pace.width()) / 10;
            pace.look(start + Duration::from_millis(step * 100), Moved { files, bytes: files * 4096 }, able);
        }
    }

    #[test]
    fn where_every_connection_pays_it_grows_to_the_bound() {
        let mut pace = Pace::new(None, 64, Duration::ZERO);
        run(&mut pace, 10, 64, |width| u64::from(width) * 50);
        assert_eq!(pace.width(), MOST);
    }

    #[test]
    fn where_more_do_not_pay_it_stays_small() {
        let mut pace = Pace::new(None, 64, Duration::ZERO);
        run(&mut pace, 10, 64, |width| u64::from(width.min(8)) * 100);
        assert_eq!(pace.width(), 8);
    }

    #[test]
    fn a_long_reading_of_directories_before_it_is_not_held_against_it() {
        // Ten seconds of listing, then more connections never pay.
        let mut pace = Pace::new(None, 64, Duration::from_secs(10));
        assert!(pace.look(Duration::from_secs(10), Moved::default(), 64).is_none());
        run(&mut pace, 10, 64, |_| 400);
        assert_eq!(pace.width(), BEGIN);
    }

    #[test]
    fn what_somebody_chose_stays_unless_the_server_bears_less() {
        let mut pace = Pace::new(Some(6), 64, Duration::ZERO);
        run(&mut pace, 5, 64, |width| u64::from(width) * 50);
        assert_eq!(pace.width(), 6);
        assert!(pace.cut(Duration::from_secs(9), Moved::default(), "a reset").is_none());
        let why = pace.look(Duration::from_secs(10), Moved { files: 9999, bytes: 0 }, 3);
        assert_eq!((pace.width(), why.as_deref()), (3, Some("3: the server bears no more")));
    }

    #[test]
    fn resets_cut_it_once_and_it_comes_back() {
        let mut pace = Pace::new(None, 64, Duration::ZERO);
        run(&mut pace, 10, 64, |width| u64::from(width) * 50);
        let at = pace.begun + Duration::from_secs(30);
        let moved = Moved { files: 100_000, bytes: 0 };
        assert!(pace.cut(at, moved, "connections are reset").is_some());
        assert!(pace.cut(at, moved, "connections are reset").is_none());
        assert_eq!(pace.width(), MOST / 2);
        let (mut widths, mut files) = (vec![pace.width()], moved.files);
        for tenth in 1..=600 {
            files += u64::from(pace.width()) * 5;
            pace.look(at + Duration::from_millis(tenth * 100), Moved { files, bytes: files * 4096 }, 64);
            widths.push(pace.width());
        }
        assert_eq!(pace.width(), MOST);
        assert!(widths.windows(2).all(|two| two[1] - two[0] <= 1), "{widths:?}");
    }

    #[test]
    fn one_big_file_gives_no_reason_to_grow_forever() {
        let mut pace = Pace::new(None, 64, Duration::ZERO);
        for second in 1..60 {
            pace.look(Duration::from_secs(second), Moved { files: 0, bytes: second * 1_000_000 }, 64);
        }
        assert!(pace.width() <= 2 * BEGIN, "{}", pace.width());
    }
}
