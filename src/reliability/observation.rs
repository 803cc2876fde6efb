//! One measured thing that happened on a connection, ours or a client's.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Detail, Party};
use crate::model::{Fault, FaultKind, Phase, Protocol};

/// Whose connection it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// We called a server.
    Client,
    /// A client called one of our doors.
    Door,
}

impl Role {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Door => "door",
        }
    }
}

/// Which way the bytes went, seen from the one who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the server to the client.
    Download,
    /// From the client to the server.
    Upload,
}

impl Direction {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// As planned: a goodbye, or all bytes and the closing word.
    Clean,
    /// It had not ended when it was last looked at (we are shutting down, say): its true duration is
    /// longer than the measured one.
    StillOpen,
    /// By a failure.
    Failed(Phase, FaultKind),
}

impl End {
    /// As planned.
    #[must_use]
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Clean)
    }

    /// By `fault`, or as planned.
    #[must_use]
    pub fn by(fault: Option<&Fault>) -> Self {
        fault.map_or(Self::Clean, |fault| Self::Failed(fault.phase, fault.kind))
    }
}

/// One connection or one transfer. Exactly one is made of each, when it ends (or when the observer stops
/// while it goes on).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When it ended, or was last seen open.
    pub at: Timestamp,
    /// What was spoken.
    pub protocol: Protocol,
    /// Whose connection it was.
    pub role: Role,
    /// The other side or the door, for people: host and port or the door's name. Never a secret, never
    /// the name of a file.
    pub endpoint: String,
    /// What was measured.
    pub what: What,
    /// What else was seen.
    pub detail: Detail,
}

impl Observation {
    /// Who ended it; `None` when it goes on.
    #[must_use]
    pub fn ended_by(&self) -> Option<Party> {
        self.detail.by.or_else(|| Party::of(self.role, self.what.end()))
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A connection, from the attempt to its end. An attempt that never got through is one, too.
    Connection {
        /// From the first packet to "ready for the first command"; `None` when it never was. At a door:
        /// from accepting to the passed login.
        setup: Option<Duration>,
        /// The parts of the set-up.
        phases: Vec<(Phase, Duration)>,
        /// From "ready" to the end; zero when it never was ready.
        held: Duration,
        /// How it ended.
        end: End,
    },
    /// One attempt at moving one file. Control connections only count under `Connection`.
    Transfer {
        /// Which way.
        direction: Direction,
        /// Payload bytes moved.
        bytes: u64,
        /// From the command to the last byte.
        duration: Duration,
        /// How it ended.
        end: End,
    },
    /// One comparison of a file's content with that of its source, after everybody had said that it came through.
    Check {
        /// Bytes of the file.
        bytes: u64,
        /// As planned: the same. [`FaultKind::Mismatch`]: another. Any other failure: it could not be compared.
        end: End,
    },
}

impl What {
    /// How it ended.
    #[must_use]
    pub const fn end(&self) -> End {
        match self {
            Self::Connection { end, .. } | Self::Transfer { end, .. } | Self::Check { end, .. } => *end,
        }
    }

    /// An attempt at a connection that never was ready.
    #[must_use]
    pub fn never_ready(fault: &Fault) -> Self {
        let end = End::by(Some(fault));
        Self::Connection { setup: None, phases: Vec::new(), held: Duration::ZERO, end }
    }
}
