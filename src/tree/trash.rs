//! Deleting by moving aside: `.causeway-trash/<batch>/<path in the tree>` at the root of the tree.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, mkdirat};
use rustix::io::Errno;

use super::change::rename_to_free;
use super::resolve::{open_beneath, parent_of, readable};
use super::{Stat, View, turn};
use crate::model::{Name, NameError, RelPath, Scope, Used};

/// The folder at the root of the tree that holds what was moved aside.
pub(super) const TRASH: &[u8] = b".causeway-trash";

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW);

/// The folder of a batch in the trash, from the root of the tree.
///
/// # Errors
/// When `batch` is no name.
pub fn trash_folder(batch: &str) -> io::Result<RelPath> {
    let bad = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    Ok(RelPath::root().join(&Name::new(TRASH).map_err(bad)?).join(&Name::new(batch.as_bytes()).map_err(bad)?))
}

impl View {
    /// Moves `path` (a file, a link, or a directory with all that is in it) into the trash under
    /// `batch`, where it keeps the path in the tree that was or is its place: `of`. Returns where it lies now,
    /// relative to the tree's root.
    ///
    /// # Errors
    /// Those of making the folders and of `renameat2(2)`; a tree over several file systems cannot be
    /// served by one trash.
    pub fn trash(&self, path: &RelPath, of: &RelPath, batch: &str) -> io::Result<RelPath> {
        self.trash_if(path, of, batch, |_| Ok::<_, io::Error>(()))
    }

    /// As [`View::trash`], if `holds` agrees with what `path` is at that moment: nobody else of this process changes its
    /// folder between that look and the move. What `holds` gives is kept until it is moved.
    ///
    /// # Errors
    /// What `holds` says, and those of [`View::trash`].
    pub fn trash_if<K, E: From<io::Error>>(
        &self,
        path: &RelPath,
        of: &RelPath,
        batch: &str,
        holds: impl FnOnce(&Stat) -> Result<K, E>,
    ) -> Result<RelPath, E> {
        self.check_write(path)?;
        let bad = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let (from, name) = parent_of(&*self.home, path)?;
        let whole = self.prefix.concat(of);
        let place = of.name().ok_or_else(|| bad(NameError::Empty))?;
        let folder = trash_folder(batch)?.concat(&whole.parent().unwrap_or_default());
        let to = ensure(&**self.tree.root(), &folder)?;
        let _turn = turn::at_both(&from, &to)?;
        let there = Stat::at(&from, &name)?;
        let _kept = holds(&there)?;
        for try_ in 0..1000_u32 {
            let bytes = if try_ == 0 { place.as_bytes().to_vec() } else { numbered(&place, try_) };
            let aside = Name::new(bytes).map_err(bad)?;
            let aside_now = || Ok(rename_to_free((&from, &name), (&to, &aside))?);
            match self.freed(|| Ok(there.clone()), aside_now) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    if there.is_dir() {
                        self.recount();
                    }
                    return Ok(folder.join(&aside));
                }
            }
        }
        Err(io::Error::from(Errno::EXIST).into())
    }

    /// Puts back what was moved aside and lies at `lies`, from the tree's root: to `to`, which must be free and have its
    /// folder. When it returns, that outlives a power cut.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it does not lie there, [`io::ErrorKind::AlreadyExists`],
    /// [`io::ErrorKind::QuotaExceeded`], those of counting what lies there, and those of `renameat2(2)`.
    pub fn restore(&self, lies: &RelPath, to: &RelPath) -> io::Result<()> {
        self.check_write(to)?;
        let root = &**self.tree.root();
        let (to_dir, name) = parent_of(&*self.home, to)?;
        let more = if self.is_limited() { self.trashed_weight(lies)? } else { Used::default() };
        let trash = open_beneath(root, OsStr::from_bytes(TRASH).as_ref(), FOLDER, Mode::empty())?;
        // Whoever empties a batch renames it first: from here on it is whole, or not there.
        self.charged(more, || {
            let _turn = turn::at_both(&trash, &to_dir)?;
            let (from_dir, from) = parent_of(root, lies)?;
            Ok(rename_to_free((&from_dir, &from), (&to_dir, &name))?)
        })?;
        Ok(rustix::fs::fsync(readable(&to_dir)?)?)
    }

    /// What lies at `lies`, from the tree's root, with all that is in it.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn trashed_weight(&self, lies: &RelPath) -> io::Result<Used> {
        let view = self.tree.view(&Scope::whole())?.with_own_files();
        let (mut used, mut todo) = (Used::default(), vec![lies.clone()]);
        while let Some(path) = todo.pop() {
            let stat = view.stat(&path)?;
            used.files = used.files.saturating_add(1);
            if stat.is_file() {
                used.bytes = used.bytes.saturating_add(stat.size);
            } else if stat.is_dir() {
                for entry in view.read_dir(&path)? {
                    todo.push(path.join(&entry?.name));
                }
            }
        }
        Ok(used)
    }
}

/// The same path may go to the same batch twice (deleted, back again, deleted).
fn numbered(name: &Name, number: u32) -> Vec<u8> {
    let suffix = format!("~{number}");
    let keep = name.as_bytes().len().min(255 - suffix.len());
    let mut bytes = name.as_bytes().get(..keep).unwrap_or_default().to_vec();
    bytes.extend_from_slice(suffix.as_bytes());
    bytes
}

fn ensure(root: impl AsFd, folder: &RelPath) -> io::Result<OwnedFd> {
    let mut at = open_beneath(root, Path::new("."), FOLDER, Mode::empty())?;
    for name in folder.names() {
        match mkdirat(&at, name.as_os_str(), Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        at = open_beneath(&at, name.as_os_str().as_ref(), FOLDER, Mode::empty())?;
    }
    Ok(at)
}
