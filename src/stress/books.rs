//! What came of every arrival. Each is counted once: answered, failed, or not answered in time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::number;
use crate::model::{Fault, FaultKind, Phase};
use crate::reliability::rollup::Histogram;

/// The run is cut into so many windows at most.
pub const WINDOWS: u32 = 600;
/// With those that are waited for at the end.
const MOST_WINDOWS: usize = 1_200;
/// Different failures that are told one by one.
const MOST_TROUBLES: usize = 40;

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// A connection, to the end of its login.
    Open,
    /// A light command on a connection that is held: what is this entry of the folder?
    Light,
    /// A file is read.
    Download,
    /// A file is written and removed again; both count as its time.
    Upload,
}

impl Act {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Open, Self::Light, Self::Download, Self::Upload];

    /// For people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "connection with login",
            Self::Light => "light command",
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

/// How many arrivals there were, and what became of them.
#[derive(Debug, Clone, Default)]
pub struct Count {
    /// Arrivals whose moment came.
    pub arrived: u64,
    /// Failed.
    pub failed: u64,
    /// Neither answered nor failed when the run ended.
    pub unanswered: u64,
    /// Seconds from the intended arrival to the answer, of those that were answered.
    pub latency: Histogram,
}

/// One kind of failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trouble {
    /// What was being done.
    pub act: Act,
    /// Where in the conversation.
    pub phase: Phase,
    /// What happened.
    pub kind: FaultKind,
    /// The other side's words, where it said something; else the sentence of the first one.
    pub words: String,
    /// Are they the other side's?
    pub said: bool,
    /// The operating system's number, when it was the system.
    pub errno: Option<i32>,
    /// How often.
    pub count: u64,
    /// Seconds from the start to the first one.
    pub first: f64,
    /// Connections that were open then.
    pub open: u32,
}

/// A stretch of the run.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// The most connections that were open at once in it.
    pub open: u32,
    /// Commands and transfers that were answered in it.
    pub answered: u64,
    /// And that failed, beside those for which there was no connection.
    pub failed: u64,
    /// Connections that could not be opened.
    pub refused: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// Of commands and transfers, in seconds.
    pub latency: Histogram,
}

/// Everything that was counted.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// By what arrived.
    pub counts: BTreeMap<Act, Count>,
    /// In the order of time.
    pub windows: Vec<Window>,
    /// What went wrong, the first first.
    pub troubles: Vec<Trouble>,
    /// Failures beyond those that are told one by one.
    pub untold: u64,
    /// Connections open now.
    pub open: u32,
    /// The most that were open at once.
    pub peak: u32,
    /// Bytes of files.
    pub bytes: u64,
    /// Seconds that uploads took on the way.
    pub sending: f64,
}

/// The ledger, shared by those who write into it.
#[derive(Debug)]
pub struct Books {
    start: Instant,
    window: Duration,
    ledger: Mutex<Ledger>,
}

impl Books {
    /// Of a run that begins now and lasts for `time`.
    #[must_use]
    pub fn new(time: Duration) -> Self {
        let window = (time / WINDOWS).max(Duration::from_secs(1));
        Self { start: Instant::now(), window, ledger: Mutex::default() }
    }

    /// When it began.
    #[must_use]
    pub const fn start(&self) -> Instant {
        self.start
    }

    /// How long a window is.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// All of it, as it is now.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.lock().clone()
    }

    /// For the line that is shown: connections open, answered, failed, bytes, all so far.
    #[must_use]
    pub fn glance(&self) -> (u32, u64, u64, u64) {
        let ledger = self.lock();
        let answered = ledger.counts.values().map(|count| count.latency.count()).sum();
        let failed = ledger.counts.values().map(|count| count.failed).sum();
        (ledger.open, answered, failed, ledger.bytes)
    }

    /// The 95th percentile of the last full window, in seconds.
    #[must_use]
    pub fn last_p95(&self) -> Option<f64> {
        let ledger = self.lock();
        ledger.windows.iter().rev().nth(1).and_then(|window| window.latency.quantile(0.95).value)
    }

    /// It was answered, having been due at `due`.
    pub fn answered(&self, act: Act, due: Instant) {
        let latency = due.elapsed().as_secs_f64();
        let mut ledger = self.lock();
        let count = ledger.counts.entry(act).or_default();
        count.arrived += 1;
        count.latency.add(latency);
        if act != Act::Open {
            self.note(&mut ledger, |window| {
                window.answered += 1;
                window.latency.add(latency);
            });
        }
    }

    /// It failed. `connected`: there was a connection for it.
    pub fn failed(&self, act: Act, fault: &Fault, connected: bool) {
        let mut ledger = self.lock();
        let count = ledger.counts.entry(act).or_default();
        count.arrived += 1;
        count.failed += 1;
        match (act, connected) {
            (Act::Open, _) => self.note(&mut ledger, |window| window.refused += 1),
            (_, true) => self.note(&mut ledger, |window| window.failed += 1),
            (_, false) => return,
        }
        let first = self.start.elapsed().as_secs_f64();
        ledger.trouble(act, fault, first);
    }

    /// The run ended before it was answered.
    pub fn unanswered(&self, act: Act) {
        let mut ledger = self.lock();
        let count = ledger.counts.entry(act).or_default();
        count.arrived += 1;
        count.unanswered += 1;
    }

    /// One more connection is open.
    pub fn opened(&self) {
        let mut ledger = self.lock();
        self.note(&mut ledger, |_| {});
        ledger.open += 1;
        let open = ledger.open;
        ledger.peak = ledger.peak.max(open);
        self.note(&mut ledger, |window| window.open = window.open.max(open));
    }

    /// One less.
    pub fn closed(&self) {
        let mut ledger = self.lock();
        self.note(&mut ledger, |_| {});
        ledger.open = ledger.open.saturating_sub(1);
    }

    /// Bytes of a file moved. How many have in all.
    pub fn moved(&self, bytes: u64) -> u64 {
        let mut ledger = self.lock();
        self.note(&mut ledger, |window| window.bytes += bytes);
        ledger.bytes += bytes;
        ledger.bytes
    }

    /// Sending a file took so long.
    pub fn sent(&self, took: Duration) {
        self.lock().sending += took.as_secs_f64();
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the present window. One in which nothing happened has as many connections as there are now.
    fn note(&self, ledger: &mut Ledger, change: impl FnOnce(&mut Window)) {
        let place = self.start.elapsed().as_nanos() / self.window.as_nanos().max(1);
        // What is still under way at the end belongs to the last windows: a few more than were planned.
        let place = usize::try_from(place).unwrap_or(0).min(MOST_WINDOWS);
        let open = ledger.open;
        while ledger.windows.len() <= place {
            ledger.windows.push(Window { open, ..Window::default() });
        }
        if let Some(window) = ledger.windows.last_mut() {
            change(window);
        }
    }
}

impl Ledger {
    fn trouble(&mut self, act: Act, fault: &Fault, first: f64) {
        let said = fault.evidence.reply.as_ref().filter(|reply| !reply.trim().is_empty());
        let same = |known: &&mut Trouble| {
            (known.act, known.phase, known.kind, known.errno) == (act, fault.phase, fault.kind, fault.evidence.errno)
        };
        if let Some(known) = self.troubles.iter_mut().find(same) {
            known.count += 1;
        } else if self.troubles.len() < MOST_TROUBLES {
            let words = match (said, fault.evidence.code) {
                (Some(reply), Some(code)) if !reply.starts_with(&code.to_string()) => {
                    format!("{code} {}", reply.trim())
                }
                (Some(reply), _) => reply.trim().to_owned(),
                (None, _) => fault.message.clone(),
            };
            let (phase, kind, errno) = (fault.phase, fault.kind, fault.evidence.errno);
            let (said, open) = (said.is_some(), self.open);
            self.troubles.push(Trouble { act, phase, kind, words, said, errno, count: 1, first, open });
        } else {
            self.untold += 1;
        }
    }

    /// Arrivals in all.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.counts.values().map(|count| count.arrived).sum()
    }

    /// Answers a second over `seconds`, without those of openings.
    #[must_use]
    pub fn rate(&self, seconds: f64) -> f64 {
        let answered = self.windows.iter().map(|window| window.answered).sum();
        if seconds > 0.0 { number(answered) / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrival_is_counted_once_and_from_its_intended_moment() {
        let books = Books::new(Duration::from_secs(10));
        let late = Instant::now().checked_sub(Duration::from_secs(3)).unwrap();
        books.opened();
        books.answered(Act::Light, late);
        let fault = Fault::new(Phase::Login, FaultKind::Limit, "no").reply(421, "421 Too many users.");
        books.failed(Act::Open, &fault, false);
        books.failed(Act::Open, &fault, false);
        books.failed(Act::Light, &fault, false);
        books.unanswered(Act::Download);
        books.closed();
        let ledger = books.ledger();
        assert_eq!((ledger.arrived(), ledger.peak, ledger.open), (5, 1, 0));
        let light = &ledger.counts[&Act::Light];
        assert_eq!((light.arrived, light.failed, light.latency.count()), (2, 1, 1));
        assert!((light.latency.at_rank(1).unwrap() - 3.0).abs() < 0.2);
        assert_eq!(ledger.troubles.len(), 1, "what fails for want of a connection is told once: {:?}", ledger.troubles);
        let trouble = &ledger.troubles[0];
        assert_eq!((&*trouble.words, trouble.count, trouble.open), ("421 Too many users.", 2, 1));
        assert_eq!(ledger.windows.iter().map(|window| (window.refused, window.failed)).next(), Some((2, 0)));
    }
}
