//! `ls -l` and its kin. Columns are not trusted: owner and group may be missing, or hold blanks, digits
//! and month names. The anchor is a number (the size) followed by a date; the name begins one blank later.

use super::{Line, Raw, Zone, date, words};
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], zone: &Zone) -> Option<Line> {
    let words = words(line);
    // `ls -is` puts inode and blocks first.
    let start = words.iter().take(3).position(|(word, _)| is_modes(word))?;
    if !words.iter().take(start).all(|(word, _)| word.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let (modes, _) = words.get(start)?;
    let kind_mark = *modes.first()?;
    for at in start + 2..words.len() {
        let Some((before, _)) = words.get(at - 1) else { continue };
        let is_device = matches!(kind_mark, b'b' | b'c');
        let is_size = before.iter().all(u8::is_ascii_digit) || is_device && before.contains(&b',');
        if !is_size {
            continue;
        }
        let Some((count, mtime)) = date::find(words.get(at..)?, zone) else { continue };
        let Some((_, end)) = words.get(at + count - 1) else { continue };
        let Some(name) = line.get(end + 1..).filter(|name| !name.is_empty()) else { continue };
        let size = if is_device { None } else { std::str::from_utf8(before).ok().and_then(|s| s.parse().ok()) };
        let (name, kind) = kind_of(kind_mark, name, size);
        return Some(Line::Entry(Raw {
            name,
            size: size.filter(|_| matches!(kind, EntryKind::File)),
            kind,
            mtime,
            mode: mode_bits(modes),
            unique: None,
        }));
    }
    None
}

/// `drwxr-xr-x`, with an ACL or SELinux mark, with the link count glued to it.
fn is_modes(word: &[u8]) -> bool {
    let Some((kind, rest)) = word.split_first() else { return false };
    let bits = rest.get(..9).unwrap_or_default();
    b"-dlbcpsDfew?C".contains(kind)
        && bits.len() == 9
        && (bits.iter().all(|b| b"rwxsStTlLa-".contains(b)) || bits == b"?????????")
        && rest.iter().skip(9).all(|b| b"+.@".contains(b) || b.is_ascii_digit())
}

fn kind_of(mark: u8, name: &[u8], size: Option<u64>) -> (Vec<u8>, EntryKind) {
    match mark {
        b'd' => (name.to_vec(), EntryKind::Dir),
        b'-' | b'f' => (name.to_vec(), EntryKind::File),
        b'l' => link(name, size),
        b'?' | b'e' => (name.to_vec(), EntryKind::Unknown),
        _ => (name.to_vec(), EntryKind::Special),
    }
}

/// `name -> target`: a link's size is the length of its target, which tells the right arrow when either
/// side contains one; else the last.
fn link(text: &[u8], size: Option<u64>) -> (Vec<u8>, EntryKind) {
    let arrows = text.windows(4).enumerate().filter(|(_, w)| *w == b" -> ").map(|(at, _)| at).collect::<Vec<_>>();
    let fits = |at: &&usize| size == Some(text.len().saturating_sub(**at + 4) as u64);
    let Some(at) = arrows.iter().find(fits).or(arrows.last()) else {
        return (text.to_vec(), EntryKind::Symlink(None));
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
