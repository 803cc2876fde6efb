//! How long a connection takes until it is ready for the first command.
//!
//! - **Counted**: connections that became ready: the time from the first packet to "ready" (FTP: logged in
//!   and in binary mode; with TLS: data protection set; SFTP: the version reply; WebDAV: the first status).
//!   At a door: from accepting to the passed login.
//! - **Left out**: attempts that never became ready. They count in
//!   [connection success](super::connection_success), and read alone this figure flatters a path that
//!   fails slowly.
//! - **Estimator**: order statistics, which assume nothing about the distribution. **Unit**: seconds.
//! - **Minimum**: 20 for the median; 72 for the 95th percentile, from where its interval exists.
//! - From 50,000 connections on, an even draw of about that many is used; n is the number drawn.

use super::{Better, Estimate, Sample, Statistic, Unit};
use crate::reliability::estimate::quantile;

const MEDIAN_MINIMUM: u64 = 20;
const P95_MINIMUM: u64 = 72;

pub(super) const MEDIAN: Statistic = Statistic {
    key: "setup-median",
    title: "Set-up time, median",
    definition: "Half of the connections were ready for the first command within this time: counted by a client from its \
                 first packet, by a door from accepting to the passed login. Order-statistic 95 % interval.",
    unit: Unit::Seconds,
    better: Better::Lower,
    minimum: MEDIAN_MINIMUM,
    counted: "ready connections",
    counts_events: false,
    compute: |sample| at(sample, 0.5, MEDIAN_MINIMUM),
};

pub(super) const P95: Statistic = Statistic {
    key: "setup-p95",
    title: "Set-up time, 95th percentile",
    definition: "19 of 20 connections were ready for the first command within this time: counted by a client from its \
                 first packet, by a door from accepting to the passed login. Order-statistic 95 % interval.",
    unit: Unit::Seconds,
    better: Better::Lower,
    minimum: P95_MINIMUM,
    counted: "ready connections",
    counts_events: false,
    compute: |sample| at(sample, 0.95, P95_MINIMUM),
};

fn at(sample: &Sample, p: f64, minimum: u64) -> Estimate {
    let mut times: Vec<f64> = sample.connections.iter().map(|connection| connection.setup).collect();
    let drawn = u64::try_from(times.len()).unwrap_or(u64::MAX);
    quantile(&mut times, p).excluding(sample.ready.saturating_sub(drawn)).enough_from(minimum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::stat::ConnectionRow;

    #[test]
    fn takes_ready_connections_only() {
        let connections =
            (1..=72).map(|i| ConnectionRow { setup: f64::from(i) / 10.0, held: 1.0, failed: None }).collect();
        let sample = Sample { ready: 72, connections, ..Sample::default() };
        let (median, p95) = (at(&sample, 0.5, MEDIAN_MINIMUM), at(&sample, 0.95, P95_MINIMUM));
        assert_eq!((median.value, median.enough), (Some(3.6), true));
        assert_eq!((p95.value, p95.high, p95.enough), (Some(6.9), Some(7.2), true));
    }
}
