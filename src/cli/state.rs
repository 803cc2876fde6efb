//! Where a command that is no part of a service keeps what it knows.

use std::path::{Path, PathBuf};

use crate::config::{Environment, Loaded, Origin};

use super::Failure;

/// A named folder; the configured one when somebody configured one; else the user's own.
///
/// # Errors
/// When there is none of them.
pub(super) fn folder(named: Option<&Path>, loaded: &Loaded, environment: &Environment) -> Result<PathBuf, Failure> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    if loaded.shown.iter().any(|setting| setting.name == "data" && setting.origin != Origin::Default) {
        return Ok(loaded.config.data.clone());
    }
    environment.state_folder().ok_or_else(|| Failure::new("no home folder for the journal: name one with --state DIR"))
}
