//! Changing times and permission bits.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, UTIME_OMIT, chmodat, utimensat};

/// What to change; what is absent stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetAttributes {
    /// Permission bits; set-user-id, set-group-id and the sticky bit are never set.
    pub mode: Option<u32>,
    /// Last change of the content.
    pub mtime: Option<Timestamp>,
    /// Last access.
    pub atime: Option<Timestamp>,
    /// Length of the file. Done on a copy that is then published, so that readers see the old or the
    /// new file and nothing in between.
    pub size: Option<u64>,
}

impl SetAttributes {
    /// Only the modification time.
    #[must_use]
    pub fn mtime(at: Timestamp) -> Self {
        Self { mtime: Some(at), ..Self::default() }
    }

    /// Nothing to do?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn times(&self) -> Option<Timestamps> {
        if self.mtime.is_none() && self.atime.is_none() {
            return None;
        }
        Some(Timestamps { last_access: timespec(self.atime), last_modification: timespec(self.mtime) })
    }

    /// The bits that may be set.
    pub(super) fn permissions(&self) -> Option<Mode> {
        self.mode.map(|mode| Mode::from_raw_mode(mode & 0o777))
    }

    /// Sets mode and times of an open file that can be written.
    pub(super) fn apply_open(&self, fd: &OwnedFd) -> io::Result<()> {
        if let Some(mode) = self.permissions() {
            rustix::fs::fchmod(fd, mode)?;
        }
        if let Some(times) = self.times() {
            rustix::fs::futimens(fd, &times)?;
        }
        Ok(())
    }

    /// Sets mode and times of what an `O_PATH` descriptor stands for. The way through `/proc` reaches
    /// exactly that inode, also when it may not be opened (mode 0000).
    pub(super) fn apply_path(&self, fd: &OwnedFd) -> io::Result<()> {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        if let Some(mode) = self.permissions() {
            chmodat(CWD, path.as_str(), mode, AtFlags::empty())?;
        }
        if let Some(times) = self.times() {
            utimensat(CWD, path.as_str(), &times, AtFlags::empty())?;
        }
        Ok(())
    }

    /// Sets the times of a link itself (a link has no permission bits).
    pub(super) fn apply_link(&self, dir: impl AsFd, name: &std::ffi::OsStr) -> io::Result<()> {
        match self.times() {
            Some(times) => Ok(utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?),
            None => Ok(()),
        }
    }
}

fn timespec(at: Option<Timestamp>) -> Timespec {
    match at {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(at) => {
            // Before 1970 jiff counts the fraction down, the kernel counts it up.
            let (second, nanosecond) = (at.as_second(), i64::from(at.subsec_nanosecond()));
            let borrow = nanosecond < 0;
            Timespec {
                tv_sec: if borrow { second - 1 } else { second },
                tv_nsec: if borrow { nanosecond + 1_000_000_000 } else { nanosecond },
            }
        }
    }
}
