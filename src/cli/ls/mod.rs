//! `causeway ls`: how a listing is read, entry by entry.

mod row;
mod saved;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use encoding_rs::Encoding;

use crate::config::{Environment, Loaded, MIRROR_PASSWORDS};
use crate::manners::Manners;
use crate::model::charset::{Evidence, Verdict};
use crate::model::{Clock, Entry, RelPath, ServerZone, SystemClock};
use crate::reliability::Recorder;
use crate::remote::ftp::listing::{Form, Zone};
use crate::remote::{self, Completeness, Context, Lister, Reading, Remote};
use crate::survey::charset;
use crate::survey::clock;
use crate::task::Tasks;

use super::args::LsArgs;
use super::{Failure, endpoint, output};

use row::Row;

/// The word for a character set that is to be found out.
const AUTO: &str = "auto";
/// So many rows wait for the character set to be found out; then those decide.
const MOST_HELD: usize = 100_000;
/// As many bytes of them: a line that was not understood may be long.
const MOST_HELD_BYTES: usize = 32 << 20;
/// How long connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// Lists one folder, or reads a listing that was saved.
pub(super) async fn run(mut args: LsArgs, _loaded: Loaded, environment: &Environment) -> Result<(), Failure> {
    // What is found out here is no option of the server's.
    let detected = args.via.charset.take_if(|label| label.eq_ignore_ascii_case(AUTO)).map(|_| Evidence::default());
    let charset = args.via.charset.as_deref().map(endpoint::charset).transpose()?;
    let zone = args.zone.unwrap_or_default();
    let held = detected.map(Held::new);
    let shown = Shown {
        json: args.format.json,
        charset,
        zone: zone.clone(),
        held,
        sample: clock::Sample::default(),
        tally: Tally::default(),
    };
    let saved = args.file.as_deref().or(args.url.as_deref().filter(|url| *url == "-").map(Path::new));
    if let Some(path) = saved {
        let now = args.now.unwrap_or_else(|| SystemClock.now());
        let lister = saved::Saved::open(path, args.form.unwrap_or(Form::Lines), Zone::new(now, &zone))?;
        return shown.show(Box::new(lister), "unknown", None).await;
    }
    let url = args.url.as_deref().unwrap_or_default();
    if args.form.is_some() || args.now.is_some() {
        return Err(Failure::new("--as and --now are for a saved listing: name it with --file"));
    }
    let [variable, _] = MIRROR_PASSWORDS;
    let mut endpoint = endpoint::read(url, "folder", &args.via, environment.secret(variable), environment.ssh_agent())?;
    endpoint.options.zone = Some(zone);
    let tasks = Tasks::new();
    let (recorder, manners) = (Recorder::discard(), Manners::forgetful());
    let context = Context { recorder, manners, clock: Arc::new(SystemClock), tasks: tasks.child() };
    let result = match remote::open(&endpoint, &context).await {
        Ok(remote) => list(remote.as_ref(), shown, &endpoint.protocol.family().to_lowercase()).await,
        Err(fault) => Err(fault.into()),
    };
    if !tasks.drain(GOODBYE).await {
        tracing::debug!("some connections did not say goodbye in time");
    }
    result
}

async fn list(remote: &dyn Remote, shown: Shown, protocol: &str) -> Result<(), Failure> {
    let result = match remote.list(&RelPath::root()).await {
        Ok(lister) => shown.show(lister, protocol, Some(remote)).await,
        Err(fault) => Err(fault.into()),
    };
    remote.close().await;
    result
}

/// What was shown so far.
#[derive(Debug, Default)]
struct Tally {
    /// Entries by format.
    formats: BTreeMap<String, u64>,
    unparsed: u64,
}

/// Where entries go.
struct Shown {
    json: bool,
    charset: Option<&'static Encoding>,
    /// The clock in which people read times.
    zone: ServerZone,
    /// What waits until the character set is found out.
    held: Option<Held>,
    sample: clock::Sample,
    tally: Tally,
}

/// Rows that wait for the character set that they are to be shown in.
struct Held {
    evidence: Evidence,
    rows: Vec<Waiting>,
    /// Of their names and lines.
    bytes: usize,
    /// What it was found to be, once that was decided.
    verdict: Option<Verdict>,
}

/// A row that waits.
enum Waiting {
    Entry(Entry, String),
    Unparsed(Vec<u8>, Option<String>),
}

impl Held {
    const fn new(evidence: Evidence) -> Self {
        Self { evidence, rows: Vec::new(), bytes: 0, verdict: None }
    }

    /// One more row waits. True: no more may.
    fn hold(&mut self, row: Waiting) -> bool {
        self.bytes = self.bytes.saturating_add(match &row {
            Waiting::Entry(entry, _) => entry.name.as_bytes().len(),
            Waiting::Unparsed(line, _) => line.len(),
        });
        self.rows.push(row);
        self.rows.len() >= MOST_HELD || self.bytes >= MOST_HELD_BYTES
    }
}

impl Shown {
    /// Shows everything that `lister` gives, batch by batch; `otherwise` is the format of what does not come as text.
    /// People are told about the clock of `remote`, too.
    async fn show(
        mut self,
        mut lister: Box<dyn Lister>,
        otherwise: &str,
        remote: Option<&dyn Remote>,
    ) -> Result<(), Failure> {
        if !self.json {
            output::raw(row::head(&self.zone).as_bytes())?;
        }
        loop {
            let batch = lister.next().await?;
            let readings = lister.readings();
            let ended = batch.is_none();
            self.batch(batch.unwrap_or_default(), readings, otherwise)?;
            if ended {
                break;
            }
        }
        let mut text = String::new();
        self.release(&mut text);
        output::raw(text.as_bytes())?;
        let completeness = lister.finish().await?;
        let clock = match remote.filter(|_| !self.json) {
            Some(remote) => self.sample.ask(remote, &self.zone).await.sentence(),
            None => None,
        };
        self.end(&completeness, clock.map(|said| format!("clock: {said}")))
    }

    /// Entries and lines in the order of the listing.
    fn batch(&mut self, entries: Vec<Entry>, readings: Vec<Reading>, otherwise: &str) -> Result<(), Failure> {
        let mut entries = entries.into_iter();
        let mut text = String::new();
        for reading in readings {
            match reading {
                Reading::Entries { format, count } => {
                    for entry in entries.by_ref().take(count) {
                        self.entry(entry, format, &mut text);
                    }
                }
                Reading::Unparsed { line, why } => {
                    self.tally.unparsed += 1;
                    self.unparsed(line, why, &mut text);
                }
                Reading::MoreUnparsed(count) => self.tally.unparsed += count,
            }
        }
        for entry in entries {
            self.entry(entry, otherwise, &mut text);
        }
        output::raw(text.as_bytes())
    }

    fn entry(&mut self, entry: Entry, format: &str, text: &mut String) {
        match self.tally.formats.get_mut(format) {
            Some(count) => *count += 1,
            None => drop(self.tally.formats.insert(format.to_owned(), 1)),
        }
        self.sample.add(|| RelPath::root().join(&entry.name), &entry, &self.zone);
        let Some(held) = self.held.as_mut().filter(|held| held.verdict.is_none()) else {
            return self.row(&entry, format, text);
        };
        held.evidence.add(entry.name.as_bytes());
        if held.hold(Waiting::Entry(entry, format.to_owned())) {
            self.release(text);
        }
    }

    fn unparsed(&mut self, line: Vec<u8>, why: Option<String>, text: &mut String) {
        match self.held.as_mut().filter(|held| held.verdict.is_none()) {
            Some(held) => {
                if held.hold(Waiting::Unparsed(line, why)) {
                    self.release(text);
                }
            }
            None => row::unparsed(&line, why.as_deref(), self.json, text),
        }
    }

    /// The character set is decided by what was seen; what waited is shown.
    fn release(&mut self, text: &mut String) {
        let Some(held) = self.held.as_mut().filter(|held| held.verdict.is_none()) else { return };
        let verdict = held.evidence.verdict();
        held.verdict = Some(verdict);
        let rows = std::mem::take(&mut held.rows);
        if let Verdict::Legacy { guess, .. } = verdict {
            self.charset = Some(guess.charset);
        }
        for waiting in rows {
            match waiting {
                Waiting::Entry(entry, format) => self.row(&entry, &format, text),
                Waiting::Unparsed(line, why) => row::unparsed(&line, why.as_deref(), self.json, text),
            }
        }
    }

    fn row(&self, entry: &Entry, format: &str, text: &mut String) {
        // Beside names that are not UTF-8 there may be some that are.
        let is_utf8 = self.held.is_some() && std::str::from_utf8(entry.name.as_bytes()).is_ok();
        let row = Row::new(entry, format, self.charset.filter(|_| !is_utf8));
        if self.json { row.json(text) } else { row.table(&self.zone, text) }
    }

    /// The formats, the doubts, the verdict: below the table, or beside the JSON.
    fn end(&self, completeness: &Completeness, clock: Option<String>) -> Result<(), Failure> {
        let charset = self
            .held
            .as_ref()
            .and_then(|held| held.verdict)
            .map(|verdict| format!("names: {}", charset::sentence(&verdict)));
        if self.json {
            aside(charset.as_slice());
            if !completeness.is_proven() {
                aside(&verdict(completeness));
            }
            return Ok(());
        }
        let formats = self.tally.formats.iter().map(|(format, count)| format!("{count} as {format}"));
        let entries: u64 = self.tally.formats.values().sum();
        let mut text = format!("\n{entries} entries");
        if entries > 0 {
            text.push_str(&format!(": {}", formats.collect::<Vec<_>>().join(", ")));
        }
        if self.tally.unparsed > 0 {
            text.push_str(&format!("; {} lines not understood", self.tally.unparsed));
        }
        text.push('\n');
        for line in charset.into_iter().chain(clock).chain(verdict(completeness)) {
            text.push_str(&line);
            text.push('\n');
        }
        output::raw(text.as_bytes())
    }
}

fn verdict(completeness: &Completeness) -> Vec<String> {
    match completeness {
        Completeness::Proven { how } => vec![format!("complete: {how}")],
        Completeness::Doubtful { doubts } => {
            let mut lines = vec!["not known to be complete:".to_owned()];
            lines.extend(doubts.iter().map(|doubt| format!("  {doubt}")));
            lines
        }
    }
}

#[expect(clippy::print_stderr, reason = "beside the answer for scripts")]
fn aside(lines: &[String]) {
    for line in lines {
        eprintln!("causeway: {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detecting() -> Shown {
        Shown {
            json: true,
            charset: None,
            zone: ServerZone::default(),
            held: Some(Held::new(Evidence::default())),
            sample: clock::Sample::default(),
            tally: Tally::default(),
        }
    }

    /// Lines until the first are shown.
    fn held_of(length: usize) -> usize {
        let (mut shown, mut text, mut lines) = (detecting(), String::new(), 0);
        while text.is_empty() {
            shown.unparsed(vec![b'x'; length], None, &mut text);
            lines += 1;
            assert!(lines <= MOST_HELD, "{lines} lines of {length} bytes wait");
        }
        assert_eq!(text.lines().count(), lines, "all that waited is shown, in order");
        text.clear();
        shown.unparsed(b"x".to_vec(), None, &mut text);
        assert_eq!(text.lines().count(), 1, "nothing waits any more");
        lines
    }

    #[test]
    fn lines_that_were_not_understood_wait_in_bounded_memory() {
        assert_eq!(held_of(1), MOST_HELD);
        assert_eq!(held_of(64 << 10), MOST_HELD_BYTES / (64 << 10));
    }
}
