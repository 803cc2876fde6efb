//! Files outside the served tree: configuration, keys, certificates, the database's neighbours.

use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat, renameat};
use rustix::io::Errno;

pub use super::draft::Draft;
use super::{FileReader, Replace};

/// Opens a regular file to read it. A pipe never blocks, a device is never touched: both are refused.
///
/// # Errors
/// Those of opening.
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

/// What this machine calls itself; empty where nobody knows.
#[must_use]
pub fn host_name() -> String {
    let name = read_special(Path::new("/proc/sys/kernel/hostname"), 256).unwrap_or_default();
    String::from_utf8_lossy(&name).trim().to_owned()
}

/// As [`read_small`], of a file that the kernel makes up while it is read (`/proc`): it says no length before.
///
/// # Errors
/// As [`read_small`].
pub fn read_special(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let reader = open(path)?;
    let (mut bytes, mut done) = (vec![0; 64 << 10], 0);
    loop {
        let rest = bytes.get_mut(done..).unwrap_or_default();
        let got = reader.read_at(rest, u64::try_from(done).unwrap_or(u64::MAX))?;
        done += got;
        if done < bytes.len() {
            bytes.truncate(done);
            return Ok(bytes);
        }
        if done > max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("the file is longer than {max} bytes")));
        }
        bytes.resize(2 * done, 0);
    }
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

/// Gives the file `from` the name `to` in the same folder, in place of what has it; it survives a power cut.
///
/// # Errors
/// Those of renaming and syncing.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    renameat(CWD, from, CWD, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::fs::fsync(folder)?)
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
    let draft = Draft::begin(path)?;
    draft.write(bytes)?;
    draft.publish(mode, replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_machine_is_read_whole() {
        let told = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(host_name(), told.trim());
        assert!(read_special(Path::new("/proc/self/mountinfo"), 1 << 20).unwrap().len() > 1);
    }
}
