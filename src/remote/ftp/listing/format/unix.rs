//! `ls -l` and its kin. Columns are not trusted: owner and group may be missing, or hold blanks, digits
//! and month names. The anchor is a size followed by a date; the name begins one blank later.

use super::super::vote::Ballot;
use super::super::words::{Word, after, marked_number, words};
use super::super::{Raw, Zone, date};
use crate::model::EntryKind;

/// Where a line has its modes, its size and its date.
struct Anchor<'a> {
    words: Vec<Word<'a>>,
    /// Which word holds the modes.
    modes: usize,
    /// Which word the date begins at; the size is before it.
    date: usize,
    found: date::Found,
    size: Size,
}

/// What the word before the date says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Bytes(u64),
    /// A device's numbers, `33.5k`, or glued to the group.
    Inexact,
}

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], ballot: &Ballot, zone: &Zone) -> Option<Raw> {
    let Some(anchor) = anchor(line, ballot, zone) else { return without_date(line) };
    let modes = anchor.words.get(anchor.modes)?.bytes;
    let mark = *modes.first()?;
    let name = name(line, &anchor, ballot)?;
    let size = match anchor.size {
        Size::Bytes(bytes) if !matches!(mark, b'b' | b'c') => Some(bytes),
        _ => None,
    };
    let (name, kind) = kind_of(mark, name, size);
    let size = size.filter(|_| kind == EntryKind::File);
    Some(Raw { name, size, kind, mtime: anchor.found.mtime, mode: mode_bits(modes), unique: None })
}

/// A line of the old Mac servers: the bytes of both forks and their sum, or the word "folder" and a count, where
/// others have owner and group. The sum is not what a transfer brings.
pub fn parse_mac(line: &[u8], ballot: &Ballot, zone: &Zone) -> Option<Raw> {
    let anchor = anchor(line, ballot, zone)?;
    let between = anchor.words.get(anchor.modes + 1..anchor.date)?;
    let is_mac = match between {
        [folder, _count] => folder.bytes == b"folder",
        [resource, data, sum] => {
            let number = |word: &Word<'_>| word.number();
            number(resource).zip(number(data)).and_then(|(a, b)| a.checked_add(b)) == number(sum)
        }
        _ => false,
    };
    let raw = parse(line, ballot, zone).filter(|_| is_mac)?;
    Some(Raw { size: None, ..raw })
}

/// Do the dates with a year of these lines all end two blanks before the name? Then the second one pads the date.
pub fn has_wide_gap<'a>(lines: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut seen = false;
    for line in lines {
        match narrow_year(line) {
            Some(true) => seen = true,
            Some(false) => return false,
            None => {}
        }
    }
    seen
}

/// Is there a date of eleven characters (`Mon dd yyyy`), and do two blanks follow it?
fn narrow_year(line: &[u8]) -> Option<bool> {
    let words = words(line);
    words.iter().position(|word| is_modes(word.bytes))?;
    let at = words.windows(3).position(|three| {
        let [month, day, year] = three else { return false };
        // The names of months are many: the cheap questions come first.
        year.bytes.len() == 4
            && date::any_year(year.text()).is_some()
            && date::number(day.text(), 31).is_some()
            && super::super::months::month(month.bytes).is_some()
    })?;
    let (first, last) = (words.get(at)?, words.get(at + 2)?);
    let rest = line.get(last.end..)?;
    (last.end - first.start == 11).then(|| rest.starts_with(b"  "))
}

fn anchor<'a>(line: &'a [u8], ballot: &Ballot, zone: &Zone) -> Option<Anchor<'a>> {
    let words = words(line);
    let modes = start(&words)?;
    let device = words.get(modes)?.bytes.first().is_some_and(|mark| matches!(mark, b'b' | b'c'));
    let mut glued = None;
    for date in modes + 2..words.len() {
        let Some(before) = words.get(date - 1) else { continue };
        let size = size(before.bytes, device);
        if size.is_none() && (glued.is_some() || !is_glued(before.bytes)) {
            continue;
        }
        let Some(found) = date::find(words.get(date..)?, ballot.habits, zone) else { continue };
        // There must be a name behind it.
        if words.get(date + found.words - 1).and_then(|last| after(line, last.end)).is_none() {
            continue;
        }
        match size {
            Some(size) => return Some(Anchor { words, modes, date, found, size }),
            None => glued = Some((date, found)),
        }
    }
    let (date, found) = glued?;
    Some(Anchor { words, modes, date, found, size: Size::Inexact })
}

/// `ls -is` puts inode and blocks before the modes.
fn start(words: &[Word<'_>]) -> Option<usize> {
    let start = words.iter().take(3).position(|word| is_modes(word.bytes))?;
    words.iter().take(start).all(|word| word.number().is_some()).then_some(start)
}

fn size(word: &[u8], device: bool) -> Option<Size> {
    if let Some(bytes) = marked_number(word) {
        return Some(Size::Bytes(bytes));
    }
    let is_numbers = device && word.iter().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'x'));
    let (digits, unit) = word.split_at_checked(word.len().saturating_sub(1))?;
    let is_rounded = matches!(unit, b"k" | b"K" | b"M" | b"G" | b"T")
        && digits.first().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    // Numbers that no file has are a size all the same.
    let is_too_large = word.len() > 19 && word.iter().all(u8::is_ascii_digit);
    (is_numbers || is_rounded || is_too_large).then_some(Size::Inexact)
}

/// A group that a long size ran into: where one ends and the other begins is anybody's guess.
fn is_glued(word: &[u8]) -> bool {
    word.last().is_some_and(u8::is_ascii_digit) && word.first().is_some_and(|b| !b.is_ascii_digit())
}

fn name<'a>(line: &'a [u8], anchor: &Anchor<'_>, ballot: &Ballot) -> Option<&'a [u8]> {
    let first = anchor.words.get(anchor.date)?;
    let last = anchor.words.get(anchor.date + anchor.found.words - 1)?;
    let name = after(line, last.end)?;
    let padded = ballot.wide_gap && anchor.found.words == 3 && last.end - first.start == 11 && last.bytes.len() == 4;
    let padded = padded && name.first() == Some(&b' ');
    if padded { name.get(1..).filter(|name| !name.is_empty()) } else { Some(name) }
}

/// Some servers write no date at all: modes, links, owner, group, size, name. What holds a time or a year, or fewer
/// columns, is not taken for that.
fn without_date(line: &[u8]) -> Option<Raw> {
    let words = words(line);
    let start = start(&words)?;
    let [modes, links, owner, group, size, rest @ ..] = words.get(start..)? else { return None };
    let is_worded = |word: &Word<'_>| word.number().is_none();
    if links.number().is_none() || !is_worded(owner) || !is_worded(group) || rest.is_empty() {
        return None;
    }
    let bytes = size.number()?;
    let dated = rest.iter().enumerate().any(|(at, word)| {
        date::clock(rest.get(at..).unwrap_or_default(), false).is_some()
            || super::super::months::month(word.bytes).is_some()
            || word.bytes.len() == 4 && date::any_year(word.text()).is_some()
            || word.bytes.len() <= 2 && word.number().is_some()
            || word.bytes.first().is_some_and(u8::is_ascii_digit) && !word.bytes.is_ascii()
    });
    let mark = *modes.bytes.first()?;
    let (name, kind) = kind_of(mark, after(line, size.end).filter(|_| !dated)?, Some(bytes));
    let size = Some(bytes).filter(|_| kind == EntryKind::File);
    Some(Raw { name, size, kind, mtime: None, mode: mode_bits(modes.bytes), unique: None })
}

/// `drwxr-xr-x`, with an ACL or SELinux mark, with the link count glued to it.
pub fn is_modes(word: &[u8]) -> bool {
    let Some((kind, rest)) = word.split_first() else { return false };
    let bits = rest.get(..9).unwrap_or_default();
    b"-dlbcpsDfew?Cn".contains(kind)
        && bits.len() == 9
        && (bits.iter().all(|b| b"rwxsStTlLa-".contains(b)) || bits == b"?????????")
        && rest.iter().skip(9).all(|b| b"+.@*".contains(b) || b.is_ascii_digit())
}

pub fn kind_of(mark: u8, name: &[u8], size: Option<u64>) -> (Vec<u8>, EntryKind) {
    match mark {
        b'd' => (name.to_vec(), EntryKind::Dir),
        b'-' | b'f' => (name.to_vec(), EntryKind::File),
        b'l' => link(name, size),
        b'?' | b'e' | b'n' => (name.to_vec(), EntryKind::Unknown),
        _ => (name.to_vec(), EntryKind::Special),
    }
}

/// `name -> target`: a link's size is the length of its target, which tells the right arrow when either
/// side contains one; else the last that leaves a name, which holds no slash.
fn link(text: &[u8], size: Option<u64>) -> (Vec<u8>, EntryKind) {
    let arrows = text.windows(4).enumerate().filter(|(_, w)| *w == b" -> ").map(|(at, _)| at);
    let is_name = |at: &usize| !text.get(..*at).unwrap_or_default().contains(&b'/');
    let arrows = arrows.filter(is_name).collect::<Vec<_>>();
    let fits = |at: &&usize| size == Some(text.len().saturating_sub(**at + 4) as u64);
    let Some(at) = arrows.iter().find(fits).or(arrows.last()) else {
        // The server may not read where it points to, but writes the arrow.
        let name = text.strip_suffix(b" ->").unwrap_or(text);
        return (name.to_vec(), EntryKind::Symlink(None));
    };
    let name = text.get(..*at).unwrap_or_default().to_vec();
    let target = text.get(at + 4..).unwrap_or_default().to_vec();
    (name, EntryKind::Symlink(Some(target).filter(|t| !t.is_empty())))
}

fn mode_bits(modes: &[u8]) -> Option<u32> {
    let bits = modes.get(1..10)?;
    let mut mode = 0;
    for (place, byte) in bits.iter().enumerate() {
        let value = 0o400 >> place;
        let special = match place {
            2 => 0o4000,
            5 => 0o2000,
            _ => 0o1000,
        };
        mode |= match byte {
            b'r' | b'w' | b'x' => value,
            b's' | b't' => value | special,
            b'S' | b'T' | b'l' | b'L' => special,
            b'?' => return None,
            _ => 0,
        };
    }
    Some(mode)
}
