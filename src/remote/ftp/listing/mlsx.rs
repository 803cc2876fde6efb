//! MLSD and MLST facts: RFC 3659 section 7, with the liberties that servers take. A bad fact spoils the
//! fact, never the entry.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Line, Raw};
use crate::model::{EntryKind, Mtime, Precision, TimeSource};

/// A line of MLSD.
pub(super) fn parse(line: &[u8]) -> Line {
    match parse_line(line) {
        Some((raw, false)) => Line::Entry(raw),
        Some((_, true)) => Line::Dots,
        None => Line::Unparsed,
    }
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
    let mut raw =
        Raw { name: name.to_vec(), kind: EntryKind::Unknown, size: None, mtime: None, mode: None, unique: None };
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
            b"size" => raw.size = text.and_then(|t| t.parse().ok()),
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
    Some(match lower.as_slice() {
        b"file" => EntryKind::File,
        b"dir" => EntryKind::Dir,
        b"cdir" | b"pdir" => return None,
        b"os.unix=symlink" | b"os.unix=slink" | b"link" => EntryKind::Symlink(None),
        other if other.starts_with(b"os.unix=slink:") || other.starts_with(b"os.unix=symlink:") => {
            let target = value.iter().position(|b| *b == b':').and_then(|at| value.get(at + 1..)).unwrap_or_default();
            EntryKind::Symlink(Some(target.to_vec()).filter(|t| !t.is_empty()))
        }
        other
            if [&b"os.unix=chr"[..], b"os.unix=blk", b"os.unix=fifo", b"os.unix=pipe", b"os.unix=sock"]
                .iter()
                .any(|special| other.starts_with(special)) =>
        {
            EntryKind::Special
        }
        _ => EntryKind::Unknown,
    })
}

/// proftpd writes `UNIX.mode=00` for what it may not read: that is "unknown".
fn mode(text: &str) -> Option<u32> {
    (3..=6).contains(&text.len()).then(|| u32::from_str_radix(text, 8).ok()).flatten().map(|mode| mode & 0o7777)
}

/// `YYYYMMDDHHMMSS[.sss]`, always UTC (RFC 3659 section 2.3).
#[must_use]
pub fn parse_time(text: &str, source: TimeSource) -> Option<Mtime> {
    let digits = text.trim().split(['.', 'Z']).next()?;
    if digits.len() != 14 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i8>().ok();
    let year = digits.get(..4)?.parse::<i16>().ok().filter(|y| *y > 1)?;
    let face = DateTime::new(year, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?.min(59), 0);
    let at = face.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Mtime { at, precision: Precision::Second, source })
}
