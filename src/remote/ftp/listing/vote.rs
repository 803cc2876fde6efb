//! The beginning of a listing decides how all of it is read.

use super::format::{Format, os400, unix};
use super::habits::Habits;
use super::{Line, Zone};

/// So many lines vote.
const VOTERS: usize = 400;

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// Tried first for every line.
    pub format: Format,
    /// Nothing else is tried.
    pub only: bool,
    /// How times are written.
    pub habits: Habits,
    /// The order of the three numbers of a date on OS/400.
    pub order: os400::Order,
    /// Two blanks stand between a year and the name (AIX, OS/400).
    pub wide_gap: bool,
}

impl Ballot {
    /// Without a vote: this format and no other.
    pub const fn of(format: Format) -> Self {
        Self { format, only: true, habits: Habits::DEFAULT, order: os400::Order::Unclear, wide_gap: false }
    }
}

/// Lets the lines of `first` vote; `known` settles the format, and leaves the rest to them.
pub fn vote(first: &[u8], known: Option<Format>, zone: &Zone) -> Ballot {
    let lines = || first.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).take(VOTERS);
    let mut ballot = Ballot {
        format: known.unwrap_or(Format::Unix),
        only: false,
        habits: Habits::of(lines()),
        order: os400::order(lines()),
        wide_gap: unix::has_wide_gap(lines()),
    };
    if known.is_some() {
        return ballot;
    }
    if let Some(format) = lines().take(5).find_map(Format::of_header) {
        ballot.format = format;
        return ballot;
    }
    // The first of those with most votes: the order of ALL is from the strictest to the laxest.
    let mut most = 0;
    for format in Format::ALL.iter().copied().filter(|format| format.stands_for_election()) {
        let votes = lines()
            .filter(|line| matches!(format.parse(line, &ballot, zone), Some(Line::Entry(_) | Line::Dots)))
            .count();
        if votes > most {
            most = votes;
            ballot.format = format;
        }
    }
    ballot
}
