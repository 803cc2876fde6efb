//! HP NonStop (Tandem Guardian): `NAME  101  528  6-Apr-07 14:21:18  255,255 "oooo"` (file code, end of file in bytes,
//! time, owner, security). There are no folders in a listing.

use super::super::habits::Habits;
use super::super::words::words;
use super::super::{Raw, Zone, date};
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let security = line.trim_ascii_end().strip_suffix(b"\"")?;
    let open = security.iter().rposition(|b| *b == b'"')?;
    if security.len() - open > 6 {
        return None;
    }
    // An "O" behind the name says that the file is open.
    let at = (3..=4).find(|at| words.get(*at).is_some_and(|word| word.bytes.contains(&b'-')))?;
    let size = words.get(at - 1)?.number()?;
    let found = date::find(words.get(at..)?, Habits::DAY_FIRST, zone).filter(|found| found.words == 2)?;
    let name = words.first()?.bytes;
    Some(Raw { size: Some(size), mtime: found.mtime, ..Raw::bare(name, EntryKind::File) })
}
