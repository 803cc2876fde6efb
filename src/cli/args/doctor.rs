//! What can be typed behind `doctor`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Via, When, seconds};

/// Options of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_HELP)]
pub struct DoctorArgs {
    /// The server: ftp://, ftp+tls://, ftps://, sftp://, dav:// or davs://. Files for test transfers are looked for in its folder.
    pub url: String,
    /// Leave out what takes minutes: many data connections in a row, idle connections, a long transfer.
    #[arg(long)]
    pub quick: bool,
    /// The longest time that a connection is left idle, for example 6m.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = seconds, conflicts_with = "quick")]
    pub hold: u32,
    /// No new step after this long.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = seconds)]
    pub max_time: u32,
    /// Also write a file into this folder of an SFTP or WebDAV server, below that of the address (. is that folder itself),
    /// in chunks and under a lock where it is WebDAV, and remove it again.
    #[arg(long, value_name = "FOLDER")]
    pub upload: Option<String>,
    /// Try the remedies that can be tried, and show before and after.
    #[arg(long = "try")]
    pub trial: bool,
    /// Keep no remedy for later runs.
    #[arg(long)]
    pub look_only: bool,
    /// Add a text for the owner of the other side.
    #[arg(long)]
    pub letter: bool,
    /// How the server is spoken to. Without --connections up to ten at once are tried.
    #[command(flatten)]
    pub via: Via,
    /// Where the remedies are kept for `mirror`, and headers of packets (with CAP_NET_RAW) when something was reset [default: the user's state folder].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// When the steps are shown as they are taken.
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub progress: When,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

const DOCTOR_HELP: &str = "\
Examples:
  causeway doctor ftp://anna@old.example/
  causeway doctor ftp://anna@old.example/ --quick
  causeway doctor ftp://anna@old.example/ --hold 6m --try --letter
  causeway doctor ftp+tls://anna@old.example/ --json > report.json

Nothing is changed on the server (but for --upload): 200 connections, 10 of them at once, and 64 MiB at most. The password comes from
--password-file, from CAUSEWAY_SOURCE_PASSWORD, from the URL, or is asked for; it is not tried again when it was refused.
What was shown to help and can be done by itself (keepalive, fewer connections, short packets, PASV) is used by later runs
of `mirror` and of jobs that keep their state in the same folder, for a month.
Exit codes: 0 nothing out of order was seen, 3 a cause was found (the report says which), 1 there is no report.";
