//! Reading fields out of a packet, without copying.

use bytes::{Buf, Bytes};

/// Why a packet cannot be understood. The channel ends with this as its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The length field.
    #[error("a packet of {0} bytes: at least 1 and at most 262144 are allowed")]
    Length(u32),
    /// A field reaches beyond the end.
    #[error("a packet of type {0} ends in the middle of a field")]
    Short(u8),
    /// Anything before INIT, or a second INIT.
    #[error("the first packet, and only the first, must be INIT")]
    Init,
}

/// The rest of a packet.
#[derive(Debug)]
pub(super) struct Fields {
    rest: Bytes,
    kind: u8,
}

impl Fields {
    pub(super) fn new(kind: u8, rest: Bytes) -> Self {
        Self { rest, kind }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left of the packet.
    pub(super) fn rest(self) -> Bytes {
        self.rest
    }

    fn short(&self) -> Malformed {
        Malformed::Short(self.kind)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.rest.try_get_u32().map_err(|_| self.short())
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.rest.try_get_u64().map_err(|_| self.short())
    }

    /// A string: length and bytes.
    pub(super) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if length > self.rest.len() {
            return Err(self.short());
        }
        Ok(self.rest.split_to(length))
    }
}
