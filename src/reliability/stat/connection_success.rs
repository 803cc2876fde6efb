//! How often a connection attempt gets to "ready for the first command".

use super::sample::sum;
use super::{Basis, Better, Blame, Definition, Estimate, Group, Sample, Statistic, Unit};
use crate::reliability::estimate::wilson;

const MINIMUM: u64 = 100;

pub(super) const STATISTIC: Statistic = Statistic {
    key: "connection-success",
    group: Group::Connections,
    title: "Connection success",
    definition: Definition {
        brief: "Connections that became ready, of all attempts. Wrong passwords, connection limits and cancelled \
                attempts are left out.",
        counted: "Connections that became ready for the first command, whatever happened afterwards.",
        of: "Those, and the attempts that failed before by the path, the server or the protocol.",
        left_out: "Failures by request (wrong password, a server's connection limit, an unknown host name, \
                   cancelled), and connections that ended without failure before they were ready. At a door also who \
                   came and showed nothing that goes with an account, such as a port scan.",
        method: "Share with the interval of Wilson.",
    },
    basis: Basis::Becoming,
    unit: Unit::Share,
    better: Better::Higher,
    minimum: MINIMUM,
    counted: "connection attempts",
    counts_events: false,
    compute,
};

/// Attempts that count: how many became ready, and how many failed.
#[must_use]
pub fn connections(sample: &Sample) -> (u64, u64) {
    (sample.ready, sum(&sample.connection_failures, |f| !f.ready && f.blame() == Blame::Path))
}

fn compute(sample: &Sample) -> Estimate {
    let (_, failed) = connections(sample);
    let asked = sum(&sample.connection_failures, |f| !f.ready && f.blame() == Blame::Asked);
    wilson(sample.ready, sample.ready + failed).excluding(asked + sample.never_ready).enough_from(MINIMUM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FaultKind, Phase};
    use crate::reliability::stat::FailureCount;

    #[test]
    fn counts_the_right_ones() {
        let failure = |phase, kind, ready, count| FailureCount { phase, kind, ready, count };
        let sample = Sample {
            ready: 190,
            never_ready: 3,
            connection_failures: vec![
                failure(Phase::Connect, FaultKind::Refused, false, 6),
                failure(Phase::Tls, FaultKind::Reset, false, 4),
                failure(Phase::Login, FaultKind::Auth, false, 50),
                failure(Phase::Banner, FaultKind::Limit, false, 7),
                failure(Phase::Resolve, FaultKind::Unreachable, false, 2),
                failure(Phase::Transfer, FaultKind::Reset, true, 30),
            ],
            ..Sample::default()
        };
        let estimate = compute(&sample);
        assert_eq!((estimate.n, estimate.events, estimate.excluded, estimate.enough), (200, 190, 62, true));
        assert_eq!(estimate.value, Some(0.95));
        assert!(!compute(&Sample { ready: 99, ..Sample::default() }).enough);
    }
}
