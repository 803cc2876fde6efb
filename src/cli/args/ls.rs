//! What can be typed behind `ls`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Via};
use crate::model::ServerZone;
use crate::remote::ftp::listing::{Form, Format as ListFormat};

/// Options of `ls`.
#[derive(Debug, Args)]
#[command(after_help = LS_HELP)]
pub struct LsArgs {
    /// The folder: ftp://, ftp+tls://, ftps://, or a folder of this machine; '-' reads a saved listing from standard
    /// input.
    #[arg(value_name = "URL", required_unless_present = "file")]
    pub url: Option<String>,
    /// Read a listing that was saved as it came, instead of asking a server ('-' is standard input).
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub file: Option<PathBuf>,
    /// What wrote the saved listing: mlsd, nlst, or the format of a LIST such as unix, dos, vms, mvs-pds [default: found
    /// out].
    #[arg(long = "as", value_name = "FORMAT", value_parser = form)]
    pub form: Option<Form>,
    /// The present for a saved listing, for years that are not written, for example 2024-05-06T07:08:09Z [default: now].
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub now: Option<jiff::Timestamp>,
    /// The zone of the server's clock, which its listings show: minutes ahead of UTC, or a name such as Europe/Berlin
    /// [default: UTC].
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: Option<ServerZone>,
    /// How the server is spoken to.
    #[command(flatten)]
    pub via: Via,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

const LS_HELP: &str = "\
Examples:
  causeway ls ftp://anna@old.example/pub
  causeway ls ftp://old.example/berlin --zone Europe/Berlin --charset windows-1252
  causeway ls --file listing.txt --now 2019-03-31T12:00:00Z --json

Nothing is changed, here or there. Behind the entries come the formats that were recognised, the lines that were not
understood, and whether the listing is known to be complete. With --json each entry is one object on a line of its own, in
the order of the listing, and each line that was not understood is {\"unparsed_hex\": …}; doubts go to standard error.";

fn form(text: &str) -> Result<Form, String> {
    let names = || ListFormat::ALL.iter().map(|format| format.as_str()).collect::<Vec<_>>().join(", ");
    match text {
        "mlsd" => Ok(Form::Facts),
        "nlst" => Ok(Form::Names),
        text => ListFormat::of_name(text).map(Form::Known).ok_or_else(|| format!("known are nlst, {}", names())),
    }
}

fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse().map_err(|_| "write for example 2024-05-06T07:08:09Z".to_owned())
}
