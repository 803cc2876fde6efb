//! Reading a directory: CWD, then a listing command without arguments, because paths as arguments come
//! back as an empty success on several servers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::experience::term;
use super::fault;
use super::flight::Flight;
use super::listing::{Form, Parser, Tally, Zone};
use super::pool::{Lease, Pool};
use super::status::{self, Sum};
use super::transfer::{Data, Order, end_data};
use crate::manners::Term;
use crate::model::{Entry, Fault, FaultKind, Phase, Retry};
use crate::remote::{Completeness, Doubt, Lister, Reading};

/// Listing commands, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Mlsd,
    ListAll,
    List,
    Names,
}

impl Style {
    const LADDER: [Self; 4] = [Self::Mlsd, Self::ListAll, Self::List, Self::Names];

    pub(super) fn from_step(step: u8) -> Self {
        Self::LADDER.get(usize::from(step)).copied().unwrap_or(Self::Names)
    }

    pub const fn step(self) -> u8 {
        match self {
            Self::Mlsd => 0,
            Self::ListAll => 1,
            Self::List => 2,
            Self::Names => 3,
        }
    }

    pub(super) const fn command(self) -> (&'static str, Option<&'static [u8]>) {
        match self {
            Self::Mlsd => ("MLSD", None),
            Self::ListAll => ("LIST", Some(b"-a")),
            Self::List => ("LIST", None),
            Self::Names => ("NLST", None),
        }
    }

    const fn form(self) -> Form {
        match self {
            Self::Mlsd => Form::Facts,
            Self::ListAll | Self::List => Form::Lines,
            Self::Names => Form::Names,
        }
    }
}

/// A listing that streams.
pub struct FtpLister {
    lease: Option<Lease>,
    pool: Arc<Pool>,
    data: Option<Data>,
    style: Style,
    parser: Parser,
    closing: Option<String>,
    refused_empty: bool,
    /// TLS ended without close_notify: anybody could have cut it.
    cut: bool,
    /// What was shown, while it is not known whether STAT shows the same.
    sum: Option<Sum>,
}

impl FtpLister {
    /// Goes to `dir` and starts the best listing command from `first` on that works here.
    ///
    /// # Errors
    /// The honest no of CWD, or of every listing command.
    pub async fn open(pool: Arc<Pool>, dir: &[u8], first: Style) -> Result<Self, Fault> {
        let mut lease = pool.lease().await?;
        let parser = Parser::new(Form::Lines, zone(&pool));
        match begin(&mut lease, &pool, dir, first).await {
            Ok((style, data)) => {
                let parser = if style.form() == Form::Lines { parser } else { Parser::new(style.form(), zone(&pool)) };
                let refused_empty = data.is_none();
                let shared = &pool.shared;
                let probe = style == Style::ListAll
                    && first == Style::Mlsd
                    && shared.batches()
                    && (shared.status.is_untried() || shared.status.is_given());
                let (closing, cut, sum) = (None, false, probe.then(Sum::default));
                Ok(Self { lease: Some(lease), pool, data, style, parser, closing, refused_empty, cut, sum })
            }
            Err(fault) => {
                lease.settle(&fault);
                Err(fault)
            }
        }
    }

    /// Keeps in mind what was shown.
    fn shown(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        if let Some(sum) = &mut self.sum {
            sum.add(&entries);
        }
        entries
    }

    async fn read(&mut self, out: &mut Vec<Entry>) -> Result<bool, Fault> {
        let Some(data) = &mut self.data else { return Ok(false) };
        let shared = &self.pool.shared;
        let silent = self.parser.tally().is_silent();
        let within = if silent { shared.first_byte(shared.deadlines().listing) } else { shared.deadlines().stall };
        let mut buffer = vec![0; 64 << 10];
        match timeout(within, data.stream.read(&mut buffer)).await {
            Err(_) => {
                if silent {
                    shared.nothing_came();
                }
                Err(Fault::new(Phase::List, FaultKind::Stalled, "the listing stopped coming"))
            }
            Ok(Ok(0)) => Ok(false),
            Ok(Ok(count)) => {
                self.parser.push(buffer.get(..count).unwrap_or_default(), out);
                Ok(true)
            }
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                self.cut = true;
                Ok(false)
            }
            Ok(Err(error)) => Err(Fault::io(Phase::List, "lost the listing's data connection", &error)),
        }
    }

    /// The data ended: hears the closing reply.
    async fn close(&mut self) -> Result<(), Fault> {
        let (Some(data), Some(lease)) = (self.data.take(), self.lease.as_mut()) else { return Ok(()) };
        let Data { mut stream, closing, .. } = data;
        if let Err(error) = end_data(&mut stream, self.pool.shared.deadlines().command).await {
            tracing::trace!(error = %error, "ending the listing's data connection");
        }
        drop(stream);
        let session = lease.session()?;
        let status = &self.pool.shared.status;
        let probe = self.sum.take().filter(|sum| sum.tells() && status.wants(sum.count()));
        if probe.is_some() {
            let mut flight = Flight::default();
            status::add(&mut flight)?;
            session.control.launch(Phase::List, &flight).await?;
        }
        let reply = session.closing(closing, "listing").await?;
        if probe.is_some() && matches!(reply.code, 211..=213) {
            let why = "the answer to STAT came before the closing word of the listing";
            self.pool.shared.lost_stat(why, Term::Month);
            return Err(Fault::new(Phase::List, FaultKind::ClosedEarly, why));
        }
        self.closing = Some(reply.text());
        let Some(sum) = probe else { return Ok(()) };
        let parser = Parser::new(Form::Lines, zone(&self.pool));
        match status::is_same(&self.pool.shared, &mut session.control, parser, &sum).await {
            Ok(true) => {
                self.pool.shared.won_stat(sum.count());
                Ok(())
            }
            // The folder may have changed meanwhile, and the next run asks without a round trip more.
            Ok(false) => {
                self.pool.shared.lost_stat("it does not show what LIST shows", Term::Run);
                Ok(())
            }
            // From now on nobody asks it again; the next try lists as ever.
            Err(fault) => {
                self.pool.shared.lost_stat(&fault.message, term(&fault));
                Err(fault)
            }
        }
    }

    /// `LIST -a` gave nothing at all: some servers take `-a` for a file name.
    async fn without_option(&mut self) -> Result<bool, Fault> {
        if self.style != Style::ListAll || !self.parser.tally().is_silent() {
            return Ok(false);
        }
        if self.closing.as_deref().is_some_and(fault::admits_gaps) {
            return Ok(false);
        }
        let Some(lease) = self.lease.as_mut() else { return Ok(false) };
        let within = self.pool.shared.deadlines().listing;
        let data =
            lease.session()?.transfer(&self.pool.shared, Order::plain(Phase::List, "LIST", None, within)).await?;
        self.style = Style::List;
        self.data = Some(data);
        Ok(true)
    }

    /// MLSD was begun and then refused with "not implemented" (a FEAT that promises too much, or a folder
    /// whose names the server cannot write that way): LIST may still know.
    async fn after_refusal(&mut self, fault: Fault) -> Result<(), Fault> {
        let refused = matches!(fault.evidence.code, Some(500 | 502 | 504));
        if refused && !self.parser.tally().is_silent() {
            // What was begun was understood: the word is about something that came behind.
            return Err(fault.retry(Retry::Now));
        }
        if self.style != Style::Mlsd || !refused {
            return Err(fault);
        }
        let Some(lease) = self.lease.as_mut() else { return Err(fault) };
        let within = self.pool.shared.deadlines().listing;
        let (verb, arg) = Style::ListAll.command();
        let data = lease.session()?.transfer(&self.pool.shared, Order::plain(Phase::List, verb, arg, within)).await?;
        self.style = Style::ListAll;
        self.parser = Parser::new(Form::Lines, zone(&self.pool));
        self.data = Some(data);
        Ok(())
    }

    fn doubts(&self, confirmed: bool) -> Vec<Doubt> {
        let tally = self.parser.tally();
        let mut doubts = tally.doubts();
        if let Some(text) = self.closing.as_deref().filter(|text| fault::admits_gaps(text)) {
            doubts.push(Doubt::ClosingReply { text: text.to_owned() });
        }
        if tally.entries == 0 && tally.dots == 0 && !confirmed || self.refused_empty && !confirmed {
            doubts.push(self.of_emptiness());
        }
        if self.cut {
            doubts.push(Doubt::Unsealed);
        }
        match self.style {
            Style::Mlsd | Style::ListAll => {}
            Style::List => {
                doubts.push(Doubt::WeakCommand { command: "LIST without -a, which may hide dot files".into() });
            }
            Style::Names => doubts.push(Doubt::WeakCommand { command: "NLST".into() }),
        }
        doubts
    }

    /// Where other folders come without `.` and `..`, their absence says nothing; where they are shown, an empty
    /// answer is that of a folder that may not be read.
    fn of_emptiness(&self) -> Doubt {
        let dotless = self.pool.shared.dotless.load(Ordering::Relaxed);
        match self.style {
            Style::ListAll if dotless && !self.refused_empty => Doubt::WeakCommand {
                command: "LIST -a without '.' and '..', which cannot confirm an empty folder".into(),
            },
            _ => Doubt::UnconfirmedEmpty,
        }
    }

    async fn fail(&mut self, fault: Fault) -> Fault {
        self.data = None;
        if let Some(lease) = self.lease.take() {
            lease.settle(&fault);
        }
        fault
    }
}

#[async_trait]
impl Lister for FtpLister {
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        let mut out = Vec::new();
        while self.data.is_some() {
            match self.read(&mut out).await {
                Ok(true) if out.is_empty() => {}
                Ok(true) => return Ok(Some(self.shown(out))),
                Ok(false) => {
                    self.parser.end(&mut out);
                    out = self.shown(out);
                    if let Err(fault) = self.close().await {
                        match self.after_refusal(fault).await {
                            Ok(()) => continue,
                            Err(fault) => return Err(self.fail(fault).await),
                        }
                    }
                    if let Err(fault) = self.without_option().await {
                        return Err(self.fail(fault).await);
                    }
                    if !out.is_empty() {
                        return Ok(Some(out));
                    }
                }
                Err(fault) => return Err(self.fail(fault).await),
            }
        }
        Ok(None)
    }

    fn readings(&mut self) -> Vec<Reading> {
        self.parser.readings()
    }

    async fn finish(mut self: Box<Self>) -> Result<Completeness, Fault> {
        if self.data.is_some() {
            return Err(Fault::new(Phase::List, FaultKind::Cancelled, "the listing was not read to its end"));
        }
        let Some(mut lease) = self.lease.take() else {
            return Err(Fault::new(Phase::List, FaultKind::Cancelled, "the listing had failed already"));
        };
        let tally = self.parser.tally();
        if self.style == Style::ListAll && tally.entries > 0 && tally.dots == 0 {
            self.pool.shared.dotless.store(true, Ordering::Relaxed);
        }
        let mut confirmed = false;
        if self.style == Style::Mlsd && tally.is_silent() {
            match shown_by(&mut lease, &self.pool, Some(b"-a")).await {
                Ok(shown) => {
                    confirmed = shown.is_only_dots();
                    self.cut |= shown.cut;
                }
                // A connection that broke proves nothing either way: the folder is read again.
                Err(fault) if matches!(fault.evidence.code, None | Some(421 | 425 | 426)) => {
                    lease.settle(&fault);
                    return Err(fault);
                }
                Err(fault) => {
                    lease.settle(&fault);
                    return Ok(Completeness::from_doubts(self.doubts(false), ""));
                }
            }
        }
        let doubts = self.doubts(confirmed);
        // A session that may have cut a listing is not asked again: the next listing takes another. A missing seal is about
        // the data connection, of which the next listing has another anyway.
        if !doubts.iter().any(|doubt| matches!(doubt, Doubt::RoundCount { .. })) {
            lease.give_back();
        }
        let (verb, arg) = self.style.command();
        let arg = arg.map(String::from_utf8_lossy).unwrap_or_default();
        let how = format!("{verb} {arg}").trim_end().to_owned() + ", every line understood, clean closing reply";
        Ok(Completeness::from_doubts(doubts, how))
    }
}

pub(super) fn zone(pool: &Pool) -> Zone {
    Zone::new(pool.shared.ctx.clock.now(), &pool.shared.zone())
}

/// CWD, then down the ladder from `from` until a command is understood. No data: the server said "no files".
async fn begin(lease: &mut Lease, pool: &Pool, dir: &[u8], from: Style) -> Result<(Style, Option<Data>), Fault> {
    let shared = &pool.shared;
    let session = lease.session()?;
    session.go(dir).await?;
    let features = shared.learned.get().map(|l| l.features).unwrap_or_default();
    let known = shared.style.load(Ordering::Relaxed);
    let first = if features.known && !features.mlst { known.max(Style::ListAll.step()) } else { known };
    let first = first.max(from.step());
    for step in first..=Style::Names.step() {
        let style = Style::from_step(step);
        let (verb, arg) = style.command();
        let started = session.transfer(shared, Order::plain(Phase::List, verb, arg, shared.deadlines().listing)).await;
        match started {
            Ok(data) => return Ok((style, Some(data))),
            Err(fault) if matches!(fault.evidence.code, Some(500 | 501 | 502 | 504)) && style != Style::Names => {
                tracing::debug!(endpoint = %shared.endpoint, command = verb, "listing command not understood");
                // That a lower step fails says nothing of those above it.
                if from == Style::Mlsd {
                    shared.style.fetch_max(step + 1, Ordering::Relaxed);
                }
            }
            // "550 -a: no such file": the option was taken for a name. Without it we know more.
            Err(fault) if style == Style::ListAll && !says_empty(&fault) && takes_option_for_name(&fault) => {}
            Err(fault) if says_empty(&fault) => return Ok((style, None)),
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::new(Phase::List, FaultKind::Unsupported, "the server understands no listing command"))
}

fn takes_option_for_name(fault: &Fault) -> bool {
    matches!(fault.evidence.code, Some(450 | 550)) && matches!(fault.kind, FaultKind::Missing | FaultKind::Io)
        || fault.evidence.reply.as_deref().is_some_and(|text| text.contains("-a"))
}

/// "550 No files found" is how some servers say that there is nothing; it is not proof.
fn says_empty(fault: &Fault) -> bool {
    let text = fault.evidence.reply.as_deref().unwrap_or_default().to_lowercase();
    matches!(fault.evidence.code, Some(450 | 550)) && (text.contains("no files") || text.contains("no members"))
}

/// What LIST with an option shows of the folder where the session is.
pub(super) struct Shown {
    pub(super) entries: Vec<Entry>,
    pub(super) tally: Tally,
    /// The closing reply.
    pub(super) closing: String,
    /// TLS ended without close_notify: anybody could have cut it.
    pub(super) cut: bool,
}

impl Shown {
    /// Is it the directory itself and nothing else? Then it can be read, and is empty.
    fn is_only_dots(&self) -> bool {
        let Self { tally, closing, .. } = self;
        tally.entries == 0 && tally.dots > 0 && tally.doubts().is_empty() && !fault::admits_gaps(closing)
    }
}

/// Asks for LIST with `option` in the folder where the session is.
///
/// # Errors
/// The server's no, or a lost connection.
pub(super) async fn shown_by(lease: &mut Lease, pool: &Pool, option: Option<&[u8]>) -> Result<Shown, Fault> {
    let shared = &pool.shared;
    let session = lease.session()?;
    let order = Order::plain(Phase::List, "LIST", option, shared.deadlines().listing);
    let Data { mut stream, closing, .. } = session.transfer(shared, order).await?;
    let mut parser = Parser::new(Form::Lines, zone(pool));
    let mut entries = Vec::new();
    let mut buffer = vec![0; 8 << 10];
    let mut cut = false;
    loop {
        match timeout(shared.deadlines().stall, stream.read(&mut buffer)).await {
            Ok(Ok(0)) => break,
            Ok(Ok(count)) => parser.push(buffer.get(..count).unwrap_or_default(), &mut entries),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                cut = true;
                break;
            }
            Ok(Err(error)) => return Err(Fault::io(Phase::List, "lost the listing's data connection", &error)),
            Err(_) => return Err(Fault::new(Phase::List, FaultKind::Stalled, "the listing stopped coming")),
        }
    }
    parser.end(&mut entries);
    drop(stream);
    let closing = session.closing(closing, "listing").await?.text();
    Ok(Shown { entries, tally: parser.tally().clone(), closing, cut })
}
