//! Sterling Connect:Enterprise: `-C--E-----FTP B BCC3I1  7670  1294495 Jan 13 07:42 name` (flags of the batch, its
//! format, who sent it, its number, its bytes).

use super::super::habits::Habits;
use super::super::words::{after, words};
use super::super::{Raw, Zone, date};
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let [flags, _format, _sender, number, size, ..] = words.as_slice() else { return None };
    let is_flags = (11..=16).contains(&flags.bytes.len())
        && flags.bytes.first() == Some(&b'-')
        && flags.bytes.iter().all(|b| b.is_ascii_uppercase() || *b == b'-')
        && flags.bytes.last().is_some_and(u8::is_ascii_uppercase);
    let size = size.number().filter(|_| is_flags && number.number().is_some())?;
    let found = date::find(words.get(5..)?, Habits::DEFAULT, zone)?;
    let name = after(line, words.get(4 + found.words)?.end)?;
    Some(Raw { size: Some(size), mtime: found.mtime, ..Raw::bare(name, EntryKind::File) })
}
