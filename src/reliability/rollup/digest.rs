//! What one endpoint's observations of one minute, hour or day come to.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use crate::model::{FaultKind, Phase};
use crate::reliability::stat::{Blame, is_goodput};
use crate::reliability::{Detail, End, What};

/// How something ended, and whether it had been ready before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended {
    /// Had the connection been ready? Transfers: always.
    pub ready: bool,
    /// The failure; `None`: as planned, or not at all.
    pub failed: Option<(Phase, FaultKind)>,
    /// It had not ended.
    pub open: bool,
}

impl Ended {
    fn of(ready: bool, end: End) -> Self {
        match end {
            End::Clean => Self { ready, failed: None, open: false },
            End::StillOpen => Self { ready, failed: None, open: true },
            End::Failed(phase, kind) => Self { ready, failed: Some((phase, kind)), open: false },
        }
    }
}

/// What is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sum {
    /// Microseconds that ready connections were held.
    Held,
    /// Bytes of files, of transfers that ended well or failed by the path.
    Moved,
    /// Files that came through with their first attempt.
    FilesFirst,
    /// Files that needed more.
    FilesRetried,
    /// Files that were given up.
    FilesLost,
    /// Files whose content was compared, and was the same.
    Verified,
    /// Files whose content was compared, and was another.
    Corrupt,
    /// Ready connections that were encrypted.
    Encrypted,
    /// And that were not.
    InClear,
    /// Encrypted connections whose keys a quantum computer does not find.
    PostQuantum,
    /// And whose keys it does.
    Classical,
}

impl Sum {
    /// Every one; the place is its number in the store.
    pub const ALL: [Self; 11] = [
        Self::Held,
        Self::Moved,
        Self::FilesFirst,
        Self::FilesRetried,
        Self::FilesLost,
        Self::Verified,
        Self::Corrupt,
        Self::Encrypted,
        Self::InClear,
        Self::PostQuantum,
        Self::Classical,
    ];
}

/// What there are histograms of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Set-up of connections that became ready, in seconds.
    Setup,
    /// Hold time of those that were lost, in seconds.
    Lost,
    /// Hold time of those that were let go.
    Kept,
    /// From the first failed attempt at a file to the one that succeeded, in seconds.
    Recovered,
    /// From the first failed attempt at a file to the last one.
    Abandoned,
    /// Bytes on the way beyond the payload, as a share of it, of connections that moved files.
    Overhead,
    /// Round trips of connections that moved files.
    RoundTrips,
    /// The shortest round trip of a connection, in seconds.
    Rtt,
    /// Bytes per second of clean transfers, by size class.
    Goodput(u8),
    /// One phase of the set-up, in seconds.
    Phase(Phase),
}

/// The size classes of [`Measure::Goodput`]: from so many bytes on.
pub const CLASSES: [u64; 4] = [0, 64 << 10, 1 << 20, 16 << 20];

/// The class of a size.
#[must_use]
pub fn class(bytes: u64) -> u8 {
    let above = CLASSES.iter().filter(|from| bytes >= **from).count();
    u8::try_from(above.saturating_sub(1)).unwrap_or(0)
}

/// Counts, sums and histograms. Digests of different times or endpoints add up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digest {
    pub(super) connections: BTreeMap<Ended, u64>,
    pub(super) transfers: BTreeMap<Ended, u64>,
    pub(super) sums: BTreeMap<Sum, u64>,
    pub(super) histograms: BTreeMap<Measure, Histogram>,
}

impl Digest {
    /// Takes an observation in.
    pub fn add(&mut self, what: &What, detail: &Detail) {
        match what {
            What::Connection { setup, phases, held, end } => {
                *self.connections.entry(Ended::of(setup.is_some(), *end)).or_default() += 1;
                let Some(setup) = setup else { return };
                self.measure(Measure::Setup, setup.as_secs_f64());
                for (phase, took) in phases {
                    self.measure(Measure::Phase(*phase), took.as_secs_f64());
                }
                let lost = matches!(end, End::Failed(phase, kind) if Blame::is_loss(*phase, *kind));
                self.measure(if lost { Measure::Lost } else { Measure::Kept }, held.as_secs_f64());
                self.sum(Sum::Held, u64::try_from(held.as_micros()).unwrap_or(u64::MAX));
                self.of_connection(detail);
            }
            What::Transfer { bytes, duration, end, .. } => {
                *self.transfers.entry(Ended::of(true, *end)).or_default() += 1;
                let counts = match end {
                    End::Clean => true,
                    End::StillOpen => false,
                    End::Failed(phase, kind) => Blame::of(*phase, *kind) == Blame::Path,
                };
                if counts {
                    self.sum(Sum::Moved, *bytes);
                }
                if is_goodput(*end, *duration) {
                    let rate = crate::reliability::estimate::number(*bytes) / duration.as_secs_f64();
                    self.measure(Measure::Goodput(class(*bytes)), rate);
                }
            }
            What::Check { end, .. } => match end {
                End::Clean => self.sum(Sum::Verified, 1),
                End::Failed(_, FaultKind::Mismatch) => self.sum(Sum::Corrupt, 1),
                End::StillOpen | End::Failed(..) => {}
            },
        }
    }

    fn of_connection(&mut self, detail: &Detail) {
        if let Some(encrypted) = detail.encrypted {
            self.sum(if encrypted { Sum::Encrypted } else { Sum::InClear }, 1);
            if let Some(safe) = detail.post_quantum.filter(|_| encrypted) {
                self.sum(if safe { Sum::PostQuantum } else { Sum::Classical }, 1);
            }
        }
        if let Some(tcp) = detail.tcp.filter(|tcp| !tcp.min_rtt.is_zero()) {
            self.measure(Measure::Rtt, tcp.min_rtt.as_secs_f64());
        }
        let number = crate::reliability::estimate::number;
        if let Some(payload) = detail.payload.filter(|payload| *payload > 0) {
            if let Some(wire) = detail.wire {
                self.measure(Measure::Overhead, number(wire.saturating_sub(payload)) / number(payload));
            }
            if let Some(turns) = detail.round_trips {
                self.measure(Measure::RoundTrips, f64::from(turns));
            }
        }
    }

    /// Adds to a sum.
    pub fn sum(&mut self, sum: Sum, by: u64) {
        let slot = self.sums.entry(sum).or_default();
        *slot = slot.saturating_add(by);
    }

    /// Adds to a histogram.
    pub fn measure(&mut self, measure: Measure, value: f64) {
        self.histograms.entry(measure).or_default().add(value);
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        for (mine, others) in [(&mut self.connections, &other.connections), (&mut self.transfers, &other.transfers)] {
            for (ended, count) in others {
                *mine.entry(*ended).or_default() += count;
            }
        }
        for (sum, by) in &other.sums {
            self.sum(*sum, *by);
        }
        for (measure, histogram) in &other.histograms {
            self.histograms.entry(*measure).or_default().merge(histogram);
        }
    }

    /// A sum.
    #[must_use]
    pub fn summed(&self, sum: Sum) -> u64 {
        self.sums.get(&sum).copied().unwrap_or(0)
    }

    /// A histogram.
    #[must_use]
    pub fn measured(&self, measure: Measure) -> Histogram {
        self.histograms.get(&measure).cloned().unwrap_or_default()
    }

    /// Connections by their ends.
    pub fn connections(&self) -> impl Iterator<Item = (Ended, u64)> {
        self.connections.iter().map(|(ended, count)| (*ended, *count))
    }

    /// Transfers by their ends.
    pub fn transfers(&self) -> impl Iterator<Item = (Ended, u64)> {
        self.transfers.iter().map(|(ended, count)| (*ended, *count))
    }
}
