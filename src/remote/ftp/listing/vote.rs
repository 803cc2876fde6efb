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
    ballot.format = elect(&lines().collect::<Vec<_>>(), &ballot, zone).unwrap_or(Format::Unix);
    ballot
}

/// The format that understands most of `lines`; of several the first in the order of ALL, which is from the strictest to
/// the laxest. None when none understands any.
fn elect(lines: &[&[u8]], ballot: &Ballot, zone: &Zone) -> Option<Format> {
    let place = |format: Format| Format::ALL.iter().position(|other| *other == format);
    let mut leader: Option<(Format, usize)> = None;
    // By far the most servers write as `ls` does: when that has most votes, a few lines show that no other has more.
    let rest = Format::ALL.iter().copied().filter(|format| *format != Format::Unix && format.stands_for_election());
    for format in std::iter::once(Format::Unix).chain(rest) {
        // So many votes win: one more than the leader's, or as many for one that stands before it.
        let needed = leader.map_or(1, |(ahead, most)| most + usize::from(place(format) > place(ahead)));
        if let Some(votes) =
            count(lines, needed, |line| matches!(format.parse(line, ballot, zone), Some(Line::Entry(_) | Line::Dots)))
        {
            leader = Some((format, votes));
        }
    }
    leader.map(|(format, _)| format)
}

/// How many of `lines` are for it; none as soon as they cannot be as many as `needed`.
fn count(lines: &[&[u8]], needed: usize, is_for: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let mut against = lines.len().checked_sub(needed)?;
    for line in lines {
        if !is_for(line) {
            against = against.checked_sub(1)?;
        }
    }
    Some(needed + against)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServerZone;

    /// Without the short cuts: every format reads every line.
    fn elect_slowly(lines: &[&[u8]], ballot: &Ballot, zone: &Zone) -> Option<Format> {
        let mut winner = (None, 0);
        for format in Format::ALL.iter().copied().filter(|format| format.stands_for_election()) {
            let is_for = |line: &&&[u8]| matches!(format.parse(line, ballot, zone), Some(Line::Entry(_) | Line::Dots));
            let votes = lines.iter().filter(is_for).count();
            if votes > winner.1 {
                winner = (Some(format), votes);
            }
        }
        winner.0
    }

    #[test]
    fn short_cuts_elect_the_same() {
        let lines: [&[u8]; 9] = [
            b"total 12",
            b"-rw-r--r--   1 anna  users       5 May  6  2024 a.txt",
            b"drwxr-xr-x   2 anna  users    4096 May  6  2024 b",
            b"-rw-r--r--      974      1216      2190 May  6  2024 mac",
            b"drwxr-xr-x             folder        2 May 10  1996 network",
            b"05-06-24  07:08AM       <DIR>          c",
            b"d [R----F--] supervisor            512       Jan 16 18:53    login",
            b"+i8388621.29609,m824255902,/,\tdev",
            b"type=file;size=5; d.txt",
        ];
        let zone = Zone::new(jiff::Timestamp::UNIX_EPOCH, &ServerZone::default());
        let ballot = Ballot::of(Format::Unix);
        let mut seen = std::collections::HashSet::new();
        // Every choice of them, each line once or not at all, and some of those lines twice.
        for choice in 0..1_u32 << lines.len() {
            let chosen = lines.iter().enumerate().filter(|(at, _)| choice >> at & 1 == 1).map(|(_, line)| *line);
            let mut chosen: Vec<_> = chosen.collect();
            chosen.extend(chosen.clone().into_iter().step_by(3));
            let winner = elect(&chosen, &ballot, &zone);
            assert_eq!(winner, elect_slowly(&chosen, &ballot, &zone), "{choice:b}");
            seen.insert(winner);
        }
        assert!(seen.len() >= 5, "{seen:?}");
    }
}
