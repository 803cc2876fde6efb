//! Whose failure was it?

use crate::model::{FaultKind, Phase};

/// What a failure says about the reliability of a protocol on its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The connection, the server, the path or the protocol failed. Counts.
    Path,
    /// Somebody asked for what cannot be given (wrong password, missing file, no rights), a limit said
    /// no, this machine could not, or a person stopped it. Left out of numerator and denominator.
    Asked,
}

impl Blame {
    /// Of a failure in `phase` of `kind`.
    #[must_use]
    pub const fn of(phase: Phase, kind: FaultKind) -> Self {
        // A name that does not resolve is this machine's resolver, or a typing error.
        if matches!(phase, Phase::Resolve) {
            return Self::Asked;
        }
        match kind {
            FaultKind::Reset
            | FaultKind::ClosedEarly
            | FaultKind::Timeout
            | FaultKind::Stalled
            | FaultKind::Refused
            | FaultKind::Unreachable
            | FaultKind::Mismatch
            | FaultKind::Tls
            | FaultKind::Protocol
            | FaultKind::Incomplete => Self::Path,
            FaultKind::Limit
            | FaultKind::Auth
            | FaultKind::Permission
            | FaultKind::Missing
            | FaultKind::Exists
            | FaultKind::Changed
            | FaultKind::Unsettled
            | FaultKind::BadName
            | FaultKind::Unsupported
            | FaultKind::DiskFull
            | FaultKind::Io
            | FaultKind::Cancelled => Self::Asked,
        }
    }

    /// Did it end a connection that was ready, against the will of the one who held it? A server's "too
    /// many" or "idle too long" does, although it is no failure of the path.
    #[must_use]
    pub const fn is_loss(phase: Phase, kind: FaultKind) -> bool {
        matches!(kind, FaultKind::Limit) || matches!(Self::of(phase, kind), Self::Path)
    }
}
