//! Novell NetWare and Hellsoft: `d [RWCEAFMS] owner 512 Jan 16 18:53 name`. Rights in brackets, then as `ls`.

use super::super::vote::Ballot;
use super::super::words::{after_blanks, words};
use super::super::{Raw, Zone, date};
use crate::model::EntryKind;

/// The line as an entry; `None` when it is not of this kind.
pub fn parse(line: &[u8], ballot: &Ballot, zone: &Zone) -> Option<Raw> {
    let (mark, rest) = line.split_first()?;
    let kind = match mark {
        b'd' => EntryKind::Dir,
        b'-' => EntryKind::File,
        _ => return None,
    };
    let rest = rest.trim_ascii_start().strip_prefix(b"[")?;
    let close = rest.iter().position(|b| *b == b']')?;
    let (rights, rest) = rest.split_at_checked(close)?;
    if rights.len() > 12 || !rights.iter().all(|b| b"RWCEAFMSN- ".contains(b)) {
        return None;
    }
    let rest = rest.get(1..)?;
    let words = words(rest);
    for at in 1..words.len() {
        let Some(size) = words.get(at - 1).and_then(super::super::words::Word::number) else { continue };
        let Some(found) = date::find(words.get(at..)?, ballot.habits, zone) else { continue };
        let Some(last) = words.get(at + found.words - 1) else { continue };
        // The name stands in a column of its own.
        let Some(name) = after_blanks(rest, last.end) else { continue };
        let (size, mtime) = (Some(size).filter(|_| kind == EntryKind::File), found.mtime);
        return Some(Raw { name: name.to_vec(), kind, size, mtime, mode: None, unique: None });
    }
    None
}
