//! What a listing or a stat says about one name.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fingerprint, Name};

/// What kind of thing a name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link and the bytes it points at, when they were told.
    Symlink(Option<Vec<u8>>),
    /// A socket, pipe or device.
    Special,
    /// The listing did not say. Never guessed at: ask again by another command.
    Unknown,
}

/// How exact a time is. Comparing two times is done at the coarser precision of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Nanoseconds (a local file system).
    Nanosecond,
    /// Seconds (MDTM, MLSD, SFTP, HTTP).
    Second,
    /// Minutes (LIST of the last half year).
    Minute,
    /// Days (LIST of older files).
    Day,
}

/// Who told the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeSource {
    /// `lstat`.
    FileSystem,
    /// MDTM, RFC 3659 section 3: UTC.
    Mdtm,
    /// The `modify` fact, RFC 3659 section 7: UTC.
    Mlsd,
    /// A listing line: the server's zone, sometimes without a year.
    List,
    /// SFTP attributes.
    Sftp,
    /// `getlastmodified` or `Last-Modified`.
    WebDav,
}

/// A modification time with what is known about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mtime {
    /// The instant, UTC.
    pub at: Timestamp,
    /// How exact it is.
    pub precision: Precision,
    /// Who said it.
    pub source: TimeSource,
}

impl Mtime {
    /// Do two times name the same instant, as far as the coarser of them can tell? Day precision
    /// allows a day of zone difference.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        let apart = self.at.duration_since(other.at).abs();
        let allowed = match self.precision.max(other.precision) {
            Precision::Nanosecond => return apart.is_zero(),
            Precision::Second => return self.at.as_second() == other.at.as_second(),
            Precision::Minute => jiff::SignedDuration::from_secs(60),
            Precision::Day => jiff::SignedDuration::from_hours(24),
        };
        apart < allowed
    }
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Raw bytes, as they must be sent back.
    pub name: Name,
    /// File, directory, link …
    pub kind: EntryKind,
    /// Bytes; `None` when unknown (never 0 for unknown).
    pub size: Option<u64>,
    /// `None` when unknown (never 1970 for unknown).
    pub mtime: Option<Mtime>,
    /// Permission bits (lower 12), when told.
    pub mode: Option<u32>,
    /// A server's own identity for the file's version (the `unique` fact), when told.
    pub unique: Option<String>,
}

impl Entry {
    /// What tells this version of the file from another.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint { size: self.size, mtime: self.mtime, unique: self.unique.clone() }
    }
}
