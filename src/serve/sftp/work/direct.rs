//! Answers that are given at once, by the task that heard the request.

use bytes::Bytes;

use super::filling::Filling;
use crate::net::sftp::Reply;

/// Bytes of files that are sent this way at a time: more of them are the sender's, which waits for the client.
const ROOM: usize = 64 << 10;

/// Bytes of answers that are sent this way at a time: one packet may ask for thousands of listings.
const MOST: usize = 256 << 10;

/// What the session sends when it has heard everything that came with the last packet.
#[derive(Debug)]
pub struct Direct {
    open: bool,
    pub(super) out: Filling,
}

impl Direct {
    /// `open`: the client takes what is sent to it. Else every answer goes to the outbox.
    #[must_use]
    pub fn new(open: bool) -> Self {
        Self { open, out: Filling::default() }
    }

    /// Is there room for so many bytes of a file?
    pub(super) fn takes(&self, length: u32) -> bool {
        self.open && self.out.len() + usize::try_from(length).unwrap_or(usize::MAX) <= ROOM
    }

    /// Adds an answer, if there is room for it.
    pub(super) fn reply(&mut self, id: u32, reply: &Reply) -> bool {
        let takes = self.open && self.out.len() < MOST;
        if takes {
            self.out.reply(id, reply);
        }
        takes
    }

    /// Everything that is to be sent.
    #[must_use]
    pub fn into_bytes(self) -> Option<Bytes> {
        Some(self.out).filter(|out| !out.is_empty()).map(Filling::into_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_full_of_questions_is_not_answered_at_once() {
        let mut direct = Direct::new(true);
        let line = Reply::Status { code: russh_sftp::protocol::StatusCode::Ok, text: "x".repeat(40_000) };
        let taken = (0..100).filter(|id| direct.reply(*id, &line)).count();
        assert_eq!(taken, 7);
        assert!(!direct.takes(1));
        assert!(Direct::new(true).takes(1) && !Direct::new(false).takes(1));
        assert!(!Direct::new(false).reply(1, &line));
        assert_eq!(Direct::new(true).into_bytes(), None);
    }
}
