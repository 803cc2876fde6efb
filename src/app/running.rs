//! `running.json` in the data folder: which process serves it, and where. Scripts and the other commands
//! read it; a second server over the same folder is refused.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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
    /// When that process began, in the kernel's ticks: numbers of processes come back.
    began: Option<u64>,
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
            && other.began.is_some()
            && other.began == began(other.pid)
        {
            return Err(RunningError::Elsewhere { pid: other.pid, folder: folder.to_path_buf() });
        }
        let pid = std::process::id();
        let running = Self { pid, began: began(pid), https: None, sftp: None, path };
        running.announce()?;
        Ok(running)
    }

    /// What the last server of `folder` wrote; it may be gone.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&file::read_small(&folder.join(FILE), 4096).ok()?).ok()
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
        (self.https, self.sftp, self.began) = (None, None, None);
        if let Err(error) = self.announce() {
            tracing::debug!(%error, "the note about this process stays");
        }
    }
}

/// When a process began (field 22 of `/proc/PID/stat`); none when there is no such process.
fn began(pid: u32) -> Option<u64> {
    let text = file::read_small(Path::new(&format!("/proc/{pid}/stat")), 4096).ok()?;
    // The command's name may hold blanks and brackets: the fields are counted from its end.
    String::from_utf8_lossy(&text).rsplit(')').next()?.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_refused_and_a_dead_one_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert!(began(std::process::id()).is_some());
        // Process 1 lives; nobody is process 4194305, the first number that cannot be.
        let note =
            |pid: u32| serde_json::json!({ "pid": pid, "began": began(pid).or(Some(1)), "https": null, "sftp": null });
        std::fs::write(&path, note(1).to_string()).unwrap();
        assert!(matches!(Running::claim(folder.path()), Err(RunningError::Elsewhere { pid: 1, .. })));
        std::fs::write(&path, note(4_194_305).to_string()).unwrap();
        let running = Running::claim(folder.path()).unwrap();
        assert_eq!(Running::read(folder.path()).unwrap().pid, std::process::id());
        running.forget();
        assert_eq!(Running::read(folder.path()).unwrap().began, None);
    }
}
