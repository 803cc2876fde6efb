//! Incidents: clusters of like faults in what the mirrors, the probes and the doors saw. One opens by itself when a fault
//! comes again and again, carries the verdict of the same [`super::rule`]s that a diagnosis draws on, and closes by itself
//! when the trouble is over.
//!
//! What was only observed shows less than what was tried: there is no route, no other way of connecting, nothing that was
//! held open on purpose. A verdict here is therefore often "cannot be told apart", and a diagnosis is offered.

mod desk;
mod gather;
mod store;
#[cfg(test)]
mod tests;
mod verdict;

use std::time::Duration;

use jiff::Timestamp;

pub use desk::Incidents;
pub use verdict::{Observed, Verdict};

use crate::model::{FaultKind, IncidentId, Phase, Protocol};
use crate::reliability::{End, Observation, Party, Role, What};

/// When faults are an incident, and when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How often new observations are looked at.
    pub beat: Duration,
    /// Faults count together when they happen within this time.
    pub window: Duration,
    /// So many like faults make an incident,
    pub least: usize,
    /// if they are at least one of so many connections or transfers of their kind.
    pub one_of: usize,
    /// It is over when none came for so long although something of its kind went well.
    pub quiet: Duration,
    /// Without anything of its kind, it is put away after so long: nobody knows whether it is over.
    pub forgotten: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(10),
            window: Duration::from_secs(600),
            least: 3,
            one_of: 20,
            quiet: Duration::from_secs(900),
            forgotten: Duration::from_secs(86_400),
        }
    }
}

/// What it was that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A connection.
    Connection,
    /// A transfer of a file.
    Transfer,
    /// A comparison of contents.
    Check,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Connection, Self::Transfer, Self::Check];

    /// Of what was measured.
    #[must_use]
    pub const fn of(what: &What) -> Self {
        match what {
            What::Connection { .. } => Self::Connection,
            What::Transfer { .. } => Self::Transfer,
            What::Check { .. } => Self::Check,
        }
    }

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Transfer => "transfer",
            Self::Check => "check",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What makes faults alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Likeness {
    /// Whose connections.
    pub role: Role,
    /// The other side or the door, as observations name it.
    pub endpoint: String,
    /// What was spoken.
    pub protocol: Protocol,
    /// What failed.
    pub kind: Kind,
    /// Where in the conversation.
    pub phase: Phase,
    /// What happened.
    pub fault: FaultKind,
}

impl Likeness {
    /// Of a fault that says something about the other side or the way to it. None: it went well, or was about one file, or
    /// about ourselves, or a stranger at a door did not know a password.
    #[must_use]
    pub fn of(seen: &Observation) -> Option<Self> {
        let End::Failed(phase, fault) = seen.what.end() else { return None };
        let of_a_file = matches!(
            fault,
            FaultKind::Missing
                | FaultKind::Exists
                | FaultKind::Permission
                | FaultKind::Changed
                | FaultKind::Unsettled
                | FaultKind::BadName
                | FaultKind::Unsupported
        );
        let strangers = seen.role == Role::Door && matches!(phase, Phase::Banner | Phase::Tls | Phase::Login);
        if of_a_file || strangers || (seen.ended_by() == Some(Party::Us) && fault != FaultKind::Mismatch) {
            return None;
        }
        let (role, endpoint, protocol) = (seen.role, seen.endpoint.clone(), seen.protocol);
        Some(Self { role, endpoint, protocol, kind: Kind::of(&seen.what), phase, fault })
    }

    /// Is it something of the same kind at the same place?
    #[must_use]
    pub fn is_kin(&self, seen: &Observation) -> bool {
        self.is_at(seen) && self.kind == Kind::of(&seen.what)
    }

    /// Was it seen at the same place?
    #[must_use]
    pub fn is_at(&self, seen: &Observation) -> bool {
        self.role == seen.role && self.protocol == seen.protocol && self.endpoint == seen.endpoint
    }

    /// Could it be a connection that was idle for too long?
    #[must_use]
    pub const fn may_be_idling(&self) -> bool {
        let broken =
            matches!(self.fault, FaultKind::Reset | FaultKind::ClosedEarly | FaultKind::Timeout | FaultKind::Stalled);
        let asked = matches!(self.phase, Phase::Command | Phase::List | Phase::Open | Phase::Finish | Phase::Close);
        broken && asked
    }

    /// In one sentence, without its end.
    #[must_use]
    pub fn sentence(&self) -> String {
        let what = match self.fault {
            FaultKind::Reset => "connections are reset",
            FaultKind::ClosedEarly => "connections are closed too early",
            FaultKind::Timeout => "answers do not come",
            FaultKind::Stalled => "bytes stop coming",
            FaultKind::Refused => "connections are refused",
            FaultKind::Unreachable => "the other side cannot be reached",
            FaultKind::Limit => "the other side is full",
            FaultKind::Auth => "logins are refused",
            FaultKind::Tls => "TLS or the host key is not accepted",
            FaultKind::Mismatch => "content arrives changed",
            _ => "what is said cannot be understood or trusted",
        };
        let whose = match self.role {
            Role::Client => "at",
            Role::Door => "of clients at the door",
        };
        format!("{what} {whose} {} ({}, while: {})", self.endpoint, self.protocol.family(), self.phase)
    }
}

/// An incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// What its faults have in common.
    pub like: Likeness,
    /// The first of them.
    pub since: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// When it was found to be over; none: it is open.
    pub closed: Option<Timestamp>,
    /// How many faults.
    pub faults: u64,
    /// What the rules say.
    pub verdict: Verdict,
}

/// One line of an incident's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What happened, as a sentence without its end.
    pub said: String,
}
