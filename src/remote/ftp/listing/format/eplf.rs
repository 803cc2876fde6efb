//! EPLF, "Easily Parsed LIST Format" (D. J. Bernstein): `+facts,` then a tab and the name. Times are seconds since
//! 1970, so no zone is needed.

use jiff::Timestamp;

use super::super::Raw;
use super::super::words::whole_number;
use crate::model::{EntryKind, Mtime, Precision, TimeSource};

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8]) -> Option<Raw> {
    let facts = line.strip_prefix(b"+")?;
    let tab = facts.iter().position(|b| *b == b'\t')?;
    let (facts, name) = facts.split_at_checked(tab)?;
    // Neither "may be retrieved" nor "may be entered": it is there, and nobody says what it is.
    let mut raw = Raw::bare(name.get(1..).filter(|name| !name.is_empty())?, EntryKind::Unknown);
    for fact in facts.split(|b| *b == b',') {
        let Some((key, value)) = fact.split_first() else { continue };
        match key {
            b'/' => raw.kind = EntryKind::Dir,
            b'r' if raw.kind == EntryKind::Unknown => raw.kind = EntryKind::File,
            b's' => raw.size = whole_number(value),
            b'm' => raw.mtime = seconds(value),
            b'i' => raw.unique = std::str::from_utf8(value).ok().map(str::to_owned),
            b'u' => raw.mode = value.strip_prefix(b"p").and_then(octal).or(raw.mode),
            _ => {}
        }
    }
    Some(raw)
}

fn seconds(value: &[u8]) -> Option<Mtime> {
    let second = i64::try_from(whole_number(value)?).ok()?;
    let at = Timestamp::from_second(second).ok()?;
    Some(Mtime { at, precision: Precision::Second, source: TimeSource::List })
}

fn octal(value: &[u8]) -> Option<u32> {
    std::str::from_utf8(value).ok().and_then(|text| u32::from_str_radix(text, 8).ok()).map(|mode| mode & 0o7777)
}
