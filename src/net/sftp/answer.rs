//! Reading answers, section 7 of the draft: what a client gets to see of a [`super::Reply`], ours or another
//! server's.

use bytes::{Buf, Bytes};

use super::attributes::Attributes;
use super::read::{Fields, Malformed};
use super::reply::{FXP_ATTRS, FXP_DATA, FXP_EXTENDED_REPLY, FXP_HANDLE, FXP_NAME, FXP_STATUS, FXP_VERSION, NameLine};

/// What a server answers. Names, handles and texts are raw bytes.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are those of the answer that the variant is named after")]
pub enum Answer {
    /// The server's version, and what it can do beyond it with the version of each.
    Version { version: u32, extensions: Vec<(Bytes, Bytes)> },
    /// How it went: a code of section 7, perhaps one of a later version.
    Status { code: u32, text: Bytes },
    /// Something was opened.
    Handle(Bytes),
    /// Bytes of a file.
    Data(Bytes),
    /// Names.
    Names(Vec<NameLine>),
    /// Attributes.
    Attributes(Attributes),
    /// What an extension answers, as it stands.
    Extended(Bytes),
    /// A number that version 3 does not have.
    Unknown(u8),
}

impl Answer {
    /// Reads one whole packet without its length field; the number is that of the request (of VERSION: 0).
    ///
    /// # Errors
    /// [`Malformed::Short`] when a field is cut.
    pub fn read(mut packet: Bytes) -> Result<(u32, Self), Malformed> {
        let kind = packet.try_get_u8().map_err(|_| Malformed::Length(0))?;
        let mut fields = Fields::new(kind, packet);
        let number = fields.u32()?;
        if kind == FXP_VERSION {
            let mut extensions = Vec::new();
            while !fields.is_empty() {
                extensions.push((fields.bytes()?, fields.bytes()?));
            }
            return Ok((0, Self::Version { version: number, extensions }));
        }
        let answer = match kind {
            // Servers of old leave the text out.
            FXP_STATUS => Self::Status { code: fields.u32()?, text: fields.bytes().unwrap_or_default() },
            FXP_HANDLE => Self::Handle(fields.bytes()?),
            FXP_DATA => Self::Data(fields.bytes()?),
            FXP_NAME => Self::Names(names(&mut fields)?),
            FXP_ATTRS => Self::Attributes(Attributes::read(&mut fields)?),
            FXP_EXTENDED_REPLY => Self::Extended(fields.rest()),
            other => Self::Unknown(other),
        };
        Ok((number, answer))
    }

    /// The numbers of an extension's answer, as many as there are whole ones.
    #[must_use]
    pub fn numbers(mut bytes: Bytes) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Ok(number) = bytes.try_get_u64() {
            numbers.push(number);
        }
        numbers
    }

    /// The algorithm and the digests of an answer to `check-file-name`.
    ///
    /// # Errors
    /// [`Malformed::Short`] when a field is cut.
    pub fn checksum(bytes: Bytes) -> Result<(Bytes, Bytes), Malformed> {
        let mut fields = Fields::new(FXP_EXTENDED_REPLY, bytes);
        let name = fields.bytes()?;
        // Some servers leave the extension's name out.
        let algorithm = if name.as_ref() == b"check-file" { fields.bytes()? } else { name };
        Ok((algorithm, fields.rest()))
    }
}

fn names(fields: &mut Fields) -> Result<Vec<NameLine>, Malformed> {
    let count = fields.u32()?;
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(NameLine { name: fields.bytes()?, long: fields.bytes()?, attributes: Attributes::read(fields)? });
    }
    Ok(names)
}
