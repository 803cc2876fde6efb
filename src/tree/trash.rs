//! Deleting by moving aside: `.causeway-trash/<batch>/<path in the tree>` at the root of the tree.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, mkdirat};
use rustix::io::Errno;

use super::change::rename_to_free;
use super::resolve::{open_beneath, parent_of};
use super::{View, turn};
use crate::model::{Name, NameError, RelPath};

/// The folder at the root of the tree that holds what was moved aside.
pub(super) const TRASH: &[u8] = b".causeway-trash";

impl View {
    /// Moves `path` (a file, a link, or a directory with all that is in it) into the trash under
    /// `batch`, where it keeps the path in the tree that was or is its place: `of`. Returns where it lies now,
    /// relative to the tree's root.
    ///
    /// # Errors
    /// Those of making the folders and of `renameat2(2)`; a tree over several file systems cannot be
    /// served by one trash.
    pub fn trash(&self, path: &RelPath, of: &RelPath, batch: &str) -> io::Result<RelPath> {
        self.check_write(path)?;
        let bad = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let batch = Name::new(batch.as_bytes()).map_err(bad)?;
        let (from, name) = parent_of(&*self.home, path)?;
        let whole = self.prefix.concat(of);
        let place = of.name().ok_or_else(|| bad(NameError::Empty))?;
        let folder = RelPath::root().join(&Name::new(TRASH).map_err(bad)?).join(&batch);
        let folder = folder.concat(&whole.parent().unwrap_or_default());
        let to = ensure(&**self.tree.root(), &folder)?;
        let _turn = turn::at_both(&from, &to)?;
        for try_ in 0..1000_u32 {
            let bytes = if try_ == 0 { place.as_bytes().to_vec() } else { numbered(&place, try_) };
            let aside = Name::new(bytes).map_err(bad)?;
            match rename_to_free((&from, &name), (&to, &aside)) {
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.recount();
                    return Ok(folder.join(&aside));
                }
            }
        }
        Err(Errno::EXIST.into())
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
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let mut at = open_beneath(root, std::path::Path::new("."), flags, Mode::empty())?;
    for name in folder.names() {
        match mkdirat(&at, name.as_os_str(), Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        at = open_beneath(&at, name.as_os_str().as_ref(), flags, Mode::empty())?;
    }
    Ok(at)
}
