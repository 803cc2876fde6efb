//! ATTRS, section 5 of the draft.

use super::read::{Fields, Malformed};
use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
const SIZE: u32 = 0x1;
const UIDGID: u32 = 0x2;
const PERMISSIONS: u32 = 0x4;
const ACMODTIME: u32 = 0x8;
const EXTENDED: u32 = 0x8000_0000;

/// The bits of [`Attributes::permissions`] that say what kind of file it is, as in POSIX,
pub const KIND: u32 = 0o170_000;
/// their value for a regular file,
pub const REGULAR: u32 = 0o100_000;
/// for a directory,
pub const DIRECTORY: u32 = 0o040_000;
/// and for a symbolic link.
pub const LINK: u32 = 0o120_000;

/// A file's attributes as they go over the wire; what is absent was not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Bytes.
    pub size: Option<u64>,
    /// Owner and group.
    pub owner: Option<(u32, u32)>,
    /// Type and permission bits.
    pub permissions: Option<u32>,
    /// Access and modification time, seconds since 1970, UTC.
    pub times: Option<(u32, u32)>,
}

impl Attributes {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, Malformed> {
        let flags = fields.u32()?;
        let mut read = Self::default();
        if flags & SIZE != 0 {
            read.size = Some(fields.u64()?);
        }
        if flags & UIDGID != 0 {
            read.owner = Some((fields.u32()?, fields.u32()?));
        }
        if flags & PERMISSIONS != 0 {
            read.permissions = Some(fields.u32()?);
        }
        if flags & ACMODTIME != 0 {
            read.times = Some((fields.u32()?, fields.u32()?));
        }
        if flags & EXTENDED != 0 {
            // Pairs of a name and a value that nobody has agreed on.
            for _ in 0..fields.u32()? {
                fields.bytes()?;
                fields.bytes()?;
            }
        }
        Ok(read)
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        out.put_u32(
            flag(self.size.is_some(), SIZE)
                | flag(self.owner.is_some(), UIDGID)
                | flag(self.permissions.is_some(), PERMISSIONS)
                | flag(self.times.is_some(), ACMODTIME),
        );
        if let Some(size) = self.size {
            out.put_u64(size);
        }
        if let Some((uid, gid)) = self.owner {
            out.put_u32(uid);
            out.put_u32(gid);
        }
        if let Some(permissions) = self.permissions {
            out.put_u32(permissions);
        }
        if let Some((atime, mtime)) = self.times {
            out.put_u32(atime);
            out.put_u32(mtime);
        }
    }

    /// A time as version 3 has it. It knows the years 1970 to 2106; what lies outside becomes the nearest of them.
    #[must_use]
    pub fn seconds(at: Timestamp) -> u32 {
        u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX)
    }
}
