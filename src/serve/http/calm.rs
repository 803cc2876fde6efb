//! HTTP/2 frames that ask for work and bring nothing: PING, SETTINGS, PRIORITY and RST_STREAM. Each is cheap to send and
//! each is answered or acted upon, so that floods of them have been attacks (CVE-2019-9512, -9513, -9515, and rapid reset,
//! CVE-2023-44487). RFC 9113, section 10.5, says to look out for them. The HTTP library bounds what they make it keep;
//! here it is bounded how many of them come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What an HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's head (RFC 9113, section 4.1).
const HEAD: u8 = 9;
/// PRIORITY, RST_STREAM, SETTINGS and PING.
const EMPTY: [u128; 4] = [2, 3, 4, 6];
/// So many may come at once: somebody who leaves a page of pictures takes back a few hundred requests.
const AT_ONCE: u32 = 1000;
/// And one more after each of these.
const EACH: Duration = Duration::from_millis(10);

/// A stream that says so when its peer sends too many frames that bring nothing. HTTP/1.1 passes unseen.
pub(super) struct Calm<S> {
    inner: S,
    frames: Option<Frames>,
    alarm: Arc<Notify>,
}

impl<S> Calm<S> {
    /// `alarm` is rung once.
    pub(super) fn new(inner: S, alarm: Arc<Notify>) -> Self {
        Self { inner, frames: Some(Frames::new(Instant::now())), alarm }
    }
}

/// How much may come that brings nothing.
pub(super) struct Allowance {
    /// How many may still come at `since`.
    left: u32,
    since: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: AT_ONCE, since: now }
    }

    /// May one more come?
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let more = now.duration_since(self.since).as_millis() / EACH.as_millis();
        if more > 0 {
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            (self.left, self.since) = (self.left.saturating_add(more).min(AT_ONCE), now);
        }
        let allowed = self.left.checked_sub(1);
        self.left = allowed.unwrap_or(0);
        allowed.is_some()
    }
}

/// What was seen of the frames.
struct Frames {
    /// Bytes of the preface.
    preface: usize,
    /// Bytes of the next frame's head, and how many.
    head: u128,
    have: u8,
    /// Bytes of this frame that are still to come.
    rest: usize,
    allowance: Allowance,
}

/// What to think of some bytes.
#[derive(Debug, PartialEq)]
enum Seen {
    Fine,
    /// No HTTP/2.
    Other,
    TooMany,
}

impl Frames {
    fn new(now: Instant) -> Self {
        Self { preface: 0, head: 0, have: 0, rest: 0, allowance: Allowance::new(now) }
    }

    fn look(&mut self, mut bytes: &[u8], now: Instant) -> Seen {
        while let Some((byte, others)) = bytes.split_first() {
            if self.preface < PREFACE.len() {
                if PREFACE.get(self.preface) != Some(byte) {
                    return Seen::Other;
                }
                self.preface += 1;
                bytes = others;
            } else if self.rest > 0 {
                let known = self.rest.min(bytes.len());
                self.rest -= known;
                bytes = bytes.get(known..).unwrap_or_default();
            } else {
                (self.head, self.have) = (self.head << 8 | u128::from(*byte), self.have + 1);
                bytes = others;
                if self.have == HEAD && !self.frame(now) {
                    return Seen::TooMany;
                }
            }
        }
        Seen::Fine
    }

    /// A head is complete: 24 bits of length, 8 of type, 8 of flags, 32 of the stream. May the frame come?
    fn frame(&mut self, now: Instant) -> bool {
        let (length, kind) = (self.head >> 48, self.head >> 40 & 0xff);
        (self.head, self.have, self.rest) = (0, 0, usize::try_from(length).unwrap_or(usize::MAX));
        !EMPTY.contains(&kind) || self.allowance.take(now)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Calm<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.inner).poll_read(cx, buf);
        if let Some(frames) = &mut this.frames {
            match frames.look(buf.filled().get(before..).unwrap_or_default(), Instant::now()) {
                Seen::Fine => {}
                Seen::Other => this.frames = None,
                Seen::TooMany => {
                    this.frames = None;
                    this.alarm.notify_one();
                }
            }
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Calm<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        frame.resize(9 + usize::from(length), 0xff);
        frame
    }

    #[test]
    fn what_brings_nothing_is_counted_however_it_is_cut() {
        let now = Instant::now();
        for pieces in [1, 7, 5000] {
            let mut bytes = PREFACE.to_vec();
            for _ in 0..AT_ONCE {
                bytes.extend([frame(6, 8), frame(0, 200), frame(1, 3), frame(8, 4)].concat());
            }
            let mut frames = Frames::new(now);
            assert!(bytes.chunks(pieces).all(|piece| frames.look(piece, now) == Seen::Fine), "{pieces}");
            assert_eq!(frames.look(&frame(0, 100), now), Seen::Fine);
            assert_eq!(frames.look(&frame(3, 4), now), Seen::TooMany);
        }
    }

    #[test]
    fn time_gives_more() {
        let begin = Instant::now();
        let mut frames = Frames::new(begin);
        frames.look(PREFACE, begin);
        let mut sent = 0;
        for round in 0..10 {
            while frames.look(&frame(4, 0), begin + EACH * 10 * round) == Seen::Fine {
                sent += 1;
            }
        }
        assert_eq!(sent, AT_ONCE + 9 * 10);
    }

    #[test]
    fn other_protocols_pass() {
        let now = Instant::now();
        assert_eq!(Frames::new(now).look(b"PUT /files/a HTTP/1.1\r\n", now), Seen::Other);
    }
}
