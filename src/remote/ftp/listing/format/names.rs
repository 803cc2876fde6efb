//! NLST: RFC 959 section 4.1.3.

use super::super::Raw;
use crate::model::EntryKind;

/// A name, sometimes behind `./`, sometimes with a `/` that says directory.
pub fn parse(line: &[u8]) -> Raw {
    let name = line.strip_prefix(b"./").unwrap_or(line);
    match name.strip_suffix(b"/") {
        Some(name) if !name.is_empty() => Raw::bare(name, EntryKind::Dir),
        _ => Raw::bare(name, EntryKind::Unknown),
    }
}
