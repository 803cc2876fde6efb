//! VShell of old: `206876  Apr 04, 2000 21:06 name`, folders with a slash behind the name.

use super::super::habits::Habits;
use super::super::words::{after, words};
use super::super::{Raw, Zone, date};
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let [size, _month, day, _year, time, _name, ..] = words.as_slice() else { return None };
    let size = size.number().filter(|_| day.bytes.ends_with(b","))?;
    let found = date::find(words.get(1..)?, Habits::DEFAULT, zone).filter(|found| found.words == 4)?;
    let name = after(line, time.end)?;
    let (name, kind) = match name.strip_suffix(b"/") {
        Some(name) if !name.is_empty() => (name, EntryKind::Dir),
        _ => (name, EntryKind::File),
    };
    Some(Raw { size: Some(size), mtime: found.mtime, ..Raw::bare(name, kind) })
}
