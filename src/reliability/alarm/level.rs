//! A level that has its hours: the set-up time.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Alarm, Change, Cusum, Sign, Slot, Turn};
use crate::reliability::estimate::number;

/// Hours of working days and of weekends.
const CELLS: usize = 48;
/// An hour is judged from so many slots on: on working days from the second day on, on weekends likewise.
const LEARNT: u64 = 12;
/// And nothing is judged before so long has passed since the first slot, and so many slots have been compared with what
/// was known of their hour. Who is used by night only has few slots a day.
const BEGIN: SignedDuration = SignedDuration::from_hours(48);
const LEAST: u64 = 60;
/// What a slot weighs in its hour, at least: after some 100 slots (eight to ten days of that hour) old ones fade.
const FADING: f64 = 0.01;
/// And in the spread, over all hours: some two days.
const SPREAD: f64 = 1.0 / 600.0;
/// The least spread of the logarithm, 5 %: times that hardly differ must not make a few per cent ring, and those that do
/// not differ at all (they lie in one bin of the histogram) must not keep a tenfold one from ringing.
const LEAST_SPREAD: f64 = 0.05;
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
    /// The first slot.
    #[serde(default)]
    first: Option<Timestamp>,
    /// It was long enough ago.
    #[serde(default)]
    old: bool,
    sum: Cusum,
    /// Of the slots since the sum has been rising: their excess over the usual, and how many.
    rising: (f64, u64),
}

impl Default for Level {
    fn default() -> Self {
        let cells = vec![(0.0, 0); CELLS];
        Self { cells, spread: 0.0, seen: 0, first: None, old: false, sum: Cusum::default(), rising: (0.0, 0) }
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
        self.old && self.seen >= LEAST
    }

    fn spread(&self) -> f64 {
        self.spread.max(LEAST_SPREAD)
    }

    /// Forgets that anything was out of the ordinary, but not what is usual.
    pub fn calm(&mut self) {
        (self.sum, self.rising) = (Cusum::default(), (0.0, 0));
    }

    /// Takes the mean logarithm of a slot in.
    pub fn see(&mut self, at: Timestamp, value: f64) -> Option<Change> {
        let first = *self.first.get_or_insert(at);
        self.old |= at.duration_since(first) >= BEGIN;
        let (one, other, part) = place(at);
        let usual = match (self.cell(one), self.cell(other)) {
            (Some(one), Some(other)) => Some(one + part * (other - one)),
            (found, None) | (None, found) => found,
        };
        let known = usual.filter(|_| self.is_learnt());
        // While it rings nothing is learnt: the fault must not become the usual.
        let change = known.and_then(|usual| self.judge(at, value - usual, usual));
        if !self.sum.alarmed {
            self.learn(at, value, usual);
        }
        change
    }

    fn judge(&mut self, at: Timestamp, excess: f64, usual: f64) -> Option<Change> {
        let score = (excess / self.spread()).clamp(-MOST, MOST);
        let turn = self.sum.add(at, score - ALLOWANCE, THRESHOLD);
        self.rising = if self.sum.sum == 0.0 { (0.0, 0) } else { (self.rising.0 + excess, self.rising.1 + 1) };
        Some(match turn? {
            Turn::Rang(since) => {
                let by = self.rising.0 / number(self.rising.1.max(1));
                let (at, now) = (Slot::end(at), (usual + by).exp());
                Change::Began(Alarm { sign: Sign::SetupTime, at, since, usual: usual.exp(), now })
            }
            Turn::Ceased => Change::Ended(Sign::SetupTime, Slot::end(at)),
        })
    }

    fn learn(&mut self, at: Timestamp, value: f64, usual: Option<f64>) {
        let (nearest, ..) = nearest(at);
        // Far outliers move what is usual no more than near ones.
        let (learnt, spread) = (self.is_learnt(), self.spread());
        let bounded = match usual.filter(|_| learnt) {
            Some(usual) => value.clamp(usual - 2.5 * spread, usual + 2.5 * spread),
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
            let off = if learnt { off.min(3.0 * spread) } else { off };
            self.spread += (off - self.spread) * (1.0 / number(self.seen)).max(SPREAD);
        }
    }
}

/// The cell that a time lies in.
fn nearest(at: Timestamp) -> (usize, f64) {
    let (one, other, part) = place(at);
    if part < 0.5 { (one, part) } else { (other, part) }
}

#[cfg(test)]
mod tests {
    use super::super::SLOT;
    use super::*;

    /// A Monday.
    fn at(slot: i64) -> Timestamp {
        Timestamp::from_second(1_767_571_200 + slot * SLOT.as_secs()).unwrap()
    }

    /// A week of set-up times around 50 ms; nothing rings.
    fn learnt(wobble: f64) -> Level {
        let mut level = Level::default();
        for number in 0..7 * 288 {
            let value = 0.05_f64.ln() + wobble * (number * 7 % 11 - 5) as f64 / 5.0;
            assert_eq!(level.see(at(number), value), None, "slot {number}");
        }
        level
    }

    /// After how many slots it rings that all take so many times as long; at most a day.
    fn rings(level: &mut Level, times: f64) -> Option<i64> {
        (1..=288).find(|number| {
            let change = level.see(at(7 * 288 + number), 0.05_f64.ln() + times.ln());
            matches!(change, Some(Change::Began(alarm)) if (alarm.now / alarm.usual / times - 1.0).abs() < 0.1)
        })
    }

    #[test]
    fn steady_times_ring_for_what_matters_only() {
        for wobble in [0.0, 0.005, 0.02] {
            assert_eq!(rings(&mut learnt(wobble), 1.03), None, "3 % more, of {wobble}");
            assert!(rings(&mut learnt(wobble), 1.5).is_some_and(|after| after <= 6), "half more, of {wobble}");
            assert!(rings(&mut learnt(wobble), 10.0).is_some_and(|after| after <= 4), "ten times, of {wobble}");
        }
    }

    /// An hour a night: it is learnt after a week, and not on the first two days.
    #[test]
    fn a_night_job_is_learnt_in_a_week() {
        let mut level = Level::default();
        for night in 0..8 {
            for slot in 0..12 {
                let number = 288 * night + 24 + slot;
                assert_eq!(level.see(at(number), -1.5 + 0.1 * (number * 7 % 11 - 5) as f64), None);
            }
            assert_eq!(level.is_learnt(), night >= 6, "night {night}");
        }
        let began = (0..12).find_map(|slot| level.see(at(288 * 8 + 24 + slot), -1.5 + 3.0_f64.ln()));
        assert!(matches!(began, Some(Change::Began(_))), "{began:?}");
        // Busy ones wait for two days all the same.
        let mut level = Level::default();
        let learnt = (0..1000).find(|number| {
            level.see(at(*number), -1.5);
            level.is_learnt()
        });
        assert_eq!(learnt, Some(576));
    }
}
