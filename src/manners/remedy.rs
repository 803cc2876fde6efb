//! What helps at a server, or on the way to it: found by a diagnosis, used by every later run without being told.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Remedy {
    /// TCP keepalive on control connections after so much silence.
    Keepalive {
        /// Seconds.
        seconds: u32,
    },
    /// A session that rested longer is not used again.
    Rest {
        /// Seconds.
        seconds: u32,
    },
    /// No more connections at once.
    Connections {
        /// Connections.
        most: u16,
    },
    /// Short TCP segments from the first connection on.
    ShortSegments,
    /// PASV from the start, not EPSV.
    Pasv,
    /// Data connections go to the control peer's address, whatever PASV announces and whatever the options say.
    PeerAddress,
}

impl Remedy {
    /// As it is stored.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Keepalive { .. } => "keepalive",
            Self::Rest { .. } => "rest",
            Self::Connections { .. } => "connections",
            Self::ShortSegments => "short-segments",
            Self::Pasv => "pasv",
            Self::PeerAddress => "peer-address",
        }
    }

    /// Its number; 1 where it has none.
    #[must_use]
    pub fn value(self) -> i64 {
        match self {
            Self::Keepalive { seconds } | Self::Rest { seconds } => seconds.into(),
            Self::Connections { most } => most.into(),
            Self::ShortSegments | Self::Pasv | Self::PeerAddress => 1,
        }
    }

    /// The other way round.
    #[must_use]
    pub fn of(kind: &str, value: i64) -> Option<Self> {
        Some(match kind {
            "keepalive" => Self::Keepalive { seconds: value.try_into().ok().filter(|seconds| *seconds > 0)? },
            "rest" => Self::Rest { seconds: value.try_into().ok()? },
            "connections" => Self::Connections { most: value.try_into().ok().filter(|most| *most > 0)? },
            "short-segments" => Self::ShortSegments,
            "pasv" => Self::Pasv,
            "peer-address" => Self::PeerAddress,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Remedy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keepalive { seconds } => write!(f, "TCP keepalive every {seconds} s"),
            Self::Rest { seconds } => write!(f, "sessions that rested longer than {seconds} s are not used again"),
            Self::Connections { most } => write!(f, "at most {most} connections"),
            Self::ShortSegments => f.write_str("short TCP segments"),
            Self::Pasv => f.write_str("PASV instead of EPSV"),
            Self::PeerAddress => f.write_str("data connections to the control peer's address"),
        }
    }
}

/// A remedy as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prescribed {
    /// What helps.
    #[serde(flatten)]
    pub remedy: Remedy,
    /// What was found.
    pub why: String,
    /// When.
    pub at: Timestamp,
    /// Then it is forgotten.
    pub until: Timestamp,
}

/// All that helps at one server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remedies {
    /// TCP keepalive on control connections after so much silence.
    pub keepalive: Option<Duration>,
    /// Sessions that rested longer are not used again.
    pub rest: Option<Duration>,
    /// No more connections at once.
    pub connections: Option<u16>,
    /// Short TCP segments from the first connection on.
    pub short_segments: bool,
    /// PASV from the start.
    pub pasv: bool,
    /// Data connections go to the control peer's address.
    pub peer_address: bool,
}

impl FromIterator<Remedy> for Remedies {
    fn from_iter<I: IntoIterator<Item = Remedy>>(all: I) -> Self {
        let mut remedies = Self::default();
        for remedy in all {
            match remedy {
                Remedy::Keepalive { seconds } => remedies.keepalive = Some(Duration::from_secs(seconds.into())),
                Remedy::Rest { seconds } => remedies.rest = Some(Duration::from_secs(seconds.into())),
                Remedy::Connections { most } => remedies.connections = Some(most),
                Remedy::ShortSegments => remedies.short_segments = true,
                Remedy::Pasv => remedies.pasv = true,
                Remedy::PeerAddress => remedies.peer_address = true,
            }
        }
        remedies
    }
}
