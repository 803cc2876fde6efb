//! EXTENDED requests, mostly those of OpenSSH's PROTOCOL file, section 4.

use bytes::{BufMut, Bytes, BytesMut};

use super::attributes::Attributes;
use super::read::{Fields, Malformed};
use super::reply::put_bytes;
use crate::model::Algorithm;

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
    ("users-groups-by-id@openssh.com", "1"),
    ("check-file", "1"),
];

/// Hashes by the names of draft-ietf-secsh-filexfer-extensions-00, section 3, and CRC-32 as servers add it.
pub const HASHES: [(Algorithm, &str); 5] = [
    (Algorithm::Sha256, "sha256"),
    (Algorithm::Sha512, "sha512"),
    (Algorithm::Sha1, "sha1"),
    (Algorithm::Md5, "md5"),
    (Algorithm::Crc32, "crc32"),
];

/// Which digests of an open or named file are wanted (draft-ietf-secsh-filexfer-extensions-00, section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Names with commas between them, the dearest first.
    pub algorithms: Bytes,
    /// Where the part of the file begins.
    pub offset: u64,
    /// How long it is; 0 = to the end.
    pub length: u64,
    /// A digest for each block of so many bytes; 0 = one of all of it.
    pub block: u32,
}

impl Sums {
    fn read(fields: &mut Fields) -> Result<Self, Malformed> {
        Ok(Self { algorithms: fields.bytes()?, offset: fields.u64()?, length: fields.u64()?, block: fields.u32()? })
    }

    fn write(&self, out: &mut BytesMut) {
        put_bytes(out, &self.algorithms);
        out.put_u64(self.offset);
        out.put_u64(self.length);
        out.put_u32(self.block);
    }
}

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
    /// Names of users and groups; what is unknown gets an empty one.
    UsersGroups { users: Bytes, groups: Bytes },
    /// Digests of a file that is open to be read.
    CheckHandle { handle: Bytes, sums: Sums },
    /// Digests of a file.
    CheckName { path: Bytes, sums: Sums },
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
            b"users-groups-by-id@openssh.com" => Self::UsersGroups { users: fields.bytes()?, groups: fields.bytes()? },
            // paramiko calls it by the name that is announced.
            b"check-file-handle" | b"check-file" => {
                Self::CheckHandle { handle: fields.bytes()?, sums: Sums::read(fields)? }
            }
            b"check-file-name" => Self::CheckName { path: fields.bytes()?, sums: Sums::read(fields)? },
            _ => Self::Unknown { name },
        })
    }

    /// The name that it is asked for by.
    fn name(&self) -> &[u8] {
        match self {
            Self::PosixRename { .. } => b"posix-rename@openssh.com",
            Self::StatVfs { .. } => b"statvfs@openssh.com",
            Self::FstatVfs { .. } => b"fstatvfs@openssh.com",
            Self::HardLink { .. } => b"hardlink@openssh.com",
            Self::Fsync { .. } => b"fsync@openssh.com",
            Self::Lsetstat { .. } => b"lsetstat@openssh.com",
            Self::Limits => b"limits@openssh.com",
            Self::ExpandPath { .. } => b"expand-path@openssh.com",
            Self::CopyData { .. } => b"copy-data",
            Self::HomeDirectory => b"home-directory",
            Self::UsersGroups { .. } => b"users-groups-by-id@openssh.com",
            Self::CheckHandle { .. } => b"check-file-handle",
            Self::CheckName { .. } => b"check-file-name",
            Self::Unknown { name } => name,
        }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        put_bytes(out, self.name());
        match self {
            Self::Limits | Self::HomeDirectory | Self::Unknown { .. } => {}
            Self::PosixRename { from, to } | Self::HardLink { from, to } => {
                put_bytes(out, from);
                put_bytes(out, to);
            }
            Self::StatVfs { path: bytes }
            | Self::ExpandPath { path: bytes }
            | Self::FstatVfs { handle: bytes }
            | Self::Fsync { handle: bytes } => put_bytes(out, bytes),
            Self::Lsetstat { path, attributes } => {
                put_bytes(out, path);
                attributes.write(out);
            }
            Self::CopyData { from, from_offset, length, to, to_offset } => {
                put_bytes(out, from);
                out.put_u64(*from_offset);
                out.put_u64(*length);
                put_bytes(out, to);
                out.put_u64(*to_offset);
            }
            Self::UsersGroups { users, groups } => {
                put_bytes(out, users);
                put_bytes(out, groups);
            }
            Self::CheckHandle { handle: file, sums } | Self::CheckName { path: file, sums } => {
                put_bytes(out, file);
                sums.write(out);
            }
        }
    }
}
