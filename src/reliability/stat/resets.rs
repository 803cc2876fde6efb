//! How many connections of a thousand are reset.
//!
//! - **Numerator**: connections that ended by a TCP reset ([`FaultKind::is_reset`]), at any time after the
//!   TCP connection stood. Resets of FTP data connections fail a transfer and count in
//!   [transfer errors](super::transfer_errors).
//! - **Denominator**: connections that stood: ready ones, those that ended without failure, and those that
//!   failed after resolving and connecting.
//! - **Estimator**: exact Poisson (Garwood) 95 %. **Unit**: resets per 1,000 connections.
//! - **Minimum**: 100 connections.

use super::sample::{FailureCount, sum};
use super::{Better, Estimate, Sample, Statistic, Unit};
use crate::model::Phase;
use crate::reliability::estimate::{number, poisson_rate};

const MINIMUM: u64 = 100;

pub(super) const STATISTIC: Statistic = Statistic {
    key: "resets",
    title: "Resets per 1,000 connections",
    definition: "Connections that ended by a TCP reset, per 1,000 that were opened. Exact Poisson 95 % interval.",
    unit: Unit::PerThousand,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "connections",
    counts_events: false,
    compute,
};

fn stood(failure: &FailureCount) -> bool {
    failure.ready || !matches!(failure.phase, Phase::Resolve | Phase::Connect)
}

fn compute(sample: &Sample) -> Estimate {
    let failed_early = sum(&sample.connection_failures, |f| !f.ready && stood(f));
    let never_stood = sum(&sample.connection_failures, |f| !stood(f));
    let resets = sum(&sample.connection_failures, |f| stood(f) && f.kind.is_reset());
    let opened = sample.ready + sample.never_ready + failed_early;
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
}
