//! What a protocol costs beside the files.

use super::{Basis, Better, Definition, Group, Statistic, Unit};
use crate::reliability::rollup::Measure;

const MINIMUM: u64 = 20;

pub(super) const BYTES: Statistic = Statistic {
    key: "overhead",
    group: Group::Transfers,
    title: "Bytes of overhead, median",
    definition: Definition {
        brief: "Bytes on the way that were none of the files', by those that were, on each connection that moved \
                files.",
        counted: "On each connection the bytes that went either way without the files' own, by the files' own: \
                  commands, listings, TLS or SSH, and what was sent again, without the headers of TCP and IP. An FTP \
                  connection is counted with its data connections.",
        of: "Connections that moved files.",
        left_out: "Connections that moved no file, and those whose bytes the kernel no longer knew (resets).",
        method: "Median over connections with an order-statistic interval, ±2 % at worst; 3 % are three bytes per \
                 hundred.",
    },
    basis: Basis::Overhead,
    unit: Unit::Share,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "connections that moved files",
    counts_events: false,
    compute: |sample| sample.measured(Measure::Overhead).quantile(0.5).enough_from(MINIMUM),
};

pub(super) const ROUND_TRIPS: Statistic = Statistic {
    key: "round-trips",
    group: Group::Transfers,
    title: "Round trips, median",
    definition: Definition {
        brief: "How often the observing side spoke after having listened, on each connection that moved files.",
        counted: "On each connection how often the side that observes spoke after having listened: an upper bound of \
                  the round trips that were waited for.",
        of: "Connections that moved files.",
        left_out: "Connections that moved no file.",
        method: "Median over connections in whole numbers with an order-statistic interval, which holds more than 95 \
                 % where few connections or many with the same number are seen.",
    },
    basis: Basis::RoundTrips,
    unit: Unit::Count,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "connections that moved files",
    counts_events: false,
    compute: |sample| sample.measured(Measure::RoundTrips).quantile(0.5).whole().enough_from(MINIMUM),
};

pub(super) const RTT: Statistic = Statistic {
    key: "rtt",
    group: Group::Connections,
    title: "Round-trip time, median",
    definition: Definition {
        brief: "The shortest round trip that the kernel saw on each connection: how far away the other side is, \
                whatever is spoken.",
        counted: "On each connection the shortest round trip that the kernel saw.",
        of: "Connections that became ready and whose round trip the kernel knew.",
        left_out: "Attempts that never became ready; connections that the kernel had forgotten.",
        method: "Median over connections with an order-statistic interval, ±2 % at worst.",
    },
    basis: Basis::Rtt,
    unit: Unit::Seconds,
    better: Better::Lower,
    minimum: MINIMUM,
    counted: "ready connections",
    counts_events: false,
    compute: |sample| sample.measured(Measure::Rtt).quantile(0.5).enough_from(MINIMUM),
};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::TcpInfo;
    use crate::reliability::rollup::Digest;
    use crate::reliability::stat::Sample;
    use crate::reliability::{Detail, End, What};

    #[test]
    fn connections_without_files_do_not_count() {
        let mut digest = Digest::default();
        for payload in [Some(1000), Some(0), None] {
            let tcp = Some(TcpInfo { min_rtt: Duration::from_millis(20), ..TcpInfo::default() });
            let detail = Detail { payload, wire: Some(1250), round_trips: Some(9), tcp, ..Detail::default() };
            let (setup, held) = (Some(Duration::from_millis(1)), Duration::ZERO);
            let what = What::Connection { setup, phases: Vec::new(), held, end: End::Clean };
            (0..20).for_each(|_| digest.add(&what, &detail));
        }
        let sample = Sample::of(digest);
        let of = |one: Statistic| (one.compute)(&sample);
        assert_eq!((of(BYTES).n, of(ROUND_TRIPS).n, of(RTT).n), (20, 20, 60));
        for (one, value) in [(BYTES, 0.25), (ROUND_TRIPS, 9.0), (RTT, 0.02)] {
            assert!((of(one).value.unwrap() / value - 1.0).abs() < 0.02);
        }
    }
}
