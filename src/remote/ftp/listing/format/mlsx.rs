//! MLSD and MLST facts: RFC 3659 section 7, with the liberties that servers take. A bad fact spoils the
//! fact, never the entry.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::vote::Ballot;
use super::super::{Line, Raw};
use crate::model::{EntryKind, Mtime, Precision, TimeSource};

/// Facts that a server may tell (RFC 3659 section 7.5, and what is usual beside them).
const KNOWN: [&[u8]; 9] =
    [b"type", b"size", b"sizd", b"modify", b"create", b"perm", b"unique", b"media-type", b"charset"];

/// A line of MLSD; in a listing that may be of any kind only one that tells a fact that is known.
pub fn parse(line: &[u8], ballot: &Ballot) -> Option<Line> {
    if !ballot.only && !tells_known_facts(line) {
        return None;
    }
    match parse_line(line)? {
        (raw, false) => Some(Line::Entry(raw)),
        (_, true) => Some(Line::Dots),
    }
}

fn tells_known_facts(line: &[u8]) -> bool {
    let facts = line.split(|b| *b == b' ').next().unwrap_or_default();
    facts.split(|b| *b == b';').any(|fact| {
        let key = fact.split(|b| *b == b'=').next().filter(|key| key.len() < fact.len()).unwrap_or_default();
        let key = key.to_ascii_lowercase();
        KNOWN.contains(&key.as_slice()) || key.starts_with(b"unix.")
    })
}

/// The facts of one line, and whether it is the directory itself or its parent.
#[must_use]
pub fn parse_line(line: &[u8]) -> Option<(Raw, bool)> {
    let cut = line
        .windows(2)
        .position(|w| w == b"; ")
        .map(|at| at + 1)
        .or_else(|| line.iter().position(|b| matches!(b, b' ' | b'\t')))?;
    let (facts, name) = line.split_at_checked(cut)?;
    let name = name.get(1..).filter(|name| !name.is_empty())?;
    let mut raw = Raw::bare(name, EntryKind::Unknown);
    let mut dots = false;
    let mut known = 0;
    for fact in facts.split(|b| *b == b';').filter(|f| !f.is_empty()) {
        let Some(at) = fact.iter().position(|b| *b == b'=') else { continue };
        let (key, value) = (fact.get(..at)?.to_ascii_lowercase(), fact.get(at + 1..)?);
        known += 1;
        let text = std::str::from_utf8(value).ok();
        match key.as_slice() {
            b"type" => match kind(value) {
                Some(kind) => raw.kind = kind,
                None => dots = true,
            },
            // Digits only: a sign is no part of a size.
            b"size" => raw.size = super::super::words::whole_number(value),
            b"modify" => raw.mtime = text.and_then(|t| parse_time(t, TimeSource::Mlsd)),
            b"unix.mode" => raw.mode = text.and_then(mode),
            b"unique" => raw.unique = text.map(str::to_owned),
            _ => {}
        }
    }
    (known > 0 || facts.is_empty()).then_some((raw, dots))
}

/// The type fact; `None` for cdir and pdir.
fn kind(value: &[u8]) -> Option<EntryKind> {
    let lower = value.to_ascii_lowercase();
    let is_one_of = |words: &[&[u8]]| words.iter().any(|word| lower.starts_with(word));
    Some(match lower.as_slice() {
        b"file" => EntryKind::File,
        b"dir" => EntryKind::Dir,
        b"cdir" | b"pdir" => return None,
        b"link" | b"symlink" => EntryKind::Symlink(None),
        _ if is_one_of(&[b"os.unix=slink", b"os.unix=symlink"]) => {
            let target = value.iter().position(|b| *b == b':').and_then(|at| value.get(at + 1..)).unwrap_or_default();
            EntryKind::Symlink(Some(target.to_vec()).filter(|t| !t.is_empty()))
        }
        _ if is_one_of(&[b"os.unix=chr", b"os.unix=blk", b"os.unix=fifo", b"os.unix=pipe", b"os.unix=sock"]) => {
            EntryKind::Special
        }
        _ => EntryKind::Unknown,
    })
}

/// proftpd writes `UNIX.mode=00` for what it may not read: that is "unknown".
fn mode(text: &str) -> Option<u32> {
    (3..=6).contains(&text.len()).then(|| u32::from_str_radix(text, 8).ok()).flatten().map(|mode| mode & 0o7777)
}

/// `YYYYMMDDHHMMSS[.sss]`, always UTC (RFC 3659 section 2.3). Some servers count years from 1900 behind a "19", so
/// that 2004 is "19104".
#[must_use]
pub fn parse_time(text: &str, source: TimeSource) -> Option<Mtime> {
    let digits = text.trim().split(['.', 'Z']).next()?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match digits.len() {
        14 => (digits.get(..4)?.parse::<i16>().ok().filter(|y| *y > 1)?, digits.get(4..)?),
        15 => {
            (1900 + digits.strip_prefix("19")?.get(..3)?.parse::<i16>().ok().filter(|y| *y >= 100)?, digits.get(5..)?)
        }
        _ => return None,
    };
    let part = |from: usize| rest.get(from..from + 2)?.parse::<i8>().ok();
    let second = part(8)?;
    // A leap second counts as the one before it.
    let second = if second == 60 { 59 } else { second };
    let face = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, second, 0);
    let at = TimeZone::UTC.to_timestamp(face.ok()?).ok()?;
    Some(Mtime { at, precision: Precision::Second, source })
}
