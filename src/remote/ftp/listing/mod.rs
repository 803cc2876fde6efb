//! Listings: bytes in, entries out, as they stream. Every line ends as an entry, as known noise, or is
//! counted as unparsed; nothing is dropped silently and nothing is guessed.
//!
//! The beginning of a listing votes for its [`Format`] ([`vote`]); each line is then read in that format, or in
//! another whose lines cannot be mistaken for anything else. What a format leaves open (a size in blocks, a year
//! that is not written and fits no day) stays open in the entry.

mod date;
mod format;
mod habits;
mod months;
mod parser;
mod tally;
#[cfg(test)]
mod tests;
mod vote;
mod words;

use jiff::Timestamp;

use crate::model::{Entry, EntryKind, Mtime, Name, ServerZone};

pub use format::Format;
pub use format::mlsx::{parse_line as parse_facts, parse_time};
pub use parser::Parser;
pub use tally::Tally;

/// Which command the lines come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// MLSD: RFC 3659 section 7.
    Facts,
    /// LIST: whatever the system behind the server writes.
    Lines,
    /// LIST, and its format is known.
    Known(Format),
    /// NLST: names only.
    Names,
}

/// What one line turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Entry(Raw),
    /// The directory itself or its parent.
    Dots,
    Noise,
    Unparsed,
}

/// An entry whose name was not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// As it stood there.
    pub name: Vec<u8>,
    /// What the line says about it; its `name` is replaced.
    pub kind: EntryKind,
    /// Bytes.
    pub size: Option<u64>,
    /// Time.
    pub mtime: Option<Mtime>,
    /// Permission bits.
    pub mode: Option<u32>,
    /// Identity.
    pub unique: Option<String>,
}

impl Raw {
    /// A name of which nothing but its kind is known.
    fn bare(name: &[u8], kind: EntryKind) -> Self {
        Self { name: name.to_vec(), kind, size: None, mtime: None, mode: None, unique: None }
    }

    /// With its checked name.
    #[must_use]
    pub fn named(self, name: Name) -> Entry {
        Entry { name, kind: self.kind, size: self.size, mtime: self.mtime, mode: self.mode, unique: self.unique }
    }
}

/// Where the reader of times stands.
#[derive(Debug, Clone)]
pub struct Zone {
    /// The present, for years that are not written.
    pub now: Timestamp,
    /// The zone of the server's clock face.
    pub zone: ServerZone,
}

impl Zone {
    /// At `now`, before a clock of `zone`.
    #[must_use]
    pub fn new(now: Timestamp, zone: &ServerZone) -> Self {
        Self { now, zone: zone.clone() }
    }
}
