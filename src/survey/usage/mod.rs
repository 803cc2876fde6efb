//! Who still uses the server, what for, how and when: read from its own logs, line by line, in bounded memory.

mod clf;
mod record;
mod vsftpd;
mod w3c;
mod xferlog;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::bounded::Frequent;
use record::{Act, Record};

/// So many different users and addresses are kept apart.
const PEOPLE: usize = 2_000;
/// So many different files are.
const FILES: usize = 20_000;
/// So many of each are told.
const SHOWN: usize = 15;
/// So many lines that were not understood are shown,
const ODD: usize = 5;
/// and so much of each.
const ODD_LENGTH: usize = 160;
/// A line that is longer is none of these formats.
const MOST_LINE: usize = 64 << 10;
/// So many addresses of one user are told.
const ADDRESSES: usize = 5;

/// A user or an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Guest {
    /// Account name or address.
    pub name: String,
    /// Lines about it.
    pub lines: u64,
    /// Files fetched.
    pub downloads: u64,
    /// Bytes fetched.
    pub bytes_down: u64,
    /// Files brought.
    pub uploads: u64,
    /// Bytes brought.
    pub bytes_up: u64,
    /// Transfers that broke off, or were refused.
    pub broken: u64,
    /// When it was there last, by the clock of the log.
    pub last: Option<DateTime>,
    /// For a user the first few addresses, for an address the first few users.
    pub with: Vec<String>,
}

/// A file that is still fetched or brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UsedFile {
    /// As the log has it.
    pub path: String,
    /// How often.
    pub times: u64,
    /// When last.
    pub last: Option<DateTime>,
}

/// What the logs tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Usage {
    /// Lines that were read.
    pub lines: u64,
    /// Lines by format.
    pub formats: Vec<(String, u64)>,
    /// Lines that were not understood,
    pub odd: u64,
    /// and the first of them.
    pub odd_examples: Vec<String>,
    /// The first and the last moment, by the clock of the log.
    pub from: Option<DateTime>,
    /// See `from`.
    pub until: Option<DateTime>,
    /// Different users, at least.
    pub users: u64,
    /// Those with the most lines.
    pub top_users: Vec<Guest>,
    /// Different addresses, at least.
    pub addresses: u64,
    /// Those with the most lines.
    pub top_addresses: Vec<Guest>,
    /// Whether there were more than could be kept apart; then the numbers of those are from below.
    pub too_many: bool,
    /// Logins,
    pub logins: u64,
    /// and those that were refused.
    pub refused: u64,
    /// Sessions that asked for encryption, where the log tells.
    pub encrypted: u64,
    /// Files fetched.
    pub downloads: u64,
    /// Bytes fetched.
    pub bytes_down: u64,
    /// Files brought.
    pub uploads: u64,
    /// Bytes brought.
    pub bytes_up: u64,
    /// Things removed.
    pub removals: u64,
    /// Things renamed or otherwise changed.
    pub changes: u64,
    /// Transfers that broke off, or were refused.
    pub broken: u64,
    /// Transfers by weekday (Monday first) and hour of the log's clock.
    pub hours: Vec<Vec<u64>>,
    /// The files that are fetched most.
    pub fetched: Vec<UsedFile>,
}

/// Reads logs.
#[derive(Debug)]
pub struct Reader {
    usage: Usage,
    users: Frequent<String, Guest>,
    addresses: Frequent<String, Guest>,
    files: Frequent<String, Option<DateTime>>,
    fields: w3c::Fields,
    rest: Vec<u8>,
    /// The rest of a line that is too long is left out.
    skips: bool,
    formats: [(&'static str, u64); 4],
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            usage: Usage { hours: vec![vec![0; 24]; 7], ..Usage::default() },
            users: Frequent::new(PEOPLE),
            addresses: Frequent::new(PEOPLE),
            files: Frequent::new(FILES),
            fields: w3c::Fields::default(),
            rest: Vec::new(),
            skips: false,
            formats: ["xferlog", "vsftpd", "CLF or ExtendedLog", "W3C"].map(|name| (name, 0)),
        }
    }
}

impl Reader {
    /// The next bytes of a log.
    pub fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (line, ended) = match part.strip_suffix(b"\n") {
                Some(line) => (line, true),
                None => (part, false),
            };
            if !self.skips {
                self.rest.extend_from_slice(line);
            }
            if self.rest.len() > MOST_LINE {
                self.rest.truncate(ODD_LENGTH);
                self.skips = true;
            }
            if ended {
                self.line();
            }
        }
    }

    /// A log ended; another may follow.
    pub fn end(&mut self) {
        if !self.rest.is_empty() {
            self.line();
        }
        self.fields = w3c::Fields::default();
    }

    fn line(&mut self) {
        let line = std::mem::take(&mut self.rest);
        let too_long = std::mem::take(&mut self.skips);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\r');
        if text.trim().is_empty() {
            return;
        }
        self.usage.lines += 1;
        if self.fields.head(text) {
            return;
        }
        let record = if too_long { None } else { self.read(text) };
        match record {
            Some(record) => self.count(record),
            None => {
                self.usage.odd += 1;
                if self.usage.odd_examples.len() < ODD {
                    self.usage.odd_examples.push(harmless(text));
                }
            }
        }
    }

    fn read(&mut self, line: &str) -> Option<Record> {
        let found = xferlog::read(line).map(|record| (0, record));
        let found = found.or_else(|| Some((1, vsftpd::read(line)?)));
        let found = found.or_else(|| Some((2, clf::read(line)?)));
        let (format, record) = found.or_else(|| Some((3, self.fields.read(line)?)))?;
        if let Some((_, count)) = self.formats.get_mut::<usize>(format) {
            *count += 1;
        }
        Some(record)
    }

    fn count(&mut self, record: Record) {
        let usage = &mut self.usage;
        usage.from = earliest(usage.from, record.at);
        usage.until = usage.until.max(record.at);
        let moved = matches!(record.act, Act::Download | Act::Upload);
        let bytes = record.bytes.unwrap_or_default();
        match record.act {
            Act::Login => usage.logins += 1,
            Act::Refused => usage.refused += 1,
            Act::Encrypt => usage.encrypted += 1,
            _ if !record.done => usage.broken += u64::from(moved),
            Act::Download => {
                usage.downloads += 1;
                usage.bytes_down = usage.bytes_down.saturating_add(bytes);
            }
            Act::Upload => {
                usage.uploads += 1;
                usage.bytes_up = usage.bytes_up.saturating_add(bytes);
            }
            Act::Remove => usage.removals += 1,
            Act::Change => usage.changes += 1,
            Act::Other => {}
        }
        if let (Some(at), true) = (record.at, moved) {
            let day = usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or_default();
            let hour = usize::try_from(at.hour()).unwrap_or_default();
            if let Some(count) = usage.hours.get_mut(day).and_then(|day| day.get_mut(hour)) {
                *count += 1;
            }
        }
        // Whoever was turned away is no user of the server.
        if record.act != Act::Refused {
            if let Some(user) = &record.user {
                self.users.seen(user.clone()).add(&record, record.address.as_deref());
            }
            if let Some(address) = &record.address {
                self.addresses.seen(address.clone()).add(&record, record.user.as_deref());
            }
        }
        if let (Act::Download, true, Some(path)) = (record.act, record.done, record.path) {
            let last = self.files.seen(path);
            *last = (*last).max(record.at);
        }
    }

    /// Everything that was read.
    #[must_use]
    pub fn finish(mut self) -> Usage {
        self.end();
        let guests = |all: Frequent<String, Guest>| {
            let top = all.into_top(SHOWN).into_iter();
            top.map(|(name, lines, guest)| Guest { name, lines, ..guest }).collect::<Vec<_>>()
        };
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let fetched = self.files.clone().into_top(SHOWN).into_iter();
        Usage {
            formats: self
                .formats
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
            users: number(self.users.len()),
            addresses: number(self.addresses.len()),
            too_many: self.users.forgotten + self.addresses.forgotten + self.files.forgotten > 0,
            top_users: guests(self.users),
            top_addresses: guests(self.addresses),
            fetched: fetched.map(|(path, times, last)| UsedFile { path, times, last }).collect(),
            ..self.usage
        }
    }
}

impl Guest {
    fn add(&mut self, record: &Record, with: Option<&str>) {
        self.last = self.last.max(record.at);
        let bytes = record.bytes.unwrap_or_default();
        match record.act {
            Act::Download | Act::Upload if !record.done => self.broken += 1,
            Act::Download => {
                self.downloads += 1;
                self.bytes_down = self.bytes_down.saturating_add(bytes);
            }
            Act::Upload => {
                self.uploads += 1;
                self.bytes_up = self.bytes_up.saturating_add(bytes);
            }
            _ => {}
        }
        if let Some(with) =
            with.filter(|with| self.with.len() < ADDRESSES && !self.with.iter().any(|known| known == with))
        {
            self.with.push(with.to_owned());
        }
    }
}

fn earliest(one: Option<DateTime>, other: Option<DateTime>) -> Option<DateTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The start of a line, without what stands behind PASS: some servers log passwords.
fn harmless(line: &str) -> String {
    let upper = line.to_ascii_uppercase();
    let end = upper.find("PASS ").map_or(line.len(), |at| at + 5);
    let shown: String = line.get(..end).unwrap_or_default().chars().take(ODD_LENGTH).collect();
    if end < line.len() { format!("{shown}***") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Usage {
        let mut reader = Reader::default();
        // In pieces of any length.
        text.as_bytes().chunks(7).for_each(|piece| reader.push(piece));
        reader.finish()
    }

    const XFERLOG: &str = "\
Thu Nov 26 12:34:56 2026 1 192.0.2.7 4096 /pub/a b _ o r anna ftp 0 * c
Thu Nov 26 12:35:56 2026 1 192.0.2.7 4096 /pub/a b _ o r anna ftp 0 * c
Fri Nov 27 03:00:00 2026 9 192.0.2.8 100 /in/x b _ i r bob ftp 0 * c
Fri Nov 27 03:01:00 2026 9 192.0.2.8 50 /in/y b _ i r bob ftp 0 * i
";

    #[test]
    fn who_what_how_and_when() {
        let usage = read(XFERLOG);
        assert_eq!((usage.lines, usage.odd, usage.users, usage.addresses), (4, 0, 2, 2));
        assert_eq!(
            (usage.downloads, usage.bytes_down, usage.uploads, usage.bytes_up, usage.broken),
            (2, 8192, 1, 100, 1)
        );
        assert_eq!(usage.formats, [("xferlog".to_owned(), 4)]);
        let bob = usage.top_users.iter().find(|guest| guest.name == "bob").unwrap();
        assert_eq!((bob.uploads, bob.broken, bob.with.as_slice()), (1, 1, &["192.0.2.8".to_owned()][..]));
        assert_eq!(bob.last.unwrap().to_string(), "2026-11-27T03:01:00");
        assert_eq!((usage.hours[3][12], usage.hours[4][3]), (2, 2));
        assert_eq!((usage.fetched[0].path.as_str(), usage.fetched[0].times), ("/pub/a", 2));
        assert_eq!(usage.from.unwrap().to_string(), "2026-11-26T12:34:56");
    }

    #[test]
    fn formats_may_be_mixed_and_odd_lines_are_shown_without_secrets() {
        let usage = read(&format!(
            "{XFERLOG}Thu Nov 26 12:34:56 2026 [pid 3] [anna] OK LOGIN: Client \"192.0.2.7\"\r\n\
             192.0.2.9 - carol [26/Nov/2026:12:34:56 -0000] \"GET /z\" 200 5\n\
             #Fields: date time c-ip cs-username cs-method cs-uri-stem sc-status sc-bytes\n\
             2026-11-26 12:34:56 192.0.2.7 anna RETR /pub/file 226 4096\n\
             \nsurprise\n10:00 ftpd: PASS hunter2\nwithout an end"
        ));
        assert_eq!((usage.lines, usage.odd, usage.logins, usage.downloads), (11, 3, 1, 4));
        assert_eq!(usage.formats.len(), 4);
        assert_eq!(usage.odd_examples, ["surprise", "10:00 ftpd: PASS ***", "without an end"]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut reader = Reader::default();
        for n in 0..60_000 {
            reader.push(
                format!("Thu Nov 26 12:34:56 2026 1 10.0.{}.{} 1 /f{n} b _ o r u{n} ftp 0 * c\n", n / 250, n % 250)
                    .as_bytes(),
            );
        }
        reader.push(&vec![b'x'; 1 << 20]);
        assert!(reader.rest.len() <= MOST_LINE);
        let usage = reader.finish();
        assert!(usage.too_many && usage.odd == 1 && usage.downloads == 60_000);
        assert!(usage.users <= 2 * PEOPLE as u64 && usage.top_users.len() == SHOWN);
    }
}
