//! Between the attributes on the wire and those of the tree.

use jiff::Timestamp;

use crate::net::sftp::Attributes;
use crate::tree::{SetAttributes, Space, Stat};

impl Attributes {
    /// What the client asks to be set.
    pub(super) fn change(&self) -> SetAttributes {
        let at = |second: u32| Timestamp::from_second(i64::from(second)).ok();
        SetAttributes {
            mode: self.permissions,
            atime: self.times.and_then(|(atime, _)| at(atime)),
            mtime: self.times.and_then(|(_, mtime)| at(mtime)),
            size: self.size,
        }
    }
}

impl From<&Stat> for Attributes {
    fn from(stat: &Stat) -> Self {
        Self {
            size: Some(stat.size),
            owner: Some((stat.uid, stat.gid)),
            permissions: Some(stat.mode),
            times: Some((Self::seconds(stat.atime), Self::seconds(stat.mtime))),
        }
    }
}

/// The numbers of `statvfs@openssh.com`: block size, fragment size, blocks (all, free, available), inodes (same),
/// identity, flags (1 = read-only, 2 = no set-user-id), longest name.
pub(super) fn space(space: &Space) -> Vec<u64> {
    let block = space.block.max(1);
    vec![
        block,
        block,
        space.total / block,
        space.free / block,
        space.available / block,
        space.files,
        space.files_free,
        space.files_free,
        space.id,
        2 | u64::from(space.read_only),
        space.name_max,
    ]
}
