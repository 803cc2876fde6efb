//! A file outside the served tree that is written piece by piece and appears under its name at once, whole and
//! synced. One that is dropped before leaves nothing.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;

use super::Replace;

/// A file that nobody sees yet.
#[derive(Debug)]
pub struct Draft {
    dir: OwnedFd,
    fd: OwnedFd,
    temporary: OsString,
    name: OsString,
    published: bool,
}

impl Draft {
    /// Begins a file that will lie at `path`; its folder must be there. Nobody else may read it meanwhile.
    ///
    /// # Errors
    /// Those of opening the folder and making a file in it.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(Errno::ISDIR)?;
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let dir = openat(CWD, parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let (fd, temporary) = temporary(&dir, name)?;
        Ok(Self { dir, fd, temporary, name: name.to_owned(), published: false })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// Those of `write(2)`.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::io::write(&self.fd, rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(put) => rest = rest.get(put..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Makes it durable with the permission bits `mode` and gives it its name.
    ///
    /// # Errors
    /// Those of syncing and renaming; [`io::ErrorKind::AlreadyExists`] when the name is taken and must not be.
    pub fn publish(mut self, mode: u32, replace: Replace) -> io::Result<()> {
        rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))?;
        rustix::fs::fsync(&self.fd)?;
        match replace {
            Replace::Yes => renameat(&self.dir, &self.temporary, &self.dir, &self.name)?,
            Replace::No => {
                renameat_with(&self.dir, &self.temporary, &self.dir, &self.name, RenameFlags::NOREPLACE)?;
            }
        }
        self.published = true;
        Ok(rustix::fs::fsync(&self.dir)?)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published && unlinkat(&self.dir, &self.temporary, AtFlags::empty()).is_err() {
            tracing::debug!("no temporary file to remove");
        }
    }
}

fn temporary(dir: &OwnedFd, name: &OsStr) -> io::Result<(OwnedFd, OsString)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    for _ in 0..16 {
        let mut random = [0; 8];
        crate::random::fill(&mut random)?;
        let mut temporary = OsString::from(".");
        temporary.push(OsStr::from_bytes(name.as_bytes().get(..200).unwrap_or(name.as_bytes())));
        temporary.push(format!(".{}", data_encoding::HEXLOWER.encode(&random)));
        match openat(dir, &temporary, flags, Mode::from_raw_mode(0o600)) {
            Err(Errno::EXIST) => {}
            fd => return Ok((fd?, temporary)),
        }
    }
    Err(Errno::EXIST.into())
}
