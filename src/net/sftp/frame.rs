//! Cutting the stream of a channel into packets.

use bytes::{Buf, Bytes, BytesMut};

use super::MAX_PACKET;
use super::read::Malformed;

/// Collects bytes until a packet is whole.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
}

impl Frames {
    /// Takes what the channel brought.
    pub fn feed(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// The next whole packet without its length field; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`Malformed::Length`] for an empty or oversized one. Nothing behind it can be trusted: the
    /// channel must end.
    pub fn take(&mut self) -> Result<Option<Bytes>, Malformed> {
        let Some(field) = self.buffer.first_chunk::<4>() else {
            self.release();
            return Ok(None);
        };
        let announced = u32::from_be_bytes(*field);
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if length == 0 || length > MAX_PACKET {
            return Err(Malformed::Length(announced));
        }
        if self.buffer.len() < 4 + length {
            self.buffer.reserve(4 + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// An idle session holds no buffer.
    fn release(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > 0 {
            self.buffer = BytesMut::new();
        }
    }
}
