//! Options of `host-key`.

use clap::{Args, Subcommand};

use super::Format;

/// Commands of `host-key`.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "To change the keys without a warning at any client: 'prepare', tell the clients of the new keys \
                        (host-key list --known-hosts writes lines for their known_hosts), wait, 'change', and restart."
)]
pub enum HostKeyVerb {
    /// The keys in use, and those that will follow them.
    List(HostKeyList),
    /// Make the keys that will follow those in use.
    Prepare,
    /// Put the prepared keys into the place of those in use, from the next start on.
    Change,
}

/// Options of `host-key list`.
#[derive(Debug, Args)]
pub struct HostKeyList {
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
    /// Write lines for a known_hosts file, for the server under this name: files.example, or [files.example]:2022.
    #[arg(long, value_name = "HOST", conflicts_with = "json")]
    pub known_hosts: Option<String>,
}
