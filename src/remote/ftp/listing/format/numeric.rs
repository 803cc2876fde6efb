//! A Unix listing in numbers: `0100644 500 101 12345 123456789 name` (mode, owner, group, bytes, seconds since 1970).

use jiff::Timestamp;

use super::super::Raw;
use super::super::words::{after_blanks, words};
use super::unix;
use crate::model::{EntryKind, Mtime, Precision, TimeSource};

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8]) -> Option<Raw> {
    let words = words(line);
    let [mode, owner, group, size, time, _name, ..] = words.as_slice() else { return None };
    let octal = mode.text();
    if !(5..=7).contains(&octal.len()) || owner.number().is_none() || group.number().is_none() {
        return None;
    }
    let mode = u32::from_str_radix(octal, 8).ok()?;
    // The kinds of stat(2), S_IFMT.
    let kind = match mode >> 12 {
        0o10 => EntryKind::File,
        0o04 => EntryKind::Dir,
        0o12 => EntryKind::Symlink(None),
        0o01 | 0o02 | 0o06 | 0o14 => EntryKind::Special,
        _ => return None,
    };
    let name = after_blanks(line, time.end)?;
    let (name, kind) = match kind {
        EntryKind::Symlink(_) => unix::kind_of(b'l', name, size.number()),
        kind => (name.to_vec(), kind),
    };
    let at = i64::try_from(time.number()?).ok().and_then(|second| Timestamp::from_second(second).ok());
    Some(Raw {
        name,
        kind,
        size: Some(size.number()?),
        mtime: at.map(|at| Mtime { at, precision: Precision::Second, source: TimeSource::List }),
        mode: Some(mode & 0o7777),
        unique: None,
    })
}
