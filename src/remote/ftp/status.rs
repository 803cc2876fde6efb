//! Listings over the control connection: `STAT -la` (RFC 959 section 4.1.3) needs no data connection, so many
//! directories fly in one flight.
//!
//! Servers answer STAT by other code than LIST, and some cut it without a word. It is used only after a probe: behind
//! the first real listing that is not empty the same directory is asked for by STAT, in the same round trip as the
//! closing reply, and both must show the same entries. A directory counts as read only when it shows `.`, every line
//! is understood and nothing is odd; anything else is unclear, and read again by LIST.
//!
//! That STAT was once shown to list as LIST does is remembered and told, and spares the next run nothing: a folder that
//! lacks names without a word leads to deletions, so every run compares for itself, and up to which length. The probe
//! costs no round trip. Only that a server does not bear to be asked is taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use async_trait::async_trait;

use super::control::{Control, Piece};
use super::fault;
use super::flight::Flight;
use super::lister::zone;
use super::listing::{Form, Parser};
use super::pool::{Lease, Pool};
use super::reply::Reply;
use super::session::Shared;
use crate::manners::Term;
use crate::model::{Deadlines, Entry, Fault, FaultKind, Multiset, Phase};
use crate::remote::{Completeness, Step, Together};

/// Goes to the directory first, so that no name is taken for an option or a pattern.
const STAT: (&str, Option<&[u8]>) = ("STAT", Some(b"-la ."));
/// So many entries no server cuts off.
const BELIEVED: u64 = 256;
/// A listing longer than this is no probe.
const MOST_PROBED: u64 = 20_000;

/// Whether STAT lists as LIST does.
#[derive(Debug, Default)]
pub struct Trust {
    verdict: AtomicU8,
    /// The most entries of one directory that both showed. A longer answer may be one that STAT cuts.
    most: AtomicU64,
}

impl Trust {
    const EQUAL: u8 = 1;
    const OTHER: u8 = 2;

    /// Not known yet.
    pub fn is_untried(&self) -> bool {
        self.verdict.load(Ordering::Relaxed) == 0
    }

    /// It does.
    pub fn is_given(&self) -> bool {
        self.verdict.load(Ordering::Relaxed) == Self::EQUAL
    }

    /// Both showed so many entries of one directory.
    pub fn reached(&self, count: u64) {
        self.most.fetch_max(count, Ordering::Relaxed);
    }

    /// Is a listing of so many entries worth a probe, because none so long was compared yet?
    pub fn wants(&self, count: u64) -> bool {
        let most = self.most.load(Ordering::Relaxed);
        self.is_untried() || self.is_given() && count > most.max(BELIEVED)
    }

    /// May an answer of so many entries be believed?
    fn reaches(&self, count: u64) -> bool {
        count <= self.most.load(Ordering::Relaxed).max(BELIEVED)
    }

    /// What was lost is not given again.
    pub fn settle(&self, equal: bool) {
        self.verdict.fetch_max(if equal { Self::EQUAL } else { Self::OTHER }, Ordering::Relaxed);
    }
}

/// What a listing showed, to be compared with another of the same directory.
#[derive(Debug, Clone, Default)]
pub struct Sum(Multiset);

impl Sum {
    pub fn add(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.0.add((entry.name.as_bytes(), entry.size, entry.mtime.map(|mtime| mtime.at), &entry.kind));
        }
    }

    /// Can it be a probe? One that shows nothing proves nothing.
    pub const fn tells(&self) -> bool {
        self.count() > 0 && self.count() <= MOST_PROBED
    }

    /// Entries.
    pub const fn count(&self) -> u64 {
        self.0.count()
    }
}

/// Adds the question about the directory where the session is.
pub fn add(flight: &mut Flight) -> Result<(), Fault> {
    flight.add(Phase::List, STAT.0, STAT.1)
}

/// Hears the probe behind a listing that showed `sum`: is it the same?
pub async fn is_same(shared: &Shared, control: &mut Control, parser: Parser, sum: &Sum) -> Result<bool, Fault> {
    let mut again = Sum(sum.0.another());
    let mut answer = Answer::new(parser);
    loop {
        let mut entries = Vec::new();
        let end = answer.piece(shared, control, &mut entries).await?;
        again.add(&entries);
        if let Some(whole) = end {
            return Ok(whole.is_some() && again.0.is(&sum.0));
        }
    }
}

/// One reply to STAT on its way.
#[derive(Debug)]
struct Answer {
    parser: Parser,
    begun: bool,
}

impl Answer {
    const fn new(parser: Parser) -> Self {
        Self { parser, begun: false }
    }

    /// The next piece. Some at the end: how complete it is, or nothing when that is unclear.
    async fn piece(
        &mut self,
        shared: &Shared,
        control: &mut Control,
        out: &mut Vec<Entry>,
    ) -> Result<Option<Option<Completeness>>, Fault> {
        let Deadlines { stall, listing, .. } = control.deadlines;
        let within = if self.begun { stall } else { shared.first_byte(listing) };
        let heard = control.piece(Phase::List, within).await.inspect_err(|fault| {
            if fault.kind == FaultKind::Timeout && !self.begun {
                shared.nothing_came();
            }
        });
        match heard? {
            Piece::Lines(lines) => {
                self.lines(lines, out);
                Ok(None)
            }
            Piece::End(mut reply) => {
                if reply.code == 421 {
                    return Err(fault::of_reply(Phase::List, "STAT", &reply));
                }
                let last = reply.lines.pop().unwrap_or_default();
                if !matches!(reply.code, 211..=213) || !self.begun && reply.lines.is_empty() {
                    return Ok(Some(None));
                }
                self.lines(std::mem::take(&mut reply.lines), out);
                self.parser.end(out);
                let tally = self.parser.tally();
                let admits = fault::admits_gaps(&String::from_utf8_lossy(&last));
                let whole = tally.dots > 0 && tally.doubts().is_empty() && !admits;
                let how = "STAT -la, equal to LIST in a probe, every line understood, clean closing reply".to_owned();
                Ok(Some(whole.then_some(Completeness::Proven { how })))
            }
        }
    }

    fn lines(&mut self, lines: Vec<Vec<u8>>, out: &mut Vec<Entry>) {
        for line in lines {
            // "213-Status follows:" is none of them.
            if std::mem::replace(&mut self.begun, true) {
                self.parser.push(&line, out);
                self.parser.push(b"\n", out);
            }
        }
    }
}

/// Several directories being read over one control connection.
pub struct Directories {
    pool: Arc<Pool>,
    lease: Option<Lease>,
    dirs: Vec<Vec<u8>>,
    sent: usize,
    done: usize,
    /// The one whose answer is coming.
    current: Option<Answer>,
    /// It could not be gone to.
    closed: bool,
    /// Entries of the current one.
    shown: u64,
    /// The answer to the CWD of the next one was heard already.
    heard: bool,
    /// It ended; that is said after its last entries.
    ended: Option<Option<Completeness>>,
}

/// So many directories are asked for before the first is answered.
const AHEAD: usize = 30;

impl Directories {
    pub async fn open(pool: Arc<Pool>, dirs: Vec<Vec<u8>>) -> Result<Self, Fault> {
        let lease = Some(pool.lease().await?);
        Ok(Self {
            pool,
            lease,
            dirs,
            sent: 0,
            done: 0,
            current: None,
            closed: false,
            shown: 0,
            heard: false,
            ended: None,
        })
    }

    /// Asks for more, as much as may fly.
    async fn ask(&mut self) -> Result<(), Fault> {
        let Some(lease) = &mut self.lease else { return Ok(()) };
        // In lots: a write for each directory would cost a packet each.
        if self.sent == self.dirs.len() || self.sent > self.done && self.sent - self.done > AHEAD / 2 {
            return Ok(());
        }
        let mut flight = Flight::default();
        while let Some(dir) = self.dirs.get(self.sent).filter(|_| self.sent - self.done < AHEAD) {
            let mut next = flight.clone();
            next.add(Phase::List, "CWD", Some(dir))?;
            add(&mut next)?;
            // What is under way already is half a flight at most.
            if !next.is_light() && self.sent > self.done {
                break;
            }
            flight = next;
            self.sent += 1;
        }
        if flight.lines().is_empty() { Ok(()) } else { lease.session()?.control.launch(Phase::List, &flight).await }
    }

    async fn step(&mut self) -> Result<Option<Step>, Fault> {
        loop {
            if let Some(whole) = self.ended.take() {
                return self.end(whole).await.map(Some);
            }
            if self.done == self.dirs.len() {
                return Ok(None);
            }
            self.ask().await?;
            let Some(lease) = &mut self.lease else { return Ok(None) };
            let session = lease.session()?;
            let mut answer = match self.current.take() {
                Some(answer) => answer,
                None => {
                    if !self.heard {
                        self.closed = went(&mut session.control).await?;
                    }
                    self.heard = false;
                    session.cwd = if self.closed { None } else { self.dirs.get(self.done).cloned() };
                    Answer::new(Parser::new(Form::Lines, zone(&self.pool)))
                }
            };
            let mut entries = Vec::new();
            let end = answer.piece(&self.pool.shared, &mut session.control, &mut entries).await?;
            if self.closed {
                // The answer is about the directory before.
                entries.clear();
            }
            self.shown += u64::try_from(entries.len()).unwrap_or(u64::MAX);
            match end {
                None => self.current = Some(answer),
                ended => self.ended = ended,
            }
            if !entries.is_empty() {
                return Ok(Some(Step::Entries(entries)));
            }
        }
    }

    /// A directory ended. That is believed only when the next answer is that of the next question: a name with a line
    /// break in it could have written an end of its own.
    async fn end(&mut self, whole: Option<Completeness>) -> Result<Step, Fault> {
        let closed = std::mem::take(&mut self.closed);
        let believed = self.pool.shared.status.reaches(std::mem::take(&mut self.shown));
        self.done += 1;
        let Some(lease) = &mut self.lease else { return Ok(Step::Unclear) };
        let control = &mut lease.session()?.control;
        if self.done < self.sent {
            (self.closed, self.heard) = (went(control).await?, true);
        } else {
            // Nothing is drained before: a stray answer is the very thing that is looked for.
            control.send(Phase::List, "NOOP", None).await?;
            let reply = control.answer(Phase::List).await?;
            if reply.code != 200 && reply.class() != 5 {
                return Err(out_of_step(&reply));
            }
        }
        if self.done == self.dirs.len()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
        Ok(match whole.filter(|_| !closed && believed) {
            Some(listed) => Step::Whole(listed),
            None => Step::Unclear,
        })
    }
}

/// Hears the answer to CWD: is the directory closed to us?
async fn went(control: &mut Control) -> Result<bool, Fault> {
    let reply = control.answer(Phase::List).await?;
    match reply.code {
        421 => Err(fault::of_reply(Phase::List, "CWD", &reply)),
        200 | 250 => Ok(false),
        400..=599 => Ok(true),
        _ => Err(out_of_step(&reply)),
    }
}

fn out_of_step(reply: &Reply) -> Fault {
    let why = format!("the server's answer {} belongs to another command", reply.code);
    Fault::new(Phase::List, FaultKind::Protocol, why).reply(u32::from(reply.code), &reply.text())
}

#[async_trait]
impl Together for Directories {
    async fn next(&mut self) -> Result<Option<Step>, Fault> {
        let step = self.step().await;
        if let Err(fault) = &step
            && let Some(lease) = self.lease.take()
        {
            if fault.kind == FaultKind::Protocol {
                self.pool.shared.lost_stat(&fault.message, Term::Month);
            }
            lease.fail(fault);
        }
        step
    }
}
