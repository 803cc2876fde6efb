//! The rooted local tree: the only place that touches local files.
//!
//! A [`Tree`] is the folder that is served and mirrored into. A [`View`] is what one
//! [`Scope`] may see of it; its paths start at the scope's home, and nothing
//! outside can be named: every look-up goes through `openat2(2)` with `RESOLVE_BENEATH`, so links inside
//! the home work and links out of it are refused by the kernel, without a race.
//!
//! New content is written into a [`PartFile`] and appears under its name by one rename, complete and
//! synced; readers never see a partial file.
//!
//! All functions block. Async callers wrap them with [`crate::task::blocking`].

mod attributes;
mod change;
mod copy;
mod dir;
mod draft;
pub mod file;
mod kept;
mod mounts;
mod part;
mod quota;
mod reader;
mod resolve;
mod staged;
mod stat;
mod sweep;
mod trash;
mod turn;
mod view;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::model::Scope;

pub use attributes::SetAttributes;
pub use dir::{DirEntry, DirReader};
pub use part::PartFile;
pub use reader::FileReader;
pub use staged::{Fate, Staged};
pub use stat::{Space, Stat};
pub use trash::trash_folder;
pub use view::{Replace, View};

/// The folder that is served and mirrored into.
#[derive(Debug)]
pub struct Tree {
    root: Arc<OwnedFd>,
    path: PathBuf,
    /// Without links.
    real: PathBuf,
    ledgers: quota::Ledgers,
}

impl Tree {
    /// Opens the folder `root`. It must be there: a missing folder may be a disk that is not mounted,
    /// and filling the mount point instead would be the wrong help. See [`file::ensure_dir`].
    ///
    /// # Errors
    /// When it is missing, not a folder, or may not be entered.
    pub fn open(root: &Path) -> io::Result<Arc<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, root, flags, Mode::empty())?;
        let (path, real) = (root.to_owned(), root.canonicalize()?);
        Ok(Arc::new(Self { root: Arc::new(fd), path, real, ledgers: quota::Ledgers::default() }))
    }

    /// Where it lies, for people.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `scope` may see. A missing home is made (mode 0755).
    ///
    /// # Errors
    /// When the home is reserved, cannot be made, is not a folder, or leads out of the tree.
    pub fn view(self: &Arc<Self>, scope: &Scope) -> io::Result<View> {
        View::new(self, scope)
    }

    /// As [`Tree::view`], but a missing home is not made: there is no view of it.
    ///
    /// # Errors
    /// Those of [`Tree::view`].
    pub fn made_view(self: &Arc<Self>, scope: &Scope) -> io::Result<Option<View>> {
        View::made(self, scope)
    }

    /// Does it lie, with everything that is mounted below it, on this machine? Then whatever is asked of it comes back,
    /// and mostly at once.
    ///
    /// # Errors
    /// Those of looking.
    pub fn is_near(&self) -> io::Result<bool> {
        mounts::are_near(&self.real)
    }

    pub(super) fn root(&self) -> &Arc<OwnedFd> {
        &self.root
    }
}
