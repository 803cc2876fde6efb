//! Counting a home.

use std::collections::HashSet;
use std::io;

use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::io::Errno;

use super::books::weight;
use crate::model::{Name, RelPath, Used};
use crate::tree::resolve::open_plain;
use crate::tree::trash::TRASH;
use crate::tree::{Stat, Tree};

/// What lies below `home` without the files `live`, and with what is hidden there: it takes room, too. The trash is
/// the service's.
pub(super) fn walk(tree: &Tree, home: &RelPath, live: &HashSet<(u64, u64)>) -> io::Result<Used> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut open = vec![Dir::new(open_plain(&**tree.root(), home.as_path(), flags)?)?];
    let mut used = Used::default();
    loop {
        let depth = open.len();
        let Some(dir) = open.last_mut() else { return Ok(used) };
        let Some(entry) = dir.read() else {
            open.pop();
            continue;
        };
        let Ok(name) = Name::new(entry?.file_name().to_bytes()) else { continue };
        let dir = dir.fd()?;
        if home.is_root() && depth == 1 && name.as_bytes() == TRASH {
            continue;
        }
        let stat = match Stat::at(dir, &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            stat => stat?,
        };
        if live.contains(&(stat.dev, stat.ino)) {
            continue;
        }
        used = used.and(weight(&stat));
        if stat.is_dir() {
            match openat(dir, name.as_os_str(), flags, Mode::empty()) {
                Ok(folder) => open.push(Dir::new(folder)?),
                // Something else has the name by now.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                // What cannot be counted could hold anything.
                Err(error) => return Err(error.into()),
            }
        }
    }
}
