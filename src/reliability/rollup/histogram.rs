//! How often which value was seen, in fixed bins, so that histograms of minutes add up to that of a year.
//!
//! # Bins
//!
//! Bin `i` holds the values from 1.02^i up to 1.02^(i+1). Within a bin the values are taken to lie evenly (on the scale of
//! logarithms), so that a quantile among many values is better than its bin: a single value is known to ±1 %, and where
//! all values of a bin lie at one end of it, the error is 2 %, whatever the unit. That is the worst. Values of zero and below have a bin of their own.
//!
//! Not `hdrhistogram`: its bins are as fine as its digits everywhere, in memory as one array for the whole range (280 kB
//! for 1 µs to 120 s at three digits) and no fraction of a unit, so rates, ratios and times would each need a scale of their
//! own. A page over a year merges some thousand histograms of a few hundred full bins; here that is an addition of short
//! arrays. Not a t-digest either: its error has no bound, and it depends on the order of merging.

use crate::reliability::Estimate;
use crate::reliability::estimate::{Group, between, number, order_ranks};

/// From one bin to the next.
const GROWTH: f64 = 1.02;
/// Values outside of 1.3e-13 to 7.9e12 are put into the outermost bins.
const OUTERMOST: i32 = 1500;
/// A bin of a survival curve is taken in so many steps at most.
const STEPS: u64 = 16;

/// A histogram.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    zeros: u64,
    /// The number of the first bin of `bins`.
    first: i32,
    bins: Vec<u64>,
}

impl Histogram {
    /// Takes a value in.
    pub fn add(&mut self, value: f64) {
        self.add_many(value, 1);
    }

    /// Takes a value in that was seen `count` times.
    pub fn add_many(&mut self, value: f64, count: u64) {
        match bin(value) {
            Some(bin) => self.fill(bin, count),
            None => self.zeros += count,
        }
    }

    /// Adds to a bin.
    pub(super) fn fill(&mut self, bin: i32, count: u64) {
        if self.bins.is_empty() {
            self.first = bin;
        }
        if bin < self.first {
            let missing = usize::try_from(self.first - bin).unwrap_or(0);
            self.bins.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bin;
        }
        let at = usize::try_from(bin - self.first).unwrap_or(0);
        if at >= self.bins.len() {
            self.bins.resize(at + 1, 0);
        }
        if let Some(slot) = self.bins.get_mut(at) {
            *slot += count;
        }
    }

    pub(super) fn fill_zeros(&mut self, count: u64) {
        self.zeros += count;
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.zeros += other.zeros;
        if let (Some(last), Some(at)) = (other.bins.len().checked_sub(1), i32::try_from(other.bins.len()).ok()) {
            // Both ends first, so that the array grows once.
            let (_, end) = (last, other.first + at - 1);
            self.fill(other.first, 0);
            self.fill(end, 0);
            let shift = usize::try_from(other.first - self.first).unwrap_or(0);
            for (slot, count) in self.bins.iter_mut().skip(shift).zip(&other.bins) {
                *slot += count;
            }
        }
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.zeros + self.bins.iter().sum::<u64>()
    }

    pub(super) const fn zeros(&self) -> u64 {
        self.zeros
    }

    /// The bins that hold something, and how much.
    pub(super) fn filled(&self) -> impl Iterator<Item = (i32, u64)> {
        (self.first..).zip(self.bins.iter().copied()).filter(|(_, count)| *count > 0)
    }

    /// The mean of the logarithms of the values above zero.
    #[must_use]
    pub fn mean_logarithm(&self) -> Option<f64> {
        let (sum, count) = self.filled().fold((0.0, 0), |(sum, count), (bin, filled)| {
            (sum + (f64::from(bin) + 0.5) * GROWTH.ln() * number(filled), count + filled)
        });
        (count > 0).then(|| sum / number(count))
    }

    /// The value of a rank, 1 being the smallest.
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<f64> {
        let mut before = self.zeros;
        if rank == 0 {
            return None;
        }
        if rank <= before {
            return Some(0.0);
        }
        for (bin, count) in self.filled() {
            if rank <= before + count {
                return Some(inside(bin, number(rank - before) - 0.5, count));
            }
            before += count;
        }
        None
    }

    /// The `p`-quantile with its order-statistic interval, as [`crate::reliability::estimate::quantile`] has it of values.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Estimate {
        let n = self.count();
        let (value, low, high) = order_ranks(n, p);
        let at = |rank: Option<f64>| between(rank?, |rank| self.at_rank(rank));
        Estimate { value: at(value), low: at(low), high: at(high), n, events: n, ..Estimate::default() }
    }

    /// Two histograms of times, of what was lost and of what was let go, as steps of a survival curve.
    #[must_use]
    pub fn survival(lost: &Self, kept: &Self) -> Vec<Group> {
        let mut groups = vec![Group { time: 0.0, lost: lost.zeros, kept: kept.zeros }];
        let bins = |of: &Self| of.filled().map(|(bin, _)| bin).collect::<Vec<_>>();
        let mut all = [bins(lost), bins(kept)].concat();
        all.sort_unstable();
        all.dedup();
        for bin in all {
            let (gone, left) = (lost.bin(bin), kept.bin(bin));
            let steps = gone.clamp(1, STEPS);
            let share = |of: u64, step: u64| of * (step + 1) / steps - of * step / steps;
            groups.extend((0..steps).map(|step| Group {
                time: inside(bin, number(step) + 0.5, steps),
                lost: share(gone, step),
                kept: share(left, step),
            }));
        }
        groups
    }

    fn bin(&self, bin: i32) -> u64 {
        usize::try_from(bin - self.first).ok().and_then(|at| self.bins.get(at)).copied().unwrap_or(0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn bin(value: f64) -> Option<i32> {
    let bound = f64::from(OUTERMOST);
    (value > 0.0).then(|| (value.ln() / GROWTH.ln()).floor().clamp(-bound, bound) as i32)
}

/// A value in a bin, at `place` of `count` that lie in it evenly.
fn inside(bin: i32, place: f64, count: u64) -> f64 {
    GROWTH.powf(f64::from(bin) + place / number(count.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_known_to_one_per_cent() {
        let mut value = 1e-6;
        while value < 1e12 {
            let mut histogram = Histogram::default();
            histogram.add(value);
            let told = histogram.at_rank(1).unwrap();
            assert!((told / value - 1.0).abs() <= 0.01, "{value}: {told}");
            value *= 1.37;
        }
    }

    #[test]
    fn merging_is_adding() {
        let (mut one, mut other, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for i in 1..=500 {
            let value = f64::from(i * i % 977) / 100.0;
            if i % 3 == 0 {
                one.add(value);
            } else {
                other.add(value);
            }
            both.add(value);
        }
        let (mut there, mut back) = (one.clone(), other.clone());
        there.merge(&other);
        back.merge(&one);
        assert_eq!((there.count(), back.count()), (500, 500));
        for rank in 1..=500 {
            assert_eq!(there.at_rank(rank), both.at_rank(rank));
            assert_eq!(back.at_rank(rank), both.at_rank(rank));
        }
        assert_eq!((both.at_rank(0), both.at_rank(501)), (None, None));
        there.merge(&Histogram::default());
        assert_eq!(there.count(), 500);
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        let mut values: Vec<f64> = (1..=1000).map(|i| (f64::from(i) / 300.0).exp()).collect();
        values.iter().for_each(|value| histogram.add(*value));
        for p in [0.5, 0.95, 0.99] {
            let (told, exact) = (histogram.quantile(p), crate::reliability::estimate::quantile(&mut values, p));
            for (told, exact) in [(told.value, exact.value), (told.low, exact.low), (told.high, exact.high)] {
                assert!((told.unwrap() / exact.unwrap() - 1.0).abs() < 0.01, "{p}: {told:?} {exact:?}");
            }
        }
        let mut zeros = Histogram::default();
        zeros.add_many(0.0, 10);
        assert_eq!(zeros.quantile(0.5).value, Some(0.0));
        assert_eq!(Histogram::default().quantile(0.5).value, None);
    }

    #[test]
    fn the_steps_of_a_survival_curve_hold_everybody() {
        let (mut lost, mut kept) = (Histogram::default(), Histogram::default());
        lost.add_many(10.0, 100);
        lost.add_many(30.0, 3);
        kept.add_many(10.0, 7);
        kept.add_many(0.0, 2);
        let groups = Histogram::survival(&lost, &kept);
        assert_eq!(groups.iter().map(|group| group.lost).sum::<u64>(), 103);
        assert_eq!(groups.iter().map(|group| group.kept).sum::<u64>(), 9);
        assert!(groups.is_sorted_by(|a, b| a.time <= b.time));
    }
}
