//! What a listing as a whole shows of how its times are written, where a line alone could be read in two ways: `PM` or a
//! year behind a time may as well be how a name begins.

use super::date::{self, Face};
use super::format::dos;
use super::months::month;
use super::words::{Word, words};
use crate::model::Precision;

/// One line alone may be a file that is called "am Montag".
const FEWEST: u32 = 2;

/// How whoever wrote the listing writes times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// In numbers that could be either, the day comes before the month.
    pub day_first: bool,
    /// AM or PM stands behind a time, apart from it.
    pub half_days: bool,
    /// The year stands behind a time to the second (BSD's `ls -T`).
    pub year_last: bool,
}

impl Habits {
    /// Where nothing can be read in two ways, or nothing spoke for the rarer one.
    pub const DEFAULT: Self = Self { day_first: false, half_days: false, year_last: false };
    /// Where the day comes first and nothing else is open.
    pub const DAY_FIRST: Self = Self { day_first: true, ..Self::DEFAULT };

    /// Those of these lines. What one line speaks against is none.
    pub fn of<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut day_first, mut halves, mut years) = (false, Votes::default(), Votes::default());
        for line in lines {
            day_first |= dos::is_day_first(line);
            let words = words(line);
            halves.add(is_half_day(&words));
            years.add(is_year_last(&words));
        }
        Self { day_first, half_days: halves.are_all(FEWEST), year_last: years.are_all(1) }
    }
}

/// Lines for and against something.
#[derive(Default)]
struct Votes {
    yes: u32,
    no: u32,
}

impl Votes {
    /// A line that says nothing has no vote.
    const fn add(&mut self, vote: Option<bool>) {
        match vote {
            Some(true) => self.yes += 1,
            Some(false) => self.no += 1,
            None => {}
        }
    }

    const fn are_all(&self, fewest: u32) -> bool {
        self.no == 0 && self.yes >= fewest
    }
}

/// Does AM or PM follow the first time in the line, and a name behind that?
fn is_half_day(words: &[Word<'_>]) -> Option<bool> {
    let (at, (hour, ..), _) = times(words).next()?;
    let is_mark = words.get(at + 1).is_some_and(|word| date::half(word.text()).is_some());
    Some(is_mark && (1..=12).contains(&hour) && words.get(at + 2).is_some())
}

/// Does a year follow a month, a day and a time to the second, and a name behind that?
fn is_year_last(words: &[Word<'_>]) -> Option<bool> {
    let (at, ..) = times(words).find(|(at, _, exact)| *exact == Precision::Second && is_day(words, *at))?;
    Some(words.get(at + 1).and_then(date::year).is_some() && words.get(at + 2).is_some())
}

/// Times of day that stand alone: which word, what it shows, how exactly.
fn times(words: &[Word<'_>]) -> impl Iterator<Item = (usize, Face, Precision)> {
    words.iter().enumerate().filter_map(|(at, word)| date::face(word.text()).map(|(face, exact)| (at, face, exact)))
}

/// Are the two words before `end` a month and a day?
fn is_day(words: &[Word<'_>], end: usize) -> bool {
    let Some([first, second]) = end.checked_sub(2).and_then(|start| words.get(start..end)) else { return false };
    (month(first.bytes).is_some() && date::day(second).is_some())
        || (month(second.bytes).is_some() && date::day(first).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn habits(lines: &[&str]) -> Habits {
        Habits::of(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn half_days_are_those_of_every_line() {
        let (am, pm) = ("-rw-r--r-- 1 a b 1 Jun  1 12:05 am x", "-rw-r--r-- 1 a b 1 Jun  1 01:05 PM y");
        let old = "-rw-r--r-- 1 a b 1 Jun  1  2024 z";
        assert!(habits(&[am, old, pm]).half_days);
        // A line alone, a time of 24 hours, a time without the mark, a mark that is the whole name.
        assert!(!habits(&[pm, old]).half_days);
        for other in ["Jun  1 13:05 PM x", "Jun  1 00:05 AM x", "Jun  1 09:05 x", "Jun  1 09:05 AM"] {
            assert!(!habits(&[am, pm, &format!("-rw-r--r-- 1 a b 1 {other}")]).half_days, "{other}");
        }
    }

    #[test]
    fn a_year_comes_last_in_every_line_or_in_none() {
        let bsd = "-rw-r--r-- 1 a b 1 May  6 07:08:09 2024 x";
        assert!(habits(&[bsd]).year_last && habits(&[bsd, "total 3"]).year_last);
        assert!(!habits(&[bsd, "-rw-r--r-- 1 a b 1 May  6 07:08:09 x"]).year_last);
        assert!(!habits(&["-rw-r--r-- 1 a b 1 May  6 07:08:09 2024"]).year_last, "that is the name");
        assert!(!habits(&["-rw-r--r-- 1 a b 1 2024-05-06 07:08:09 2024 x"]).year_last);
    }
}
