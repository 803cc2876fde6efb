//! DOS and IIS listings: `11-23-26  07:08PM  <DIR>  name`, with two or four digits of the year, twelve
//! or twenty-four hours, any order of day and month.

use super::super::words::{after, after_blanks, marked_number, words};
use super::super::{Raw, Zone, date};
use super::unix;
use crate::model::{EntryKind, Mtime};

/// IIS fills with blanks up to here, so that blanks at the start of a name can be told.
const NAME_COLUMN: usize = 39;

/// Does this line prove that the day comes before the month? (No month is above 12; dots are European.)
pub fn is_day_first(line: &[u8]) -> bool {
    let words = words(line);
    // Where dates stand in the formats that write them in numbers; never so far that a name is looked at.
    let places = match words.first() {
        Some(first) if unix::is_modes(first.bytes) => 2..7,
        Some(first) if first.bytes.first().is_some_and(u8::is_ascii_digit) => 0..1,
        _ => 2..3,
    };
    words
        .get(places.start..places.end.min(words.len()))
        .unwrap_or_default()
        .iter()
        .any(|word| proves_day_first(word.text()))
}

fn proves_day_first(text: &str) -> bool {
    let Some(mark) = text.chars().find(|c| matches!(c, '-' | '/' | '.')) else { return false };
    let parts = text.split(mark).collect::<Vec<_>>();
    let [day, month, year] = parts.as_slice() else { return false };
    date::any_year(year).is_some()
        && date::number(day, 31).is_some()
        && date::number(month, 12).is_some()
        && (mark == '.' || date::number(day, 12).is_none())
}

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], day_first: bool, zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let (year, month, day) = day(words.first()?.text(), day_first)?;
    // A size or a kind follows, never a name.
    let (taken, face, exact) = date::clock(words.get(1..)?, true)?;
    let what = words.get(1 + taken)?;
    let mtime = month.and_then(|month| date::at(year, month, day, face, exact, &zone.zone));
    let upper = what.bytes.to_ascii_uppercase();
    let (kind, size) = match upper.as_slice() {
        b"<DIR>" => (EntryKind::Dir, None),
        b"<JUNCTION>" | b"<SYMLINKD>" | b"<SYMLINK>" => (EntryKind::Symlink(None), None),
        _ => (EntryKind::File, Some(marked_number(what.bytes)?)),
    };
    let filled = line.get(what.end..NAME_COLUMN).is_some_and(|gap| gap.iter().all(|b| *b == b' '));
    let name = match line.get(NAME_COLUMN..).filter(|name| filled && !name.is_empty()) {
        Some(name) => name,
        None if kind == EntryKind::File => after(line, what.end)?,
        None => after_blanks(line, what.end)?,
    };
    words.get(2 + taken)?;
    Some(entry(name, kind, size, mtime))
}

fn entry(name: &[u8], kind: EntryKind, size: Option<u64>, mtime: Option<Mtime>) -> Raw {
    let (name, kind) = match kind {
        EntryKind::Symlink(_) => linked(name),
        kind => (name.to_vec(), kind),
    };
    Raw { name, kind, size, mtime, mode: None, unique: None }
}

/// Year, month and day; a month that does not exist is none, whichever way round.
pub fn day(text: &str, day_first: bool) -> Option<(i16, Option<i8>, i8)> {
    let mark = text.chars().find(|c| matches!(c, '-' | '/' | '.'))?;
    let parts = text.split(mark).collect::<Vec<_>>();
    let [a, b, c] = parts.as_slice() else { return None };
    let month = |text| date::number(text, 99).map(|month| Some(month).filter(|m| (1..=12).contains(m)));
    if a.len() == 4 {
        return Some((date::any_year(a)?, month(b)?, date::number(c, 99)?));
    }
    let (m, d) = if day_first || mark == '.' { (b, a) } else { (a, b) };
    Some((date::any_year(c)?, month(m)?, date::number(d, 99)?))
}

/// `name [target]`.
fn linked(text: &[u8]) -> (Vec<u8>, EntryKind) {
    let split = text.strip_suffix(b"]").and_then(|t| t.windows(2).rposition(|w| w == b" [").map(|at| t.split_at(at)));
    match split {
        Some((name, target)) => {
            let target = target.get(2..).unwrap_or_default().to_vec();
            (name.to_vec(), EntryKind::Symlink(Some(target).filter(|t| !t.is_empty())))
        }
        None => (text.to_vec(), EntryKind::Symlink(None)),
    }
}
