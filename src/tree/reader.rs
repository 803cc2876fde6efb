//! Reading a regular file.

use std::io;
use std::io::IoSliceMut;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::io::{Errno, ReadWriteFlags};

use super::Stat;

/// `f_type` of tmpfs (statfs(2)), which refuses `RWF_NOWAIT` and never needs it.
const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;

/// An open regular file. It stays the version it was when opened: publishing replaces names, not
/// content.
#[derive(Debug)]
pub struct FileReader {
    fd: OwnedFd,
    opened: Stat,
    /// Does the file system lie in memory? Asked only where it cannot say which bytes do.
    in_memory: OnceLock<bool>,
}

impl FileReader {
    /// Takes a descriptor and refuses what is not a regular file.
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        let opened = Stat::of(&fd)?;
        if opened.is_dir() {
            return Err(io::Error::from(Errno::ISDIR));
        }
        if !opened.is_file() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "only regular files can be read"));
        }
        Ok(Self { fd, opened, in_memory: OnceLock::new() })
    }

    /// Its size when it was opened.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.opened.size
    }

    /// Was it empty when it was opened?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it was when it was opened.
    #[must_use]
    pub fn opened(&self) -> &Stat {
        &self.opened
    }

    /// What it is now.
    ///
    /// # Errors
    /// Those of `statx(2)`.
    pub fn stat(&self) -> io::Result<Stat> {
        Stat::of(&self.fd)
    }

    /// Fills `buf` from `offset` on, until it is full or the file ends. Returns the bytes read.
    ///
    /// # Errors
    /// Those of `pread(2)`.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        read_full(&self.fd, buf, offset)
    }

    /// As [`FileReader::read_at`], but only when the bytes are in memory already: `None` when the disk
    /// would have to be asked. May be called on an async thread.
    ///
    /// # Errors
    /// Those of `preadv2(2)`.
    pub fn read_at_cached(&self, buf: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        if i64::try_from(offset).is_err() {
            // Nothing lies there, and `preadv2` takes -1 for "where the descriptor stands".
            return Ok(Some(0));
        }
        let wanted = u64::try_from(buf.len()).unwrap_or(u64::MAX).min(self.opened.size.saturating_sub(offset));
        match rustix::io::preadv2(&self.fd, &mut [IoSliceMut::new(buf)], offset, ReadWriteFlags::NOWAIT) {
            // A short read may be the end of the file or the end of what is cached.
            Ok(got) if u64::try_from(got).unwrap_or(u64::MAX) >= wanted => Ok(Some(got)),
            Err(Errno::OPNOTSUPP) if self.is_in_memory() => self.read_at(buf, offset).map(Some),
            Ok(_) | Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL | Errno::INTR | Errno::NOSYS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn is_in_memory(&self) -> bool {
        let look = || rustix::fs::fstatfs(&self.fd).is_ok_and(|found| found.f_type == TMPFS_MAGIC);
        *self.in_memory.get_or_init(look)
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

/// `pread` until `buf` is full or the file ends.
pub(super) fn read_full(fd: &OwnedFd, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        match rustix::io::pread(fd, rest, at) {
            Ok(0) => break,
            Ok(got) => done += got,
            Err(Errno::INTR) => {}
            // Beyond the largest offset there is nothing to read.
            Err(Errno::INVAL) if i64::try_from(at).is_err() => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(done)
}
