//! Requests, section 6 of the draft.

use bytes::{Buf, Bytes};
use russh_sftp::protocol::OpenFlags;

use super::attributes::Attributes;
use super::extension::Extension;
use super::read::{Fields, Malformed};

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
    /// Make a link. The order of the two is OpenSSH's (target first), not the draft's; every client in
    /// use sends it so.
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
