//! Nortel wfFtp: `name  1014196  06/03/04  Thur.  10:20:03`. There are no folders.

use super::super::words::words;
use super::super::{Raw, Zone, date};
use super::dos;
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let [name, size, day, weekday, time] = words.as_slice() else { return None };
    let is_weekday = weekday.bytes.len() <= 6 && weekday.bytes.iter().all(|b| b.is_ascii_alphabetic() || *b == b'.');
    let size = size.number().filter(|_| is_weekday)?;
    let (year, month, day) = dos::day(day.text(), false)?;
    let (_, face, exact) = date::clock(&[*time], false)?;
    let mtime = month.and_then(|month| date::at(year, month, day, face, exact, &zone.zone));
    Some(Raw { size: Some(size), mtime, ..Raw::bare(name.bytes, EntryKind::File) })
}
