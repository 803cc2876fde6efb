//! Files outside the served tree: configuration, keys, certificates, the database's neighbours.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, mkdirat, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;

use super::{FileReader, Replace};

/// Opens a regular file to be read in pieces.
///
/// # Errors
/// Those of opening; what is no regular file is refused.
pub fn open(path: &Path) -> io::Result<FileReader> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    FileReader::new(openat(CWD, path, flags, Mode::empty())?)
}

/// Reads a whole regular file of at most `max` bytes.
///
/// # Errors
/// Those of opening and reading; [`io::ErrorKind::FileTooLarge`] when it is longer.
pub fn read_small(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let reader = open(path)?;
    let mut bytes = vec![0; max.saturating_add(1).min(usize::try_from(reader.len()).unwrap_or(max).saturating_add(1))];
    let got = reader.read_at(&mut bytes, 0)?;
    if got > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("the file is longer than {max} bytes")));
    }
    bytes.truncate(got);
    Ok(bytes)
}

/// Writes `bytes` to `path` with mode 0600 in one step: readers see the old or the new content, and it
/// survives a power cut.
///
/// # Errors
/// Those of writing, syncing and renaming.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o600, Replace::Yes)
}

/// As [`write_private`], but never replaces a file: for keys, where the first one wins.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when there is one.
pub fn write_new_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o600, Replace::No)
}

/// As [`write_private`], readable by everybody (mode 0644): reports, checkpoints, certificates.
///
/// # Errors
/// Those of writing, syncing and renaming.
pub fn write_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o644, Replace::Yes)
}

/// `path` with its links followed as far as it exists: what does not exist yet hangs below the nearest folder
/// that does. On a mount that hangs it does not come back.
#[must_use]
pub fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let there = path.ancestors().find_map(|a| Some((a.canonicalize().ok()?, path.strip_prefix(a).ok()?)));
    let Some((mut resolved, rest)) = there else { return path };
    // Below what exists there are no links that `..` could mean something else behind.
    for step in rest.components() {
        match step {
            Component::ParentDir => drop(resolved.pop()),
            step => resolved.push(step),
        }
    }
    resolved
}

/// Is `inner` the same place as `outer`, or below it? Links are followed as in [`resolved`].
#[must_use]
pub fn is_inside(inner: &Path, outer: &Path) -> bool {
    resolved(inner).starts_with(resolved(outer))
}

/// Makes `path` and every missing folder above it (mode 0755, the last one 0700 when `private`). One
/// that is there stays as it is.
///
/// # Errors
/// [`io::ErrorKind::NotADirectory`] when something else has the name.
pub fn ensure_dir(path: &Path, private: bool) -> io::Result<()> {
    for above in path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
        make_dir(above, 0o755)?;
    }
    make_dir(path, if private { 0o700 } else { 0o755 })?;
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(())
}

fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    match mkdirat(CWD, path, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        // A folder above that exists but may not be written in, or a root that is mounted read-only.
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::ISDIR) if is_dir(path) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn is_dir(path: &Path) -> bool {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).is_ok()
}

fn write(path: &Path, bytes: &[u8], mode: u32, replace: Replace) -> io::Result<()> {
    let name = path.file_name().ok_or(Errno::ISDIR)?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = openat(CWD, parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let (fd, temporary) = temporary(&dir, name)?;
    let done = fill(&fd, bytes, mode).and_then(|()| {
        match replace {
            Replace::Yes => renameat(&dir, &temporary, &dir, name)?,
            Replace::No => renameat_with(&dir, &temporary, &dir, name, RenameFlags::NOREPLACE)?,
        }
        Ok(rustix::fs::fsync(&dir)?)
    });
    if done.is_err() && unlinkat(&dir, &temporary, AtFlags::empty()).is_err() {
        tracing::debug!("no temporary file to remove");
    }
    done
}

fn temporary(dir: &OwnedFd, name: &OsStr) -> io::Result<(OwnedFd, OsString)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    for _ in 0..16 {
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("the random generator failed"))?;
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

fn fill(fd: &OwnedFd, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(fd, rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(put) => rest = rest.get(put..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    rustix::fs::fchmod(fd, Mode::from_raw_mode(mode))?;
    Ok(rustix::fs::fsync(fd)?)
}
