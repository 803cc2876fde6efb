//! How long it takes until a connection is ready for the first command, all of it and by phase.
//!
//! Minimum: from where the interval exists: 20 for the median, 72 for the 95th percentile, 368 for the 99th.

use super::{Basis, Better, Definition, Estimate, Group, Sample, Statistic, Unit};
use crate::model::Phase;
use crate::reliability::rollup::{Histogram, Measure};

const MEDIAN: u64 = 20;
const P95: u64 = 72;
const P99: u64 = 368;

fn at(histogram: &Histogram, p: f64, minimum: u64) -> Estimate {
    histogram.quantile(p).enough_from(minimum)
}

macro_rules! rows {
    ($($group:expr, $basis:expr, $measure:expr, $key:literal, $title:literal, $what:literal, $counted:literal;)*) => {
        &[$(
            rows!(@one ($group, $basis, $measure), $key, "median", $title, "median", "Half", ($what, $counted), 0.5, MEDIAN),
            rows!(@one ($group, $basis, $measure), $key, "p95", $title, "95th percentile", "19 of 20", ($what, $counted), 0.95, P95),
            rows!(@one ($group, $basis, $measure), $key, "p99", $title, "99th percentile", "99 of 100", ($what, $counted), 0.99, P99),
        )*]
    };
    (@one ($group:expr, $basis:expr, $measure:expr), $key:literal, $word:literal, $title:literal, $name:literal,
     $share:literal, ($what:literal, $counted:literal), $p:literal, $minimum:ident) => {
        Statistic {
            key: concat!($key, "-", $word),
            group: $group,
            title: concat!($title, ", ", $name),
            definition: Definition {
                brief: concat!($share, " of the connections that became ready had ", $what, " within this time."),
                counted: $counted,
                of: "Connections that became ready, and had this part.",
                left_out: "Attempts that never became ready. They count in connection success, and read alone this \
                           figure flatters a path that fails slowly. A part that a connection did not have is not \
                           counted as zero.",
                method: concat!("The ", $name, " with an order-statistic interval, which assumes nothing about the \
                                distribution; ±2 % at worst."),
            },
            basis: $basis,
            unit: Unit::Seconds,
            better: Better::Lower,
            minimum: $minimum,
            counted: "ready connections",
            counts_events: false,
            compute: |sample: &Sample| at(&sample.measured($measure), $p, $minimum),
        }
    };
}

pub(super) const TOTAL: &[Statistic] = rows! {
    Group::Connections, Basis::Setup, Measure::Setup, "setup", "Set-up time", "all of it behind them",
    "The time until ready. Of a client: from the first packet; FTP: logged in and in binary mode, with TLS the data \
     protection set; SFTP: the version reply; WebDAV: the first status. At a door: from accepting to the passed login.";
};

pub(super) const PHASES: &[Statistic] = rows! {
    Group::Setup, Basis::Part(Phase::Resolve), Measure::Phase(Phase::Resolve), "resolve", "Name look-up", "looked up \
                                                                                the name",
    "The name look-up. Only clients know the parts.";
    Group::Setup, Basis::Part(Phase::Connect), Measure::Phase(Phase::Connect), "connect", "TCP connect", "connected",
    "The TCP connect. Only clients know the parts.";
    Group::Setup, Basis::Part(Phase::Banner), Measure::Phase(Phase::Banner), "banner", "Greeting", "heard the \
                                                                              server's greeting",
    "The wait for the server's greeting. Only clients know the parts.";
    Group::Setup, Basis::Part(Phase::Tls), Measure::Phase(Phase::Tls), "tls", "TLS or key exchange", "agreed on keys",
    "The TLS handshake, or the key exchange. Only clients know the parts.";
    Group::Setup, Basis::Part(Phase::Login), Measure::Phase(Phase::Login), "login", "Login", "logged in",
    "The login. Only clients know the parts.";
    Group::Setup, Basis::Part(Phase::Command), Measure::Phase(Phase::Command), "ready", "First command", "the first \
                                                                                answer after the login",
    "The first command behind the login. Only clients know the parts.";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_ready_connections_only() {
        let mut sample = Sample::default();
        for i in 1..=72 {
            sample.digest.measure(Measure::Setup, f64::from(i) / 10.0);
        }
        let find = |key: &str| TOTAL.iter().find(|one| one.key == key).unwrap();
        let (median, p95) = ((find("setup-median").compute)(&sample), (find("setup-p95").compute)(&sample));
        assert!((median.value.unwrap() / 3.6 - 1.0).abs() < 0.01 && median.enough, "{median:?}");
        assert!((p95.value.unwrap() / 6.9 - 1.0).abs() < 0.01 && p95.high.is_some() && p95.enough, "{p95:?}");
        assert!(!(find("setup-p99").compute)(&sample).enough);
        assert!(PHASES.iter().all(|one| !(one.compute)(&sample).enough));
    }
}
