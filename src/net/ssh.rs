//! SSH in both of our roles: how it is spoken, and the TCP stream under it, which is read in large steps, cut from
//! outside, and has its greeting looked at before it is used.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use russh::{Preferred, SshId, cipher, compression, kex, mac};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::kexinit::{Tap, Told};
use super::tally::Tally;

/// By measured speed. In SSH the client's first choice that the server has is taken.
const CIPHERS: &[cipher::Name] =
    &[cipher::AES_128_GCM, cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_128_CTR];

const MACS: &[mac::Name] = &[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM, mac::HMAC_SHA512, mac::HMAC_SHA256];

/// How we greet (RFC 4253, section 4.2).
#[must_use]
pub const fn greeting() -> SshId {
    SshId::Standard(Cow::Borrowed("SSH-2.0-Causeway"))
}

/// Our algorithms in our order, with the key exchanges of the role: nothing is compressed.
#[must_use]
pub fn preferred(kex: &'static [kex::Name]) -> Preferred {
    Preferred {
        kex: Cow::Borrowed(kex),
        cipher: Cow::Borrowed(CIPHERS),
        mac: Cow::Borrowed(MACS),
        compression: Cow::Borrowed(&[compression::NONE]),
        ..Preferred::default()
    }
}

/// russh reads each packet in two small steps; a buffer under it saves most system calls.
const BUFFER: usize = 64 << 10;

/// The most that is read in search of a greeting: RFC 4253, section 4.2, lets a server say other lines before it.
const MAX_GREETING: usize = 8 << 10;

/// A stream that ends when its token is cancelled, whatever the session above is waiting for.
#[derive(Debug)]
pub struct SshStream<S = TcpStream> {
    inner: BufReader<S>,
    /// Read already, and to be read by the session first.
    early: Bytes,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    tap: Option<Box<Tap>>,
    tally: Arc<Tally>,
}

impl<S: AsyncRead + Unpin> SshStream<S> {
    /// Over `socket`, until `cut`.
    #[must_use]
    pub fn new(socket: S, cut: CancellationToken) -> Self {
        let inner = BufReader::with_capacity(BUFFER, socket);
        let tally = Tally::apart();
        Self { inner, early: Bytes::new(), cut: Box::pin(cut.cancelled_owned()), tap: None, tally }
    }

    /// Keeps this account of what goes over it.
    #[must_use]
    pub fn counting(self, tally: Arc<Tally>) -> Self {
        Self { tally, ..self }
    }

    /// Says in `told` what the client, on the other side, and this side agree on.
    #[must_use]
    pub fn telling(self, told: Told) -> Self {
        Self { tap: Some(Box::new(Tap::new(told))), ..self }
    }

    /// Waits for the other side's identification ("SSH-2.0-…") and returns it, or, when it says none, the first line
    /// that it says. What was read is not lost for the session.
    ///
    /// # Errors
    /// When the connection breaks or ends.
    pub async fn greeting(&mut self) -> io::Result<String> {
        let mut read = BytesMut::from(self.early.as_ref());
        loop {
            if let Some(line) = identification(&read) {
                self.early = read.freeze();
                return Ok(line);
            }
            if read.len() > MAX_GREETING {
                let first = read.as_ref().split(|b: &u8| *b == b'\n').next().unwrap_or_default();
                return Ok(String::from_utf8_lossy(first).trim().to_owned());
            }
            if self.inner.read_buf(&mut read).await? == 0 {
                let said = String::from_utf8_lossy(&read).trim().to_owned();
                return if said.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(said) };
            }
        }
    }
}

impl<S> SshStream<S> {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

/// The whole line that begins with "SSH-".
fn identification(read: &[u8]) -> Option<String> {
    let mut lines = read.split(|b: &u8| *b == b'\n').collect::<Vec<_>>();
    // Behind the last line break a line is not whole yet.
    lines.pop();
    let line = lines.into_iter().find(|line| line.starts_with(b"SSH-"))?;
    Some(String::from_utf8_lossy(line).trim_end().to_owned())
}

impl<S: AsyncRead + Unpin> AsyncRead for SshStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        if self.early.is_empty() {
            let before = buf.filled().len();
            let read = Pin::new(&mut self.inner).poll_read(cx, buf);
            let heard = buf.filled().get(before..).unwrap_or_default();
            if !heard.is_empty() {
                self.tally.hears();
            }
            if self.tap.as_mut().is_some_and(|tap| !tap.hears(heard)) {
                self.tap = None;
            }
            return read;
        }
        let count = self.early.len().min(buf.remaining());
        buf.put_slice(&self.early.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SshStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.tally.says();
        }
        if let Poll::Ready(Ok(count)) = &written
            && self.tap.as_mut().is_some_and(|tap| !tap.says(buf.get(..*count).unwrap_or_default()))
        {
            self.tap = None;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn heard(said: &'static [&'static [u8]]) -> (io::Result<String>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let mut server = server.unwrap().0;
        let mut stream = SshStream::new(client.unwrap(), CancellationToken::new());
        let speak = async {
            for part in said {
                server.write_all(part).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            drop(server);
        };
        let (greeting, ()) = tokio::join!(stream.greeting(), speak);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        (greeting, all)
    }

    #[tokio::test]
    async fn a_greeting_in_pieces_is_seen_and_not_lost() {
        let (greeting, all) = heard(&[b"a notice\r\nSSH-2.", b"0-Some_1\r\nmore"]).await;
        assert_eq!(
            (greeting.unwrap().as_str(), &all[..]),
            ("SSH-2.0-Some_1", &b"a notice\r\nSSH-2.0-Some_1\r\nmore"[..])
        );
        assert_eq!(heard(&[b"220 FTP server\r\n"]).await.0.unwrap(), "220 FTP server");
        assert_eq!(heard(&[]).await.0.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
