//! Answers, section 7 of the draft.

use bytes::{BufMut, Bytes, BytesMut};
use russh_sftp::protocol::StatusCode;

use super::attributes::Attributes;
use super::extension::ANNOUNCED;
use super::{MAX_DATA, MAX_HANDLES, MAX_PACKET, VERSION};

pub(super) const FXP_VERSION: u8 = 2;
pub(super) const FXP_STATUS: u8 = 101;
pub(super) const FXP_HANDLE: u8 = 102;
pub(super) const FXP_DATA: u8 = 103;
pub(super) const FXP_NAME: u8 = 104;
pub(super) const FXP_ATTRS: u8 = 105;
pub(super) const FXP_EXTENDED_REPLY: u8 = 201;

/// One name of an answer: raw bytes, the line that `ls -l` would show, attributes.
#[derive(Debug, Clone)]
pub struct NameLine {
    /// Raw bytes.
    pub name: Bytes,
    /// For people.
    pub long: Bytes,
    /// For programs.
    pub attributes: Attributes,
}

/// An answer.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are those of the answer that the variant is named after")]
pub enum Reply {
    /// Our version and what we can do beyond it.
    Version,
    /// How it went.
    Status { code: StatusCode, text: String },
    /// Something was opened.
    Handle { slot: u32 },
    /// Names.
    Names(Vec<NameLine>),
    /// Attributes.
    Attributes(Attributes),
    /// The numbers that an extension was asked for.
    Numbers(Vec<u64>),
    /// Digests, one behind the other; named: the extension's name stands before them.
    Sums { named: bool, algorithm: &'static str, digests: Vec<u8> },
    /// Names of users, and of groups.
    UsersGroups { users: Vec<Bytes>, groups: Vec<Bytes> },
}

impl Reply {
    /// Success.
    #[must_use]
    pub fn ok() -> Self {
        Self::Status { code: StatusCode::Ok, text: String::new() }
    }

    /// The sizes that this side takes: `limits@openssh.com`.
    #[must_use]
    pub fn limits() -> Self {
        let limits = [MAX_PACKET, MAX_DATA, MAX_DATA, MAX_HANDLES];
        Self::Numbers(limits.map(|limit| u64::try_from(limit).unwrap_or(u64::MAX)).to_vec())
    }

    /// One path, as REALPATH and READLINK answer.
    #[must_use]
    pub fn path(name: Bytes) -> Self {
        Self::Names(vec![NameLine { long: name.clone(), name, attributes: Attributes::default() }])
    }

    /// One name of a listing.
    #[must_use]
    pub fn line(name: Bytes, long: Bytes, attributes: Attributes) -> NameLine {
        NameLine { name, long, attributes }
    }

    /// Appends the whole packet, with its length field.
    pub fn write(&self, id: u32, out: &mut BytesMut) {
        let start = out.len();
        out.put_u32(0);
        match self {
            Self::Version => {
                out.put_u8(FXP_VERSION);
                out.put_u32(VERSION);
                for (name, version) in ANNOUNCED {
                    put_bytes(out, name.as_bytes());
                    put_bytes(out, version.as_bytes());
                }
            }
            Self::Status { code, text } => {
                head(out, FXP_STATUS, id);
                out.put_u32(*code as u32);
                put_bytes(out, text.as_bytes());
                put_bytes(out, b"en");
            }
            Self::Handle { slot } => {
                head(out, FXP_HANDLE, id);
                put_bytes(out, &slot.to_be_bytes());
            }
            Self::Names(lines) => {
                head(out, FXP_NAME, id);
                out.put_u32(u32::try_from(lines.len()).unwrap_or(0));
                for line in lines {
                    put_bytes(out, &line.name);
                    put_bytes(out, &line.long);
                    line.attributes.write(out);
                }
            }
            Self::Attributes(attributes) => {
                head(out, FXP_ATTRS, id);
                attributes.write(out);
            }
            Self::Numbers(numbers) => {
                head(out, FXP_EXTENDED_REPLY, id);
                for number in numbers {
                    out.put_u64(*number);
                }
            }
            Self::Sums { named, algorithm, digests } => {
                head(out, FXP_EXTENDED_REPLY, id);
                if *named {
                    put_bytes(out, b"check-file");
                }
                put_bytes(out, algorithm.as_bytes());
                out.put_slice(digests);
            }
            Self::UsersGroups { users, groups } => {
                head(out, FXP_EXTENDED_REPLY, id);
                for names in [users, groups] {
                    let at = out.len();
                    out.put_u32(0);
                    names.iter().for_each(|name| put_bytes(out, name));
                    close(out, at);
                }
            }
        }
        close(out, start);
    }
}

/// Fills in the length field of the packet that begins at `start`.
pub(super) fn close(out: &mut BytesMut, start: usize) {
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// What stands before the bytes of a DATA answer.
#[must_use]
pub fn data_header(id: u32, length: u32) -> [u8; 13] {
    let mut header = [0; 13];
    let (size, rest) = header.split_at_mut(4);
    size.copy_from_slice(&length.saturating_add(9).to_be_bytes());
    let (kind, rest) = rest.split_at_mut(1);
    kind.copy_from_slice(&[FXP_DATA]);
    let (number, count) = rest.split_at_mut(4);
    number.copy_from_slice(&id.to_be_bytes());
    count.copy_from_slice(&length.to_be_bytes());
    header
}

fn head(out: &mut BytesMut, kind: u8, id: u32) {
    out.put_u8(kind);
    out.put_u32(id);
}

pub(super) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.put_slice(bytes);
}
