//! What the statistics of one family are computed from: exact counts, and rows for what needs more than
//! counts.

use super::Blame;
use crate::model::{FaultKind, Phase};

/// One kind of failure and how often it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::reliability) struct FailureCount {
    pub(in crate::reliability) phase: Phase,
    pub(in crate::reliability) kind: FaultKind,
    /// Had the connection been ready before? (Transfers: always.)
    pub(in crate::reliability) ready: bool,
    pub(in crate::reliability) count: u64,
}

impl FailureCount {
    pub(super) fn blame(self) -> Blame {
        Blame::of(self.phase, self.kind)
    }
}

/// A connection that became ready.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::reliability) struct ConnectionRow {
    /// Seconds.
    pub(in crate::reliability) setup: f64,
    /// Seconds.
    pub(in crate::reliability) held: f64,
    /// How it failed, if it did.
    pub(in crate::reliability) failed: Option<(Phase, FaultKind)>,
}

/// A transfer that ended well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::reliability) struct TransferRow {
    pub(in crate::reliability) bytes: u64,
    /// Seconds.
    pub(in crate::reliability) duration: f64,
}

/// The observations of one family in one window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::reliability) struct Sample {
    /// Connections that became ready, however they ended.
    pub(in crate::reliability) ready: u64,
    /// Connections that ended without a failure before they were ready.
    pub(in crate::reliability) never_ready: u64,
    /// Connections that failed.
    pub(in crate::reliability) connection_failures: Vec<FailureCount>,
    /// Ready connections: all, or an even draw when there are very many.
    pub(in crate::reliability) connections: Vec<ConnectionRow>,
    /// Transfers that ended well.
    pub(in crate::reliability) transfers_clean: u64,
    /// Transfers that had not ended.
    pub(in crate::reliability) transfers_open: u64,
    /// Transfers that failed.
    pub(in crate::reliability) transfer_failures: Vec<FailureCount>,
    /// Clean transfers from a size on: all, or an even draw.
    pub(in crate::reliability) transfers: Vec<TransferRow>,
}

/// Sums the counts that `test` picks.
pub(super) fn sum(failures: &[FailureCount], test: impl Fn(&FailureCount) -> bool) -> u64 {
    failures.iter().filter(|failure| test(failure)).map(|failure| failure.count).sum()
}
