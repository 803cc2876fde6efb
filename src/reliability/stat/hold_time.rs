//! How long a connection holds until it is lost.
//!
//! Connections of jobs end when the job ends: much censoring, and short watching. A long hold time can only be shown by
//! connections that were held for long.

use super::{Basis, Better, Definition, Estimate, Group, Sample, Statistic, Unit};
use crate::reliability::estimate::{Step, median_survival, survival};
use crate::reliability::rollup::{Histogram, Measure};

const MINIMUM: u64 = 30;

pub(super) const STATISTIC: Statistic = Statistic {
    key: "hold-time",
    group: Group::Connections,
    title: "Hold time, median",
    definition: Definition {
        brief: "Time after which half of the connections would be lost if nobody closed them. Planned ends are \
                censored.",
        counted: "The time from ready to an end that the holder did not plan: reset, closed early, timed out, \
                  stalled, broken protocol, a server's limit.",
        of: "All connections that became ready. Those that said goodbye, were cancelled, failed by request or were \
             still open are censored: they would have held longer.",
        left_out: "Attempts that never became ready.",
        method: "Median of Kaplan-Meier with the interval of Brookmeyer and Crowley (log-log), from \
                 times in bins of 2 %: where few were lost it may lie as far as the next loss; none \
                 when more than half outlasted the watching.",
    },
    basis: Basis::Holding,
    unit: Unit::Seconds,
    better: Better::Higher,
    minimum: MINIMUM,
    counted: "lost connections",
    counts_events: true,
    compute,
};

fn compute(sample: &Sample) -> Estimate {
    let groups = Histogram::survival(&sample.measured(Measure::Lost), &sample.measured(Measure::Kept));
    let mut estimate = median_survival(&groups);
    estimate.enough = estimate.events >= MINIMUM && estimate.value.is_some();
    estimate
}

/// The whole curve: the share of connections that would still be held after a time.
#[must_use]
pub fn curve(sample: &Sample) -> Vec<Step> {
    survival(&Histogram::survival(&sample.measured(Measure::Lost), &sample.measured(Measure::Kept)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{FaultKind, Phase};
    use crate::reliability::{Detail, End, What};

    #[test]
    fn planned_ends_are_censored() {
        let lost = End::Failed(Phase::Transfer, FaultKind::Reset);
        let sample = |end_of: &dyn Fn(u64) -> End| {
            let mut sample = Sample::default();
            for i in 1..=60 {
                let (setup, held) = (Some(Duration::from_millis(100)), Duration::from_secs(i));
                let what = What::Connection { setup, phases: Vec::new(), held, end: end_of(i) };
                sample.digest.add(&what, &Detail::default());
            }
            sample
        };
        let estimate = compute(&sample(&|_| lost));
        assert_eq!((estimate.events, estimate.enough), (60, true));
        assert!((estimate.value.unwrap() / 30.0 - 1.0).abs() < 0.02, "{estimate:?}");
        assert_eq!(curve(&sample(&|_| lost)).last().unwrap().share, 0.0);
        // Half of them let go on purpose: the other half says that connections hold longer than that.
        let cancelled = End::Failed(Phase::Transfer, FaultKind::Cancelled);
        let estimate = compute(&sample(&|i| if i % 2 == 1 { cancelled } else { lost }));
        assert_eq!((estimate.events, estimate.n), (30, 60));
        assert!(estimate.value.unwrap() > 40.0);
    }
}
