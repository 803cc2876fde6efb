//! `running.json` in the data folder: which process serves it, and where. Scripts and the other commands
//! read it; a second server over the same folder is refused.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::job::{Life, Owner};
use crate::tree::file;

const FILE: &str = "running.json";

/// Why it cannot be claimed or written.
#[derive(Debug, thiserror::Error)]
pub enum RunningError {
    /// Another process serves the folder.
    #[error("process {pid} serves {folder} already: stop it first, or name another data folder")]
    Elsewhere {
        /// Its number.
        pid: u32,
        /// Which folder.
        folder: PathBuf,
    },
    /// The file.
    #[error("{path} cannot be written: {source}; make the data folder writable and leave some space on the disk")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where a serving process can be reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    /// Its number.
    pub pid: u32,
    /// That process, so that another one with its number is not taken for it; none when it has ended.
    owner: Option<String>,
    /// Dashboard, WebDAV and downloads.
    pub https: Option<SocketAddr>,
    /// SFTP.
    pub sftp: Option<SocketAddr>,
    #[serde(skip)]
    path: PathBuf,
}

impl Running {
    /// Makes sure that nobody else serves `folder`.
    ///
    /// # Errors
    /// [`RunningError::Elsewhere`].
    pub fn claim(folder: &Path) -> Result<Self, RunningError> {
        let path = folder.join(FILE);
        if let Some(other) = Self::read(folder)
            && other.pid != std::process::id()
            && other.is_alive()
        {
            return Err(RunningError::Elsewhere { pid: other.pid, folder: folder.to_path_buf() });
        }
        let pid = std::process::id();
        let owner = Some(Owner::of_this_process().to_string());
        let running = Self { pid, owner, https: None, sftp: None, path };
        running.announce()?;
        Ok(running)
    }

    /// What the last server of `folder` wrote; it may be gone.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&file::read_small(&folder.join(FILE), 4096).ok()?).ok()
    }

    fn is_alive(&self) -> bool {
        let owner = self.owner.as_deref().and_then(|owner| owner.parse::<Owner>().ok());
        owner.is_some_and(|owner| owner.life(&Owner::of_this_process()) == Life::Alive)
    }

    /// Writes the addresses.
    ///
    /// # Errors
    /// [`RunningError::File`].
    pub fn announce(&self) -> Result<(), RunningError> {
        let wrong = |source| RunningError::File { path: self.path.clone(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|error| wrong(error.into()))?;
        file::write_private(&self.path, &text).map_err(wrong)
    }

    /// Says that nobody serves any more.
    pub fn forget(mut self) {
        (self.https, self.sftp, self.owner) = (None, None, None);
        if let Err(error) = self.announce() {
            tracing::debug!(%error, "the note about this process stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_refused_and_an_ended_one_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let own = Owner::of_this_process().to_string();
        let note = |owner: Option<&str>| serde_json::json!({ "pid": 1, "owner": owner, "https": null, "sftp": null });
        std::fs::write(&path, note(Some(&own)).to_string()).unwrap();
        assert!(matches!(Running::claim(folder.path()), Err(RunningError::Elsewhere { pid: 1, .. })));
        std::fs::write(&path, note(None).to_string()).unwrap();
        let running = Running::claim(folder.path()).unwrap();
        assert_eq!(Running::read(folder.path()).unwrap().pid, std::process::id());
        running.forget();
        assert_eq!(Running::read(folder.path()).unwrap().owner, None);
    }
}
