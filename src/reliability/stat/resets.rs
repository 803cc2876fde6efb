//! How many connections of a thousand are reset, and how many per hour that they are held.
//!
//! Long connections have more time to be reset in: the figure per hour is fair to them, the one per 1,000 to short ones.

use super::sample::{FailureCount, sum};
use super::{Basis, Better, Definition, Estimate, Group, Sample, Statistic, Unit};
use crate::model::Phase;
use crate::reliability::estimate::{number, poisson_rate};
use crate::reliability::rollup::Sum;

const MINIMUM: u64 = 100;

pub(super) const PER_THOUSAND: Statistic = Statistic {
    key: "resets",
    group: Group::Connections,
    title: "Resets per 1,000 connections",
    definition: Definition {
        brief: "Connections that ended by a TCP reset, per 1,000 that were opened.",
        counted: "Connections that ended by a TCP reset, at any time after the TCP connection stood. Resets of FTP \
                  data connections fail a transfer and count there.",
        of: "Connections that stood: ready ones, those that ended without failure, and those that failed after \
             resolving and connecting.",
        left_out: "Attempts that failed before the TCP connection stood.",
        method: "Poisson rate with a mid-P interval.",
    },
    basis: Basis::Stood,
    unit: Unit::PerThousand,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "connections",
    counts_events: false,
    compute,
};

pub(super) const PER_HOUR: Statistic = Statistic {
    key: "resets-per-hour",
    group: Group::Connections,
    title: "Resets per connection-hour",
    definition: Definition {
        brief: "Ready connections that ended by a TCP reset, by the hours that all ready ones were held together.",
        counted: "Ready connections that ended by a TCP reset.",
        of: "The time that all connections that became ready were held, from ready to the end, added up.",
        left_out: "Connections that never became ready.",
        method: "Poisson rate with a mid-P interval.",
    },
    basis: Basis::HeldHours,
    unit: Unit::PerHour,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "connections",
    counts_events: false,
    compute: per_hour,
};

fn per_hour(sample: &Sample) -> Estimate {
    let resets = sum(&sample.connection_failures, |f| f.ready && f.kind.is_reset());
    let hours = number(sample.summed(Sum::Held)) / 3.6e9;
    poisson_rate(resets, hours, sample.ready).enough_from(MINIMUM)
}

fn stood(failure: &FailureCount) -> bool {
    failure.ready || !matches!(failure.phase, Phase::Resolve | Phase::Connect)
}

/// How many connections were reset, and of how many that stood.
#[must_use]
pub fn resets(sample: &Sample) -> (u64, u64) {
    let failed_early = sum(&sample.connection_failures, |f| !f.ready && stood(f));
    let resets = sum(&sample.connection_failures, |f| stood(f) && f.kind.is_reset());
    (resets, sample.ready + sample.never_ready + failed_early)
}

fn compute(sample: &Sample) -> Estimate {
    let (resets, opened) = resets(sample);
    let never_stood = sum(&sample.connection_failures, |f| !stood(f));
    poisson_rate(resets, number(opened) / 1000.0, opened).excluding(never_stood).enough_from(MINIMUM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FaultKind;

    #[test]
    fn counts_the_right_ones() {
        let failure = |phase, kind, ready, count| FailureCount { phase, kind, ready, count };
        let sample = Sample {
            ready: 1900,
            never_ready: 10,
            connection_failures: vec![
                failure(Phase::Connect, FaultKind::Refused, false, 6),
                failure(Phase::Connect, FaultKind::Reset, false, 1),
                failure(Phase::Tls, FaultKind::Reset, false, 4),
                failure(Phase::Login, FaultKind::Auth, false, 86),
                failure(Phase::Transfer, FaultKind::Reset, true, 30),
                failure(Phase::Command, FaultKind::Timeout, true, 5),
            ],
            ..Sample::default()
        };
        let estimate = compute(&sample);
        assert_eq!((estimate.n, estimate.events, estimate.excluded), (2000, 34, 7));
        assert_eq!(estimate.value, Some(17.0));
    }

    #[test]
    fn hours_are_those_of_ready_connections() {
        let failure = |kind, ready, count| FailureCount { phase: Phase::Transfer, kind, ready, count };
        let connection_failures = vec![failure(FaultKind::Reset, true, 6), failure(FaultKind::Reset, false, 9)];
        let mut sample = Sample { ready: 400, connection_failures, ..Sample::default() };
        sample.digest.sum(Sum::Held, 12 * 3_600_000_000);
        let estimate = per_hour(&sample);
        assert_eq!((estimate.value, estimate.events, estimate.n), (Some(0.5), 6, 400));
        assert!(estimate.enough && !per_hour(&Sample::default()).enough);
    }
}
