//! Input of which only so much may be taken before it is rewound: no piece of a stranger's answer fills the memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// Buffered input with a bound on each piece.
pub(super) struct Bounded<R> {
    input: R,
    most: usize,
    left: usize,
}

impl<R> Bounded<R> {
    /// Pieces have at most `most` bytes.
    pub(super) const fn new(input: R, most: usize) -> Self {
        Self { input, most, left: most }
    }

    /// The next piece begins.
    pub(super) const fn rewind(&mut self) {
        self.left = self.most;
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Bounded<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let taken = {
            let there = ready!(self.as_mut().poll_fill_buf(cx))?;
            let taken = there.len().min(out.remaining());
            out.put_slice(there.get(..taken).unwrap_or_default());
            taken
        };
        self.consume(taken);
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Bounded<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let there = ready!(Pin::new(&mut this.input).poll_fill_buf(cx))?;
        if there.is_empty() {
            return Poll::Ready(Ok(there));
        }
        match there.get(..there.len().min(this.left)) {
            Some(piece) if !piece.is_empty() => Poll::Ready(Ok(piece)),
            _ => Poll::Ready(Err(io::Error::other("a piece of the answer is too long"))),
        }
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.left = this.left.saturating_sub(amount);
        Pin::new(&mut this.input).consume(amount);
    }
}
