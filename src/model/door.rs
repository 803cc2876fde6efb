//! The ways in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Through which door somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// SSH file transfer.
    Sftp,
    /// WebDAV.
    Dav,
    /// Plain HTTP downloads and uploads.
    Files,
    /// The dashboard.
    Web,
    /// A link that somebody shares with people without an account.
    Share,
    /// The command line on this machine.
    Cli,
}

impl Door {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sftp => "sftp",
            Self::Dav => "dav",
            Self::Files => "files",
            Self::Web => "web",
            Self::Share => "share",
            Self::Cli => "cli",
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
