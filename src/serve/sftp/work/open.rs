//! What a handle stands for.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::upload::Upload;
use crate::model::RelPath;
use crate::net::sftp::MAX_HANDLES;
use crate::presence::Transfer;
use crate::tree::{DirEntry, DirReader, FileReader};

/// At least so many bytes are read: a small file is not worth to look at its length.
const LEAST: usize = 4 << 10;

/// A file that is read.
#[derive(Debug)]
pub struct Download {
    pub path: Arc<RelPath>,
    pub file: FileReader,
    pub sent: AtomicU64,
    pub since: Instant,
    pub transfer: Transfer,
}

/// A directory that is listed.
#[derive(Debug)]
pub struct Listing {
    pub path: Arc<RelPath>,
    pub reading: Mutex<Reading>,
}

/// How far a listing is.
#[derive(Debug)]
pub struct Reading {
    pub reader: DirReader,
    /// Read, but did not fit into the last answer.
    pub ahead: Option<DirEntry>,
    /// `.` was told already.
    pub begun: bool,
    pub ended: bool,
}

/// What a handle stands for.
#[derive(Debug)]
pub enum Open {
    Download(Download),
    Upload(Arc<Upload>),
    Listing(Listing),
}

/// What is open, and under which name.
#[derive(Debug)]
pub enum Kind {
    /// It will be published under this name.
    Upload(Arc<RelPath>),
    /// It is read.
    Other(Arc<RelPath>),
}

/// A lock that a panic elsewhere does not take away.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    /// Room for the answer to a READ of `length` bytes. A file that has grown since it was opened gives the rest to the
    /// next READ.
    pub fn room(&self, offset: u64, length: usize) -> usize {
        match self {
            Self::Download(download) => {
                let left = usize::try_from(download.file.len().saturating_sub(offset)).unwrap_or(usize::MAX);
                length.min(left.max(LEAST))
            }
            Self::Upload(_) | Self::Listing(_) => length,
        }
    }

    /// Reads for READ. Blocks.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Download(download) => download.file.read_at(buf, offset),
            Self::Upload(upload) => upload.read_at(buf, offset),
            Self::Listing(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// As [`Open::read_at`], but never waits for a disk: `None` when it would.
    pub fn read_now(&self, buf: &mut [u8], offset: u64) -> Option<io::Result<usize>> {
        match self {
            Self::Download(download) => download.file.read_at_cached(buf, offset).transpose(),
            Self::Upload(_) | Self::Listing(_) => None,
        }
    }

    /// Counts what was sent.
    pub fn sent(&self, bytes: usize) {
        if let Self::Download(download) = self {
            let bytes = u64::try_from(bytes).unwrap_or(0);
            download.sent.fetch_add(bytes, Ordering::Relaxed);
            download.transfer.add(bytes);
        }
    }
}

/// The handles of one channel. A number is never used twice, so a stale handle is nobody's. No look at them waits for a
/// disk.
#[derive(Debug, Default)]
pub struct Handles(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    open: HashMap<u32, Arc<Open>>,
    next: u32,
}

impl Handles {
    /// Is there room for another?
    pub fn check_room(&self) -> io::Result<()> {
        room(&lock(&self.0))
    }

    /// Gives `open` a number, if there is room.
    pub fn insert(&self, open: Open) -> io::Result<u32> {
        let mut table = lock(&self.0);
        room(&table)?;
        let mut slot = table.next;
        while table.open.contains_key(&slot) {
            slot = slot.wrapping_add(1);
        }
        table.next = slot.wrapping_add(1);
        table.open.insert(slot, Arc::new(open));
        Ok(slot)
    }

    pub fn get(&self, handle: &[u8]) -> Option<Arc<Open>> {
        lock(&self.0).open.get(&slot(handle)?).map(Arc::clone)
    }

    /// What kind of thing it is, and its name now.
    pub fn kind(&self, handle: &[u8]) -> Option<Kind> {
        Some(match &*self.get(handle)? {
            Open::Upload(upload) => Kind::Upload(upload.path()),
            Open::Download(Download { path, .. }) | Open::Listing(Listing { path, .. }) => {
                Kind::Other(Arc::clone(path))
            }
        })
    }

    pub fn remove(&self, handle: &[u8]) -> Option<Arc<Open>> {
        lock(&self.0).open.remove(&slot(handle)?)
    }

    pub fn drain(&self) -> Vec<Arc<Open>> {
        lock(&self.0).open.drain().map(|(_, open)| open).collect()
    }

    /// The upload of this channel that will be published as `path`.
    pub fn upload_of(&self, path: &RelPath) -> Option<Arc<Upload>> {
        lock(&self.0).open.values().find_map(|open| match &**open {
            Open::Upload(upload) => upload.arrives_as(path).then(|| Arc::clone(upload)),
            Open::Download(_) | Open::Listing(_) => None,
        })
    }
}

fn room(table: &Table) -> io::Result<()> {
    if table.open.len() < MAX_HANDLES {
        return Ok(());
    }
    Err(io::Error::other(format!("{MAX_HANDLES} handles are open already: close some first")))
}

/// The number of a handle, if it has the form of one.
pub fn slot(handle: &[u8]) -> Option<u32> {
    handle.try_into().ok().map(u32::from_be_bytes)
}
