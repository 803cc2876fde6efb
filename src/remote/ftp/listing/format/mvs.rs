//! z/OS data sets: `Volume Unit Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname`. Sizes are tracks, and the date is
//! that of the last reading: neither bytes nor a modification time. Columns run together when numbers are long.

use super::super::Raw;
use super::super::words::{Word, words};
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8]) -> Option<Raw> {
    let words = words(line);
    let (name, before) = words.split_last()?;
    let texts = before.iter().map(Word::text).collect::<Vec<_>>();
    let kind = match texts.as_slice() {
        // Its data are elsewhere, and only a recall would tell what it is.
        ["Migrated" | "MIGRATED" | "ARCIVE" | "MIGRAT"] => EntryKind::Unknown,
        ["Pseudo", "Directory"] => EntryKind::Dir,
        [volume, "Tape" | "TAPE"] if is_volume(volume) => EntryKind::Unknown,
        // A VSAM cluster cannot be transferred.
        [volume, _unit, "VSAM"] if is_volume(volume) => EntryKind::Special,
        [volume, unit, referred, .., organisation] if is_volume(volume) && is_unit(unit) && is_date(referred) => {
            self::kind(organisation)?
        }
        _ => return None,
    };
    Some(Raw::bare(name.bytes, kind))
}

/// Sequential data sets are files, partitioned ones hold members as a folder does.
fn kind(organisation: &str) -> Option<EntryKind> {
    Some(match organisation {
        "PS" | "PS-E" | "PS-L" | "PSU" => EntryKind::File,
        "PO" | "PO-E" | "POU" => EntryKind::Dir,
        "VS" | "VSAM" | "DA" | "DAU" | "IS" | "ISU" | "GDG" | "PATH" => EntryKind::Special,
        "??" | "????" | "**" | "NONE" => EntryKind::Unknown,
        _ => return None,
    })
}

fn is_volume(text: &str) -> bool {
    (1..=6).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"$#@+*".contains(&b))
}

fn is_unit(text: &str) -> bool {
    (3..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'?')
}

/// `2004/06/23`, `**NONE**`, and what stands there when it is unknown.
fn is_date(text: &str) -> bool {
    let numbers =
        text.len() == 10 && text.split('/').filter(|part| part.bytes().all(|b| b.is_ascii_digit())).count() == 3;
    numbers || text == "**NONE**" || !text.is_empty() && text.bytes().all(|b| matches!(b, b'?' | b'*' | b'/'))
}
