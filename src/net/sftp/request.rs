//! Requests, section 6 of the draft.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use russh_sftp::protocol::OpenFlags;

use super::VERSION;
use super::attributes::Attributes;
use super::extension::Extension;
use super::read::{Fields, Malformed};
use super::reply::{close, put_bytes};

/// A request and the number that its answer must bear.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Chosen by the client; for INIT its version.
    pub id: u32,
    /// What is asked.
    pub request: Request,
}

/// What a client can ask. Paths and handles are raw bytes.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are those of the request that the variant is named after")]
pub enum Request {
    /// The greeting; its version stands in [`Packet::id`].
    Init,
    /// Open a file.
    Open { path: Bytes, flags: OpenFlags, attributes: Attributes },
    /// Give a handle back. An upload appears now.
    Close { handle: Bytes },
    /// Read from a file.
    Read { handle: Bytes, offset: u64, length: u32 },
    /// Write to a file.
    Write { handle: Bytes, offset: u64, data: Bytes },
    /// Look at a name, not through it.
    Lstat { path: Bytes },
    /// Look at an open file.
    Fstat { handle: Bytes },
    /// Change attributes by name.
    Setstat { path: Bytes, attributes: Attributes },
    /// Change attributes of an open file.
    Fsetstat { handle: Bytes, attributes: Attributes },
    /// Open a directory.
    Opendir { path: Bytes },
    /// The next names of a directory.
    Readdir { handle: Bytes },
    /// Remove a file or link.
    Remove { path: Bytes },
    /// Make a directory.
    Mkdir { path: Bytes, attributes: Attributes },
    /// Remove an empty directory.
    Rmdir { path: Bytes },
    /// Clean up a path.
    Realpath { path: Bytes },
    /// Look through links.
    Stat { path: Bytes },
    /// Rename without replacing.
    Rename { from: Bytes, to: Bytes },
    /// Where a link points.
    Readlink { path: Bytes },
    /// Make a link. The order of the two is OpenSSH's (target first), not the draft's; who serves clients that
    /// send the other has to turn them round.
    Symlink { target: Bytes, path: Bytes },
    /// Beyond version 3.
    Extended(Extension),
    /// A number that version 3 does not have.
    Unknown(u8),
}

impl Packet {
    /// Reads one whole packet without its length field. Bytes behind the last field are ignored, as
    /// OpenSSH does.
    ///
    /// # Errors
    /// [`Malformed::Short`] when a field is cut.
    pub fn read(mut packet: Bytes) -> Result<Self, Malformed> {
        let kind = packet.try_get_u8().map_err(|_| Malformed::Length(0))?;
        let fields = &mut Fields::new(kind, packet);
        let id = fields.u32()?;
        let request = match kind {
            1 => Request::Init,
            3 => Request::Open {
                path: fields.bytes()?,
                flags: OpenFlags::from_bits_retain(fields.u32()?),
                attributes: Attributes::read(fields)?,
            },
            4 => Request::Close { handle: fields.bytes()? },
            5 => Request::Read { handle: fields.bytes()?, offset: fields.u64()?, length: fields.u32()? },
            6 => Request::Write { handle: fields.bytes()?, offset: fields.u64()?, data: fields.bytes()? },
            7 => Request::Lstat { path: fields.bytes()? },
            8 => Request::Fstat { handle: fields.bytes()? },
            9 => Request::Setstat { path: fields.bytes()?, attributes: Attributes::read(fields)? },
            10 => Request::Fsetstat { handle: fields.bytes()?, attributes: Attributes::read(fields)? },
            11 => Request::Opendir { path: fields.bytes()? },
            12 => Request::Readdir { handle: fields.bytes()? },
            13 => Request::Remove { path: fields.bytes()? },
            14 => Request::Mkdir { path: fields.bytes()?, attributes: Attributes::read(fields)? },
            15 => Request::Rmdir { path: fields.bytes()? },
            16 => Request::Realpath { path: fields.bytes()? },
            17 => Request::Stat { path: fields.bytes()? },
            18 => Request::Rename { from: fields.bytes()?, to: fields.bytes()? },
            19 => Request::Readlink { path: fields.bytes()? },
            20 => Request::Symlink { target: fields.bytes()?, path: fields.bytes()? },
            200 => Request::Extended(Extension::read(fields)?),
            other => Request::Unknown(other),
        };
        Ok(Self { id, request })
    }

    /// Appends the whole packet, with its length field.
    pub fn write(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_u32(0);
        out.put_u8(self.request.kind());
        out.put_u32(if matches!(self.request, Request::Init) { VERSION } else { self.id });
        self.request.write(out);
        close(out, start);
    }

    /// How much memory it holds while it waits.
    #[must_use]
    pub fn cost(&self) -> usize {
        const FIXED: usize = 128;
        match &self.request {
            Request::Write { data, .. } => FIXED + data.len(),
            Request::Open { path, .. } | Request::Stat { path } | Request::Lstat { path } => FIXED + path.len(),
            Request::Rename { from, to } => FIXED + from.len() + to.len(),
            // The others are as long as a path or two; a kilobyte is a fair guess for all of them.
            _ => FIXED + 1024,
        }
    }
}

impl Request {
    /// The number of its type.
    const fn kind(&self) -> u8 {
        match self {
            Self::Init => 1,
            Self::Open { .. } => 3,
            Self::Close { .. } => 4,
            Self::Read { .. } => 5,
            Self::Write { .. } => 6,
            Self::Lstat { .. } => 7,
            Self::Fstat { .. } => 8,
            Self::Setstat { .. } => 9,
            Self::Fsetstat { .. } => 10,
            Self::Opendir { .. } => 11,
            Self::Readdir { .. } => 12,
            Self::Remove { .. } => 13,
            Self::Mkdir { .. } => 14,
            Self::Rmdir { .. } => 15,
            Self::Realpath { .. } => 16,
            Self::Stat { .. } => 17,
            Self::Rename { .. } => 18,
            Self::Readlink { .. } => 19,
            Self::Symlink { .. } => 20,
            Self::Extended(_) => 200,
            Self::Unknown(kind) => *kind,
        }
    }

    /// Its fields, behind the number.
    fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Init | Self::Unknown(_) => {}
            Self::Open { path, flags, attributes } => {
                put_bytes(out, path);
                out.put_u32(flags.bits());
                attributes.write(out);
            }
            Self::Read { handle, offset, length } => {
                put_bytes(out, handle);
                out.put_u64(*offset);
                out.put_u32(*length);
            }
            Self::Write { handle, offset, data } => {
                put_bytes(out, handle);
                out.put_u64(*offset);
                put_bytes(out, data);
            }
            Self::Close { handle: bytes }
            | Self::Fstat { handle: bytes }
            | Self::Readdir { handle: bytes }
            | Self::Lstat { path: bytes }
            | Self::Opendir { path: bytes }
            | Self::Remove { path: bytes }
            | Self::Rmdir { path: bytes }
            | Self::Realpath { path: bytes }
            | Self::Stat { path: bytes }
            | Self::Readlink { path: bytes } => put_bytes(out, bytes),
            Self::Setstat { path: bytes, attributes }
            | Self::Fsetstat { handle: bytes, attributes }
            | Self::Mkdir { path: bytes, attributes } => {
                put_bytes(out, bytes);
                attributes.write(out);
            }
            Self::Rename { from: one, to: other } | Self::Symlink { target: one, path: other } => {
                put_bytes(out, one);
                put_bytes(out, other);
            }
            Self::Extended(extension) => extension.write(out),
        }
    }
}
