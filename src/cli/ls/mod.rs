//! `causeway ls`: how a listing is read, entry by entry.

mod row;
mod saved;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use encoding_rs::Encoding;

use crate::config::{Environment, Loaded, MIRROR_PASSWORDS};
use crate::model::{Clock, Entry, RelPath, ServerZone, SystemClock};
use crate::reliability::Recorder;
use crate::remote::ftp::listing::{Form, Zone};
use crate::remote::{self, Completeness, Context, Lister, Reading, Remote};
use crate::task::Tasks;

use super::args::LsArgs;
use super::{Failure, endpoint, output, summary};

use row::Row;

/// How long connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// Lists one folder, or reads a listing that was saved.
pub(super) async fn run(args: LsArgs, _loaded: Loaded, environment: &Environment) -> Result<(), Failure> {
    let charset = args.via.charset.as_deref().map(endpoint::charset).transpose()?;
    let zone = args.zone.unwrap_or_default();
    let shown = Shown { json: args.format.json, charset, zone: zone.clone(), tally: Tally::default() };
    let saved = args.file.as_deref().or(args.url.as_deref().filter(|url| *url == "-").map(Path::new));
    if let Some(path) = saved {
        let now = args.now.unwrap_or_else(|| SystemClock.now());
        let lister = saved::Saved::open(path, args.form.unwrap_or(Form::Lines), Zone::new(now, &zone))?;
        return shown.show(Box::new(lister), "unknown").await;
    }
    let url = args.url.as_deref().unwrap_or_default();
    if args.form.is_some() || args.now.is_some() {
        return Err(Failure::new("--as and --now are for a saved listing: name it with --file"));
    }
    let [variable, _] = MIRROR_PASSWORDS;
    let mut endpoint = endpoint::read(url, "folder", Some(&args.via), environment.secret(variable), true)?;
    endpoint.options.zone = zone;
    let tasks = Tasks::new();
    let context = Context { recorder: Recorder::discard(), clock: Arc::new(SystemClock), tasks: tasks.child() };
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
        Ok(lister) => shown.show(lister, protocol).await,
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
    tally: Tally,
}

impl Shown {
    /// Shows everything that `lister` gives, batch by batch; `otherwise` is the format of what does not come as text.
    async fn show(mut self, mut lister: Box<dyn Lister>, otherwise: &str) -> Result<(), Failure> {
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
        // The end may bring more lines, and no entry.
        let completeness = lister.finish().await?;
        self.end(&completeness)
    }

    /// Entries and lines in the order of the listing.
    fn batch(&mut self, entries: Vec<Entry>, readings: Vec<Reading>, otherwise: &str) -> Result<(), Failure> {
        let mut entries = entries.into_iter();
        let mut text = String::new();
        for reading in readings {
            match reading {
                Reading::Entries { format, count } => {
                    for entry in entries.by_ref().take(count) {
                        self.entry(&entry, format, &mut text);
                    }
                }
                Reading::Unparsed { line, why } => {
                    self.tally.unparsed += 1;
                    row::unparsed(&line, why.as_deref(), self.json, &mut text);
                }
                Reading::MoreUnparsed(count) => self.tally.unparsed += count,
            }
        }
        for entry in entries {
            self.entry(&entry, otherwise, &mut text);
        }
        output::raw(text.as_bytes())
    }

    fn entry(&mut self, entry: &Entry, format: &str, text: &mut String) {
        match self.tally.formats.get_mut(format) {
            Some(count) => *count += 1,
            None => drop(self.tally.formats.insert(format.to_owned(), 1)),
        }
        let row = Row::new(entry, format, self.charset);
        if self.json { row.json(text) } else { row.table(&self.zone, text) }
    }

    /// The formats, the doubts, the verdict: below the table, or beside the JSON.
    fn end(&self, completeness: &Completeness) -> Result<(), Failure> {
        let verdict = verdict(completeness);
        if self.json {
            if !completeness.is_proven() {
                aside(&verdict);
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
        for line in verdict {
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
            lines.extend(doubts.iter().map(|doubt| format!("  {}", summary::doubt(doubt))));
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
