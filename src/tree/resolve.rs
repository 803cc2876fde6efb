//! Opening beneath a directory descriptor, and nowhere else.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::model::{Name, RelPath};

/// As many links as the kernel follows in one path (path_resolution(7)).
pub(super) const MAX_LINKS: usize = 40;

/// How often a look-up is repeated when somebody renames directories under it (`EAGAIN`).
const RACES: usize = 32;

/// One step of the target of a link.
#[derive(Debug)]
pub(super) enum Step {
    /// Into the folder, or to the file, of this name.
    Down(Name),
    /// `..`
    Up,
}

/// The steps of a link's target.
pub(super) fn steps(target: &[u8]) -> io::Result<Vec<Step>> {
    if target.first() == Some(&b'/') {
        return Err(outside());
    }
    let parts = target.split(|b| *b == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let step = |part: &[u8]| match part {
        b".." => Ok(Step::Up),
        name => Name::new(name).map(Step::Down).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e)),
    };
    parts.map(step).collect()
}

/// Opens `path` below `dir`. Links are followed as long as they stay below `dir`.
pub(super) fn open_beneath(dir: impl AsFd, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    open_how(dir, path, flags, mode, ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
}

/// As [`open_beneath`], and no link is followed.
pub(super) fn open_plain(dir: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    open_how(dir, path, flags, Mode::empty(), resolve).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => io::Error::new(io::ErrorKind::PermissionDenied, "a part of the path is a link"),
        _ => error,
    })
}

fn open_how(dir: impl AsFd, path: &Path, flags: OFlags, mode: Mode, resolve: ResolveFlags) -> io::Result<OwnedFd> {
    let dir = dir.as_fd();
    for _ in 0..RACES {
        match openat2(dir, path, flags | OFlags::CLOEXEC, mode, resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::XDEV) => return Err(outside()),
            Err(Errno::NOSYS) => return Err(too_old()),
            done => return Ok(done?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// The folder that holds the last component of `path`, and that component. The component is *not*
/// looked up: callers act on the name itself and never follow it.
pub(super) fn parent_of(dir: impl AsFd, path: &RelPath) -> io::Result<(OwnedFd, Name)> {
    let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the root folder itself cannot be changed"));
    };
    let fd = open_beneath(dir, parent.as_path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    Ok((fd, name))
}

/// A descriptor of `dir` that can be read and synced; `O_PATH` ones cannot.
pub(super) fn readable(dir: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The path (mostly a link in it) leaves the tree.
pub(super) fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "the path leads out of the served folder")
}

/// The name belongs to Causeway.
pub(super) fn reserved() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "names that begin with '.causeway-' are reserved")
}

/// The view may not change anything.
pub(super) fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "this account may read but not change files")
}

fn too_old() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this kernel has no openat2: Linux 5.6 or newer is needed")
}
