//! EXTENDED requests, mostly those of OpenSSH's PROTOCOL file, section 4.

use bytes::Bytes;

use super::attributes::Attributes;
use super::read::{Fields, Malformed};

/// What is announced in VERSION, with the version of each.
pub(super) const ANNOUNCED: &[(&str, &str)] = &[
    ("posix-rename@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("fstatvfs@openssh.com", "2"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("lsetstat@openssh.com", "1"),
    ("limits@openssh.com", "1"),
    ("expand-path@openssh.com", "1"),
    ("copy-data", "1"),
    ("home-directory", "1"),
];

/// A request beyond version 3.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the request that the variant is named after")]
pub enum Extension {
    /// Rename that replaces.
    PosixRename { from: Bytes, to: Bytes },
    /// Room on the file system of a path.
    StatVfs { path: Bytes },
    /// Room on the file system of a handle.
    FstatVfs { handle: Bytes },
    /// A second name.
    HardLink { from: Bytes, to: Bytes },
    /// Make what was written durable.
    Fsync { handle: Bytes },
    /// SETSTAT that does not follow a link.
    Lsetstat { path: Bytes, attributes: Attributes },
    /// The sizes that this server takes.
    Limits,
    /// REALPATH that knows `~`.
    ExpandPath { path: Bytes },
    /// Copy between two handles on the server. Length 0 = to the end.
    CopyData { from: Bytes, from_offset: u64, length: u64, to: Bytes, to_offset: u64 },
    /// Where somebody's files begin.
    HomeDirectory,
    /// Something that nobody announced.
    Unknown { name: Bytes },
}

impl Extension {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, Malformed> {
        let name = fields.bytes()?;
        Ok(match name.as_ref() {
            b"posix-rename@openssh.com" => Self::PosixRename { from: fields.bytes()?, to: fields.bytes()? },
            b"statvfs@openssh.com" => Self::StatVfs { path: fields.bytes()? },
            b"fstatvfs@openssh.com" => Self::FstatVfs { handle: fields.bytes()? },
            b"hardlink@openssh.com" => Self::HardLink { from: fields.bytes()?, to: fields.bytes()? },
            b"fsync@openssh.com" => Self::Fsync { handle: fields.bytes()? },
            b"lsetstat@openssh.com" => Self::Lsetstat { path: fields.bytes()?, attributes: Attributes::read(fields)? },
            b"limits@openssh.com" => Self::Limits,
            b"expand-path@openssh.com" => Self::ExpandPath { path: fields.bytes()? },
            b"copy-data" => Self::CopyData {
                from: fields.bytes()?,
                from_offset: fields.u64()?,
                length: fields.u64()?,
                to: fields.bytes()?,
                to_offset: fields.u64()?,
            },
            b"home-directory" => Self::HomeDirectory,
            _ => Self::Unknown { name },
        })
    }
}
