//! What changes the tree, apart from file content (see `part`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, linkat, mkdirat, renameat, renameat_with, symlinkat, unlinkat};
use rustix::io::Errno;

use super::resolve::{Step, open_beneath, outside, parent_of, readable, reserved, steps};
use super::{Replace, SetAttributes, Stat, View, turn};
use crate::model::{EntryKind, Name, RelPath, Used};

impl View {
    /// Makes one directory; its parent must be there.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when the name is taken, by whatever.
    pub fn make_dir(&self, path: &RelPath) -> io::Result<()> {
        self.check_write(path)?;
        if path.is_root() {
            return Err(Errno::EXIST.into());
        }
        let (parent, name) = parent_of(&*self.home, path)?;
        self.charged(Used::file(0), || Ok(mkdirat(&parent, name.as_os_str(), Mode::from_raw_mode(0o755))?))
    }

    /// Makes a directory and every missing one above it; one that is there is fine.
    ///
    /// # Errors
    /// When something that is not a directory is in the way.
    pub fn make_dirs(&self, path: &RelPath) -> io::Result<()> {
        self.check_write(path)?;
        let mut made = RelPath::root();
        for name in path.names() {
            made = made.join(&name);
            match self.make_dir(&made) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => done?,
            }
        }
        if self.stat_follow(path)?.is_dir() { Ok(()) } else { Err(Errno::NOTDIR.into()) }
    }

    /// Removes an empty directory. One that holds only leftovers of Causeway's own counts as empty.
    ///
    /// # Errors
    /// [`io::ErrorKind::DirectoryNotEmpty`] and those of `unlinkat(2)`.
    pub fn remove_dir(&self, path: &RelPath) -> io::Result<()> {
        self.check_write(path)?;
        let (parent, name) = parent_of(&*self.home, path)?;
        let _turn = turn::at(&parent)?;
        self.unlink_dir(&parent, &name)
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// [`io::ErrorKind::IsADirectory`] for a directory, and those of `unlinkat(2)`.
    pub fn remove_file(&self, path: &RelPath) -> io::Result<()> {
        self.check_write(path)?;
        let (parent, name) = parent_of(&*self.home, path)?;
        let _turn = turn::at(&parent)?;
        self.unlink_file(&parent, &name)
    }

    /// Removes a file, a link or an empty directory if `holds` agrees with what it is at that moment: nobody else of
    /// this process changes the folder between that look and the removal. What `holds` gives is kept until it is gone.
    ///
    /// # Errors
    /// What `holds` says, and those of [`View::remove_dir`] and [`View::remove_file`].
    pub fn remove_if<K, E: From<io::Error>>(
        &self,
        path: &RelPath,
        holds: impl FnOnce(&Stat) -> Result<K, E>,
    ) -> Result<(), E> {
        self.check_write(path)?;
        let (parent, name) = parent_of(&*self.home, path)?;
        let _turn = turn::at(&parent)?;
        let there = Stat::at(&parent, &name)?;
        let _kept = holds(&there)?;
        Ok(if there.is_dir() { self.unlink_dir(&parent, &name) } else { self.unlink_file(&parent, &name) }?)
    }

    fn unlink_dir(&self, parent: &OwnedFd, name: &Name) -> io::Result<()> {
        let remove = || unlinkat(parent, name.as_os_str(), AtFlags::REMOVEDIR);
        self.freed(
            || Stat::at(parent, name),
            || match remove() {
                Err(Errno::NOTEMPTY | Errno::EXIST) => {
                    super::part::sweep_dir(parent, name)?;
                    self.recount();
                    Ok(remove()?)
                }
                done => Ok(done?),
            },
        )
    }

    fn unlink_file(&self, parent: &OwnedFd, name: &Name) -> io::Result<()> {
        let look = || Stat::at(parent, name);
        self.freed(look, || Ok(unlinkat(parent, name.as_os_str(), AtFlags::empty())?))
    }

    /// Moves `from` to `to` in one step; links are moved, not followed.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] under [`Replace::No`], and those of `renameat2(2)`.
    pub fn rename(&self, from: &RelPath, to: &RelPath, replace: Replace) -> io::Result<()> {
        self.rename_and_look(from, to, replace).map(drop)
    }

    /// As [`View::rename`], and says what lies at `to` now, if that can be seen.
    ///
    /// # Errors
    /// As [`View::rename`].
    pub fn rename_and_look(&self, from: &RelPath, to: &RelPath, replace: Replace) -> io::Result<Option<Stat>> {
        self.rename_if(from, to, replace, || Ok::<_, io::Error>(()))
    }

    /// As [`View::rename_and_look`], if `holds` agrees: nobody else of this process changes the folders between that and
    /// the rename. What `holds` gives is kept until the name is taken.
    ///
    /// # Errors
    /// What `holds` says, and those of [`View::rename`].
    pub fn rename_if<K, E: From<io::Error>>(
        &self,
        from: &RelPath,
        to: &RelPath,
        replace: Replace,
        holds: impl FnOnce() -> Result<K, E>,
    ) -> Result<Option<Stat>, E> {
        self.check_write(from)?;
        self.check_write(to)?;
        let (from_dir, from_name) = parent_of(&*self.home, from)?;
        if let Some(to_name) = to.name().filter(|_| from.parent() == to.parent()) {
            let _turn = turn::at(&from_dir)?;
            let _kept = holds()?;
            self.move_to((&from_dir, &from_name), (&from_dir, &to_name), replace)?;
            return Ok(Stat::at(&from_dir, &to_name).ok());
        }
        let (to_dir, to_name) = parent_of(&*self.home, to)?;
        let _turn = turn::at_both(&from_dir, &to_dir)?;
        let _kept = holds()?;
        self.move_to((&from_dir, &from_name), (&to_dir, &to_name), replace)?;
        Ok(Stat::at(&to_dir, &to_name).ok())
    }

    /// Moves a name, in the place of what has the new one or to one that must be free.
    fn move_to(
        &self,
        (from_dir, from): (&OwnedFd, &Name),
        (to_dir, to): (&OwnedFd, &Name),
        replace: Replace,
    ) -> io::Result<()> {
        match replace {
            Replace::No => rename_to_free((from_dir, from), (to_dir, to))?,
            Replace::Yes => {
                let look = || {
                    let (new, old) = (Stat::at(from_dir, from)?, Stat::at(to_dir, to)?);
                    // Two names of one file stay two: rename(2) does nothing then.
                    let one = (new.ino, new.dev) == (old.ino, old.dev);
                    if one { Err(io::ErrorKind::NotFound.into()) } else { Ok(old) }
                };
                self.freed(look, || Ok(renameat(from_dir, from.as_os_str(), to_dir, to.as_os_str())?))?;
            }
        }
        Ok(())
    }

    /// Lets two names change places in one step; links are moved, not followed.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when one of them is missing, [`io::ErrorKind::Unsupported`] where the file
    /// system cannot do it (NFS, some in user space), and those of `renameat2(2)`.
    pub fn exchange(&self, one: &RelPath, other: &RelPath) -> io::Result<()> {
        self.check_write(one)?;
        self.check_write(other)?;
        let (one_dir, one_name) = parent_of(&*self.home, one)?;
        let (other_dir, other_name) = parent_of(&*self.home, other)?;
        let (one_name, other_name) = (one_name.as_os_str(), other_name.as_os_str());
        let _turn = turn::at_both(&one_dir, &other_dir)?;
        match renameat_with(&one_dir, one_name, &other_dir, other_name, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS) => Err(Errno::OPNOTSUPP.into()),
            done => Ok(done?),
        }
    }

    /// Removes `path` with all that is in it. What is missing is fine.
    ///
    /// # Errors
    /// Those of reading and removing; the rest then is still there.
    pub fn remove_tree(&self, path: &RelPath) -> io::Result<()> {
        let mut todo = vec![(path.clone(), false)];
        while let Some((path, emptied)) = todo.pop() {
            let is_dir = emptied
                || match self.stat(&path) {
                    Ok(stat) => stat.is_dir(),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
            if !is_dir {
                self.remove_file(&path)?;
            } else if emptied {
                self.remove_dir(&path)?;
            } else {
                todo.push((path.clone(), true));
                let entries = match self.read_dir(&path) {
                    // Nobody made anything below a path that is as long as a path can be.
                    Err(error) if error.kind() == io::ErrorKind::InvalidFilename => continue,
                    entries => entries?,
                };
                for entry in entries {
                    todo.push((path.join(&entry?.name), false));
                }
            }
        }
        Ok(())
    }

    /// Changes times, permission bits and length of what `path` leads to.
    ///
    /// # Errors
    /// Those of the calls behind it; a length can be set for regular files only.
    pub fn set_attributes(&self, path: &RelPath, change: SetAttributes) -> io::Result<()> {
        self.check_write(path)?;
        if path.is_root() && change.mode.is_some() && !self.own_files {
            // Whoever locks the own door is locked out, and for the account that has the whole tree, everybody is.
            let why = "the permission bits of the home folder itself cannot be changed";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        if let Some(size) = change.size {
            self.set_size(path, size)?;
        }
        change.apply_path(&self.open_path(path)?)
    }

    /// Changes the times of `path` itself, also when it is a link.
    ///
    /// # Errors
    /// Those of `utimensat(2)`.
    pub fn set_link_attributes(&self, path: &RelPath, change: SetAttributes) -> io::Result<()> {
        match self.stat(path)?.kind {
            EntryKind::Symlink(_) => {
                self.check_write(path)?;
                let (parent, name) = parent_of(&*self.home, path)?;
                change.apply_link(&parent, name.as_os_str())
            }
            _ => self.set_attributes(path, change),
        }
    }

    fn set_size(&self, path: &RelPath, size: u64) -> io::Result<()> {
        let reader = self.open_read(path)?;
        if reader.len() == size {
            return Ok(());
        }
        let mut part = self.part(path, "resize")?;
        part.ephemeral();
        part.copy_from(&reader)?;
        part.truncate(size)?;
        let before = reader.opened().etag();
        part.publish_if(Replace::Yes, |now| {
            if now.is_some_and(|now| now.etag() == before) {
                return Ok(());
            }
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "somebody else changed the file at the same time"))
        })
        .map(drop)
    }

    /// Makes the link `path` that points at `target`. The target may be missing, but must not lead out
    /// of the view, neither by `/` nor by `..`.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] for a target outside, [`io::ErrorKind::AlreadyExists`].
    pub fn symlink(&self, target: &[u8], path: &RelPath) -> io::Result<()> {
        self.check_write(path)?;
        let dir = self.real_path(&path.parent().unwrap_or_default())?;
        if leads_to(dir, target)?.is_reserved() {
            return Err(reserved());
        }
        let (parent, name) = parent_of(&*self.home, path)?;
        let target = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(target);
        // Whoever waits for a count holds up nobody's turn.
        self.charged(Used::file(0), || {
            let _turn = turn::at(&parent)?;
            Ok(symlinkat(target, &parent, name.as_os_str())?)
        })
    }

    /// Gives the regular file `from` the second name `to`.
    ///
    /// # Errors
    /// Those of `linkat(2)`; links and directories are refused.
    pub fn hard_link(&self, from: &RelPath, to: &RelPath) -> io::Result<()> {
        self.check_write(from)?;
        self.check_write(to)?;
        let file = self.stat(from)?;
        if !file.is_file() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "only a regular file can get a second name"));
        }
        let (from_dir, from_name) = parent_of(&*self.home, from)?;
        let (to_dir, to_name) = parent_of(&*self.home, to)?;
        self.charged(Used::file(file.size), || {
            let _turn = turn::at(&to_dir)?;
            Ok(linkat(&from_dir, from_name.as_os_str(), &to_dir, to_name.as_os_str(), AtFlags::empty())?)
        })
    }

    /// Makes what happened in the directory `path` survive a power cut.
    ///
    /// # Errors
    /// Those of `fsync(2)`.
    pub fn sync_dir(&self, path: &RelPath) -> io::Result<()> {
        self.check_write(path)?;
        let dir = open_beneath(&*self.home, path.as_path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        Ok(rustix::fs::fsync(readable(&dir)?)?)
    }
}

/// Moves a name to one that must be free. Some file systems (NFS, some in user space) know no such rename: there a
/// file gets a second name first, which fails on a name that is taken just as surely.
pub(super) fn rename_to_free(
    (from_dir, from): (impl AsFd, &Name),
    (to_dir, to): (impl AsFd, &Name),
) -> rustix::io::Result<()> {
    match renameat_with(&from_dir, from.as_os_str(), &to_dir, to.as_os_str(), RenameFlags::NOREPLACE) {
        Err(unable @ (Errno::INVAL | Errno::NOSYS)) => match move_by_link((from_dir, from), (to_dir, to)) {
            done @ (Ok(()) | Err(Errno::EXIST)) => done,
            Err(_) => Err(unable),
        },
        done => done,
    }
}

/// Two steps: when the second fails the file has two names, and nothing is lost.
pub(super) fn move_by_link(
    (from_dir, from): (impl AsFd, &Name),
    (to_dir, to): (impl AsFd, &Name),
) -> rustix::io::Result<()> {
    linkat(&from_dir, from.as_os_str(), to_dir, to.as_os_str(), AtFlags::empty())?;
    unlinkat(from_dir, from.as_os_str(), AtFlags::empty())
}

/// Where a link in the folder `dir` with the bytes `target` leads, in words.
fn leads_to(dir: RelPath, target: &[u8]) -> io::Result<RelPath> {
    steps(target)?.into_iter().try_fold(dir, |at, step| match step {
        Step::Down(name) => Ok(at.join(&name)),
        Step::Up => at.parent().ok_or_else(outside),
    })
}
