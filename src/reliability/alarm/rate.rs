//! A share that should stay as low as it is: failures, resets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Alarm, Change, Cusum, Sign, Slot, Turn};
use crate::reliability::estimate::number;

/// Attempts after which anything is judged.
const BEGIN: f64 = 300.0;
/// What is usual fades over so many attempts.
const MEMORY: f64 = 20_000.0;
/// Before anything is known: one event in so many attempts.
const PRIOR: f64 = 200.0;
/// What is looked for: so many times the usual share, and at least so much more.
const TIMES: f64 = 4.0;
const MORE: f64 = 0.02;
/// Of the logarithm of the likelihood ratio: where the sum rings. By Lorden (1971) it takes e^12 slots (a year and a
/// half) or more on average until it rings for nothing, if what is usual is known and failures come alone; they come in
/// bursts, which takes most of that.
const THRESHOLD: f64 = 12.0;
/// An event in a slot that has several says less than one that comes alone, since failures come in bursts: so many
/// count whole, the others by the root of their number.
const WHOLE: f64 = 2.0;

/// Watches it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    sign: Sign,
    events: f64,
    of: f64,
    sum: Cusum,
    /// Since the sum has been rising.
    rising: (u64, u64),
}

impl Rate {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(sign: Sign) -> Self {
        Self { sign, events: 0.0, of: 0.0, sum: Cusum::default(), rising: (0, 0) }
    }

    /// What is usual.
    #[must_use]
    pub fn usual(&self) -> f64 {
        (self.events + 1.0) / (self.of + PRIOR)
    }

    /// Is it known what is usual?
    #[must_use]
    pub fn is_learnt(&self) -> bool {
        self.of >= BEGIN
    }

    /// Forgets that anything was out of the ordinary, but not what is usual.
    pub fn calm(&mut self) {
        (self.sum, self.rising) = (Cusum::default(), (0, 0));
    }

    /// Takes a slot in: so many events in so many attempts.
    pub fn see(&mut self, at: Timestamp, events: u64, of: u64) -> Option<Change> {
        if of == 0 {
            return None;
        }
        let usual = self.usual().min(0.4);
        let change = if self.is_learnt() { self.judge(at, events, of, usual) } else { None };
        if !self.sum.alarmed {
            // Bounded, so that the slots before it rings do not become the usual.
            let bounded = number(events).min(WHOLE + number(of) * usual * TIMES);
            let keep = 1.0 - number(of) / MEMORY;
            (self.events, self.of) = (self.events * keep.max(0.0) + bounded, self.of * keep.max(0.0) + number(of));
        }
        change
    }

    fn judge(&mut self, at: Timestamp, events: u64, of: u64, usual: f64) -> Option<Change> {
        let feared = (usual * TIMES).max(usual + MORE).min(0.7);
        let counted = match number(events) {
            few if few <= WHOLE => few,
            many => WHOLE + (many - WHOLE).sqrt(),
        };
        let good = number(of) - number(events);
        let by = counted * (feared / usual).ln() + good * ((1.0 - feared) / (1.0 - usual)).ln();
        let turn = self.sum.add(at, by, THRESHOLD);
        self.rising = if self.sum.sum == 0.0 { (0, 0) } else { (self.rising.0 + events, self.rising.1 + of) };
        Some(match turn? {
            Turn::Rang(since) => {
                let now = Slot::share(self.rising.0, self.rising.1);
                Change::Began(Alarm { sign: self.sign, at, since, usual, now })
            }
            Turn::Ceased => Change::Ended(self.sign),
        })
    }
}
