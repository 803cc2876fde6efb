//! What a shell would make of `*`, `?` and `[…]` in the last part of a path (POSIX Shell Command Language, section 2.13).

use std::io;

use crate::model::RelPath;
use crate::tree::View;

/// More than this nobody meant.
const MOST: usize = 10_000;

/// The paths that `text` stands for: itself where it is there or has no wildcard, otherwise all that match, by name.
pub(super) fn matching(view: &View, text: &[u8]) -> io::Result<Vec<RelPath>> {
    let path = RelPath::lenient(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let pattern = path.name().filter(|name| name.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')));
    let (Some(pattern), Err(missing)) = (pattern, view.stat(&path)) else { return Ok(vec![path]) };
    let folder = path.parent().unwrap_or_default();
    let mut found = Vec::new();
    for entry in view.read_dir(&folder)? {
        let name = entry?.name;
        let hidden = name.as_bytes().starts_with(b".") && !pattern.as_bytes().starts_with(b".");
        if !hidden && fits(pattern.as_bytes(), name.as_bytes()) {
            found.push(folder.join(&name));
        }
        if found.len() > MOST {
            return Err(io::Error::other(format!("more than {MOST} files match: copy their folder")));
        }
    }
    if found.is_empty() {
        return Err(missing);
    }
    found.sort();
    Ok(found)
}

/// Does all of `name` fit `pattern`? In time of the product of their lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_pattern) = (0, 0);
    // Where the last star stands, and up to where it was taken to reach.
    let mut star = None;
    while at < name.len() {
        let rest = pattern.get(in_pattern..).unwrap_or_default();
        if rest.first() == Some(&b'*') {
            in_pattern += 1;
            star = Some((in_pattern, at));
        } else if let Some(used) = name.get(at).and_then(|byte| one(rest, *byte)) {
            (at, in_pattern) = (at + 1, in_pattern + used);
        } else if let Some((behind, reached)) = star {
            (at, in_pattern) = (reached + 1, behind);
            star = Some((behind, reached + 1));
        } else {
            return false;
        }
    }
    pattern.get(in_pattern..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// How much of the pattern stands for this byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((true, used)) => Some(1 + used),
            Some((false, _)) => None,
            // Without its end it is a bracket.
            None => (byte == b'[').then_some(1),
        },
        [first, ..] => (*first == byte).then_some(1),
        [] => None,
    }
}

/// Is `byte` in the class that begins here, and how long is that?
fn class(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let begin = usize::from(negated);
    // A bracket directly at the beginning is one of the class.
    let end = begin + 1 + pattern.get(begin + 1..)?.iter().position(|byte| *byte == b']')?;
    let mut members = pattern.get(begin..end)?;
    let mut found = false;
    loop {
        members = match members {
            [from, b'-', to, rest @ ..] => {
                found |= (*from..=*to).contains(&byte);
                rest
            }
            [one, rest @ ..] => {
                found |= *one == byte;
                rest
            }
            [] => return Some((found != negated, end + 1)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_those_of_a_shell() {
        for (pattern, fitting, others) in [
            ("*.txt", &["a.txt", ".txt"][..], &["a.txt.gz", "atxt"][..]),
            ("a*b*c", &["abc", "axxbyybzc"], &["ab", "abcd"]),
            ("?", &["a"], &["", "ab"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "x"]),
            ("[!a-c]x", &["dx"], &["ax", "x"]),
            ("[]x]", &["]", "x"], &["a"]),
            ("[a", &["[a"], &["a"]),
            ("**", &["", "a"], &[]),
            ("*a*a*a*a*b", &["aaaab"], &["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]),
        ] {
            for name in fitting {
                assert!(fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
            }
            for name in others {
                assert!(!fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
            }
        }
    }
}
