//! Listings: bytes in, entries out, as they stream. Every line ends as an entry, as known noise, or is
//! counted as unparsed; nothing is dropped silently and nothing is guessed.

mod date;
mod dos;
mod mlsx;
mod unix;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;

use crate::model::{Entry, EntryKind, Name};
use crate::remote::Doubt;

pub use mlsx::{parse_line as parse_facts, parse_time};

/// So many bytes are looked at before the first entry is given out, to see which way round dates are.
const VOTE: usize = 32 << 10;
/// A longer line is no listing line.
const MAX_LINE: usize = 64 << 10;
/// Names are compared for doubles up to so many; beyond, memory matters more.
const MAX_SEEN: usize = 200_000;
/// Numbers at which servers are known to cut.
const ROUND: [u64; 8] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000];

/// Which command the lines come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// MLSD: RFC 3659 section 7.
    Facts,
    /// LIST: Unix and its kin, or DOS.
    Lines,
    /// NLST: names only.
    Names,
}

/// What one line turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Entry(Raw),
    /// The directory itself or its parent.
    Dots,
    Noise,
    Unparsed,
}

/// An entry whose name was not yet checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Raw {
    /// As it stood there.
    pub name: Vec<u8>,
    /// What the line says about it; its `name` is replaced.
    pub kind: EntryKind,
    /// Bytes.
    pub size: Option<u64>,
    /// Time.
    pub mtime: Option<crate::model::Mtime>,
    /// Permission bits.
    pub mode: Option<u32>,
    /// Identity.
    pub unique: Option<String>,
}

impl Raw {
    /// With its checked name.
    #[must_use]
    pub fn named(self, name: Name) -> Entry {
        Entry { name, kind: self.kind, size: self.size, mtime: self.mtime, mode: self.mode, unique: self.unique }
    }
}

/// Where the reader of times stands.
#[derive(Debug, Clone, Copy)]
pub struct Zone {
    /// The present, for years that are not written.
    pub now: Timestamp,
    /// Minutes that the server's clock face is ahead of UTC.
    pub minutes: i16,
}

/// What was seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries given out.
    pub entries: u64,
    /// Lines that were `.`, `..`, cdir or pdir.
    pub dots: u64,
    /// Lines that carry no entry and are known ("total 12").
    pub noise: u64,
    unparsed: u64,
    first_unparsed: String,
    bad_names: u64,
    first_bad: String,
    doubles: u64,
}

impl Tally {
    /// Did any line come at all?
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.lines() == 0
    }

    /// Lines of any kind.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.entries + self.dots + self.noise + self.unparsed + self.bad_names
    }

    /// What speaks against the lines themselves.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if self.unparsed > 0 {
            doubts.push(Doubt::Unparsed { count: self.unparsed, first: self.first_unparsed.clone() });
        }
        if self.bad_names > 0 {
            doubts.push(Doubt::BadNames { count: self.bad_names, first: self.first_bad.clone() });
        }
        if self.doubles > 0 {
            doubts.push(Doubt::Duplicates { count: self.doubles });
        }
        if ROUND.contains(&self.entries) || ROUND.contains(&(self.entries + self.dots)) {
            doubts.push(Doubt::RoundCount { count: self.entries });
        }
        doubts
    }
}

/// A parser for one listing.
#[derive(Debug)]
pub struct Parser {
    form: Form,
    zone: Zone,
    pending: Vec<u8>,
    /// The rest of a line that was given up as too long is still coming.
    overlong: bool,
    voted: bool,
    day_first: bool,
    seen: HashSet<u64>,
    tally: Tally,
}

impl Parser {
    /// Nothing read yet.
    #[must_use]
    pub fn new(form: Form, zone: Zone) -> Self {
        Self {
            form,
            zone,
            pending: Vec::new(),
            overlong: false,
            voted: form != Form::Lines,
            day_first: false,
            seen: HashSet::new(),
            tally: Tally::default(),
        }
    }

    /// What was seen so far.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes bytes and adds the entries that are complete to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Entry>) {
        self.pending.extend_from_slice(bytes);
        if self.voted || self.pending.len() >= VOTE {
            self.lines(out);
        }
    }

    /// The data ended. A last line without its end may be half of one: it names nothing.
    pub fn end(&mut self, out: &mut Vec<Entry>) {
        self.lines(out);
        let half = std::mem::take(&mut self.pending);
        if !half.iter().all(u8::is_ascii_whitespace) {
            self.unparsed(&half);
        }
    }

    fn lines(&mut self, out: &mut Vec<Entry>) {
        let pending = std::mem::take(&mut self.pending);
        let mut pending = pending.as_slice();
        if self.overlong {
            let Some(end) = pending.iter().position(|b| *b == b'\n') else { return };
            pending = pending.get(end + 1..).unwrap_or_default();
            self.overlong = false;
        }
        let cut = pending.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let (whole, rest) = pending.split_at_checked(cut).unwrap_or((pending, &[]));
        if !self.voted {
            self.day_first = whole.split(|b| *b == b'\n').any(dos::is_day_first);
            self.voted = true;
        }
        if rest.len() > MAX_LINE {
            self.overlong = true;
            self.unparsed(rest);
        } else {
            self.pending = rest.to_vec();
        }
        for line in whole.strip_suffix(b"\n").into_iter().flat_map(|w| w.split(|b| *b == b'\n')) {
            self.line(line.strip_suffix(b"\r").unwrap_or(line), out);
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<Entry>) {
        let found = match self.form {
            _ if line.len() > MAX_LINE => Line::Unparsed,
            _ if line.iter().all(u8::is_ascii_whitespace) => Line::Noise,
            Form::Facts => mlsx::parse(line),
            Form::Names => Line::Entry(name_only(line)),
            Form::Lines => unix::parse(line, &self.zone)
                .or_else(|| dos::parse(line, self.day_first, &self.zone))
                .unwrap_or_else(|| if is_noise(line) { Line::Noise } else { Line::Unparsed }),
        };
        match found {
            Line::Entry(raw) if matches!(raw.name.as_slice(), b"." | b"..") => self.tally.dots += 1,
            Line::Entry(raw) => self.entry(raw, out),
            Line::Dots => self.tally.dots += 1,
            Line::Noise => self.tally.noise += 1,
            Line::Unparsed => self.unparsed(line),
        }
    }

    fn entry(&mut self, raw: Raw, out: &mut Vec<Entry>) {
        let name = match Name::new(&raw.name).and_then(|name| name.check_wire().map(|()| name)) {
            Ok(name) => name,
            Err(error) => {
                if self.tally.bad_names == 0 {
                    self.tally.first_bad = format!("{} ({error})", shown(&raw.name));
                }
                self.tally.bad_names += 1;
                return;
            }
        };
        if self.seen.len() < MAX_SEEN {
            let mut hasher = DefaultHasher::new();
            raw.name.hash(&mut hasher);
            if !self.seen.insert(hasher.finish()) {
                self.tally.doubles += 1;
            }
        }
        self.tally.entries += 1;
        out.push(raw.named(name));
    }

    fn unparsed(&mut self, line: &[u8]) {
        if self.tally.unparsed == 0 {
            self.tally.first_unparsed = shown(line);
        }
        self.tally.unparsed += 1;
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..480).unwrap_or(bytes)).chars().take(120).flat_map(char::escape_debug).collect()
}

/// NLST: a name, sometimes behind `./`, sometimes with a `/` that says directory.
fn name_only(line: &[u8]) -> Raw {
    let name = line.strip_prefix(b"./").unwrap_or(line);
    let (name, kind) = match name.strip_suffix(b"/") {
        Some(name) if !name.is_empty() => (name, EntryKind::Dir),
        _ => (name, EntryKind::Unknown),
    };
    Raw { name: name.to_vec(), kind, size: None, mtime: None, mode: None, unique: None }
}

/// "total 12" in the languages of `ls`.
fn is_noise(line: &[u8]) -> bool {
    const WORDS: [&str; 12] = [
        "total",
        "insgesamt",
        "totale",
        "totaal",
        "razem",
        "итого",
        "всего",
        "总用量",
        "總用量",
        "合計",
        "합계",
        "gesamt",
    ];
    let text = String::from_utf8_lossy(line).to_lowercase();
    let mut parts = text.split_whitespace();
    let known = parts.next().is_some_and(|word| WORDS.contains(&word.trim_end_matches(':')));
    known
        && parts.next().is_none_or(|count| count.chars().next().is_some_and(|c| c.is_ascii_digit()))
        && parts.count() <= 1
}

/// The words of a line with the place where each ends.
fn words(line: &[u8]) -> Vec<(&[u8], usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    for part in line.split(|b| matches!(b, b' ' | b'\t')) {
        let end = at + part.len();
        if !part.is_empty() {
            found.push((part, end));
        }
        // Names may hold any number of words; dates come early.
        if found.len() > 24 {
            break;
        }
        at = end + 1;
    }
    found
}

#[cfg(test)]
mod tests;
