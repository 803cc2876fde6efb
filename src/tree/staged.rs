//! Putting something together, or moving it, so that it takes its place in one step.
//!
//! The new thing waits as `thing` in a hidden folder beside the place. Where nothing is it gets its name; else the two
//! change places (`RENAME_EXCHANGE`), and what was there is removed from the hidden folder. A thing that was moved
//! there has a note beside it, `from`, written before: wherever a crash falls, the note says whether `thing` is the new
//! one, which goes back to where it was, or the old one, which may go. The folder is locked (`flock(2)`) as long as its
//! maker lives.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, mkdirat};
use rustix::io::Errno;

use super::resolve::{open_beneath, parent_of};
use super::{Replace, Stat, View};
use crate::model::{Name, RelPath, Used};

pub(super) const STAGED: &[u8] = b".causeway-staged-";
const THING: &str = "thing";
const NOTE: &str = "from";
/// Two numbers and a path.
const LONGEST_NOTE: usize = 64 + 4096;

/// A hidden folder for one thing.
#[derive(Debug)]
pub struct Staged {
    view: View,
    at: RelPath,
    /// Locked.
    _folder: OwnedFd,
}

/// What became of a hidden folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nobody needs what was in it: it is gone.
    Removed,
    /// What was moved there is where it was before, at this path of the tree.
    PutBack(RelPath),
    /// Somebody works with it, or nobody can say what it is, or its place is taken: it stays.
    Kept(&'static str),
}

impl View {
    /// A hidden folder beside `place`, whose own folder must be there.
    ///
    /// # Errors
    /// Those of making it.
    pub fn stage(&self, place: &RelPath) -> io::Result<Staged> {
        self.check_write(place)?;
        let view = self.with_own_files();
        // The sweep may take a new folder away before it is locked.
        for _ in 0..8 {
            let mut random = [0; 8];
            crate::random::fill(&mut random)?;
            let name = [STAGED, data_encoding::HEXLOWER.encode(&random).as_bytes()].concat();
            let at = place.parent().unwrap_or_default().join(&Name::new(name).map_err(io::Error::other)?);
            let (parent, name) = parent_of(&*view.home, &at)?;
            view.charged(Used::file(0), || Ok(mkdirat(&parent, name.as_os_str(), Mode::from_raw_mode(0o700))?))?;
            if let Some(folder) = hold(&view, &at)? {
                return Ok(Staged { view, at, _folder: folder });
            }
        }
        Err(Errno::AGAIN.into())
    }
}

impl Staged {
    /// Where the new thing is put together.
    #[must_use]
    pub fn thing(&self) -> RelPath {
        inside(&self.at, THING)
    }

    /// Moves `source` here, as the thing that will take the place of `target`.
    ///
    /// # Errors
    /// Those of looking, of writing the note and of `renameat2(2)`; `source` is where it was then.
    pub fn take(&self, source: &RelPath, target: &RelPath) -> io::Result<()> {
        let (new, old) = (self.view.stat(source)?.ino, self.view.stat(target)?.ino);
        let mut note = format!("{new} {old} ").into_bytes();
        note.extend_from_slice(self.view.prefix.concat(source).as_bytes());
        let file = self.view.part_in_place(&inside(&self.at, NOTE))?;
        file.write_at(&note, 0)?;
        file.sync()?;
        self.view.sync_dir(&self.at)?;
        self.view.rename(source, &self.thing(), Replace::No)
    }

    /// Gives the thing its place `target`, in one step: where nothing is, or, under [`Replace::Yes`], that of what is
    /// there. It survives a power cut.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] under [`Replace::No`], and those of `renameat2(2)`; then nothing has moved.
    pub fn place(&self, target: &RelPath, replace: Replace) -> io::Result<()> {
        match self.view.rename(&self.thing(), target, Replace::No) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && replace == Replace::Yes => {
                self.swap(target)?;
            }
            // A file system that cannot (NFS): there a folder still replaces nothing but an empty folder.
            Err(error) if is_unable(&error) && self.is_folder_for_free(target) => {
                self.view.rename(&self.thing(), target, Replace::Yes)?;
            }
            placed => placed?,
        }
        self.view.sync_dir(&target.parent().unwrap_or_default())
    }

    fn is_folder_for_free(&self, target: &RelPath) -> bool {
        let free = self.view.stat(target).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        free && self.view.stat(&self.thing()).is_ok_and(|stat| stat.is_dir())
    }

    /// Lets the thing and what is at `target` change places, in one step.
    ///
    /// # Errors
    /// Those of `renameat2(2)`; then nothing has moved.
    pub fn swap(&self, target: &RelPath) -> io::Result<()> {
        self.view.exchange(&self.thing(), target)
    }

    /// Ends it: removes what nobody needs, and puts back what was taken and not swapped.
    ///
    /// # Errors
    /// Those of reading, moving and removing; what is left is looked at by the next sweep.
    pub fn end(&self) -> io::Result<Fate> {
        finish(&self.view, &self.at)
    }
}

fn is_unable(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS))
}

/// Looks at the hidden folder (or file) `at` of a crash, and does what is right.
///
/// # Errors
/// As [`Staged::end`].
pub(super) fn recover(view: &View, at: &RelPath) -> io::Result<Fate> {
    if !view.stat(at)?.is_dir() {
        view.remove_file(at)?;
        return Ok(Fate::Removed);
    }
    match hold(view, at)? {
        Some(_locked) => finish(view, at),
        None => Ok(Fate::Kept("somebody works with it")),
    }
}

/// Locks the folder; `None` when somebody else has, or has removed it.
fn hold(view: &View, at: &RelPath) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let folder = match open_beneath(&*view.home, at.as_path(), flags, Mode::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        folder => folder?,
    };
    match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::AGAIN) => return Ok(None),
        locked => locked?,
    }
    let same = |now: Stat| Ok::<_, io::Error>(now.ino == Stat::of(&folder)?.ino);
    Ok(if view.stat(at).and_then(same).unwrap_or(false) { Some(folder) } else { None })
}

fn finish(view: &View, at: &RelPath) -> io::Result<Fate> {
    let thing = inside(at, THING);
    let waiting = match view.stat(&thing) {
        Ok(stat) => Some(stat.ino),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let (Some(waiting), Some(note)) = (waiting, read_note(view, at)?) {
        match note {
            Note::Moved { new, source, .. } if new == waiting => match put_back(view, &thing, &source) {
                Ok(()) => {
                    view.remove_tree(at)?;
                    return Ok(Fate::PutBack(source));
                }
                Err(_) => return Ok(Fate::Kept("what was moved here cannot go back: its place is gone or taken")),
            },
            Note::Moved { old, .. } if old == waiting => {}
            Note::Moved { .. } | Note::Garbled => return Ok(Fate::Kept("nobody can say what it is")),
        }
    }
    view.remove_tree(&thing)?;
    view.remove_tree(at)?;
    Ok(Fate::Removed)
}

/// `source` counts from the root of the tree, `thing` from the view.
fn put_back(view: &View, thing: &RelPath, source: &RelPath) -> io::Result<()> {
    let home = view.prefix.as_bytes();
    let below = source.as_bytes().get(home.len()..).filter(|_| source.starts_with(&view.prefix)).unwrap_or_default();
    let here = RelPath::lenient(below).map_err(io::Error::other)?;
    view.rename(thing, &here, Replace::No)
}

/// What was written before a thing was moved.
enum Note {
    /// Inode numbers of the thing and of what it replaces, and where the thing was.
    Moved { new: u64, old: u64, source: RelPath },
    /// Not ours.
    Garbled,
}

fn read_note(view: &View, at: &RelPath) -> io::Result<Option<Note>> {
    let reader = match view.open_read(&inside(at, NOTE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        reader => reader?,
    };
    let mut bytes = vec![0; LONGEST_NOTE];
    let got = reader.read_at(&mut bytes, 0)?;
    let mut fields = bytes.get(..got).unwrap_or_default().splitn(3, |byte| *byte == b' ');
    let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse::<u64>().ok();
    let (new, old) = (number(), number());
    let source = fields.next().and_then(|path| RelPath::new(path).ok());
    Ok(Some(match (new, old, source) {
        (Some(new), Some(old), Some(source)) => Note::Moved { new, old, source },
        _ => Note::Garbled,
    }))
}

fn inside(folder: &RelPath, name: &str) -> RelPath {
    Name::new(name).map_or_else(|_| folder.clone(), |name| folder.join(&name))
}
