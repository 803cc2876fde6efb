//! What a server says it can do: FEAT (RFC 2389), read leniently, because it lies both ways.

use super::hashes::Offered;
use super::reply::Reply;

/// The features that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// FEAT was answered at all; without it everything is worth a try.
    pub known: bool,
    /// MLST and MLSD.
    pub mlst: bool,
    /// MFMT: setting times.
    pub mfmt: bool,
    /// UTF8.
    pub utf8: bool,
    /// PRET before PASV (drftpd).
    pub pret: bool,
    /// Hashes that it says it can tell.
    pub hashes: Offered,
}

impl Features {
    /// Reads the reply to FEAT. Lines may be unindented.
    #[must_use]
    pub fn of(reply: &Reply) -> Self {
        if reply.class() != 2 {
            return Self::default();
        }
        let mut found = Self { known: true, ..Self::default() };
        for line in &reply.lines {
            let line = String::from_utf8_lossy(line).trim().to_ascii_uppercase();
            match line.split([' ', '\t']).next().unwrap_or_default() {
                "MLST" | "MLSD" => found.mlst = true,
                "MFMT" => found.mfmt = true,
                "UTF8" => found.utf8 = true,
                "PRET" => found.pret = true,
                _ => found.hashes.read(&line),
            }
        }
        found
    }
}

/// The path in the reply to PWD (RFC 959 appendix II): in double quotes, doubled inside; leniently also
/// in single quotes or bare.
#[must_use]
pub fn pwd_path(reply: &Reply) -> Option<Vec<u8>> {
    let text = reply.lines.first()?;
    let quote = if text.contains(&b'"') { b'"' } else { b'\'' };
    let path = match text.iter().position(|b| *b == quote) {
        Some(start) => {
            let mut path = Vec::new();
            let mut bytes = text.get(start + 1..)?.iter().peekable();
            while let Some(byte) = bytes.next() {
                if *byte == quote {
                    if bytes.peek() != Some(&&quote) {
                        break;
                    }
                    bytes.next();
                }
                path.push(*byte);
            }
            path
        }
        None => text.split(|b| *b == b' ').next()?.to_vec(),
    };
    (path.first() == Some(&b'/')).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, lines: &[&str]) -> Reply {
        Reply { code, lines: lines.iter().map(|l| l.as_bytes().to_vec()).collect() }
    }

    #[test]
    fn reads_paths_and_features() {
        assert_eq!(pwd_path(&reply(257, &["\"/a \"\"b\"\"\" is it"])).unwrap(), b"/a \"b\"");
        assert_eq!(pwd_path(&reply(257, &["'/x' here"])).unwrap(), b"/x");
        assert_eq!(pwd_path(&reply(257, &["/x is current"])).unwrap(), b"/x");
        assert_eq!(pwd_path(&reply(257, &["\"DISK:[A]\""])), None);
        let features = Features::of(&reply(211, &["Features:", " UTF8", "mlst type*;size*;", "\tMFMT"]));
        assert!(features.mlst && features.utf8 && features.mfmt && !features.pret);
    }
}
