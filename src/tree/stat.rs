//! What the file system says about a file, and about the space around it.

use std::io;
use std::os::fd::AsFd;

use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, makedev, readlinkat, statx};

use crate::model::{Entry, EntryKind, Mtime, Name, Precision, Quota, TimeSource, Used};

/// One file's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// File, directory, link (with its target) or something special.
    pub kind: EntryKind,
    /// Bytes.
    pub size: u64,
    /// Last change of the content, to the nanosecond.
    pub mtime: Timestamp,
    /// Last change of the inode: content, attributes, names.
    pub ctime: Timestamp,
    /// Last access, as far as the mount records it.
    pub atime: Timestamp,
    /// Type and permission bits as `stat(2)` has them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Inode number.
    pub ino: u64,
    /// Device number.
    pub dev: u64,
    /// Names that this inode has.
    pub nlink: u32,
    /// When the inode was made; none where the file system does not say.
    pub born: Option<Timestamp>,
}

/// Room on the file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total: u64,
    /// Unused.
    pub free: u64,
    /// Unused and open to everybody.
    pub available: u64,
    /// Inodes in all.
    pub files: u64,
    /// Inodes unused.
    pub files_free: u64,
    /// Size of one block.
    pub block: u64,
    /// Longest name, in bytes.
    pub name_max: u64,
    /// Identity of the file system.
    pub id: u64,
    /// Is it mounted read-only?
    pub read_only: bool,
}

impl Space {
    /// What is left of it for a folder that holds `used` and may hold no more than `quota`.
    pub(super) fn within(self, quota: Quota, used: Used) -> Self {
        let left = |most: u64, used: u64, there: u64| most.saturating_sub(used).min(there);
        let mut space = self;
        if let Some(most) = quota.bytes {
            (space.free, space.available) = (left(most, used.bytes, self.free), left(most, used.bytes, self.available));
            space.total = most.min(used.bytes.saturating_add(self.available)).max(used.bytes);
        }
        if let Some(most) = quota.files {
            space.files_free = left(most, used.files, self.files_free);
            space.files = most.min(used.files.saturating_add(self.files_free)).max(used.files);
        }
        space
    }
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

impl Stat {
    /// Of an open descriptor (`O_PATH` is enough).
    pub(super) fn of(fd: impl AsFd) -> io::Result<Self> {
        let fd = fd.as_fd();
        let found = statx(fd, c"", AtFlags::EMPTY_PATH, WANTED)?;
        Self::from_statx(&found, || Ok(readlinkat(fd, c"", Vec::new())?.into_bytes()))
    }

    /// Of `name` in `dir`, not followed.
    pub(super) fn at(dir: impl AsFd, name: &Name) -> io::Result<Self> {
        let dir = dir.as_fd();
        let found = statx(dir, name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW, WANTED)?;
        Self::from_statx(&found, || Ok(readlinkat(dir, name.as_os_str(), Vec::new())?.into_bytes()))
    }

    fn from_statx(found: &Statx, target: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Self> {
        let mode = u32::from(found.stx_mode);
        let kind = match FileType::from_raw_mode(mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Dir,
            FileType::Symlink => EntryKind::Symlink(target().ok()),
            _ => EntryKind::Special,
        };
        Ok(Self {
            kind,
            size: found.stx_size,
            mtime: timestamp(&found.stx_mtime)?,
            ctime: timestamp(&found.stx_ctime)?,
            atime: timestamp(&found.stx_atime)?,
            mode,
            uid: found.stx_uid,
            gid: found.stx_gid,
            ino: found.stx_ino,
            dev: makedev(found.stx_dev_major, found.stx_dev_minor),
            nlink: found.stx_nlink,
            born: has_birth(found).then(|| timestamp(&found.stx_btime)).transpose()?,
        })
    }

    /// Is it a regular file?
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == EntryKind::File
    }

    /// Is it a directory?
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == EntryKind::Dir
    }

    /// A strong entity tag (RFC 9110 section 8.8.3), with its quotes: inode, its birth, size and time. Content
    /// only ever changes by publishing another inode; its number is given again one day, its birth is not.
    #[must_use]
    pub fn etag(&self) -> String {
        let born = self.born.unwrap_or_default().as_nanosecond();
        format!("\"{:x}-{born:x}-{:x}-{:x}\"", self.ino, self.size, self.mtime.as_nanosecond())
    }

    /// The same in the words of a listing.
    #[must_use]
    pub fn entry(&self, name: Name) -> Entry {
        Entry {
            name,
            kind: self.kind.clone(),
            size: Some(self.size),
            mtime: Some(Mtime { at: self.mtime, precision: Precision::Nanosecond, source: TimeSource::FileSystem }),
            mode: Some(self.mode & 0o7777),
            unique: None,
        }
    }
}

fn has_birth(found: &Statx) -> bool {
    StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME)
}

/// Times outside jiff's calendar (years beyond ±9999) are clamped, not refused: a file with a mad
/// date is still a file.
fn timestamp(time: &StatxTimestamp) -> io::Result<Timestamp> {
    let nanosecond = i32::try_from(time.tv_nsec).unwrap_or(0);
    match Timestamp::new(time.tv_sec, nanosecond) {
        Ok(at) => Ok(at),
        Err(_) if time.tv_sec < 0 => Ok(Timestamp::MIN),
        Err(_) => Ok(Timestamp::MAX),
    }
}

/// Of the file system that `fd` lies on.
pub(super) fn space(fd: impl AsFd) -> io::Result<Space> {
    let found = rustix::fs::fstatvfs(fd)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Space {
        total: bytes(found.f_blocks),
        free: bytes(found.f_bfree),
        available: bytes(found.f_bavail),
        files: found.f_files,
        files_free: found.f_ffree,
        block: found.f_frsize,
        name_max: found.f_namemax,
        id: found.f_fsid,
        read_only: found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}
