//! What can be typed behind `drill`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, bytes};
use crate::drill::Exercise;

/// Options of `drill`.
#[derive(Debug, Args)]
#[command(after_help = DRILL_HELP)]
pub struct DrillArgs {
    /// The job, by name or number.
    pub job: String,
    /// Only these exercises, with commas between them: reset, stall, half-open, refusals, black-hole, slow, disk-full,
    /// database-locked, killed [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = exercise)]
    pub only: Vec<Exercise>,
    /// Files of the source that are copied each time, at most.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_files: u32,
    /// Their bytes, at most.
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = bytes)]
    pub max_bytes: u64,
    /// When so many bytes have been copied the fault comes [default: half of them].
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub at: Option<u64>,
    /// Write a report to be passed on: one file of HTML.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

fn exercise(text: &str) -> Result<Exercise, String> {
    Exercise::of(text).ok_or_else(|| {
        let all = Exercise::ALL.map(Exercise::as_str).join(", ");
        format!("there is no such exercise: write one of {all}")
    })
}

const DRILL_HELP: &str = "\
Examples:
  causeway drill nightly
  causeway drill nightly --only reset,black-hole,killed --report drill.html
  causeway drill nightly --max-bytes 1GiB --json > drill.json

A sample of the job's source is copied with the job's own settings, once for each exercise, into a folder of the data folder
that is thrown away; in the middle of each copy something breaks. Neither the job's target nor its journal is touched, and
the source is only read, over a relay of this program that does the harm. Every file is hashed before, straight from the
source, and after. All nine take some minutes, more where the job's deadlines are long: a connection that is dead without
a word is noticed by nothing else. What came of each is kept in the audit log.
Exit codes: 0 everything was done and nothing is lost, 1 something is lost, did not end well, or was not done.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_exercise() {
        use clap::CommandFactory as _;
        let mut all = super::super::Cli::command();
        let help = all.find_subcommand_mut("drill").unwrap().render_long_help().to_string().replace('\n', " ");
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(&Exercise::ALL.map(Exercise::as_str).join(", ")), "{help}");
    }
}
