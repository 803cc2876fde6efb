//! OS/2: `36611  A  04-23-103  10:57  name` (bytes, attributes, date, time). Some count years from 1900.

use super::super::habits::Habits;
use super::super::words::{Word, after_blanks, words};
use super::super::{Raw, Zone, date};
use super::dos;
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], habits: Habits, zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let size = words.first()?.number()?;
    let at = 1 + words.iter().skip(1).take_while(|word| is_attribute(word)).count();
    let is_dir = words.get(1..at)?.iter().any(|word| word.bytes == b"DIR");
    let (year, month, day) = dos::day(words.get(at)?.text(), false)?;
    let (taken, face, exact) = date::clock(words.get(at + 1..)?, habits.half_days)?;
    let name = after_blanks(line, words.get(at + taken)?.end)?;
    let mtime = month.and_then(|month| date::at(year, month, day, face, exact, &zone.zone));
    let kind = if is_dir { EntryKind::Dir } else { EntryKind::File };
    Some(Raw { size: Some(size), mtime, ..Raw::bare(name, kind) })
}

fn is_attribute(word: &Word<'_>) -> bool {
    word.bytes == b"DIR" || word.bytes.len() <= 5 && word.bytes.iter().all(|b| b"ARHSE".contains(b))
}
