//! Closing so that the last answer arrives. A socket that is closed with bytes unread sends a reset, and a reset
//! throws away what the peer has not read yet: the 431 to an oversized header, for instance. So our side ends
//! first, and what still comes is thrown away for a moment (RFC 9112 section 9.6).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream whose shutdown waits until the peer has ended too, at most for `limit`.
pub(super) struct Lingering<S> {
    inner: S,
    limit: Duration,
    /// Runs from the end of our side.
    ended: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    pub(super) fn new(inner: S, limit: Duration) -> Self {
        Self { inner, limit, ended: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let timer = match &mut this.ended {
            Some(timer) => timer,
            None => {
                ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
                this.ended.insert(Box::pin(sleep(this.limit)))
            }
        };
        let mut unwanted = [0; 8192];
        while timer.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut unwanted);
            match ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (ours.unwrap(), theirs.unwrap().0)
    }

    /// The peer sends more than is read, then reads the answer: with a plain close it finds a reset.
    #[tokio::test]
    async fn the_answer_survives_what_was_not_read() {
        let (ours, mut theirs) = pair().await;
        let answering = tokio::spawn(async move {
            let mut ours = Lingering::new(ours, Duration::from_secs(5));
            ours.read_exact(&mut [0; 10]).await.unwrap();
            ours.write_all(b"no").await.unwrap();
            ours.shutdown().await.unwrap();
        });
        theirs.write_all(&[0; 200_000]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        theirs.write_all(&[0; 200_000]).await.unwrap();
        let mut answer = Vec::new();
        theirs.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"no");
        drop(theirs);
        answering.await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_stays_is_left_in_time() {
        let (ours, _theirs) = pair().await;
        let mut ours = Lingering::new(ours, Duration::from_millis(50));
        tokio::time::timeout(Duration::from_secs(5), ours.shutdown()).await.unwrap().unwrap();
    }
}
