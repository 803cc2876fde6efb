//! The beginning of a listing decides how all of it is read.

use super::format::{Format, dos, os400, unix};
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
    /// In numbers that could be either, the day comes before the month.
    pub day_first: bool,
    /// The order of the three numbers of a date on OS/400.
    pub order: os400::Order,
    /// Two blanks stand between a year and the name (AIX, OS/400).
    pub wide_gap: bool,
}

impl Ballot {
    /// Without a vote: this format and no other.
    pub const fn of(format: Format) -> Self {
        Self { format, only: true, day_first: false, order: os400::Order::Unclear, wide_gap: false }
    }
}

/// Lets the lines of `first` vote; `known` settles the format, and leaves the rest to them.
pub fn vote(first: &[u8], known: Option<Format>, zone: &Zone) -> Ballot {
    let lines = || first.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).take(VOTERS);
    let mut ballot = Ballot {
        format: known.unwrap_or(Format::Unix),
        only: false,
        day_first: lines().any(dos::is_day_first),
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
