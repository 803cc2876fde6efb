//! Cleaning up after crashes: hidden folders of moves and copies, and parts of uploads, that nobody works with.

use std::io;

use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, openat, unlinkat};
use rustix::io::Errno;

use super::part::PART;
use super::resolve::{open_beneath, readable};
use super::staged::{self, Fate, STAGED};
use super::{Stat, View};
use crate::model::{Name, RelPath};

impl View {
    /// Walks the whole view and sweeps up what crashes left: hidden folders of moves and copies, and the parts of
    /// uploads that were changed last before `limit`. What somebody works with stays, and so do the parts of
    /// mirror jobs, which go on with them. `tell` hears of everything that was found. Memory grows with the
    /// depth of the tree only. Stops early when `stopped`.
    ///
    /// # Errors
    /// Those of reading the top folder; below it they are told and the walk goes on.
    pub fn sweep(
        &self,
        limit: Timestamp,
        stopped: impl Fn() -> bool,
        mut tell: impl FnMut(&RelPath, io::Result<Fate>),
    ) -> io::Result<()> {
        let view = self.with_own_files();
        let mut open = vec![(RelPath::root(), read(&view, &RelPath::root())?)];
        while let Some((folder, dir)) = open.last_mut() {
            if stopped() {
                return Ok(());
            }
            let entry = match dir.read() {
                Some(Ok(entry)) => entry,
                ended => {
                    if let Some(Err(error)) = ended {
                        tell(folder, Err(error.into()));
                    }
                    open.pop();
                    continue;
                }
            };
            let Ok(name) = Name::new(entry.file_name().to_bytes()) else { continue };
            let path = folder.join(&name);
            if name.as_bytes().starts_with(STAGED) {
                tell(&path, staged::recover(&view, &path));
            } else if name.as_bytes().starts_with(PART) {
                match view.sweep_part(&path, &name, limit) {
                    Ok(None) => {}
                    Ok(Some(fate)) => tell(&path, Ok(fate)),
                    Err(error) => tell(&path, Err(error)),
                }
            } else if !name.is_reserved() && matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
                match read(&view, &path) {
                    Ok(dir) => open.push((path, dir)),
                    Err(error) if vanished(&error) => {}
                    Err(error) => tell(&path, Err(error)),
                }
            }
        }
        Ok(())
    }

    /// `None` when it is too young, or gone already.
    fn sweep_part(&self, path: &RelPath, name: &Name, limit: Timestamp) -> io::Result<Option<Fate>> {
        let parent = path.parent().unwrap_or_default();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let dir = open_beneath(&*self.home, parent.as_path(), flags, Mode::empty())?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match openat(&dir, name.as_os_str(), flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            fd => fd?,
        };
        let found = rustix::fs::fstat(&fd)?;
        let changed = Timestamp::from_second(found.st_ctime).unwrap_or(Timestamp::MAX);
        if !FileType::from_raw_mode(found.st_mode).is_file() || changed >= limit {
            return Ok(None);
        }
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN) => return Ok(Some(Fate::Kept("somebody writes it"))),
            locked => locked?,
        }
        // It may have been published and made anew since it was opened.
        if Stat::at(&dir, name)?.ino != found.st_ino {
            return Ok(None);
        }
        unlinkat(&dir, name.as_os_str(), AtFlags::empty())?;
        Ok(Some(Fate::Removed))
    }
}

fn read(view: &View, path: &RelPath) -> io::Result<Dir> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let folder = open_beneath(&*view.home, path.as_path(), flags, Mode::empty())?;
    Ok(Dir::new(readable(&folder)?)?)
}

/// It is no folder, or no longer there.
fn vanished(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}
