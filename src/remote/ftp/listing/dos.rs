//! DOS and IIS listings: `11-23-26  07:08PM  <DIR>  name`, with two or four digits of the year, twelve
//! or twenty-four hours, any order of day and month.

use super::{Line, Raw, Zone, date, words};
use crate::model::{EntryKind, Precision};

/// Does this line prove that the day comes before the month? (No month is above 12; dots are European.)
pub fn is_day_first(line: &[u8]) -> bool {
    let words = words(line);
    let Some(text) = words.first().and_then(|(word, _)| std::str::from_utf8(word).ok()) else { return false };
    let parts = text.split(['-', '/', '.']).collect::<Vec<_>>();
    match parts.as_slice() {
        [day, month, year] if year.len() == 2 || year.len() == 4 => {
            date::number(day, 31).is_some()
                && date::number(month, 12).is_some()
                && (text.contains('.') || date::number(day, 12).is_none())
        }
        _ => false,
    }
}

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], day_first: bool, zone: &Zone) -> Option<Line> {
    let words = words(line);
    let text = |n: usize| words.get(n).and_then(|(word, _)| std::str::from_utf8(word).ok());
    let (year, month, day) = day(text(0)?, day_first)?;
    let written = text(1)?.to_ascii_uppercase();
    let (face, half, mut next) = match (written.trim_end_matches("AM").trim_end_matches("PM"), text(2)) {
        (face, Some(half)) if face == written && matches!(half.to_ascii_uppercase().as_str(), "AM" | "PM") => {
            (face.to_owned(), half.to_ascii_uppercase(), 3)
        }
        (face, _) => (face.to_owned(), written.get(face.len()..).unwrap_or_default().to_owned(), 2),
    };
    let (hour, minute, second) = date::clock(&face)?;
    let hour = match half.as_str() {
        "AM" if hour == 12 => 0,
        "PM" if hour < 12 => hour + 12,
        _ => hour,
    };
    let (what, end) = words.get(next)?;
    next += 1;
    let (kind, size) = match *what {
        b"<DIR>" => (EntryKind::Dir, None),
        b"<JUNCTION>" | b"<SYMLINKD>" | b"<SYMLINK>" => (EntryKind::Symlink(None), None),
        digits => (EntryKind::File, Some(size(digits)?)),
    };
    let name = match line.get(39..) {
        // IIS fills to column 39, so that blanks at the start of a name can be told.
        Some(name) if line.get(*end..39).is_some_and(|gap| gap.iter().all(|b| *b == b' ')) && !name.is_empty() => name,
        _ if kind == EntryKind::File => line.get(end + 1..)?,
        _ => line.get(*end..)?.trim_ascii_start(),
    };
    words.get(next).filter(|_| !name.is_empty())?;
    let (name, kind) = match kind {
        EntryKind::Symlink(_) => linked(name),
        kind => (name.to_vec(), kind),
    };
    let mtime = date::at(year, month, day, (hour, minute, second), Precision::Minute, zone);
    Some(Line::Entry(Raw { name, kind, size, mtime, mode: None, unique: None }))
}

fn day(text: &str, day_first: bool) -> Option<(i16, i8, i8)> {
    let parts = text.split(['-', '/', '.']).collect::<Vec<_>>();
    let [a, b, c] = parts.as_slice() else { return None };
    if a.len() == 4 {
        return Some((a.parse().ok()?, date::number(b, 12)?, date::number(c, 31)?));
    }
    let year = match (c.len(), c.parse::<i16>().ok()?) {
        (2, year) if year >= 70 => 1900 + year,
        (2, year) => 2000 + year,
        (4, year) => year,
        _ => return None,
    };
    let (month, day) = if day_first { (b, a) } else { (a, b) };
    // Out of range either way round: the entry counts, its time stays unknown.
    Some((year, date::number(month, 31)?, date::number(day, 31)?))
}

/// Digits, with the thousands marks of some servers.
fn size(digits: &[u8]) -> Option<u64> {
    let plain = digits.iter().filter(|b| !matches!(b, b',' | b'.')).copied().collect::<Vec<_>>();
    let text = std::str::from_utf8(&plain).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
    text.parse().ok()
}

/// `name [target]`.
fn linked(text: &[u8]) -> (Vec<u8>, EntryKind) {
    let split = text.strip_suffix(b"]").and_then(|t| t.windows(2).rposition(|w| w == b" [").map(|at| t.split_at(at)));
    match split {
        Some((name, target)) => (name.to_vec(), EntryKind::Symlink(Some(target.get(2..).unwrap_or_default().to_vec()))),
        None => (text.to_vec(), EntryKind::Symlink(None)),
    }
}
