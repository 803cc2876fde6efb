//! `causeway report`.

use crate::app::Store;
use crate::config::Config;
use crate::tree::file;
use crate::web::{ReportFormat as Format, report};

use super::args::{ReportArgs, ReportFormat};
use super::{Failure, output};

/// Writes the report.
pub(super) async fn run(args: ReportArgs, config: &Config, store: &Store) -> Result<(), Failure> {
    let format = match args.format {
        ReportFormat::Html => Format::Html,
        ReportFormat::Csv => Format::Csv,
        ReportFormat::Json => Format::Json,
    };
    let objectives = &config.reliability.objectives;
    let bytes = report(&store.db, store.clock.as_ref(), objectives, args.window.as_str(), format).await?;
    match &args.output {
        None => output::raw(&bytes),
        Some(path) => file::write_public(path, &bytes)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display()))),
    }
}
