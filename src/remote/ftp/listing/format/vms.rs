//! OpenVMS (MultiNet, UCX, TCPware, CMU): `NAME.EXT;12  5/6  24-APR-2003 08:16:15 [OWNER] (RWED,RWED,RE,)`. Sizes are
//! blocks, used and allocated: no bytes. The name is given without its version, by which the server hands out the
//! highest; a folder without `.DIR;1`, as CWD wants it.

use super::super::habits::Habits;
use super::super::words::{Word, words};
use super::super::{Raw, Zone, date};
use crate::model::EntryKind;

/// The name stands before the date: nothing behind a time begins one.
const HABITS: Habits = Habits { half_days: true, ..Habits::DAY_FIRST };

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], zone: &Zone) -> Option<Raw> {
    let (name, end) = versioned(line)?;
    let rest = line.get(end..)?;
    let words = words(rest);
    let (at, found) = words.iter().enumerate().find_map(|(at, word)| {
        is_date(word).then(|| date::find(words.get(at..)?, HABITS, zone)).flatten().map(|found| (at, found))
    })?;
    let mut others = words.iter().take(at).chain(words.get(at + found.words..)?);
    others.all(is_known).then_some(())?;
    let (name, kind) = match strip_end(name, b".DIR") {
        Some(name) if !name.is_empty() => (name, EntryKind::Dir),
        _ => (name, EntryKind::File),
    };
    Some(Raw { mtime: found.mtime, ..Raw::bare(name, kind) })
}

/// The version in a line that [`parse`] understands.
pub fn version(line: &[u8]) -> u32 {
    let Some((_, end)) = versioned(line) else { return 0 };
    let digits = line.get(..end).and_then(|name| name.rsplit(|b| *b == b';').next()).unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A name with its version and nothing else: the rest is on the next line.
pub fn is_name_alone(line: &[u8]) -> bool {
    versioned(line).is_some_and(|(_, end)| line.get(end..).is_some_and(|rest| rest.trim_ascii().is_empty()))
}

/// `Directory DISK:[FOLDER]`, `Total of 3 files, 12 blocks.`
pub fn is_frame(words: &[&str]) -> bool {
    match words {
        ["directory", place, ..] => place.contains('[') && place.ends_with(']'),
        ["total", "of", count, ..] | ["grand", "total", "of", count, ..] | ["total", count, "files" | "files."] => {
            count.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    }
}

/// The name before `;version`, and where the version ends. Names may hold blanks on ODS-5 disks.
fn versioned(line: &[u8]) -> Option<(&[u8], usize)> {
    let mark = line.iter().position(|b| *b == b';')?;
    let name = line.get(..mark).filter(|name| !name.is_empty() && !name.starts_with(b" "))?;
    let digits = line.get(mark + 1..)?.iter().take_while(|b| b.is_ascii_digit()).count();
    let end = mark + 1 + digits;
    let ends = line.get(end).is_none_or(|b| matches!(b, b' ' | b'\t'));
    ((1..=5).contains(&digits) && ends).then_some((name, end))
}

/// `24-APR-2003`: a month by its name.
fn is_date(word: &Word<'_>) -> bool {
    word.bytes.iter().filter(|b| **b == b'-').count() == 2 && word.bytes.first().is_some_and(u8::is_ascii_digit)
}

/// Blocks, owner or protection, in any order; owners hold blanks.
fn is_known(word: &Word<'_>) -> bool {
    word.bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"/[](),$_-.*%+<>".contains(b) || *b >= 0x80)
}

fn strip_end<'a>(name: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let at = name.len().checked_sub(end.len())?;
    name.split_at_checked(at).filter(|(_, tail)| tail.eq_ignore_ascii_case(end)).map(|(head, _)| head)
}
