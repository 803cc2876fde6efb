//! Host keys that will follow those in use: made long before, so that clients can know both, then put in their place.
//!
//! Clients are told of them by people: russh 0.65 has no way for a server to send `hostkeys-00@openssh.com` nor to answer
//! `hostkeys-prove-00@openssh.com` (OpenSSH's `PROTOCOL`, section 2.5).

use std::path::{Path, PathBuf};

use super::{HostKey, HostKeyError, KINDS, load, one, read, shown};
use crate::tree::file;

/// The keys of one data folder. Everything here blocks.
#[derive(Debug, Clone)]
pub struct Rotation(PathBuf);

impl Rotation {
    /// Of the door whose data is in this folder.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self(data.join("ssh"))
    }

    /// The keys in use from the next start on; made when there are none.
    ///
    /// # Errors
    /// [`HostKeyError`] in a sentence that says what to do.
    pub fn used(&self) -> Result<Vec<HostKey>, HostKeyError> {
        load(&self.0).map(|keys| shown(&keys))
    }

    /// The keys that will follow them.
    ///
    /// # Errors
    /// As [`Rotation::used`].
    pub fn next(&self) -> Result<Vec<HostKey>, HostKeyError> {
        let mut keys = Vec::new();
        for (name, _) in KINDS {
            keys.extend(read(&self.beside(name, "next"))?);
        }
        Ok(shown(&keys))
    }

    /// Makes a key of every kind to follow those in use. One that is there stays.
    ///
    /// # Errors
    /// As [`Rotation::used`].
    pub fn prepare(&self) -> Result<Vec<HostKey>, HostKeyError> {
        load(&self.0)?;
        for (name, make) in KINDS {
            one(&self.beside(name, "next"), make)?;
        }
        self.next()
    }

    /// Puts the prepared keys into the place of those in use, of which copies stay as `….old`. Returns what was put; cut
    /// off in the middle, the rest is put by the next call.
    ///
    /// # Errors
    /// As [`Rotation::used`].
    pub fn change(&self) -> Result<Vec<HostKey>, HostKeyError> {
        let used = load(&self.0)?;
        let mut put = Vec::new();
        for ((name, _), old) in KINDS.iter().zip(used) {
            let (path, next) = (self.0.join(name), self.beside(name, "next"));
            let Some(key) = read(&next)? else { continue };
            let text = old.to_openssh(super::LineEnding::LF).map_err(|_| HostKeyError::Make)?;
            let copy = self.beside(name, "old");
            file::write_private(&copy, text.as_bytes()).map_err(|error| HostKeyError::File(copy, error))?;
            file::rename(&next, &path).map_err(|error| HostKeyError::File(path, error))?;
            put.push(key);
        }
        Ok(shown(&put))
    }

    fn beside(&self, name: &str, ending: &str) -> PathBuf {
        self.0.join(format!("{name}.{ending}"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn prepared_keys_follow_and_the_old_ones_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation::of(dir.path());
        let first = rotation.used().unwrap();
        assert_eq!(first.len(), KINDS.len());
        assert!(rotation.next().unwrap().is_empty() && rotation.change().unwrap().is_empty(), "nothing is prepared");
        let next = rotation.prepare().unwrap();
        assert_eq!(next, rotation.prepare().unwrap(), "what clients were told stays");
        assert!(next.iter().zip(&first).all(|(next, first)| next.algorithm == first.algorithm && next != first));
        assert_eq!(rotation.used().unwrap(), first, "not yet");
        // Only one of them was put when the power went.
        let path = |name: &str| dir.path().join("ssh").join(name);
        std::fs::rename(path("ssh_host_ecdsa_key.next"), path("ssh_host_ecdsa_key")).unwrap();
        assert_eq!(rotation.change().unwrap().len(), KINDS.len() - 1);
        assert_eq!(rotation.used().unwrap(), next);
        assert!(rotation.next().unwrap().is_empty());
        assert_eq!(shown(&[read(&path("ssh_host_rsa_key.old")).unwrap().unwrap()]), first[2..]);
        for name in ["ssh_host_rsa_key", "ssh_host_rsa_key.old"] {
            assert_eq!(std::fs::metadata(path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
}
