//! z/VM and VM/CMS: `NAME TYPE V 65 107 2 2005-10-04 15:28:42 OWNER` (format of the records, their length, how many,
//! blocks). Records of fixed length give the bytes; of varying ones only the longest is told.

use super::super::words::{Word, words};
use super::super::{Raw, Zone, date};
use super::dos;
use crate::model::{EntryKind, Mtime};

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let [name, kind, format, length, records, rest @ ..] = words.as_slice() else { return None };
    if matches!((kind.text(), format.text()), ("DIR", "-")) {
        let mtime = rest.iter().enumerate().find_map(|(at, _)| moment(rest.get(at..)?, zone));
        return Some(Raw { mtime: mtime.flatten(), ..Raw::bare(name.bytes, EntryKind::Dir) });
    }
    let (length, records) = (length.number()?, records.number()?);
    let size = match format.text() {
        "F" => length.checked_mul(records),
        "V" => None,
        _ => return None,
    };
    let (_blocks, when) = rest.split_first().filter(|(blocks, _)| blocks.number().is_some())?;
    let mtime = moment(when, zone)?;
    let name = [name.bytes, b".", kind.bytes].concat();
    Some(Raw { size, mtime, ..Raw::bare(&name, EntryKind::File) })
}

/// `2005-10-04 15:28:42` or `10/04/05 15:28:42`.
fn moment(words: &[Word<'_>], zone: &Zone) -> Option<Option<Mtime>> {
    let (year, month, day) = dos::day(words.first()?.text(), false)?;
    let (_, face, exact) = date::clock(words.get(1..)?, false)?;
    Some(month.and_then(|month| date::at(year, month, day, face, exact, &zone.zone)))
}
