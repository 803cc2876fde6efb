//! The statistics, one file each: exactly what is counted, over what, and from how many on it may be
//! shown. A new one is a file and a row in [`STATISTICS`]. What a figure says is written in its [`Definition`] and
//! nowhere else: pages and exports show that text. The single observations behind it are told by its [`Basis`].
//!
//! Common to all are [`WINDOW`], [`SOURCE`] and [`INTERVAL`]; left out everywhere is what says nothing about the protocol
//! or the path, see [`Blame`].

mod blame;
mod connection_success;
mod corruption;
mod hold_time;
mod overhead;
mod recovery;
mod resets;
mod sample;
mod security;
mod setup_time;
mod throughput;
mod transfer_errors;

use std::sync::LazyLock;

pub use blame::Blame;
pub use connection_success::connections;
pub use hold_time::curve;
pub use resets::resets;
pub use sample::{FailureCount, Sample};
pub use throughput::is_goodput;
pub use transfer_errors::moved;

use super::{Basis, Estimate};

/// Which observations a window holds.
pub const WINDOW: &str = "Observations whose end, or last look at them, lies in the window, to the whole minute; whole \
                          hours where the minutes have expired, whole days where the hours have.";
/// Where they come from.
pub const SOURCE: &str = "Connections and transfers of our own clients and of our doors, each observed as it happened.";
/// What the intervals say.
pub const INTERVAL: &str = "Two-sided, 95 %, treating the observations as independent; failures that come in bursts make \
                            the true interval wider.";

/// Every statistic, in the order of the page.
pub static STATISTICS: LazyLock<Vec<&'static Statistic>> = LazyLock::new(|| {
    let parts: [&'static [Statistic]; 7] = [
        &[connection_success::STATISTIC],
        setup_time::TOTAL,
        &[resets::PER_THOUSAND, resets::PER_HOUR, hold_time::STATISTIC, overhead::RTT],
        &[transfer_errors::PER_ATTEMPT, transfer_errors::PER_FILE, transfer_errors::PER_GIB],
        &[corruption::STATISTIC, recovery::STATISTIC, overhead::BYTES, overhead::ROUND_TRIPS],
        throughput::STATISTICS,
        &[security::ENCRYPTED, security::POST_QUANTUM],
    ];
    parts.into_iter().flatten().chain(setup_time::PHASES).collect()
});

/// What a statistic is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Getting in, and staying.
    Connections,
    /// Moving files.
    Transfers,
    /// Being listened to.
    Security,
    /// The parts of the set-up.
    Setup,
}

impl Group {
    /// What the page calls it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Connections => "Connections",
            Self::Transfers => "Files",
            Self::Security => "Encryption",
            Self::Setup => "Set-up by phase",
        }
    }
}

/// What the numbers of a statistic are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share between 0 and 1; shown in per cent.
    Share,
    /// Seconds.
    Seconds,
    /// Events per 1,000 connections.
    PerThousand,
    /// Events per hour of a connection.
    PerHour,
    /// Events per GiB moved.
    PerGib,
    /// A number of things.
    Count,
    /// Bytes per second.
    BytesPerSecond,
}

impl Unit {
    /// What the numbers are, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Share => "a share, shown in per cent",
            Self::Seconds => "seconds",
            Self::PerThousand => "events per 1,000 connections",
            Self::PerHour => "events per hour of a connection",
            Self::PerGib => "events per GiB",
            Self::Count => "a number",
            Self::BytesPerSecond => "bytes per second",
        }
    }
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// What a figure says, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// All of it in one or two sentences.
    pub brief: &'static str,
    /// The numerator of a share or a rate; of a median what each one brings.
    pub counted: &'static str,
    /// The denominator.
    pub of: &'static str,
    /// What is in neither.
    pub left_out: &'static str,
    /// The estimator, and how exact it is.
    pub method: &'static str,
}

/// One statistic: what it is called, what it says, and how it is computed.
#[derive(Debug)]
pub struct Statistic {
    /// The stable word.
    pub key: &'static str,
    /// What it is about.
    pub group: Group,
    /// What the page calls it.
    pub title: &'static str,
    /// What it says.
    pub definition: Definition,
    /// The observations that it rests on: as many as the `n` of its estimate.
    pub basis: Basis,
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
    /// Computes it.
    pub compute: fn(&Sample) -> Estimate,
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
        assert!(STATISTICS.iter().all(|s| !s.title.is_empty() && s.definition.brief.ends_with('.') && s.minimum > 0));
    }

    #[test]
    fn no_data_is_not_enough_and_no_figure() {
        for statistic in STATISTICS.iter() {
            let estimate = (statistic.compute)(&Sample::default());
            assert!(!estimate.enough && estimate.value.is_none(), "{}", statistic.key);
        }
    }
}
