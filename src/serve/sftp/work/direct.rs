//! Answers that are given at once, by the task that heard the request.

use bytes::{Bytes, BytesMut};

use crate::net::sftp::Reply;

/// Bytes of files that are sent this way at a time: more of them are the sender's, which waits for the client.
const ROOM: usize = 64 << 10;

/// What the session sends when it has heard everything that came with the last packet.
#[derive(Debug)]
pub struct Direct {
    open: bool,
    pub(super) out: BytesMut,
}

impl Direct {
    /// `open`: the client takes what is sent to it. Else every answer goes to the outbox.
    #[must_use]
    pub fn new(open: bool) -> Self {
        Self { open, out: BytesMut::new() }
    }

    /// Is there room for so many bytes of a file?
    pub(super) fn takes(&self, length: u32) -> bool {
        self.open && self.out.len() + usize::try_from(length).unwrap_or(usize::MAX) <= ROOM
    }

    /// Adds an answer, if it may.
    pub(super) fn reply(&mut self, id: u32, reply: &Reply) -> bool {
        if self.open {
            reply.write(id, &mut self.out);
        }
        self.open
    }

    /// Everything that is to be sent.
    #[must_use]
    pub fn into_bytes(self) -> Option<Bytes> {
        Some(self.out.freeze()).filter(|out| !out.is_empty())
    }
}
