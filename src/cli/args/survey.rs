//! What can be typed behind `survey`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Via, When, seconds};
use crate::model::ServerZone;

/// Options of `survey`.
#[derive(Debug, Args)]
#[command(after_help = SURVEY_HELP)]
pub struct SurveyArgs {
    /// The tree: ftp://, ftp+tls://, ftps://, sftp://, or a folder of this machine.
    pub url: String,
    /// A log of the server (xferlog, vsftpd.log, ExtendedLog, CLF, W3C), for who still uses it; may be repeated.
    #[arg(long = "log", value_name = "FILE")]
    pub logs: Vec<PathBuf>,
    /// Read no more folders after this long, for example 30m.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = seconds)]
    pub max_time: u32,
    /// Read no more folders after so many entries.
    #[arg(long, value_name = "N", default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_entries: u64,
    /// The zone of the server's clock, which its listings show: minutes ahead of UTC, or a name such as Europe/Berlin
    /// [default: UTC].
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: Option<ServerZone>,
    /// How the server is spoken to. Without --connections it is two at once.
    #[command(flatten)]
    pub via: Via,
    /// When progress is shown.
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub progress: When,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

const SURVEY_HELP: &str = "\
Examples:
  causeway survey ftp://anna@old.example/
  causeway survey ftp://anna@old.example/pub --max-time 10m --json > report.json
  causeway survey ftp://old.example/ --log /var/log/vsftpd.log --log /var/log/xferlog

Nothing is changed on the server. It is asked over two connections, with a rest after each answer, and a few files are
read, 14 MiB at most. The password comes from --password-file, from CAUSEWAY_SOURCE_PASSWORD, from the URL, or is asked for.
Exit codes: 0 the report is about all of the tree, 3 it is about a part of it (the report says why, and where it stopped),
1 there is no report.";
