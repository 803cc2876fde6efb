//! The folder in which a drill happens. It goes with the drill; where that was killed, with the next one.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::fs::{Dir, FlockOperation, Mode, OFlags, flock, openat};

use super::DrillError;
use crate::model::{RelPath, Scope};
use crate::task;
use crate::tree::{Tree, file};

const NAME: &str = "drill-";
/// Held by who works in the folder: the kernel lets go of it with the process.
const LOCK: &str = "lock";
/// For the stores and journals of the copies, beside what is copied.
const BESIDE: u64 = 64 << 20;

/// A folder of its own, gone when it is told so.
#[derive(Debug)]
pub struct Place {
    parent: PathBuf,
    name: String,
    _held: File,
}

impl Place {
    /// Makes one in `parent`, and removes those that killed drills left there.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn make(parent: &Path) -> Result<Self, DrillError> {
        let mut chance = [0; 8];
        crate::random::fill(&mut chance)?;
        let (parent, name) = (parent.to_owned(), format!("{NAME}{}", HEXLOWER.encode(&chance)));
        let made = task::blocking(move || {
            sweep(&parent);
            file::ensure_dir(&parent.join(&name), true)?;
            let held = lock(&parent.join(&name), OFlags::CREATE)?;
            Ok::<_, io::Error>(Self { parent, name, _held: held })
        });
        Ok(made.await.map_err(io::Error::other)??)
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// Is there room for `bytes` to be copied, beside what works here anyway?
    ///
    /// # Errors
    /// [`DrillError::Room`], and those of `statvfs(3)`.
    pub(super) fn has_room(&self, bytes: u64) -> Result<(), DrillError> {
        let (there, needed) = (free(&self.folder())?, bytes.saturating_add(BESIDE));
        if there >= needed { Ok(()) } else { Err(DrillError::Room { needed, there }) }
    }

    /// Removes it.
    pub(super) async fn remove(&self) {
        if let Err(error) = remove(&self.parent, &self.name).await {
            tracing::error!(%error, folder = %self.folder().display(), "what a drill copied is still there: remove it");
        }
    }
}

fn free(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

fn open_dir(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

/// Opens the lock of `folder` and takes it, unless somebody has it.
fn lock(folder: &Path, create: OFlags) -> io::Result<File> {
    let dir = open_dir(folder)?;
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | create;
    let held = File::from(openat(dir, LOCK, flags, Mode::from_raw_mode(0o600))?);
    flock(&held, FlockOperation::NonBlockingLockExclusive)?;
    Ok(held)
}

/// Removes what killed drills left. What cannot be removed stays and is told.
fn sweep(parent: &Path) {
    let Ok(entries) = open_dir(parent).and_then(|dir| Ok(Dir::read_from(dir)?)) else { return };
    for name in entries.filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned)) {
        let Some(number) = name.strip_prefix(NAME) else { continue };
        // Nobody can take it while it goes: who works in one has made it.
        let is_one = number.len() == 16 && HEXLOWER.decode(number.as_bytes()).is_ok();
        if is_one && let Ok(_held) = lock(&parent.join(&name), OFlags::empty()) {
            match gone(parent, &name) {
                Ok(()) => tracing::info!(folder = name, "removed what a drill left that was killed"),
                Err(error) => tracing::warn!(%error, folder = name, "what a killed drill left cannot be removed"),
            }
        }
    }
}

/// Removes what is called `name` in `folder`, with all that is in it.
pub(super) async fn remove(folder: &Path, name: &str) -> Result<(), DrillError> {
    let (folder, name) = (folder.to_owned(), name.to_owned());
    Ok(task::blocking(move || gone(&folder, &name)).await.map_err(io::Error::other)??)
}

fn gone(folder: &Path, name: &str) -> io::Result<()> {
    let path = RelPath::new(name).map_err(io::Error::other)?;
    let view = Tree::open(folder)?.view(&Scope::whole())?.with_own_files();
    let entries = match view.read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    // The lock goes last: what is left, should this be killed as well, is swept by the next one.
    for entry in entries {
        let entry = entry?;
        if entry.name.as_bytes() != LOCK.as_bytes() {
            view.remove_tree(&path.join(&entry.name))?;
        }
    }
    view.remove_tree(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_killed_drill_left_goes_with_the_next_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["drill-0123456789abcdef", "drill-not-one", "drill-0123456789abcdee"] {
            std::fs::create_dir_all(at(name).join("reset/target")).unwrap();
        }
        std::fs::write(at("drill-0123456789abcdef").join(LOCK), "").unwrap();
        let running = Place::make(folder.path()).await.unwrap();
        assert!(!at("drill-0123456789abcdef").exists(), "its process is gone");
        assert!(at("drill-not-one").exists() && at("drill-0123456789abcdee").exists(), "nobody knows what they are");
        let other = Place::make(folder.path()).await.unwrap();
        assert!(running.folder().exists() && other.folder().exists());
        let left = running.folder();
        drop(running);
        other.remove().await;
        assert!(!other.folder().exists() && left.exists());
        let last = Place::make(folder.path()).await.unwrap();
        assert!(!left.exists() && last.folder().exists());
    }

    #[tokio::test]
    async fn a_disk_without_room_is_not_filled() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::make(folder.path()).await.unwrap();
        place.has_room(1).unwrap();
        let error = place.has_room(1 << 60).unwrap_err();
        assert!(matches!(error, DrillError::Room { needed, .. } if needed == (1 << 60) + BESIDE), "{error}");
    }
}
