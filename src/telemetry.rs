//! Log lines for operators: text on a terminal, one JSON object a line by option.
//!
//! Logs are for operators, observations for statistics, audit events for proof; the three are never
//! mixed. A failure is logged once, where it is handled. Secrets cannot be logged: `model::Secret`
//! prints as stars. A line has a message for people *and* fields for machines; these are their names:
//!
//! | field | what it is |
//! |---|---|
//! | `task.name` | the task, as it was spawned |
//! | `peer` | address and port of the other side |
//! | `door` | `sftp`, `https`, `dav`, `files` or `web` |
//! | `account` | name of the account |
//! | `session` | number of a connection, unique in one process |
//! | `endpoint` | an endpoint's URL without its password |
//! | `job`, `run` | row numbers in the job store |
//! | `path` | a path below a root, escaped for people |
//! | `bytes` | a count of bytes |
//! | `ms` | a span in milliseconds |
//! | `fault.phase`, `fault.kind` | the words of `model::Phase` and `model::FaultKind` |
//! | `error` | the error's own sentence, its causes after colons |

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Why no log can be written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives cannot be read.
    #[error("log.filter '{0}' cannot be read ({1}): write for example \"info\" or \"info,causeway::remote=debug\"")]
    Filter(String, String),
}

/// Starts logging to standard error for the whole process. A second call changes nothing.
///
/// # Errors
/// [`TelemetryError::Filter`].
pub fn start(log: &Log) -> Result<(), TelemetryError> {
    let filter = filter(&log.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => {
            registry.with(lines.with_ansi(std::io::stderr().is_terminal()).with_target(false)).try_init()
        }
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
    Ok(())
}

fn filter(directives: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(directives)
        .map_err(|error| TelemetryError::Filter(directives.to_owned(), error.to_string()))
}

/// Checks directives without starting anything.
///
/// # Errors
/// [`TelemetryError::Filter`].
pub fn check(log: &Log) -> Result<(), TelemetryError> {
    filter(&log.filter).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_checked() {
        let log = |filter: &str| Log { format: LogFormat::Text, filter: filter.to_owned() };
        assert!(check(&log("info,causeway::remote=debug")).is_ok());
        let error = check(&log("causeway=loud")).unwrap_err().to_string();
        assert!(error.contains("write for example"), "{error}");
    }
}
