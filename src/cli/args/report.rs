//! `causeway report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A page that needs nothing else, two sheets when printed.
    Html,
    /// A table for spreadsheets.
    Csv,
    /// For scripts.
    Json,
}

/// Which stretch of time a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportWindow {
    /// The last hour.
    Hour,
    /// The last day.
    Day,
    /// The last 30 days.
    Month,
    /// The last year.
    Year,
}

impl ReportWindow {
    /// The word that the dashboard uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// Options of `report`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  causeway report --output report.html
  causeway report --window year --format csv > figures.csv

The same report can be downloaded from the dashboard's reliability page. Figures below their minimum say \"not enough data
yet\" and have no value.")]
pub struct ReportArgs {
    /// How it is written.
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    pub format: ReportFormat,
    /// Which stretch of time it is about.
    #[arg(long, value_enum, default_value_t = ReportWindow::Month)]
    pub window: ReportWindow,
    /// Write it to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
