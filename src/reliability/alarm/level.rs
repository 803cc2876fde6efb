//! A level that has its hours: the set-up time.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Alarm, Change, Cusum, Sign, Turn};
use crate::reliability::estimate::number;

/// Hours of working days and of weekends.
const CELLS: usize = 48;
/// An hour is judged from so many slots on: on working days from the second day on, on weekends likewise.
const LEARNT: u64 = 12;
/// And nothing is judged before so many slots: two days.
const BEGIN: u64 = 576;
/// What a slot weighs in its hour, at least: after some 100 slots (eight to ten days of that hour) old ones fade.
const FADING: f64 = 0.01;
/// And in the spread, over all hours: some two days.
const SPREAD: f64 = 1.0 / 600.0;
/// Of the spread: a slot that is worse than usual by no more than this adds nothing.
const ALLOWANCE: f64 = 0.75;
/// Of the spread: where the sum rings.
const THRESHOLD: f64 = 11.5;
/// Of the spread: a slot says no more than this, so that a single one never rings.
const MOST: f64 = 4.0;

/// Watches it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    cells: Vec<(f64, u64)>,
    spread: f64,
    seen: u64,
    sum: Cusum,
    /// Of the slots since the sum has been rising: their excess over the usual, and how many.
    rising: (f64, u64),
}

impl Default for Level {
    fn default() -> Self {
        Self { cells: vec![(0.0, 0); CELLS], spread: 0.0, seen: 0, sum: Cusum::default(), rising: (0.0, 0) }
    }
}

/// The cell of a time and the next one, and how far it is between the middles of the two.
fn place(at: Timestamp) -> (usize, usize, f64) {
    let time = at.to_zoned(TimeZone::UTC);
    let weekend = matches!(time.weekday(), jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday);
    let hours = f64::from(time.hour()) + f64::from(time.minute()) / 60.0;
    let from_middle = hours - 0.5;
    let hour = usize::try_from(time.hour()).unwrap_or(0);
    let base = if weekend { 24 } else { 0 };
    if from_middle < f64::from(time.hour()) {
        let part = from_middle - (f64::from(time.hour()) - 1.0);
        (base + (hour + 23) % 24, base + hour, part)
    } else {
        (base + hour, base + (hour + 1) % 24, from_middle - f64::from(time.hour()))
    }
}

impl Level {
    fn cell(&self, at: usize) -> Option<f64> {
        self.cells.get(at).filter(|(_, count)| *count >= LEARNT).map(|(mean, _)| *mean)
    }

    /// Is it known what is usual?
    pub const fn is_learnt(&self) -> bool {
        self.seen >= BEGIN
    }

    /// Forgets that anything was out of the ordinary, but not what is usual.
    pub fn calm(&mut self) {
        (self.sum, self.rising) = (Cusum::default(), (0.0, 0));
    }

    /// Takes the mean logarithm of a slot in.
    pub fn see(&mut self, at: Timestamp, value: f64) -> Option<Change> {
        let (one, other, part) = place(at);
        let usual = match (self.cell(one), self.cell(other)) {
            (Some(one), Some(other)) => Some(one + part * (other - one)),
            (found, None) | (None, found) => found,
        };
        let known = usual.filter(|_| self.is_learnt() && self.spread > 0.0);
        // While it rings nothing is learnt: the fault must not become the usual.
        let change = known.and_then(|usual| self.judge(at, value - usual, usual));
        if !self.sum.alarmed {
            self.learn(at, value, usual);
        }
        change
    }

    fn judge(&mut self, at: Timestamp, excess: f64, usual: f64) -> Option<Change> {
        let score = (excess / self.spread).clamp(-MOST, MOST);
        let turn = self.sum.add(at, score - ALLOWANCE, THRESHOLD);
        self.rising = if self.sum.sum == 0.0 { (0.0, 0) } else { (self.rising.0 + excess, self.rising.1 + 1) };
        Some(match turn? {
            Turn::Rang(since) => {
                let by = self.rising.0 / number(self.rising.1.max(1));
                Change::Began(Alarm { sign: Sign::SetupTime, at, since, usual: usual.exp(), now: (usual + by).exp() })
            }
            Turn::Ceased => Change::Ended(Sign::SetupTime),
        })
    }

    fn learn(&mut self, at: Timestamp, value: f64, usual: Option<f64>) {
        let (nearest, ..) = nearest(at);
        // Far outliers move what is usual no more than near ones.
        let bounded = match usual.filter(|_| self.seen >= BEGIN) {
            Some(usual) => value.clamp(usual - 2.5 * self.spread, usual + 2.5 * self.spread),
            None => value,
        };
        if let Some((mean, count)) = self.cells.get_mut(nearest) {
            *count += 1;
            *mean += (bounded - *mean) * (1.0 / number(*count)).max(FADING);
        }
        if let Some(usual) = usual {
            self.seen += 1;
            // The mean absolute deviation of a normal distribution is 0.798 of its standard deviation.
            let off = (value - usual).abs() / 0.797_884_560_802_865_4;
            let off = if self.seen >= BEGIN { off.min(3.0 * self.spread) } else { off };
            self.spread += (off - self.spread) * (1.0 / number(self.seen)).max(SPREAD);
        }
    }
}

/// The cell that a time lies in.
fn nearest(at: Timestamp) -> (usize, f64) {
    let (one, other, part) = place(at);
    if part < 0.5 { (one, part) } else { (other, part) }
}
