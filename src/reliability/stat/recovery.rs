//! How long a file that failed takes until it is there.

use super::{Basis, Better, Definition, Estimate, Group, Sample, Statistic, Unit};
use crate::reliability::estimate::median_survival;
use crate::reliability::rollup::{Histogram, Measure};

const MINIMUM: u64 = 20;

pub(super) const STATISTIC: Statistic = Statistic {
    key: "recovery",
    group: Group::Transfers,
    title: "Time to recover, median",
    definition: Definition {
        brief: "From the first failed attempt at a file to the one that succeeded; files that were given up are \
                censored.",
        counted: "The time from the end of the first failed attempt at a file to the end of the one that succeeded, \
                  with every pause between them.",
        of: "Files that failed at least once by the path, the server or the protocol. Those that were given up are \
             censored at their last attempt.",
        left_out: "Files that came through at once, and files whose failing attempts fell into two lives of the \
                   program.",
        method: "Median of Kaplan-Meier with the interval of Brookmeyer and Crowley, from \
                 times in bins of 2 %: where few were lost it may lie as far as the next loss.",
    },
    basis: Basis::Recovered,
    unit: Unit::Seconds,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "recoveries",
    counts_events: true,
    compute,
};

fn compute(sample: &Sample) -> Estimate {
    let groups = Histogram::survival(&sample.measured(Measure::Recovered), &sample.measured(Measure::Abandoned));
    let mut estimate = median_survival(&groups);
    estimate.enough = estimate.events >= MINIMUM && estimate.value.is_some();
    estimate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_given_up_are_censored() {
        let mut sample = Sample::default();
        (1..=30).for_each(|i| sample.digest.measure(Measure::Recovered, f64::from(i)));
        let before = compute(&sample);
        assert!((before.value.unwrap() / 15.0 - 1.0).abs() < 0.02 && before.enough, "{before:?}");
        (0..20).for_each(|_| sample.digest.measure(Measure::Abandoned, 10.0));
        let after = compute(&sample);
        assert!(after.value > before.value && after.events == 30 && after.n == 50, "{after:?}");
    }
}
