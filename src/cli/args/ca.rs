//! Options of `ca`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Format;

/// Commands of `ca`.
#[derive(Debug, Subcommand)]
pub enum CaVerb {
    /// The authorities.
    List(Format),
    /// Accept the certificates of another authority.
    Add {
        /// A file with its public key as OpenSSH writes it (ca.pub).
        file: PathBuf,
    },
    /// Accept its certificates no more. Open connections that began with them end.
    Remove {
        /// SHA256:… as `ca list` shows it.
        fingerprint: String,
    },
    /// Revoke certificates of an authority. Open connections that began with them end.
    Revoke(CaRevoke),
}

/// Options of `ca revoke`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  causeway ca revoke SHA256:… --serial 17\n  \
                        causeway ca revoke SHA256:… --key-id anna@laptop")]
pub struct CaRevoke {
    /// SHA256:… as `ca list` shows it.
    pub fingerprint: String,
    /// The one with this serial number.
    #[arg(long, value_name = "NUMBER", required_unless_present = "key_id", conflicts_with = "key_id")]
    pub serial: Option<NonZeroU64>,
    /// All with this key id (what ssh-keygen -s takes as -I).
    #[arg(long, value_name = "ID")]
    pub key_id: Option<String>,
}
