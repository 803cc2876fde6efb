//! Bytes on their way out: put together without being set to zero first, in buffers that are used again.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use crate::net::sftp::Reply;

/// From here on a buffer is worth keeping,
const LARGE: usize = 32 << 10;
/// and is at least so long, so that the next one fits in, too.
const USUAL: usize = 320 << 10;

/// Buffers that the session may still hold while others are filled.
const LENT: usize = 4;

/// Who has nothing to send for so long holds no buffers.
const IDLE: Duration = Duration::from_secs(1);

/// A buffer that is filled from its front.
#[derive(Debug, Default)]
pub struct Filling {
    /// What lies behind `filled` is left over from earlier, and nobody's.
    bytes: BytesMut,
    filled: usize,
}

impl Filling {
    /// How much is in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Is nothing in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// So much room behind what is in it. [`Filling::keep`] says how much of it is kept.
    pub(super) fn room(&mut self, count: usize) -> &mut [u8] {
        let end = self.filled + count;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes.get_mut(self.filled..end).unwrap_or_default()
    }

    /// The next `count` bytes are kept.
    pub(super) fn keep(&mut self, count: usize) {
        self.filled += count;
    }

    /// Adds whole packets.
    pub(super) fn extend(&mut self, packets: &[u8]) {
        self.room(packets.len()).copy_from_slice(packets);
        self.keep(packets.len());
    }

    /// Adds an answer.
    pub(super) fn reply(&mut self, id: u32, reply: &Reply) {
        self.bytes.truncate(self.filled);
        reply.write(id, &mut self.bytes);
        self.filled = self.bytes.len();
    }

    /// What is in it.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        self.bytes.truncate(self.filled);
        self.bytes.freeze()
    }
}

/// The large buffers of one sender. Those that the session has sent are filled again: to get and give back memory for
/// each would cost as much as to encrypt it.
#[derive(Debug, Default)]
pub struct Buffers {
    lent: VecDeque<Bytes>,
}

impl Buffers {
    /// One for `most` bytes.
    pub(super) fn take(&mut self, most: usize) -> Filling {
        if most < LARGE {
            return Filling { bytes: BytesMut::with_capacity(most), filled: 0 };
        }
        let back = self.lent.pop_front_if(|oldest| oldest.is_unique() && oldest.len() >= most);
        let bytes = back.and_then(|back| back.try_into_mut().ok());
        Filling { bytes: bytes.unwrap_or_else(|| BytesMut::zeroed(most.max(USUAL))), filled: 0 }
    }

    /// What was filled, to be sent.
    pub(super) fn give(&mut self, filling: Filling) -> Bytes {
        let Filling { bytes, filled } = filling;
        let whole = bytes.freeze();
        if whole.len() >= USUAL {
            self.lent.truncate(LENT - 1);
            self.lent.push_back(whole.clone());
        }
        whole.slice(..filled.min(whole.len()))
    }

    /// Waits for `event`, and holds no buffers when that takes long.
    pub(super) async fn rest(&mut self, event: impl Future<Output = ()>) {
        let mut event = std::pin::pin!(event);
        if !self.lent.is_empty() {
            if timeout(IDLE, &mut event).await.is_ok() {
                return;
            }
            self.lent = VecDeque::new();
        }
        event.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_over_is_never_sent() {
        let mut buffers = Buffers::default();
        let mut first = buffers.take(LARGE);
        first.room(1000).fill(b'a');
        first.keep(1000);
        let sent = buffers.give(first);
        let address = sent.as_ptr();
        assert_eq!(sent, vec![b'a'; 1000]);
        drop(sent);
        let mut second = buffers.take(LARGE);
        second.extend(b"bc");
        second.room(500);
        second.reply(7, &Reply::ok());
        second.extend(b"d");
        let sent = buffers.give(second);
        assert_eq!((sent.as_ptr(), sent.first(), sent.last()), (address, Some(&b'b'), Some(&b'd')));
        let mut ok = BytesMut::new();
        Reply::ok().write(7, &mut ok);
        assert_eq!(sent[2..sent.len() - 1], ok);
        let held = buffers.take(LARGE);
        assert_ne!(held.bytes.as_ptr(), address, "who still sends it keeps it");
        assert!(buffers.take(10).bytes.capacity() < LARGE);
    }

    #[tokio::test]
    async fn who_rests_holds_nothing() {
        let mut buffers = Buffers::default();
        let filling = buffers.take(USUAL);
        drop(buffers.give(filling));
        buffers.rest(std::future::ready(())).await;
        assert_eq!(buffers.lent.len(), 1);
        buffers.rest(tokio::time::sleep(IDLE + IDLE / 4)).await;
        assert!(buffers.lent.is_empty());
    }
}
