//! Content that is on its way to its name.
//!
//! A part lies beside the name it will get, so that publishing is one rename on one file system. Its own
//! name is derived from the path and a key, so the same work finds the same part again after a crash. A
//! lock (`flock(2)`, freed by the kernel when the process dies) keeps two writers apart.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::change::rename_to_free;
use super::quota::Claim;
use super::reader::read_full;
use super::resolve::{parent_of, readable};
use super::{FileReader, Replace, SetAttributes, Stat, View, turn};
use crate::model::{Name, RESERVED_PREFIX, RelPath};

/// Mirror jobs name theirs differently: a sweep must not take those.
pub(super) const PART: &[u8] = b".causeway-upload-";

/// `IOV_MAX` of Linux: so many pieces are written by one call.
const PIECES: usize = 1024;

/// Permission bits of a new file, when nobody asked for others.
pub(super) const USUAL_MODE: u32 = 0o644;

/// From so many files on the file system is synced as a whole.
const TOGETHER: usize = 3;

/// A file that is being written. Nobody sees it before [`PartFile::publish`].
#[derive(Debug)]
pub struct PartFile {
    pub(super) fd: OwnedFd,
    /// Where the part lies.
    pub(super) dir: OwnedFd,
    pub(super) part: Name,
    /// Where it will go, when that is another folder.
    elsewhere: Option<OwnedFd>,
    name: Name,
    mode: Option<u32>,
    ephemeral: bool,
    pub(super) gone: bool,
    /// Few have one.
    pub(super) claim: Option<Box<Claim>>,
}

/// Where a part lies and what it will be called.
pub(super) struct Place {
    pub(super) dir: OwnedFd,
    pub(super) name: Name,
    pub(super) part: Name,
    /// What has the name now.
    there: Option<Stat>,
}

impl Place {
    /// Opens the part and locks it.
    pub(super) fn open(self, view: &View, create: OFlags) -> io::Result<PartFile> {
        let Self { dir, name, part, there } = self;
        let is_new = view.is_limited() && Stat::at(&dir, &part).is_err();
        let fd = open_part(&dir, &part, create)?;
        // Who holds the part counts it, nobody else.
        let claim = Claim::begin(view, &Stat::of(&fd)?, is_new, there.as_ref()).inspect_err(|_| {
            if is_new && let Err(error) = unlinkat(&dir, part.as_os_str(), AtFlags::empty()) {
                tracing::warn!(error = %error, part = %part.display(), "a part without room could not be removed");
            }
        })?;
        Ok(PartFile { fd, dir, part, elsewhere: None, name, mode: None, ephemeral: false, gone: false, claim })
    }
}

impl View {
    /// Opens the part for `path` and `key` (a fingerprint of the source, a session), or makes it. What
    /// an earlier try wrote is still in it: see [`PartFile::len`] and [`PartFile::truncate`]. When `path`
    /// is a link inside the view, the part belongs to the file behind it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when somebody else is writing the same part;
    /// [`io::ErrorKind::NotFound`] when the folder is missing; [`io::ErrorKind::IsADirectory`].
    pub fn part(&self, path: &RelPath, key: &str) -> io::Result<PartFile> {
        self.place(path, key)?.open(self, OFlags::CREATE)
    }

    /// Finds the place of a part, and refuses what cannot be written.
    pub(super) fn place(&self, path: &RelPath, key: &str) -> io::Result<Place> {
        self.check_write(path)?;
        let path = self.real_path(path)?;
        self.check_write(&path)?;
        let there = match self.stat(&path) {
            Ok(there) if there.is_dir() => return Err(Errno::ISDIR.into()),
            Ok(there) if !there.is_file() => {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "only regular files can be written"));
            }
            Ok(there) => Some(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (dir, name) = parent_of(&*self.home, &path)?;
        let part = part_name(&self.prefix.concat(&path), key)?;
        Ok(Place { dir, name, part, there })
    }

    /// Opens the file `path` to be written where it lies, or makes it (mode 0600). For engines that name
    /// their parts themselves and rename them when they are done; what doors write goes through
    /// [`View::part`].
    ///
    /// # Errors
    /// As [`View::part`].
    pub fn part_in_place(&self, path: &RelPath) -> io::Result<PartFile> {
        self.check_write(path)?;
        let (dir, name) = parent_of(&*self.home, path)?;
        Place { dir, part: name.clone(), name, there: None }.open(self, OFlags::CREATE)
    }
}

impl PartFile {
    /// From now on, dropping it without publishing removes it. For uploads that nobody will resume.
    pub fn ephemeral(&mut self) {
        self.ephemeral = true;
    }

    /// Bytes in it.
    ///
    /// # Errors
    /// Those of `statx(2)`.
    pub fn len(&self) -> io::Result<u64> {
        Ok(self.stat()?.size)
    }

    /// Is nothing in it?
    ///
    /// # Errors
    /// Those of `statx(2)`.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Its metadata, with the permission bits that it will have under its name.
    ///
    /// # Errors
    /// Those of `statx(2)`.
    pub fn stat(&self) -> io::Result<Stat> {
        let mut stat = Stat::of(&self.fd)?;
        stat.mode = (stat.mode & !0o7777) | self.final_mode();
        Ok(stat)
    }

    /// Fills `buf` from `offset` on, until it is full or the part ends.
    ///
    /// # Errors
    /// Those of `pread(2)`.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        read_full(&self.fd, buf, offset)
    }

    /// Writes all of `data` at `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`], [`io::ErrorKind::QuotaExceeded`], [`io::ErrorKind::FileTooLarge`]
    /// and the others of `pwritev(2)`.
    pub fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.write_pieces_at(&[data], offset)
    }

    /// Writes all of `pieces`, one behind the other, at `offset`: as few calls as the kernel allows, and no copy to put
    /// them together.
    ///
    /// # Errors
    /// As [`PartFile::write_at`].
    pub fn write_pieces_at(&self, pieces: &[impl AsRef<[u8]>], mut offset: u64) -> io::Result<()> {
        let pieces = pieces.iter().map(AsRef::as_ref).filter(|piece| !piece.is_empty());
        let mut slices: Vec<_> = pieces.map(IoSlice::new).collect();
        if let Some(claim) = &self.claim {
            let whole = slices.iter().fold(0_usize, |sum, slice| sum.saturating_add(slice.len()));
            claim.grow(offset.saturating_add(u64::try_from(whole).unwrap_or(u64::MAX)))?;
        }
        let mut rest = slices.as_mut_slice();
        while !rest.is_empty() {
            if i64::try_from(offset).is_err() {
                return Err(Errno::FBIG.into());
            }
            let now = rest.get(..PIECES).unwrap_or(rest);
            match rustix::io::pwritev(&self.fd, now, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(put) => {
                    IoSlice::advance_slices(&mut rest, put);
                    offset = offset.saturating_add(u64::try_from(put).unwrap_or(u64::MAX));
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// It will be `len` bytes long: what a quota leaves is kept for it.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`].
    pub fn expect(&self, len: u64) -> io::Result<()> {
        self.claim.as_ref().map_or(Ok(()), |claim| claim.grow(len))
    }

    /// Cuts or extends it.
    ///
    /// # Errors
    /// Those of `ftruncate(2)`; [`io::ErrorKind::QuotaExceeded`].
    pub fn truncate(&self, len: u64) -> io::Result<()> {
        if let Some(claim) = &self.claim {
            claim.grow(len)?;
        }
        rustix::fs::ftruncate(&self.fd, len)?;
        if let Some(claim) = &self.claim {
            claim.cut(len);
        }
        Ok(())
    }

    /// Makes what was written survive a power cut.
    ///
    /// # Errors
    /// Those of `fsync(2)`: [`io::ErrorKind::StorageFull`] may come this late.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    /// Makes what was written to several parts survive a power cut: by one sync of their file system when they are
    /// many. One answer each.
    ///
    /// # Errors
    /// Those of `fsync(2)` and `syncfs(2)`.
    pub fn sync_together(parts: &[Self]) -> Vec<io::Result<()>> {
        let whole_system = parts.first().filter(|_| parts.len() >= TOGETHER).filter(|first| {
            let home = first.stat().map(|stat| stat.dev).ok();
            home.is_some() && parts.iter().all(|part| part.stat().map(|stat| stat.dev).ok() == home)
        });
        // Only to write everything at once. What became of each file says its own sync, which has nothing left to
        // write: the file system's word may be about somebody else's file, said to somebody else before, or empty
        // (FUSE).
        if let Some(Err(error)) = whole_system.map(|part| rustix::fs::syncfs(&part.fd)) {
            tracing::debug!(error = %error, "the file system as a whole could not be synced");
        }
        parts.iter().map(Self::sync).collect()
    }

    /// Gives the part itself a time and permission bits, for engines that rename their parts.
    ///
    /// # Errors
    /// Those of `fchmod(2)` and `utimensat(2)`.
    pub fn stamp(&self, mtime: Option<jiff::Timestamp>, mode: Option<u32>) -> io::Result<()> {
        if let Some(mode) = mode {
            rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode & 0o7777))?;
        }
        SetAttributes { mtime, ..SetAttributes::default() }.apply_open(&self.fd)
    }

    /// Sets what the published file will have. Times must be set after the last write.
    ///
    /// # Errors
    /// Those of the calls behind it.
    pub fn set_attributes(&mut self, change: SetAttributes) -> io::Result<()> {
        if let Some(size) = change.size {
            self.truncate(size)?;
        }
        if let Some(mode) = change.mode {
            self.mode = Some(mode & 0o777);
        }
        SetAttributes { mode: None, size: None, ..change }.apply_open(&self.fd)
    }

    /// Replaces its content by that of `source`, sharing blocks where the file system can.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn copy_from(&self, source: &FileReader) -> io::Result<u64> {
        let Some(claim) = &self.claim else { return super::copy::content(source, &self.fd) };
        claim.grow(source.len())?;
        let copied = super::copy::content(source, &self.fd)?;
        // It may have grown meanwhile.
        claim.grow(copied)?;
        claim.cut(copied);
        Ok(copied)
    }

    /// From now on it will be published as `path`: somebody renamed a file that is still arriving.
    ///
    /// # Errors
    /// Those of the look-up.
    pub fn retarget(&mut self, view: &View, path: &RelPath) -> io::Result<()> {
        view.check_write(path)?;
        let (dir, name) = parent_of(&*view.home, path)?;
        if let Some(claim) = &mut self.claim {
            claim.turn_to(Stat::at(&dir, &name).ok().as_ref());
        }
        (self.elsewhere, self.name) = (Some(dir), name);
        Ok(())
    }

    /// Syncs it, moves it to its name in one step, and syncs the folder. When this fails the part is
    /// still there, to be tried again or dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] under [`Replace::No`], and those of `fsync(2)`, `renameat2(2)`.
    pub fn publish(&mut self, replace: Replace) -> io::Result<Stat> {
        self.publish_if(replace, |_| Ok(()))
    }

    /// As [`PartFile::publish`], if `holds` agrees with what is under the name at that moment (`None`: nothing):
    /// nobody else of this process changes the folder between that look and the rename. What `holds` gives is
    /// kept until the name is taken.
    ///
    /// # Errors
    /// What `holds` says, and those of [`PartFile::publish`].
    pub fn publish_if<K, E: From<io::Error>>(
        &mut self,
        replace: Replace,
        holds: impl FnOnce(Option<&Stat>) -> Result<K, E>,
    ) -> Result<Stat, E> {
        self.prepare()?;
        if let Some(claim) = &self.claim {
            claim.prepare(Stat::at(self.target(), &self.name).ok().as_ref())?;
        }
        let turn = turn::at(self.target())?;
        let there = match Stat::at(self.target(), &self.name) {
            Ok(there) => Some(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let kept = holds(there.as_ref())?;
        if let Some(claim) = &mut self.claim {
            claim.publishing(there.as_ref())?;
        }
        self.take_name(replace)?;
        if let Some(claim) = &mut self.claim {
            claim.published(there.as_ref());
        }
        drop((kept, turn));
        Ok(self.settle()?)
    }

    /// The long part of publishing, while the name is still the old one's.
    fn prepare(&self) -> io::Result<()> {
        let mode = self.final_mode();
        rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))?;
        self.sync()
    }

    fn take_name(&mut self, replace: Replace) -> io::Result<()> {
        match replace {
            Replace::Yes => renameat(&self.dir, self.part.as_os_str(), self.target(), self.name.as_os_str())?,
            Replace::No => rename_to_free((&self.dir, &self.part), (self.target(), &self.name))?,
        }
        self.gone = true;
        Ok(())
    }

    fn settle(&self) -> io::Result<Stat> {
        rustix::fs::fsync(readable(self.target())?)?;
        Stat::of(&self.fd)
    }

    /// Removes it.
    ///
    /// # Errors
    /// Those of `unlinkat(2)`.
    pub fn discard(mut self) -> io::Result<()> {
        self.gone = true;
        self.unlink()
    }

    fn unlink(&mut self) -> io::Result<()> {
        unlinkat(&self.dir, self.part.as_os_str(), AtFlags::empty())?;
        if let Some(claim) = &mut self.claim {
            claim.removed();
        }
        Ok(())
    }

    fn target(&self) -> &OwnedFd {
        self.elsewhere.as_ref().unwrap_or(&self.dir)
    }

    /// Asked for, else that of the file it replaces, else 0644.
    fn final_mode(&self) -> u32 {
        self.mode.unwrap_or_else(|| match Stat::at(self.target(), &self.name) {
            Ok(there) if there.is_file() => there.mode & 0o777,
            _ => USUAL_MODE,
        })
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if self.ephemeral
            && !self.gone
            && let Err(error) = self.unlink()
        {
            tracing::warn!(error = %error, part = %self.part.display(), "an unfinished upload could not be removed");
        }
    }
}

fn part_name(path: &RelPath, key: &str) -> io::Result<Name> {
    let mut text = path.as_bytes().to_vec();
    text.push(0);
    text.extend_from_slice(key.as_bytes());
    let hash = digest(&SHA256, &text);
    let hash = HEXLOWER.encode(hash.as_ref().get(..8).unwrap_or_default());
    Name::new([PART, hash.as_bytes()].concat()).map_err(io::Error::other)
}

pub(super) fn open_part(dir: &OwnedFd, part: &Name, create: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | create | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // A part can be published or removed between the open and the lock: then it is not the file that
    // the name stands for any more, and the next try makes a new one.
    for _ in 0..8 {
        let fd = openat(dir, part.as_os_str(), flags, Mode::from_raw_mode(0o600))?;
        let stat = Stat::of(&fd)?;
        if !stat.is_file() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a file has a part's name"));
        }
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN) => {
                return Err(io::Error::new(io::ErrorKind::WouldBlock, "somebody else is writing this file now"));
            }
            Err(error) => return Err(error.into()),
        }
        match Stat::at(dir, part) {
            Ok(now) if now.ino == stat.ino && now.dev == stat.dev => return Ok(fd),
            _ => {}
        }
    }
    Err(Errno::AGAIN.into())
}

/// Removes parts that nobody is writing from the directory `name`, if nothing else is in it.
pub(super) fn sweep_dir(parent: impl AsFd, name: &Name) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = openat(parent, name.as_os_str(), flags, Mode::empty())?;
    let mut parts = Vec::new();
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            bytes if bytes.starts_with(RESERVED_PREFIX) && parts.len() < 1000 => parts.push(bytes.to_vec()),
            _ => return Err(Errno::NOTEMPTY.into()),
        }
    }
    for part in parts.iter().filter_map(|bytes| Name::new(bytes).ok()) {
        let in_use = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        match open_part(&dir, &part, OFlags::CREATE) {
            Ok(_locked) => unlinkat(&dir, part.as_os_str(), AtFlags::empty())?,
            Err(error) if in_use(&error) => return Err(Errno::NOTEMPTY.into()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
