//! A share that should stay as low as it is: failures, resets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Alarm, Change, Cusum, Sign, Slot, Turn};
use crate::reliability::estimate::number;

/// A slot of more attempts is counted as one of so many, good ones and events alike. Events of a slot come together (one
/// cause, or many clients of one kind), so a thousand attempts say little more than a few do; were they all counted, a
/// busy endpoint would learn a fault within half an hour and ring at every burst.
const MOST: f64 = 16.0;
/// Attempts after which anything is judged, counted like that.
const BEGIN: f64 = 300.0;
/// What is usual fades over so many attempts, counted like that.
const MEMORY: f64 = 20_000.0;
/// Before anything is known: one event in so many attempts. Each event that was seen makes it weigh less, so that what
/// fails most of the time is not taken for better than it is.
const PRIOR: f64 = 200.0;
/// What is looked for: so many times the usual share, and at least so much more; but never more than half of what is
/// left to all.
const TIMES: f64 = 4.0;
const MORE: f64 = 0.02;
/// Of the logarithm of the likelihood ratio: where the sum rings. By Lorden (1971) it takes e^12 slots (a year and a
/// half) or more on average until it rings for nothing, if what is usual is known and failures come alone; they come in
/// bursts, which takes most of that.
const THRESHOLD: f64 = 12.0;
/// An event in a slot that has several says less than one that comes alone, since failures come in bursts: so many
/// more than usual count whole, the others by the root of their number.
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
        (self.events + 1.0) / (self.of + PRIOR / (1.0 + self.events))
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
        let usual = self.usual();
        let weight = (MOST / number(of)).min(1.0);
        let counted = (number(events) * weight, number(of) * weight);
        let change = if self.is_learnt() { self.judge(at, (events, of), counted, usual) } else { None };
        if !self.sum.alarmed {
            // Bounded, so that the slots before it rings do not become the usual.
            let bounded = counted.0.min(WHOLE + counted.1 * usual * TIMES);
            let keep = (1.0 - counted.1 / MEMORY).max(0.0);
            (self.events, self.of) = (self.events * keep + bounded, self.of * keep + counted.1);
        }
        change
    }

    fn judge(&mut self, at: Timestamp, (events, of): (u64, u64), counted: (f64, f64), usual: f64) -> Option<Change> {
        let feared = (usual * TIMES).max(usual + MORE).min(usual + (1.0 - usual) / 2.0);
        let whole = WHOLE + counted.1 * usual;
        let bad = if counted.0 <= whole { counted.0 } else { whole + (counted.0 - whole).sqrt() };
        let good = counted.1 - counted.0;
        let by = bad * (feared / usual).ln() + good * ((1.0 - feared) / (1.0 - usual)).ln();
        let turn = self.sum.add(at, by, THRESHOLD);
        self.rising = if self.sum.sum == 0.0 { (0, 0) } else { (self.rising.0 + events, self.rising.1 + of) };
        Some(match turn? {
            Turn::Rang(since) => {
                let now = Slot::share(self.rising.0, self.rising.1);
                Change::Began(Alarm { sign: self.sign, at: Slot::end(at), since, usual, now })
            }
            Turn::Ceased => Change::Ended(self.sign, Slot::end(at)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::SLOT;
    use super::*;

    fn at(slot: i64) -> Timestamp {
        Timestamp::from_second(1_767_571_200 + slot * SLOT.as_secs()).unwrap()
    }

    /// One that has seen so many slots of so many attempts, of which a share fails. Nothing rings meanwhile.
    fn learnt(slots: i64, of: u64, share: f64) -> Rate {
        let mut rate = Rate::new(Sign::Errors);
        for number in 0..slots {
            assert_eq!(rate.see(at(number), events(number, of, share), of), None, "slot {number} of {of}, {share}");
        }
        rate
    }

    /// As many of `of` as the share says, carried on from slot to slot.
    fn events(number: i64, of: u64, share: f64) -> u64 {
        let whole = |number: i64| (number as f64 * of as f64 * share).floor() as u64;
        whole(number + 1) - whole(number)
    }

    /// After how many slots it rings, and the alarm; at most a day.
    fn rings(rate: &mut Rate, of: u64, share: f64) -> Option<(i64, Alarm)> {
        (0..288).find_map(|number| match rate.see(at(10_000 + number), events(number, of, share), of) {
            Some(Change::Began(alarm)) => Some((number + 1, alarm)),
            _ => None,
        })
    }

    /// From few attempts to many: what is promised does not depend on how busy an endpoint is.
    #[test]
    fn busy_endpoints_are_heard() {
        for of in [16, 100, 1_000, 3_472, 100_000] {
            for (share, slots) in [(0.05, 14), (0.1, 9), (0.2, 4), (1.0, 2)] {
                let mut rate = learnt(2_000, of, 0.002);
                // Single failures before are not part of the fault.
                rate.calm();
                let rang = rings(&mut rate, of, share);
                let Some((after, alarm)) = rang else { panic!("{of} attempts, {share} fail: never") };
                assert!(after <= slots, "{of} attempts, {share} fail: after {after} slots");
                assert!((alarm.now / share - 1.0).abs() < 0.35 && alarm.usual < 0.003, "{of}, {share}: {alarm:?}");
            }
        }
    }

    /// A quarter of an hour of a fault at a busy endpoint is not enough to be learnt: days are.
    #[test]
    fn a_busy_endpoint_does_not_learn_a_fault_in_an_hour() {
        let mut rate = learnt(2_000, 3_472, 0.002);
        for number in 0..12 {
            rate.see(at(5_000 + number), events(number, 3_472, 0.01), 3_472);
        }
        assert!(rate.usual() < 0.0025, "{}", rate.usual());
    }

    #[test]
    fn what_usually_fails_rings_only_when_it_gets_worse() {
        for (of, share, worse, slots) in
            [(12, 0.7, 1.0, 12), (3_000, 0.7, 1.0, 8), (12, 0.2, 0.5, 24), (12, 0.45, 0.9, 12)]
        {
            // Two weeks, and nothing rings.
            let mut rate = learnt(4_032, of, share);
            assert!((rate.usual() / share - 1.0).abs() < 0.05, "{share}: {}", rate.usual());
            let (after, alarm) = rings(&mut rate, of, worse).unwrap_or_else(|| panic!("{of}: {share} to {worse}"));
            assert!(after <= slots, "{of}: {share} to {worse}: {after}");
            // It says what is usual, and no bound of ours.
            assert!((alarm.usual / share - 1.0).abs() < 0.06, "{alarm:?}");
        }
    }

    /// It began in the first slot that was worse than usual, however long ago the one before it was.
    #[test]
    fn it_began_when_the_sum_began_to_rise() {
        let mut rate = learnt(400, 10, 0.0);
        // One slot a day.
        let day = |number: i64| at(1_000 + 288 * number);
        assert_eq!(rate.see(day(0), 0, 10), None);
        assert_eq!(rate.see(day(1), 2, 10), None);
        let Some(Change::Began(alarm)) = (2..5).find_map(|number| rate.see(day(number), 5, 10)) else { panic!() };
        assert_eq!(alarm.since, day(1));
        assert!((alarm.now - 7.0 / 20.0).abs() < 1e-9, "{alarm:?}");
    }

    /// It ends after some 700 attempts without a failure, and not by the first clean slot.
    #[test]
    fn it_ends_when_it_is_as_usual_again() {
        let mut rate = learnt(2_000, 16, 0.002);
        assert!(rings(&mut rate, 16, 1.0).is_some());
        for number in 0..6 {
            assert_eq!(rate.see(at(20_000 + number), 16, 16), None);
        }
        let ended = (0..100).find_map(|number| Some((number + 1, rate.see(at(20_006 + number), 0, 16)?)));
        let Some((after, Change::Ended(Sign::Errors, ended))) = ended else { panic!("{ended:?}") };
        assert!((38..=46).contains(&after), "{after} slots");
        assert_eq!(ended, at(20_006 + after));
    }
}
