//! What operating systems leave beside the files of people: macOS its `._*` and `.DS_Store` on every drive that keeps
//! no attributes of its own, Windows its `Thumbs.db`.

use crate::model::RelPath;

/// What is done with it over WebDAV and in archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Junk {
    /// The same as with any file.
    #[default]
    Keep,
    /// It is kept, and whoever names it gets it, as its owner does; but it is in no listing and no archive.
    Hide,
    /// It is not there, and nobody can make it. macOS then cannot copy files that have attributes.
    Refuse,
}

impl Junk {
    /// May `path` be named in a listing, and go into an archive?
    #[must_use]
    pub fn shows(self, path: &RelPath) -> bool {
        self == Self::Keep || !is_junk(path)
    }

    /// Is `path` not there, and not to be?
    #[must_use]
    pub fn refuses(self, path: &RelPath) -> bool {
        self == Self::Refuse && is_junk(path)
    }
}

/// Is it junk, or in a folder that is?
fn is_junk(path: &RelPath) -> bool {
    path.names().any(|name| {
        let name = name.as_bytes();
        name.starts_with(b"._") || name == b".DS_Store" || name.eq_ignore_ascii_case(b"Thumbs.db")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_systems_leave_is_junk() {
        let is = |path: &str| is_junk(&RelPath::new(path).unwrap());
        for junk in ["._a", "a/._", ".DS_Store", "a/.DS_Store", "Thumbs.db", "thumbs.DB", "._d/f"] {
            assert!(is(junk), "{junk}");
        }
        for other in ["", "a", "_a", ".a", "x._y", ".DS_Store2", "my Thumbs.db", ".davfs.tmp1a2b"] {
            assert!(!is(other), "{other}");
        }
    }
}
