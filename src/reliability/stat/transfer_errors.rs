//! How often an attempt at moving a file fails.

use super::sample::sum;
use super::{Basis, Better, Blame, Definition, Estimate, Group, Sample, Statistic, Unit};
use crate::reliability::estimate::{number, poisson_rate, wilson};
use crate::reliability::rollup::Sum;

const MINIMUM: u64 = 100;

pub(super) const PER_ATTEMPT: Statistic = Statistic {
    key: "transfer-errors",
    group: Group::Transfers,
    title: "Transfer error rate",
    definition: Definition {
        brief: "Transfer attempts that failed or brought wrong bytes, of all attempts that ended. Missing files, \
                missing rights and cancelled attempts are left out.",
        counted: "Transfer attempts that failed by the path, the server or the protocol, or whose bytes were not what \
                  they should have been.",
        of: "Those, and the attempts that ended well. A file that needed three attempts counts three times: the \
             figure tells how rough the way is, not how many files are missing.",
        left_out: "Failures by request (missing file, no rights, full disk, changed source, cancelled), and attempts \
                   that had not ended.",
        method: "Share with the interval of Wilson.",
    },
    basis: Basis::Moved,
    unit: Unit::Share,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "transfer attempts",
    counts_events: false,
    compute,
};

pub(super) const PER_FILE: Statistic = Statistic {
    key: "file-errors",
    group: Group::Transfers,
    title: "Files lost after retries",
    definition: Definition {
        brief: "Files that were given up after their last attempt, of all that came through or were given up.",
        counted: "Files that were given up: no attempt followed for an hour.",
        of: "Those, and the files that came through, at once or after retries.",
        left_out: "Transfers whose file is not known. Attempts are put together by a hash of place and path, which \
                   the restart of the program ends.",
        method: "Share with the interval of Wilson.",
    },
    basis: Basis::Files,
    unit: Unit::Share,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "files",
    counts_events: false,
    compute: per_file,
};

pub(super) const PER_GIB: Statistic = Statistic {
    key: "errors-per-gib",
    group: Group::Transfers,
    title: "Transfer errors per GiB",
    definition: Definition {
        brief: "Transfer attempts that failed or brought wrong bytes, by the GiB that were moved.",
        counted: "Transfer attempts that failed by the path, the server or the protocol, or whose bytes were not what \
                  they should have been.",
        of: "The bytes that those and the attempts that ended well moved.",
        left_out: "Failures by request (missing file, no rights, full disk, changed source, cancelled), and attempts \
                   that had not ended.",
        method: "Poisson rate with a mid-P interval.",
    },
    basis: Basis::MovedGib,
    unit: Unit::PerGib,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "transfer attempts",
    counts_events: false,
    compute: per_gib,
};

fn per_file(sample: &Sample) -> Estimate {
    let lost = sample.summed(Sum::FilesLost);
    wilson(lost, lost + sample.summed(Sum::FilesFirst) + sample.summed(Sum::FilesRetried)).enough_from(MINIMUM)
}

fn per_gib(sample: &Sample) -> Estimate {
    let (_, failed) = moved(sample);
    let gib = number(sample.summed(Sum::Moved)) / 1_073_741_824.0;
    poisson_rate(failed, gib, failed + sample.transfers_clean).enough_from(MINIMUM)
}

/// Transfers that count: how many ended well, and how many failed.
#[must_use]
pub fn moved(sample: &Sample) -> (u64, u64) {
    (sample.transfers_clean, sum(&sample.transfer_failures, |f| f.blame() == Blame::Path))
}

fn compute(sample: &Sample) -> Estimate {
    let (_, failed) = moved(sample);
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

    #[test]
    fn files_and_bytes() {
        let failure = |kind, count| FailureCount { phase: Phase::Transfer, kind, ready: true, count };
        let transfer_failures = vec![failure(FaultKind::Reset, 5), failure(FaultKind::Permission, 7)];
        let mut sample = Sample { transfers_clean: 995, transfer_failures, ..Sample::default() };
        for (sum, by) in [(Sum::FilesFirst, 180), (Sum::FilesRetried, 15), (Sum::FilesLost, 5), (Sum::Moved, 10 << 30)]
        {
            sample.digest.sum(sum, by);
        }
        let (file, gib) = (per_file(&sample), per_gib(&sample));
        assert_eq!((file.value, file.n, file.events), (Some(0.025), 200, 5));
        assert_eq!((gib.value, gib.n, gib.events), (Some(0.5), 1000, 5));
    }
}
