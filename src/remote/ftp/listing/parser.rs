//! From bytes to entries: cuts lines, lets the first of them vote, and reads each.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::format::{Format, Reader};
use super::vote::{self, Ballot};
use super::{Form, Line, Raw, Tally, Zone};
use crate::model::{Entry, EntryKind, Name};
use crate::remote::Reading;

/// So many bytes vote before the first entry is given out.
const VOTE: usize = 32 << 10;
/// A longer line is no listing line.
pub const MAX_LINE: usize = 64 << 10;
/// Names are compared for doubles up to so many; beyond, memory matters more.
const MAX_SEEN: usize = 200_000;
/// Lines that were not understood are kept up to so many bytes between two calls of [`Parser::readings`].
const MAX_KEPT: usize = 1 << 20;

/// A parser for one listing.
#[derive(Debug)]
pub struct Parser {
    form: Form,
    zone: Zone,
    pending: Vec<u8>,
    /// The rest of a line that was given up as too long is still coming.
    overlong: bool,
    ballot: Option<Ballot>,
    reader: Reader,
    seen: HashSet<u64>,
    tally: Tally,
    readings: Vec<Reading>,
    kept: usize,
    /// What came after that many were kept.
    beyond: (usize, u64),
}

impl Parser {
    /// Nothing read yet.
    #[must_use]
    pub fn new(form: Form, zone: Zone) -> Self {
        let ballot = match form {
            Form::Facts => Some(Ballot::of(Format::Mlsd)),
            Form::Names => Some(Ballot::of(Format::Names)),
            Form::Lines | Form::Known(_) => None,
        };
        Self {
            form,
            zone,
            pending: Vec::new(),
            overlong: false,
            ballot,
            reader: Reader::default(),
            seen: HashSet::new(),
            tally: Tally::default(),
            readings: Vec::new(),
            kept: 0,
            beyond: (0, 0),
        }
    }

    /// What was seen so far.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How the lines since the last call were read, in their order; the entries are those that were given out. Beyond
    /// a mebibyte of lines that were not understood only their number is known.
    pub fn readings(&mut self) -> Vec<Reading> {
        self.kept = 0;
        let mut readings = std::mem::take(&mut self.readings);
        let format = self.ballot.as_ref().map_or("", |ballot| ballot.format.as_str());
        match std::mem::take(&mut self.beyond) {
            (0, 0) => {}
            (0, lines) => readings.push(Reading::MoreUnparsed(lines)),
            (count, lines) => {
                readings.push(Reading::Entries { format, count });
                readings.push(Reading::MoreUnparsed(lines));
            }
        }
        readings
    }

    /// Takes bytes and adds the entries that are complete to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Entry>) {
        self.pending.extend_from_slice(bytes);
        if self.ballot.is_some() || self.pending.len() >= VOTE {
            self.lines(out);
        }
    }

    /// The data ended. A last line without its end may be half of one: it names nothing.
    pub fn end(&mut self, out: &mut Vec<Entry>) {
        self.lines(out);
        self.end_reader(out);
        let half = std::mem::take(&mut self.pending);
        if !half.iter().all(u8::is_ascii_whitespace) {
            self.unparsed(&half, None);
        }
    }

    fn lines(&mut self, out: &mut Vec<Entry>) {
        let pending = std::mem::take(&mut self.pending);
        let mut pending = pending.as_slice();
        let ballot = self.ballot.clone().unwrap_or_else(|| self.vote(pending));
        self.ballot = Some(ballot.clone());
        if self.overlong {
            let Some(end) = pending.iter().position(|b| *b == b'\n') else { return };
            pending = pending.get(end + 1..).unwrap_or_default();
            self.overlong = false;
        }
        let cut = pending.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let (whole, rest) = pending.split_at_checked(cut).unwrap_or((pending, &[]));
        for line in whole.strip_suffix(b"\n").into_iter().flat_map(|w| w.split(|b| *b == b'\n')) {
            self.line(line.strip_suffix(b"\r").unwrap_or(line), &ballot, out);
        }
        // With room for the end of the line, so that it does not matter where the bytes are cut.
        if rest.len() > MAX_LINE + 1 {
            self.overlong = true;
            self.give_up(rest, out);
        } else {
            self.pending = rest.to_vec();
        }
    }

    /// The same bytes vote, however they came.
    fn vote(&self, pending: &[u8]) -> Ballot {
        let first = pending.get(..VOTE).unwrap_or(pending);
        let cut = first.iter().rposition(|b| *b == b'\n').unwrap_or(0);
        let known = if let Form::Known(format) = self.form { Some(format) } else { None };
        vote::vote(first.get(..cut).unwrap_or_default(), known, &self.zone)
    }

    fn line(&mut self, line: &[u8], ballot: &Ballot, out: &mut Vec<Entry>) {
        if line.len() > MAX_LINE {
            return self.give_up(line, out);
        }
        let mut reader = std::mem::take(&mut self.reader);
        let zone = self.zone.clone();
        reader.read(line, ballot, &zone, &mut |line, format, found| self.note(line, format, found, out));
        self.reader = reader;
    }

    /// Nothing follows: what was held back comes out.
    fn end_reader(&mut self, out: &mut Vec<Entry>) {
        let mut reader = std::mem::take(&mut self.reader);
        reader.end(&mut |line, format, found| self.note(line, format, found, out));
    }

    fn note(&mut self, line: &[u8], format: Format, found: Line, out: &mut Vec<Entry>) {
        match found {
            Line::Entry(raw) if matches!(raw.name.as_slice(), b"." | b"..") => self.tally.dots += 1,
            Line::Entry(raw) => self.entry(line, format, raw, out),
            Line::Dots => self.tally.dots += 1,
            Line::Noise => self.tally.noise += 1,
            Line::Unparsed => self.unparsed(line, None),
        }
    }

    /// A line that is too long to be one.
    fn give_up(&mut self, line: &[u8], out: &mut Vec<Entry>) {
        self.end_reader(out);
        self.unparsed(line.get(..MAX_LINE).unwrap_or(line), Some(format!("longer than {MAX_LINE} bytes")));
    }

    fn entry(&mut self, line: &[u8], format: Format, raw: Raw, out: &mut Vec<Entry>) {
        let name = match Name::new(&raw.name).and_then(|name| name.check_wire().map(|()| name)) {
            Ok(name) => name,
            Err(error) => {
                if self.tally.bad_names == 0 {
                    self.tally.first_bad = format!("{} ({error})", shown(&raw.name));
                }
                self.tally.bad_names += 1;
                return self.keep(line, Some(error.to_string()));
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
        // What a listing calls the size of a folder or a link is not that of its content, and no file is longer than an
        // offset in it can tell.
        let has_size = matches!(raw.kind, EntryKind::File | EntryKind::Unknown);
        let size = raw.size.filter(|size| has_size && i64::try_from(*size).is_ok());
        out.push(Raw { size, ..raw }.named(name));
        self.read_as(format.as_str());
    }

    /// One more entry was given out.
    fn read_as(&mut self, format: &'static str) {
        if let Some(Reading::Entries { format: last, count }) = self.readings.last_mut()
            && *last == format
            && self.kept <= MAX_KEPT
        {
            *count += 1;
        } else if self.has_room(0) {
            self.readings.push(Reading::Entries { format, count: 1 });
        } else {
            self.beyond.0 += 1;
        }
    }

    fn unparsed(&mut self, line: &[u8], why: Option<String>) {
        if self.tally.unparsed == 0 {
            self.tally.first_unparsed = shown(line);
        }
        self.tally.unparsed += 1;
        self.keep(line, why);
    }

    fn keep(&mut self, line: &[u8], why: Option<String>) {
        if self.has_room(line.len()) {
            self.readings.push(Reading::Unparsed { line: line.to_vec(), why });
        } else {
            self.beyond.1 += 1;
        }
    }

    /// Is there room for one more reading that holds so many bytes?
    fn has_room(&mut self, bytes: usize) -> bool {
        self.kept = self.kept.saturating_add(bytes + size_of::<Reading>());
        self.kept <= MAX_KEPT
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..480).unwrap_or(bytes)).chars().take(120).flat_map(char::escape_debug).collect()
}
