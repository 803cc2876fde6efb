//! Parts of uploads that were cut off: kept under a name of their own, to be gone on with.

use std::io;

use rustix::fs::{OFlags, renameat};

use super::part::{PartFile, Place, USUAL_MODE, open_part};
use super::resolve::readable;
use super::{Stat, View};
use crate::model::RelPath;

impl View {
    /// What was kept for `path` and `key` ([`PartFile::keep`]), to look at. Whoever holds it keeps others away.
    ///
    /// # Errors
    /// As [`View::part`].
    pub fn kept_part(&self, path: &RelPath, key: &str) -> io::Result<Option<PartFile>> {
        match self.place(path, key)?.open(self, OFlags::empty()) {
            Ok(part) => Ok(Some(part)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The metadata of what was kept for `path` and `key`, whoever holds it, with the permission bits that it would
    /// be published with.
    ///
    /// # Errors
    /// As [`View::part`].
    pub fn kept_stat(&self, path: &RelPath, key: &str) -> io::Result<Option<Stat>> {
        let Place { dir, part, .. } = self.place(path, key)?;
        match Stat::at(&dir, &part) {
            // An empty one only holds the place.
            Ok(mut stat) if stat.is_file() && stat.size > 0 => {
                stat.mode = (stat.mode & !0o7777) | USUAL_MODE;
                Ok(Some(stat))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes what was kept for `path` and `key`. Returns whether there was anything.
    ///
    /// # Errors
    /// As [`View::part`]; [`io::ErrorKind::WouldBlock`] when somebody works with it.
    pub fn forget_kept(&self, path: &RelPath, key: &str) -> io::Result<bool> {
        let Some(part) = self.kept_part(path, key)? else { return Ok(false) };
        part.discard().map(|()| true)
    }
}

impl PartFile {
    /// Keeps its first `len` bytes as what [`View::kept_part`] finds for `path` and `key`, in place of what was kept
    /// before. They are on the disk before they bear that name: what is found there can be gone on with.
    ///
    /// # Errors
    /// Those of syncing and renaming; [`io::ErrorKind::WouldBlock`] when somebody works with what was kept before.
    pub fn keep(mut self, view: &View, path: &RelPath, key: &str, len: u64) -> io::Result<()> {
        self.truncate(len)?;
        self.sync()?;
        let Place { dir, part, .. } = view.place(path, key)?;
        // Held until it is replaced, so that nobody goes on with it meanwhile.
        let _before = open_part(&dir, &part, OFlags::CREATE)?;
        renameat(&self.dir, self.part.as_os_str(), &dir, part.as_os_str())?;
        self.gone = true;
        view.recount();
        Ok(rustix::fs::fsync(readable(&dir)?)?)
    }

    /// Takes over what was kept for `path` and `key`, in place of its own content. Returns how much that is; `None`
    /// when nothing was kept.
    ///
    /// # Errors
    /// Those of renaming; [`io::ErrorKind::WouldBlock`] when somebody works with it.
    pub fn adopt(&mut self, view: &View, path: &RelPath, key: &str) -> io::Result<Option<u64>> {
        let Some(mut kept) = view.kept_part(path, key)? else { return Ok(None) };
        renameat(&kept.dir, kept.part.as_os_str(), &self.dir, self.part.as_os_str())?;
        std::mem::swap(&mut self.fd, &mut kept.fd);
        std::mem::swap(&mut self.claim, &mut kept.claim);
        if let Some(own) = &mut kept.claim {
            own.removed();
        }
        self.len().map(Some)
    }
}
