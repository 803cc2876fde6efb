//! What the statistics of one family are computed from: counts, sums and histograms of a window.

use super::Blame;
use crate::model::{FaultKind, Phase};
use crate::reliability::rollup::{Digest, Histogram, Measure, Sum};

/// One kind of failure and how often it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCount {
    /// Where.
    pub phase: Phase,
    /// What.
    pub kind: FaultKind,
    /// Had the connection been ready before? (Transfers: always.)
    pub ready: bool,
    /// How often.
    pub count: u64,
}

impl FailureCount {
    pub(super) fn blame(self) -> Blame {
        Blame::of(self.phase, self.kind)
    }
}

/// The observations of one family in one window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Connections that became ready, however they ended.
    pub ready: u64,
    /// Connections that ended without a failure before they were ready.
    pub never_ready: u64,
    /// Connections that failed.
    pub connection_failures: Vec<FailureCount>,
    /// Transfers that ended well.
    pub transfers_clean: u64,
    /// Transfers that had not ended.
    pub transfers_open: u64,
    /// Transfers that failed.
    pub transfer_failures: Vec<FailureCount>,
    /// The sums and histograms.
    pub digest: Digest,
}

impl Sample {
    /// Of all that was seen.
    #[must_use]
    pub fn of(digest: Digest) -> Self {
        let mut sample = Self::default();
        for (ended, count) in digest.connections() {
            if ended.ready {
                sample.ready += count;
            }
            match ended.failed {
                Some((phase, kind)) => {
                    sample.connection_failures.push(FailureCount { phase, kind, ready: ended.ready, count });
                }
                None if !ended.ready => sample.never_ready += count,
                None => {}
            }
        }
        for (ended, count) in digest.transfers() {
            match ended.failed {
                Some((phase, kind)) => {
                    sample.transfer_failures.push(FailureCount { phase, kind, ready: true, count });
                }
                None if ended.open => sample.transfers_open += count,
                None => sample.transfers_clean += count,
            }
        }
        Self { digest, ..sample }
    }

    /// Attempts at connections, whatever became of them.
    #[must_use]
    pub fn connections_seen(&self) -> u64 {
        self.ready + self.never_ready + sum(&self.connection_failures, |failure| !failure.ready)
    }

    /// A sum.
    #[must_use]
    pub fn summed(&self, sum: Sum) -> u64 {
        self.digest.summed(sum)
    }

    /// A histogram.
    #[must_use]
    pub fn measured(&self, measure: Measure) -> Histogram {
        self.digest.measured(measure)
    }

    /// Rates of the transfers of these size classes.
    #[must_use]
    pub fn goodput(&self, classes: std::ops::RangeInclusive<u8>) -> Histogram {
        let mut all = Histogram::default();
        for class in classes {
            all.merge(&self.measured(Measure::Goodput(class)));
        }
        all
    }
}

/// How many failures are as `wanted`.
pub(super) fn sum(failures: &[FailureCount], wanted: impl Fn(&FailureCount) -> bool) -> u64 {
    failures.iter().filter(|failure| wanted(failure)).map(|failure| failure.count).sum()
}
