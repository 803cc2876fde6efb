//! Options of `account app`.

use clap::{Args, Subcommand};

use super::Format;

/// Commands of `account app`.
#[derive(Debug, Subcommand)]
pub enum AppVerb {
    /// The app passwords of an account, with their last use.
    List {
        /// Name of the account.
        name: String,
        /// How the answer is written.
        #[command(flatten)]
        format: Format,
    },
    /// A new app password; it is shown once.
    Add(AppAdd),
    /// Forget an app password: the next request with it is refused.
    Remove {
        /// Name of the account.
        name: String,
        /// Its label, as `app list` shows it.
        label: String,
    },
}

/// Options of `account app add`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  causeway account app add anna \"Anna's laptop\"\n  \
                        causeway account app add anna backup --folder reports --read-only --days 90")]
pub struct AppAdd {
    /// Name of the account.
    pub name: String,
    /// The device or program that gets it.
    pub label: String,
    /// Only this folder of the account's own, which must be there [default: all of it].
    #[arg(long, value_name = "FOLDER", default_value = "")]
    pub folder: String,
    /// It may list and read only.
    #[arg(long)]
    pub read_only: bool,
    /// It ends after so many days [default: never].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    pub days: Option<u16>,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}
