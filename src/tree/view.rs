//! What one scope may see: reading and looking. `change` holds what changes the tree.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, mkdirat};
use rustix::io::Errno;

use super::quota::Allowance;
use super::resolve::{MAX_LINKS, Step, open_beneath, open_plain, outside, parent_of, read_only, reserved, steps};
use super::{DirReader, FileReader, Space, Stat, Tree};
use crate::model::{Access, EntryKind, RelPath, Scope};

/// What to do when the new name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Put the new one in its place, in one step.
    Yes,
    /// Fail with [`io::ErrorKind::AlreadyExists`].
    No,
}

/// A folder of the tree and the right to look, or to look and change. Cheap to clone.
#[derive(Debug, Clone)]
pub struct View {
    pub(super) tree: Arc<Tree>,
    pub(super) home: Arc<OwnedFd>,
    pub(super) prefix: RelPath,
    access: Access,
    pub(super) own_files: bool,
    pub(super) allowance: Option<Allowance>,
}

impl View {
    /// Makes a home that is missing.
    pub(super) fn new(tree: &Arc<Tree>, scope: &Scope) -> io::Result<Self> {
        Self::with(tree, scope, make_home)
    }

    /// Makes nothing: `None` when the home is missing.
    pub(super) fn made(tree: &Arc<Tree>, scope: &Scope) -> io::Result<Option<Self>> {
        match Self::with(tree, scope, open_home) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            view => view.map(Some),
        }
    }

    fn with(
        tree: &Arc<Tree>,
        scope: &Scope,
        open: impl FnOnce(&Tree, &RelPath) -> io::Result<OwnedFd>,
    ) -> io::Result<Self> {
        if scope.home.is_reserved() {
            return Err(reserved());
        }
        let home = if scope.home.is_root() { Arc::clone(tree.root()) } else { Arc::new(open(tree, &scope.home)?) };
        let (prefix, access) = (scope.home.clone(), scope.access);
        let allowance = tree.ledgers.allowance(&prefix, scope.quota);
        Ok(Self { tree: Arc::clone(tree), home, prefix, access, own_files: false, allowance })
    }

    /// May it change anything?
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// The same files, only to look at.
    #[must_use]
    pub fn read_only(&self) -> Self {
        Self { access: Access::ReadOnly, ..self.clone() }
    }

    /// The folder `path` and what is below, with no more rights than this view has. It must be there, and no part of its
    /// path may be a link: whoever may write above it could lead its holder elsewhere, or out of this view.
    ///
    /// # Errors
    /// Those of `openat2(2)`; [`io::ErrorKind::PermissionDenied`] for a link and for reserved names.
    pub fn narrowed(&self, path: &RelPath, access: Access) -> io::Result<Self> {
        self.check(path)?;
        let access = self.access.min(access);
        if path.is_root() {
            return Ok(Self { access, ..self.clone() });
        }
        let home = open_plain(&*self.home, path.as_path(), OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(Self { home: Arc::new(home), prefix: self.prefix.concat(path), access, ..self.clone() })
    }

    /// The same folder for Causeway's own engines: names that it keeps for itself (parts, trash) may be
    /// used in paths. Listings hide them all the same. Never for a door.
    #[must_use]
    pub fn with_own_files(&self) -> Self {
        Self { own_files: true, ..self.clone() }
    }

    /// Where the home lies on this machine, as its tree was opened.
    #[must_use]
    pub fn location(&self) -> std::path::PathBuf {
        if self.prefix.is_root() { self.tree.path().to_owned() } else { self.tree.path().join(self.prefix.as_path()) }
    }

    /// Where the home lies in the tree; audit events name files by `prefix` + path.
    #[must_use]
    pub fn prefix(&self) -> &RelPath {
        &self.prefix
    }

    /// What `path` is; a link is not followed.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when nothing is there, and those of the look-up.
    pub fn stat(&self, path: &RelPath) -> io::Result<Stat> {
        self.check(path)?;
        if path.is_root() {
            return Stat::of(&*self.home);
        }
        let name = path.name().ok_or(Errno::NOENT)?;
        if path.depth() == 1 {
            return Stat::at(&*self.home, &name);
        }
        let (parent, name) = parent_of(&*self.home, path)?;
        Stat::at(&parent, &name)
    }

    /// What `path` is; links are followed as long as they stay inside.
    ///
    /// # Errors
    /// As [`View::stat`]; [`io::ErrorKind::PermissionDenied`] when a link leads out.
    pub fn stat_follow(&self, path: &RelPath) -> io::Result<Stat> {
        Stat::of(self.open_path(path)?)
    }

    /// Opens a regular file. A pipe never blocks, a device is never touched: both are refused.
    ///
    /// # Errors
    /// Those of `openat2(2)`; anything but a regular file is refused.
    pub fn open_read(&self, path: &RelPath) -> io::Result<FileReader> {
        self.check(path)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        match open_beneath(&*self.home, path.as_path(), flags, Mode::empty()) {
            // A socket, or a device without a driver behind it.
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, "only regular files can be read"))
            }
            fd => FileReader::new(fd?),
        }
    }

    /// Starts reading the directory `path`.
    ///
    /// # Errors
    /// Those of `openat2(2)`; [`io::ErrorKind::NotADirectory`] for anything else.
    pub fn read_dir(&self, path: &RelPath) -> io::Result<DirReader> {
        self.check(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK;
        DirReader::new(open_beneath(&*self.home, path.as_path(), flags, Mode::empty())?)
    }

    /// Where the link `path` points, in its own bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when it is not a link.
    pub fn read_link(&self, path: &RelPath) -> io::Result<Vec<u8>> {
        match self.stat(path)?.kind {
            EntryKind::Symlink(Some(target)) => Ok(target),
            _ => Err(Errno::INVAL.into()),
        }
    }

    /// The path that remains when every link in `path` is followed; what is missing at its end stays
    /// as it is written.
    ///
    /// # Errors
    /// When a link leads out or links form a circle.
    pub fn real_path(&self, path: &RelPath) -> io::Result<RelPath> {
        if self.is_plain(path) {
            return Ok(path.clone());
        }
        // As path_resolution(7) walks: the target of a link counts from the folder that really holds it.
        let mut todo: Vec<Step> = path.names().map(Step::Down).collect();
        todo.reverse();
        let mut real = RelPath::root();
        let mut links = 0;
        while let Some(step) = todo.pop() {
            let Step::Down(name) = step else {
                real = real.parent().ok_or_else(outside)?;
                continue;
            };
            let here = real.join(&name);
            match self.stat(&here) {
                Ok(Stat { kind: EntryKind::Symlink(Some(target)), .. }) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let steps = steps(&target)?;
                    todo.extend(steps.into_iter().rev());
                }
                Ok(_) => real = here,
                Err(error) if error.kind() == io::ErrorKind::NotFound => real = here,
                Err(error) => return Err(error),
            }
        }
        Ok(real)
    }

    /// Is there certainly no link in it? Mostly so, and this takes one look-up, whatever its depth.
    fn is_plain(&self, path: &RelPath) -> bool {
        let Some((parent, name)) = path.parent().zip(path.name()) else { return false };
        let no_link = |stat: Stat| !matches!(stat.kind, EntryKind::Symlink(_));
        match open_plain(&*self.home, parent.as_path(), OFlags::PATH | OFlags::DIRECTORY) {
            Ok(parent) => Stat::at(&parent, &name).map_or_else(|e| e.kind() == io::ErrorKind::NotFound, no_link),
            Err(_) => false,
        }
    }

    /// Room on the file system, or what the quota allows of it.
    ///
    /// # Errors
    /// Those of `fstatvfs(3)` and [`View::usage`].
    pub fn space(&self) -> io::Result<Space> {
        let disk = super::stat::space(&*self.home)?;
        Ok(self.usage()?.map_or(disk, |(quota, used)| disk.within(quota, used)))
    }

    /// A descriptor that stands for `path` and gives no access to its content.
    pub(super) fn open_path(&self, path: &RelPath) -> io::Result<OwnedFd> {
        self.check(path)?;
        open_beneath(&*self.home, path.as_path(), OFlags::PATH, Mode::empty())
    }

    fn check(&self, path: &RelPath) -> io::Result<()> {
        if path.is_reserved() && !self.own_files { Err(reserved()) } else { Ok(()) }
    }

    /// Refuses a change through a view that may only look, and reserved names.
    pub(super) fn check_write(&self, path: &RelPath) -> io::Result<()> {
        self.check(path)?;
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(read_only()),
        }
    }
}

/// Opens a home. No link is followed: whoever may write above a home could put one in its place and lead its owner
/// elsewhere.
fn open_home(tree: &Tree, home: &RelPath) -> io::Result<OwnedFd> {
    open_plain(&**tree.root(), home.as_path(), OFlags::RDONLY | OFlags::DIRECTORY)
}

/// The same, and makes what is missing of it.
fn make_home(tree: &Tree, home: &RelPath) -> io::Result<OwnedFd> {
    match open_home(tree, home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut at = open_plain(&**tree.root(), Path::new("."), flags)?;
    for name in home.names() {
        match mkdirat(&at, name.as_os_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        at = open_plain(&at, Path::new(name.as_os_str()), flags)?;
    }
    Ok(at)
}
