//! What a handle stands for.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::model::RelPath;
use crate::net::sftp::MAX_HANDLES;
use crate::tree::{DirEntry, DirReader, FileReader, PartFile};

/// A file that is read.
#[derive(Debug)]
pub struct Download {
    pub path: RelPath,
    pub file: FileReader,
    pub sent: AtomicU64,
    pub since: Instant,
}

/// A file that arrives. It appears under its name at CLOSE.
#[derive(Debug)]
pub struct Upload {
    pub path: RelPath,
    /// None once it was published or thrown away.
    pub part: Option<PartFile>,
    /// Every write goes to the end, whatever its offset says.
    pub append: bool,
    /// The content it began with: what was under the name at OPEN, by its entity tag.
    pub base: Option<String>,
    /// The name must still be free at the end.
    pub exclusive: bool,
    /// Is there anything to publish?
    pub dirty: bool,
    /// The name was removed while the file was open: CLOSE throws it away, as on a local disk.
    pub unlinked: bool,
    /// A write failed: what is in the part is not what the client meant.
    pub broken: Option<String>,
    pub received: u64,
    pub since: Instant,
}

/// A directory that is listed.
#[derive(Debug)]
pub struct Listing {
    pub path: RelPath,
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
    Upload(Mutex<Upload>),
    Listing(Mutex<Listing>),
}

/// A lock that a panic elsewhere does not take away.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    /// Reads for READ. Blocks.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Download(download) => download.file.read_at(buf, offset),
            Self::Upload(upload) => match &lock(upload).part {
                Some(part) => part.read_at(buf, offset),
                None => Err(io::Error::other("this handle was closed")),
            },
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
            download.sent.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
        }
    }
}

/// The handles of one channel. A number is never used twice, so a stale handle is nobody's.
#[derive(Debug, Default)]
pub struct Handles {
    open: HashMap<u32, Arc<Open>>,
    next: u32,
}

impl Handles {
    /// Is there room for another?
    pub fn check_room(&self) -> io::Result<()> {
        if self.open.len() < MAX_HANDLES {
            return Ok(());
        }
        Err(io::Error::other(format!("{MAX_HANDLES} handles are open already: close some first")))
    }

    pub fn insert(&mut self, open: Open) -> u32 {
        let mut slot = self.next;
        while self.open.contains_key(&slot) {
            slot = slot.wrapping_add(1);
        }
        self.next = slot.wrapping_add(1);
        self.open.insert(slot, Arc::new(open));
        slot
    }

    pub fn get(&self, handle: &[u8]) -> Option<&Arc<Open>> {
        self.open.get(&slot(handle)?)
    }

    pub fn remove(&mut self, handle: &[u8]) -> Option<Arc<Open>> {
        self.open.remove(&slot(handle)?)
    }

    pub fn drain(&mut self) -> Vec<Arc<Open>> {
        self.open.drain().map(|(_, open)| open).collect()
    }

    /// The upload of this channel that will be published as `path`.
    pub fn upload_of(&self, path: &RelPath) -> Option<&Mutex<Upload>> {
        self.open.values().find_map(|open| match &**open {
            Open::Upload(upload) => {
                let found = lock(upload);
                (found.path == *path && found.part.is_some() && !found.unlinked).then_some(upload)
            }
            Open::Download(_) | Open::Listing(_) => None,
        })
    }
}

fn slot(handle: &[u8]) -> Option<u32> {
    handle.try_into().ok().map(u32::from_be_bytes)
}
