//! What goes into an archive, step by step.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::Pack;
use crate::drive::Junk;
use crate::model::{EntryKind, Name, RelPath};
use crate::tree::{DirReader, FileReader, Stat, View};

/// A block of the archive is sent when it has so many bytes,
const BLOCK: usize = 256 * 1024;
/// and a stay on a thread ends when so many were read, or so many names looked at: a client that left is noticed in
/// between.
const STEP: u64 = 32 << 20;
const NAMES: u32 = 4096;

/// A walk that is under way: one folder and one file are open at a time.
pub(super) struct Walk {
    view: View,
    junk: Junk,
    pack: Box<dyn Pack>,
    out: Vec<u8>,
    todo: Vec<Todo>,
    folder: Option<(Todo, DirReader)>,
    file: Option<(FileReader, u64)>,
    buffer: Vec<u8>,
    entries: u64,
    finished: bool,
}

/// A name that is still to be put in.
struct Todo {
    path: RelPath,
    /// Its name in the archive; empty for the root.
    name: Vec<u8>,
    /// The folders that it was reached through.
    above: Option<Arc<Above>>,
}

impl Todo {
    fn below(&self, name: &Name, above: &Arc<Above>) -> Self {
        let mut whole = self.name.clone();
        if !whole.is_empty() {
            whole.push(b'/');
        }
        whole.extend_from_slice(name.as_bytes());
        Self { path: self.path.join(name), name: whole, above: Some(Arc::clone(above)) }
    }
}

/// A folder on the way, by its inode.
struct Above {
    dev: u64,
    ino: u64,
    above: Option<Arc<Above>>,
}

impl Above {
    fn of(stat: &Stat, above: Option<&Arc<Self>>) -> Arc<Self> {
        Arc::new(Self { dev: stat.dev, ino: stat.ino, above: above.map(Arc::clone) })
    }

    fn holds(&self, stat: &Stat) -> bool {
        let mut at = Some(self);
        while let Some(folder) = at {
            if (folder.dev, folder.ino) == (stat.dev, stat.ino) {
                return true;
            }
            at = folder.above.as_deref();
        }
        false
    }
}

impl Walk {
    /// Looks at the folder `path` and at the names that were `chosen` in it. Blocks.
    pub(super) fn begin(
        (view, junk): (View, Junk),
        path: &RelPath,
        chosen: Option<Vec<Name>>,
        pack: Box<dyn Pack>,
    ) -> io::Result<Self> {
        let stat = view.stat_follow(path)?;
        if !stat.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let mut todo = Vec::new();
        match chosen {
            None => {
                let name = path.name().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
                todo.push(Todo { path: path.clone(), name, above: None });
            }
            Some(names) => {
                let (here, above) =
                    (Todo { path: path.clone(), name: Vec::new(), above: None }, Above::of(&stat, None));
                for name in &names {
                    let one = here.below(name, &above);
                    let stat = view.stat_follow(&one.path)?;
                    if !stat.is_dir() && !stat.is_file() {
                        let why = "only files and folders can be put into an archive";
                        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
                    }
                    todo.push(one);
                }
                // The last is taken first.
                todo.reverse();
            }
        }
        let (folder, file, entries, finished) = (None, None, 0, false);
        Ok(Self { view, junk, pack, out: Vec::new(), todo, folder, file, buffer: vec![0; BLOCK], entries, finished })
    }

    /// Files and folders that were put in so far.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// The next bytes of the archive, perhaps none yet; `None` after the last. Blocks.
    ///
    /// # Errors
    /// Those of reading, and that a file changed meanwhile: the archive cannot be whole any more.
    pub(super) fn block(&mut self) -> io::Result<Option<Bytes>> {
        let (mut read, mut names) = (0, 0);
        while !self.finished && self.out.len() < BLOCK && read < STEP && names < NAMES {
            if self.file.is_some() {
                read += self.read()?;
            } else {
                names += 1;
                self.next()?;
            }
        }
        if self.finished && self.out.is_empty() {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.out).into()))
    }

    /// Some bytes of the file that is open; how many.
    fn read(&mut self) -> io::Result<u64> {
        let Some((file, at)) = &mut self.file else { return Ok(0) };
        let left = file.opened().size - *at;
        let want = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let buffer = self.buffer.get_mut(..want).unwrap_or_default();
        if file.read_at(buffer, *at)? < want {
            return Err(changed());
        }
        self.pack.bytes(buffer, &mut self.out)?;
        let got = u64::try_from(want).unwrap_or(left);
        *at += got;
        if *at >= file.opened().size {
            let (before, now) = (file.opened(), file.stat()?);
            if before.size != now.size || before.mtime != now.mtime {
                return Err(changed());
            }
            self.pack.end(&mut self.out)?;
            self.file = None;
        }
        Ok(got)
    }

    /// The next name: of the folder that is open, else of those that are left.
    fn next(&mut self) -> io::Result<()> {
        if let Some((folder, names)) = &mut self.folder {
            let Some(entry) = names.next() else {
                self.folder = None;
                return Ok(());
            };
            let entry = entry?;
            let above = Above::of(names.opened(), folder.above.as_ref());
            let one = folder.below(&entry.name, &above);
            return if self.junk.shows(&one.path) { self.meet(one, entry.stat) } else { Ok(()) };
        }
        let Some(next) = self.todo.pop() else {
            self.finished = true;
            return self.pack.finish(&mut self.out);
        };
        let stat = self.view.stat_follow(&next.path)?;
        if stat.is_dir() { self.enter(next) } else { self.open(&next) }
    }

    /// A name of the folder that is open. Links are followed as long as they stay inside; what leads out, nowhere or in
    /// a circle is left out, as listings leave it out, and so is what is neither a file nor a folder.
    fn meet(&mut self, one: Todo, stat: Stat) -> io::Result<()> {
        let is_link = matches!(stat.kind, EntryKind::Symlink(_));
        let stat = if is_link {
            let Ok(stat) = self.view.stat_follow(&one.path) else { return Ok(()) };
            stat
        } else {
            stat
        };
        if stat.is_dir() {
            if !one.above.as_ref().is_some_and(|above| above.holds(&stat)) {
                self.todo.push(one);
            }
            return Ok(());
        }
        if !stat.is_file() {
            return Ok(());
        }
        match self.open(&one) {
            // It was removed just now, as if it had been before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn enter(&mut self, folder: Todo) -> io::Result<()> {
        let names = self.view.read_dir(&folder.path)?;
        if !folder.name.is_empty() {
            self.entries += 1;
            self.pack.folder(&folder.name, names.opened(), &mut self.out)?;
        }
        self.folder = Some((folder, names));
        Ok(())
    }

    fn open(&mut self, one: &Todo) -> io::Result<()> {
        let file = self.view.open_read(&one.path)?;
        self.entries += 1;
        self.pack.begin(&one.name, file.opened(), &mut self.out)?;
        if file.is_empty() {
            return self.pack.end(&mut self.out);
        }
        self.file = Some((file, 0));
        Ok(())
    }
}

fn changed() -> io::Error {
    io::Error::other("a file changed while it was put into an archive")
}
