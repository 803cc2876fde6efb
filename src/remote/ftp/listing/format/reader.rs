//! Reads line after line, and holds back what only a later line settles: on VMS a long name stands on a line of its
//! own, and of several versions of a file only the highest counts.

use super::super::vote::Ballot;
use super::super::{Line, Raw, Zone};
use super::{Format, understand, vms};

/// Where a line goes, with the format it was read in.
pub type Give<'a> = dyn FnMut(&[u8], Format, Line) + 'a;

/// What was held back.
#[derive(Debug, Default)]
pub struct Reader {
    /// A name whose line goes on in the next one.
    name: Option<Vec<u8>>,
    /// The highest version so far of the file that came last.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    line: Vec<u8>,
    raw: Raw,
    version: u32,
}

impl Reader {
    /// Reads the next line.
    pub fn read(&mut self, line: &[u8], ballot: &Ballot, zone: &Zone, give: &mut Give<'_>) {
        if let Some(name) = self.name.take() {
            let joined = [name.as_slice(), b" ", line].concat();
            if let Some(raw) = vms::parse(&joined, zone) {
                return self.version(&joined, raw, give);
            }
            self.release(give);
            give(&name, Format::Vms, Line::Unparsed);
        }
        match understand(line, ballot, zone) {
            (Format::Vms, Line::Entry(raw)) => self.version(line, raw, give),
            // Only what is nothing else: in the lines of other systems, too, names end in ";1".
            (_, Line::Unparsed) if !ballot.only && vms::is_name_alone(line) => {
                self.name = Some(line.trim_ascii().to_vec());
            }
            (format, found) => {
                self.release(give);
                give(line, format, found);
            }
        }
    }

    /// Nothing follows.
    pub fn end(&mut self, give: &mut Give<'_>) {
        self.release(give);
        if let Some(name) = self.name.take() {
            give(&name, Format::Vms, Line::Unparsed);
        }
    }

    fn version(&mut self, line: &[u8], raw: Raw, give: &mut Give<'_>) {
        let version = vms::version(line);
        match &mut self.held {
            Some(held) if held.raw.name == raw.name && held.raw.kind == raw.kind => {
                if version > held.version {
                    *held = Held { line: line.to_vec(), raw, version };
                }
                give(line, Format::Vms, Line::Noise);
            }
            _ => {
                self.release(give);
                self.held = Some(Held { line: line.to_vec(), raw, version });
            }
        }
    }

    fn release(&mut self, give: &mut Give<'_>) {
        if let Some(Held { line, raw, .. }) = self.held.take() {
            give(&line, Format::Vms, Line::Entry(raw));
        }
    }
}
