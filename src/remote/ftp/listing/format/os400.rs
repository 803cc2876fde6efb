//! IBM i (OS/400), LISTFMT 0: `OWNER  36864 18.09.06 14:21:26 *FILE  NAME.FILE`. The order of the three numbers of a
//! date is that of the job on the server, so all lines together decide it.

use super::super::words::{Word, after_blanks, words};
use super::super::{Raw, Zone, date};
use crate::model::{EntryKind, Mtime};

/// How a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Year, month, day.
    Ymd,
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
    /// The lines allow more than one: times stay unknown.
    Unclear,
}

const ORDERS: [Order; 3] = [Order::Ymd, Order::Dmy, Order::Mdy];

/// The one order in which every date of these lines names a day, when there is just one.
pub fn order<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Order {
    let mut possible = ORDERS.to_vec();
    for line in lines {
        let words = words(line);
        let dated = words.iter().position(|word| word.bytes.starts_with(b"*"));
        let Some(text) = dated.and_then(|at| at.checked_sub(2)).and_then(|at| words.get(at)).map(Word::text) else {
            continue;
        };
        let Some(parts) = parts(text) else { continue };
        // The dot is the mark of those who write the day first.
        possible.retain(|order| day_of(parts, *order).is_some() && (!text.contains('.') || *order == Order::Dmy));
    }
    if let [only] = possible.as_slice() { *only } else { Order::Unclear }
}

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], order: Order, zone: &Zone) -> Option<Raw> {
    let words = words(line);
    let at = words.iter().position(|word| is_type(word.bytes))?;
    let what = words.get(at)?.bytes;
    let name = after_blanks(line, words.get(at)?.end)?.trim_ascii_end();
    let (name, is_folder) = name.strip_suffix(b"/").map_or((name, false), |name| (name, true));
    let kind = kind(what, name, is_folder);
    let (size, mtime) = match words.get(..at)? {
        // A member of a file: neither size nor time.
        [_owner] => (None, None),
        [_owner, size, day, time] => (Some(size.number()?), moment(day, time, order, zone)?),
        _ => return None,
    };
    // A file of records has another size when it travels as text; only stream files and save files are bytes.
    let is_bytes = what == b"*STMF" || ends_with(name, b".SAVF");
    let size = size.filter(|_| kind == EntryKind::File && is_bytes);
    Some(Raw { name: name.to_vec(), kind, size, mtime, mode: None, unique: None })
}

fn is_type(word: &[u8]) -> bool {
    word.len() > 2 && word.first() == Some(&b'*') && word.iter().skip(1).all(u8::is_ascii_uppercase)
}

fn kind(what: &[u8], name: &[u8], is_folder: bool) -> EntryKind {
    match what {
        b"*DIR" | b"*DDIR" | b"*LIB" | b"*FLR" => EntryKind::Dir,
        b"*STMF" | b"*DSTMF" | b"*MEM" | b"*DOC" => EntryKind::File,
        b"*FILE" if ends_with(name, b".SAVF") => EntryKind::File,
        // A physical file holds members, as a folder does.
        b"*FILE" => EntryKind::Dir,
        b"*SYMLNK" => EntryKind::Symlink(None),
        _ if is_folder => EntryKind::Dir,
        _ => EntryKind::Special,
    }
}

fn moment(day: &Word<'_>, time: &Word<'_>, order: Order, zone: &Zone) -> Option<Option<Mtime>> {
    let parts = parts(day.text())?;
    let (_, face, exact) = date::clock(&[*time], false)?;
    let order = if day.text().contains('.') { Order::Dmy } else { order };
    Some(day_of(parts, order).and_then(|(year, month, day)| date::at(year, month, day, face, exact, &zone.zone)))
}

fn parts(text: &str) -> Option<[&str; 3]> {
    let mark = text.chars().find(|c| matches!(c, '/' | '.' | '-'))?;
    let parts = text.split(mark).collect::<Vec<_>>();
    let [a, b, c] = parts.as_slice() else { return None };
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    [a, b, c].into_iter().all(digits).then_some([*a, *b, *c])
}

fn day_of([a, b, c]: [&str; 3], order: Order) -> Option<(i16, i8, i8)> {
    let (year, month, day) = match order {
        Order::Ymd => (a, b, c),
        Order::Dmy => (c, b, a),
        Order::Mdy => (c, a, b),
        // A year in four digits tells itself.
        Order::Unclear if a.len() == 4 => (a, b, c),
        Order::Unclear => return None,
    };
    let (month, day) = (date::number(month, 12)?, date::number(day, 31)?);
    Some((date::any_year(year)?, month, day)).filter(|_| month > 0 && day > 0)
}

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    name.len().checked_sub(end.len()).and_then(|at| name.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}
