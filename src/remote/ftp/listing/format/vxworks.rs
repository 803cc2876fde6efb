//! VxWorks: `2048  Feb-28-1998  05:23:30  name  <DIR>`.

use super::super::habits::Habits;
use super::super::words::{after_blanks, words};
use super::super::{Raw, Zone, date};
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let size = words.first()?.number()?;
    let day = words.get(1)?;
    if !day.bytes.first().is_some_and(u8::is_ascii_alphabetic) || day.bytes.iter().filter(|b| **b == b'-').count() != 2
    {
        return None;
    }
    let found = date::find(words.get(1..)?, Habits::DEFAULT, zone).filter(|found| found.words == 2)?;
    let name = after_blanks(line, words.get(2)?.end)?.trim_ascii_end();
    let (name, kind) = match name.strip_suffix(b"<DIR>").map(<[u8]>::trim_ascii_end) {
        Some(name) if !name.is_empty() => (name, EntryKind::Dir),
        _ => (name, EntryKind::File),
    };
    Some(Raw { size: Some(size), mtime: found.mtime, ..Raw::bare(name, kind) })
}
