//! Microware OS-9: `20.20 07/03/29 1026 d-ewrewr 2650 85920 name` (owner, year first, time, attributes, sector, bytes).

use super::super::words::{after_blanks, words};
use super::super::{Raw, Zone, date};
use crate::model::{EntryKind, Precision};

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let [owner, day, time, attributes, sector, size, _name, ..] = words.as_slice() else { return None };
    let is_owner = owner.bytes.contains(&b'.') && owner.bytes.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    let bits = attributes.bytes;
    let is_bits = bits.len() == 8 && bits.iter().zip(b"dsewrewr").all(|(bit, letter)| bit == letter || *bit == b'-');
    let is_sector = sector.bytes.iter().all(u8::is_ascii_hexdigit);
    if !is_owner || !is_bits || !is_sector {
        return None;
    }
    let parts = day.text().split('/').collect::<Vec<_>>();
    let [year, month, day] = parts.as_slice() else { return None };
    let (year, month, day) = (date::any_year(year)?, date::number(month, 99)?, date::number(day, 99)?);
    let (hour, minute) = time.text().split_at_checked(2)?;
    let face = (date::number(hour, 99)?, date::number(minute, 99)?, 0);
    let kind = if bits.first() == Some(&b'd') { EntryKind::Dir } else { EntryKind::File };
    Some(Raw {
        size: Some(size.number()?),
        mtime: date::at(year, month, day, face, Precision::Minute, &zone.zone),
        ..Raw::bare(after_blanks(line, size.end)?, kind)
    })
}
