//! A local tree in the order of a manifest: by the bytes of whole paths. Memory is bounded by the largest folders on
//! the way down.

use std::io;

use crate::model::RelPath;
use crate::tree::{DirEntry, Stat, View};

/// What a walk comes upon.
#[derive(Debug)]
pub(super) enum Met {
    /// Anything but a folder.
    Thing(RelPath, Stat),
    /// A folder that cannot be read: nothing is known of what is below.
    Closed(RelPath, io::Error),
}

/// The walk.
pub(super) struct Walk<'a> {
    view: &'a View,
    /// What is still to come on each level, the next last.
    levels: Vec<(RelPath, Vec<DirEntry>)>,
    /// Folders that could not be read.
    closed: Vec<(RelPath, io::Error)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(view: &'a View) -> Self {
        let mut walk = Self { view, levels: Vec::new(), closed: Vec::new() };
        walk.enter(RelPath::root());
        walk
    }

    fn enter(&mut self, folder: RelPath) {
        let read = self.view.read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<DirEntry>>>);
        match read {
            Ok(mut entries) => {
                entries.sort_by_cached_key(|entry| std::cmp::Reverse(key(entry)));
                self.levels.push((folder, entries));
            }
            Err(error) => self.closed.push((folder, error)),
        }
    }
}

/// A folder's files come where the slash behind its name sorts.
fn key(entry: &DirEntry) -> Vec<u8> {
    let mut key = entry.name.as_bytes().to_vec();
    if entry.stat.is_dir() {
        key.push(b'/');
    }
    key
}

impl Iterator for Walk<'_> {
    type Item = Met;

    fn next(&mut self) -> Option<Met> {
        loop {
            if let Some((folder, error)) = self.closed.pop() {
                return Some(Met::Closed(folder, error));
            }
            let (folder, entries) = self.levels.last_mut()?;
            let Some(entry) = entries.pop() else {
                self.levels.pop();
                continue;
            };
            let path = folder.join(&entry.name);
            if entry.stat.is_dir() {
                self.enter(path);
            } else {
                return Some(Met::Thing(path, entry.stat));
            }
        }
    }
}
