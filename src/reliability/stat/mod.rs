//! The statistics, one file each: exactly what is counted, over what, and from how many on it may be
//! shown. A new one is a file and a row in [`STATISTICS`].
//!
//! Common to all:
//! - **Window**: observations whose `at` (the end, or the last look) lies in it.
//! - **Source**: connections and transfers of our own clients and of our doors, as they happened.
//! - **Left out** everywhere: what says nothing about the protocol or the path. See [`Blame`].
//! - **Interval**: two-sided 95 %, treating the observations as independent. Failures that come in
//!   bursts make the true interval wider; the page says so.

mod blame;
mod connection_success;
mod hold_time;
mod resets;
mod sample;
mod setup_time;
mod throughput;
mod transfer_errors;

pub use blame::Blame;
pub(super) use sample::{ConnectionRow, FailureCount, Sample, TransferRow};
pub(super) use throughput::SMALLEST;

use super::Estimate;

/// Every statistic, in the order of the page.
pub const STATISTICS: &[Statistic] = &[
    connection_success::STATISTIC,
    setup_time::MEDIAN,
    setup_time::P95,
    resets::STATISTIC,
    hold_time::STATISTIC,
    transfer_errors::STATISTIC,
    throughput::STATISTIC,
];

/// What the numbers of a statistic are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share between 0 and 1; shown in per cent.
    Share,
    /// Seconds.
    Seconds,
    /// Events per 1,000 connections.
    PerThousand,
    /// Bytes per second.
    BytesPerSecond,
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// One statistic: what it is called, what it says, and how it is computed.
#[derive(Debug)]
pub struct Statistic {
    /// The stable word.
    pub key: &'static str,
    /// What the page calls it.
    pub title: &'static str,
    /// Numerator, denominator and method in one or two sentences, for people.
    pub definition: &'static str,
    /// What the numbers are.
    pub unit: Unit,
    /// Which way is good.
    pub better: Better,
    /// Below this it says "not enough data yet".
    pub minimum: u64,
    /// What `minimum` counts, such as "connections".
    pub counted: &'static str,
    /// Does `minimum` count the events (losses), not the observations?
    pub counts_events: bool,
    pub(super) compute: fn(&Sample) -> Estimate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_texts_are_there() {
        let mut keys: Vec<_> = STATISTICS.iter().map(|s| s.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), STATISTICS.len());
        assert!(STATISTICS.iter().all(|s| !s.title.is_empty() && s.definition.ends_with('.') && s.minimum > 0));
    }

    #[test]
    fn no_data_is_not_enough_and_no_figure() {
        for statistic in STATISTICS {
            let estimate = (statistic.compute)(&Sample::default());
            assert!(!estimate.enough && estimate.value.is_none(), "{}", statistic.key);
        }
    }
}
