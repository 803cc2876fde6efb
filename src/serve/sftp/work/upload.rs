//! A file that arrives: a part until CLOSE, then a file under its name.
//!
//! What is cut off before CLOSE is kept ([`Upload::cut`]): STAT tells whoever sent it how far it came, a client that
//! goes on from there ([`super::files`]) goes on with it, and one that writes from the start begins anew. Only what has
//! arrived without a gap, and is on the disk, is ever kept.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::super::status;
use super::open::lock;
use super::reach::Reach;
use crate::model::{AccountId, RelPath};
use crate::net::sftp::{Attributes, Reply};
use crate::presence::Transfer;
use crate::tree::{FileReader, PartFile, Stat, View};

/// A file that arrives. It appears under its name at CLOSE.
#[derive(Debug)]
pub struct Upload {
    /// Looked at by every request for a name: never held while a disk is waited for.
    name: Mutex<Naming>,
    pub arriving: Mutex<Arriving>,
    pub since: Instant,
    pub transfer: Transfer,
    /// It began with nothing.
    anew: bool,
}

/// The name that it will get.
#[derive(Debug, Clone)]
pub struct Naming {
    pub path: Arc<RelPath>,
    /// The name must still be free at the end.
    pub exclusive: bool,
    /// The name was removed while the file was open: CLOSE throws it away, as on a local disk.
    pub unlinked: bool,
    /// It was published or thrown away.
    pub over: bool,
}

/// How a file that was there already is changed.
#[derive(Debug)]
pub struct Base {
    /// Its entity tag when it was opened.
    pub tag: String,
    /// Its content, to compare with what was kept of an upload that was cut off.
    pub old: FileReader,
    /// The key of what was kept, while it is not settled whether the client goes on with that by mistake.
    pub kept: Option<String>,
}

/// What has arrived.
#[derive(Debug)]
pub struct Arriving {
    /// None once it was published or thrown away.
    pub part: Option<PartFile>,
    /// Every write goes to the end, whatever its offset says.
    pub append: bool,
    /// It began as a copy of what was under the name at OPEN.
    pub base: Option<Base>,
    /// The part is what was kept of an earlier upload, so long, and nothing was written yet.
    pub resumes: Option<u64>,
    /// Is there anything to publish?
    pub dirty: bool,
    /// A write failed: what is in the part is not what the client meant.
    pub broken: Option<String>,
    /// How far it has arrived without a gap.
    pub reach: Reach,
    /// Bytes of all writes.
    pub received: u64,
}

impl Upload {
    pub fn new(name: Naming, arriving: Arriving, since: Instant, transfer: Transfer) -> Arc<Self> {
        let anew = arriving.base.is_none() && arriving.resumes.is_none();
        Arc::new(Self { name: Mutex::new(name), arriving: Mutex::new(arriving), since, transfer, anew })
    }

    pub fn path(&self) -> Arc<RelPath> {
        Arc::clone(&lock(&self.name).path)
    }

    /// Are there so few bytes in it that they reach a disk in no time?
    pub fn is_small(&self) -> bool {
        const SMALL: u64 = 1 << 20;
        self.anew && self.transfer.bytes() <= SMALL
    }

    /// Will it be published as `path`?
    pub fn arrives_as(&self, path: &RelPath) -> bool {
        let name = lock(&self.name);
        *name.path == *path && !name.over && !name.unlinked
    }

    /// The name was removed.
    pub fn unlink(&self) {
        lock(&self.name).unlinked = true;
    }

    /// From now on it will be published as `path`.
    ///
    /// # Errors
    /// Those of the look-up.
    pub fn retarget(&self, view: &View, path: &Arc<RelPath>, exclusive: bool) -> io::Result<()> {
        if let Some(part) = &mut lock(&self.arriving).part {
            part.retarget(view, path)?;
        }
        let mut name = lock(&self.name);
        (name.path, name.exclusive) = (Arc::clone(path), exclusive);
        Ok(())
    }

    /// What whoever uploads sees of it, while it arrives.
    ///
    /// # Errors
    /// Those of `statx(2)`.
    pub fn stat(&self) -> io::Result<Option<Stat>> {
        lock(&self.arriving).part.as_ref().map(PartFile::stat).transpose()
    }

    /// Reads what has arrived. Blocks.
    ///
    /// # Errors
    /// Those of `pread(2)`; that it was closed.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match &lock(&self.arriving).part {
            Some(part) => part.read_at(buf, offset),
            None => Err(io::Error::other("this handle was closed")),
        }
    }

    /// Sets attributes of what will be published.
    ///
    /// # Errors
    /// Those of the calls behind it.
    pub fn set_attributes(&self, attributes: &Attributes) -> io::Result<Reply> {
        let mut arriving = lock(&self.arriving);
        let Some(part) = &mut arriving.part else { return Ok(status::bad_handle()) };
        part.set_attributes(attributes.change())?;
        if let Some(size) = attributes.size {
            arriving.reach.cut(size);
            // What was cut off of it is not kept any more; of nothing nobody goes on.
            arriving.resumes = arriving.resumes.map(|length| length.min(size)).filter(|length| *length > 0);
        }
        arriving.dirty = true;
        Ok(Reply::ok())
    }

    /// Writes what came for `offset`. After a write that failed CLOSE publishes nothing.
    ///
    /// # Errors
    /// Those of `pwritev(2)`; that a client goes on with a file which is not the one that was cut off.
    pub fn write(&self, view: &View, data: &[u8], offset: u64) -> io::Result<()> {
        let path = self.path();
        let arriving = &mut *lock(&self.arriving);
        if let Err(error) = arriving.write(view, &path, data, offset) {
            arriving.broken = Some(status::text(&error));
            tracing::warn!(error = %error, path = %path.display(), "an upload could not be written");
            return Err(error);
        }
        self.transfer.add(u64::try_from(data.len()).unwrap_or(0));
        Ok(())
    }

    /// Ends it for CLOSE: gives what has arrived, once.
    pub fn take(&self) -> Option<(Naming, PartFile)> {
        let part = lock(&self.arriving).part.take()?;
        let mut name = lock(&self.name);
        name.over = true;
        Some((name.clone(), part))
    }

    /// The connection ended before CLOSE: what has arrived is kept for `account` to go on with, if it is worth that.
    /// Returns how many bytes were kept.
    ///
    /// # Errors
    /// Those of syncing and renaming. The part is gone then.
    pub fn cut(&self, view: &View, account: AccountId) -> io::Result<u64> {
        let Some((name, part)) = self.take() else { return Ok(0) };
        let arriving = lock(&self.arriving);
        // What began as a copy of an old file is no beginning of the new one.
        let beginning = arriving.base.is_none() && arriving.broken.is_none() && !name.unlinked;
        let whole = arriving.resumes.unwrap_or_else(|| arriving.reach.contiguous());
        // One byte less than there is: a client that finds its whole file here would not send anything, so there
        // would be no CLOSE, and nobody would ever see the file.
        let keep = if arriving.resumes.is_some() { whole } else { whole.saturating_sub(1) };
        if !beginning || keep == 0 {
            return Ok(0);
        }
        part.keep(view, &name.path, &kept(account), keep).map(|()| keep)
    }
}

impl Arriving {
    fn write(&mut self, view: &View, path: &RelPath, data: &[u8], offset: u64) -> io::Result<()> {
        let Some(part) = &self.part else { return Err(io::Error::other("this handle was closed")) };
        let offset = if self.append { part.len()? } else { offset };
        if let Some(length) = self.resumes.take()
            && (offset == 0 || offset > length)
        {
            // It does not know of what was kept, or means something else.
            part.truncate(0)?;
            self.reach = Reach::default();
        }
        if let Some(base) = &mut self.base
            && let Some(key) = base.kept.take()
            && offset == base.old.len()
        {
            check_beginning(view, path, &key, &base.old)?;
        }
        part.write_at(data, offset)?;
        let length = u64::try_from(data.len()).unwrap_or(0);
        self.dirty = true;
        self.received += length;
        self.reach.add(offset, length);
        Ok(())
    }
}

/// The key of the part that is kept for an account.
pub fn kept(account: AccountId) -> String {
    format!("sftp-kept-{account}")
}

/// An upload over `old` was cut off, so `old` is still there; a client that now adds to its end takes it for the
/// beginning of its own file. It is that only when the two begin alike.
fn check_beginning(view: &View, path: &RelPath, key: &str, old: &FileReader) -> io::Result<()> {
    const STEP: usize = 256 << 10;
    let Some(kept) = view.kept_part(path, key)? else { return Ok(()) };
    let (mut one, mut other, mut at) = (vec![0; STEP], vec![0; STEP], 0);
    loop {
        let (got, had) = (kept.read_at(&mut one, at)?, old.read_at(&mut other, at)?);
        let both = got.min(had);
        if one.get(..both) != other.get(..both) {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "an upload of this file was cut off, and what is here is the file from before it: nothing was added, \
                 send the file whole",
            ));
        }
        if both < STEP {
            return Ok(());
        }
        at = at.saturating_add(u64::try_from(both).unwrap_or(u64::MAX));
    }
}
