//! How often an attempt at moving a file fails.
//!
//! - **Numerator**: transfer attempts that failed by the path, the server or the protocol, or whose bytes
//!   were not what they should have been ([`Blame::Path`]).
//! - **Denominator**: those, and the attempts that ended well. A file that needed three attempts counts three
//!   times here: the figure tells how rough the way is, not how many files are missing (none, if the run
//!   says so).
//! - **Left out**: failures by request (missing file, no rights, full disk, changed source, cancelled), and
//!   attempts that had not ended.
//! - **Estimator**: Wilson 95 %. **Unit**: share. **Minimum**: 100 attempts.

use super::sample::sum;
use super::{Better, Blame, Estimate, Sample, Statistic, Unit};
use crate::reliability::estimate::wilson;

const MINIMUM: u64 = 100;

pub(super) const STATISTIC: Statistic = Statistic {
    key: "transfer-errors",
    title: "Transfer error rate",
    definition: "Transfer attempts that failed or brought wrong bytes, of all attempts that ended. Missing files, \
                 missing rights and cancelled attempts are left out. Wilson 95 % interval.",
    unit: Unit::Share,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "transfer attempts",
    counts_events: false,
    compute,
};

fn compute(sample: &Sample) -> Estimate {
    let failed = sum(&sample.transfer_failures, |f| f.blame() == Blame::Path);
    let asked = sum(&sample.transfer_failures, |f| f.blame() == Blame::Asked);
    wilson(failed, failed + sample.transfers_clean).excluding(asked + sample.transfers_open).enough_from(MINIMUM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FaultKind, Phase};
    use crate::reliability::stat::FailureCount;

    #[test]
    fn counts_the_right_ones() {
        let failure = |kind, count| FailureCount { phase: Phase::Transfer, kind, ready: true, count };
        let sample = Sample {
            transfers_clean: 998,
            transfers_open: 1,
            transfer_failures: vec![failure(FaultKind::Reset, 2), failure(FaultKind::Missing, 40)],
            ..Sample::default()
        };
        let estimate = compute(&sample);
        assert_eq!((estimate.n, estimate.events, estimate.excluded), (1000, 2, 41));
        assert_eq!(estimate.value, Some(0.002));
    }
}
