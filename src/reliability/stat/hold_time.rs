//! How long a connection holds until it is lost.
//!
//! - **Counted**: connections that became ready; the time from "ready" to the end.
//! - **Event**: an end that the holder did not plan: reset, closed early, timed out, stalled, broken
//!   protocol, a server's limit ([`Blame::is_loss`]).
//! - **Censored** (they would have held longer): a goodbye, still open when last seen, cancelled, failures
//!   by request.
//! - **Estimator**: Kaplan-Meier median with the Brookmeyer-Crowley 95 % interval (log-log). **Unit**:
//!   seconds. Missing when more than half outlasted the watching.
//! - **Minimum**: 30 losses. From 50,000 connections on, an even draw of about that many is used.
//!
//! Connections of jobs end when the job ends: much censoring, and short watching. A long hold time can
//! only be shown by connections that were held for long.

use super::{Better, Blame, Estimate, Sample, Statistic, Unit};
use crate::reliability::estimate::{Held, median_survival};

const MINIMUM: u64 = 30;

pub(super) const STATISTIC: Statistic = Statistic {
    key: "hold-time",
    title: "Hold time, median",
    definition: "Time after which half of the connections would be lost if nobody closed them. Planned ends are \
                 censored. Kaplan-Meier with a 95 % interval.",
    unit: Unit::Seconds,
    better: Better::Higher,
    minimum: MINIMUM,
    counted: "lost connections",
    counts_events: true,
    compute,
};

fn compute(sample: &Sample) -> Estimate {
    let mut held: Vec<Held> = sample
        .connections
        .iter()
        .map(|connection| Held {
            time: connection.held,
            lost: connection.failed.is_some_and(|(phase, kind)| Blame::is_loss(phase, kind)),
        })
        .collect();
    let drawn = u64::try_from(held.len()).unwrap_or(u64::MAX);
    let mut estimate = median_survival(&mut held).excluding(sample.ready.saturating_sub(drawn));
    estimate.enough = estimate.events >= MINIMUM && estimate.value.is_some();
    estimate
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FaultKind, Phase};
    use crate::reliability::stat::ConnectionRow;

    #[test]
    fn planned_ends_are_censored() {
        let row = |held, failed| ConnectionRow { setup: 0.1, held, failed };
        let lost = Some((Phase::Transfer, FaultKind::Reset));
        let mut connections: Vec<_> = (1..=60).map(|i| row(f64::from(i), lost)).collect();
        let sample = Sample { ready: 60, connections: connections.clone(), ..Sample::default() };
        let estimate = compute(&sample);
        assert_eq!((estimate.value, estimate.events, estimate.enough), (Some(30.0), 60, true));
        // Half of them let go on purpose: the other half says that connections hold longer than that.
        for connection in connections.iter_mut().step_by(2) {
            connection.failed = Some((Phase::Transfer, FaultKind::Cancelled));
        }
        let estimate = compute(&Sample { ready: 60, connections, ..Sample::default() });
        assert_eq!((estimate.events, estimate.n), (30, 60));
        assert!(estimate.value.unwrap() > 40.0);
    }
}
