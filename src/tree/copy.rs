//! Copying inside the tree.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{copy_file_range, ftruncate, ioctl_ficlone};
use rustix::io::Errno;

use super::{FileReader, Replace, SetAttributes, Stat, View};
use crate::model::RelPath;

/// How much one call copies at most, so that a stop is heard between calls.
const STEP: usize = 64 * 1024 * 1024;

impl View {
    /// Copies the regular file `from` to `to`, with its mode and modification time. Readers of `to` see
    /// the old file or the whole new one.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] under [`Replace::No`], and those of reading and writing.
    pub fn copy(&self, from: &RelPath, to: &RelPath, replace: Replace) -> io::Result<Stat> {
        self.check_write(to)?;
        let source = self.open_read(from)?;
        let mut part = self.part(to, "copy")?;
        part.ephemeral();
        part.copy_from(&source)?;
        let as_source = source.opened();
        part.set_attributes(SetAttributes {
            mode: Some(as_source.mode & 0o777),
            mtime: Some(as_source.mtime),
            ..SetAttributes::default()
        })?;
        part.publish(replace)
    }
}

/// Makes the content of `to` that of `from`; returns the bytes.
pub(super) fn content(from: &FileReader, to: &OwnedFd) -> io::Result<u64> {
    ftruncate(to, 0)?;
    if ioctl_ficlone(to, from.fd()).is_ok() {
        return Ok(Stat::of(to)?.size);
    }
    let (mut read, mut written) = (0_u64, 0_u64);
    loop {
        match copy_file_range(from.fd(), Some(&mut read), to, Some(&mut written), STEP) {
            Ok(0) => return by_hand(from, to, written),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => return by_hand(from, to, written),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The plain way, from `done` on; also the proof that the end is the end.
fn by_hand(from: &FileReader, to: &OwnedFd, done: u64) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let mut done = done;
    loop {
        let got = from.read_at(&mut buffer, done)?;
        let mut rest = buffer.get(..got).unwrap_or_default();
        if rest.is_empty() {
            return Ok(done);
        }
        while !rest.is_empty() {
            let put = match rustix::io::pwrite(to, rest, done) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(Errno::INTR) => 0,
                put => put?,
            };
            rest = rest.get(put..).unwrap_or_default();
            done = done.saturating_add(u64::try_from(put).unwrap_or(u64::MAX));
        }
    }
}
