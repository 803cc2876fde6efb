//! Reading a directory as a stream.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::Dir;

use super::Stat;
use crate::model::Name;

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Raw bytes.
    pub name: Name,
    /// Not followed when it is a link.
    pub stat: Stat,
}

/// A directory being read: bounded memory, whatever its size. Skips `.`, `..`, the names that Causeway
/// keeps for itself, and what vanishes while it is read.
#[derive(Debug)]
pub struct DirReader {
    dir: Dir,
    fd: OwnedFd,
    opened: Stat,
}

impl DirReader {
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        let opened = Stat::of(&fd)?;
        // `Dir` keeps a descriptor of its own; ours answers the look-ups.
        Ok(Self { dir: Dir::read_from(&fd)?, fd, opened })
    }

    /// What the directory itself was when it was opened.
    #[must_use]
    pub fn opened(&self) -> &Stat {
        &self.opened
    }

    fn look_at(&self, bytes: &[u8]) -> Option<io::Result<DirEntry>> {
        let name = Name::new(bytes).ok().filter(|name| !name.is_reserved())?;
        match Stat::at(&self.fd, &name) {
            Ok(stat) => Some(Ok(DirEntry { name, stat })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl Iterator for DirReader {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.dir.read()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error.into())),
            };
            if let Some(found) = self.look_at(entry.file_name().to_bytes()) {
                return Some(found);
            }
        }
    }
}
