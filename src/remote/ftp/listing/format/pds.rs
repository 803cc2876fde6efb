//! z/OS: members of a partitioned data set, with the statistics of ISPF (`NAME 01.03 2002/09/12 2002/10/11 09:37 11 11 0
//! USER`), of a load library (sizes in hexadecimal), or without any. Sizes are lines or memory, not the bytes of a
//! transfer.

use super::super::habits::Habits;
use super::super::vote::Ballot;
use super::super::words::{Word, words};
use super::super::{Raw, Zone, date};
use super::Format;
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind. A name alone is one only where the listing is known to be
/// of members.
pub fn parse(line: &[u8], ballot: &Ballot, zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let (name, rest) = words.split_first()?;
    let raw = Raw::bare(name.bytes, EntryKind::File);
    if Format::of_header(line).is_some() {
        return None;
    }
    match rest {
        [] => Some(raw).filter(|_| ballot.format == Format::Pds),
        [version, created, changed @ ..] if is_version(version.text()) => {
            date::find(&[*created], Habits::DEFAULT, zone)?;
            let found = date::find(changed, Habits::DEFAULT, zone).filter(|found| found.words == 2)?;
            Some(Raw { mtime: found.mtime, ..raw })
        }
        [size, track, ..] => {
            let is_module = is_hex(size, 4..=8) && is_hex(track, 6..=6);
            Some(raw).filter(|_| is_module)
        }
        _ => None,
    }
}

/// `01.03`.
fn is_version(text: &str) -> bool {
    let parts = text.split_once('.');
    parts.is_some_and(|(version, level)| date::number(version, 99).is_some() && date::number(level, 99).is_some())
}

fn is_hex(word: &Word<'_>, digits: std::ops::RangeInclusive<usize>) -> bool {
    digits.contains(&word.bytes.len()) && word.bytes.iter().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b))
}
