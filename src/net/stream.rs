//! A connection that may or may not be inside TLS, and counts what passes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::tally::{Secured, Tally};

/// Plain TCP or TLS over it.
#[derive(Debug)]
pub struct Stream {
    channel: Channel,
    received: u64,
    sent: u64,
    tally: Arc<Tally>,
}

#[derive(Debug)]
enum Channel {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// In the clear.
    #[must_use]
    pub fn plain(stream: TcpStream) -> Self {
        let tally = Tally::of(&stream);
        Self { channel: Channel::Plain(stream), received: 0, sent: 0, tally }
    }

    /// Inside TLS.
    #[must_use]
    pub fn tls(stream: TlsStream<TcpStream>) -> Self {
        let (socket, session) = stream.get_ref();
        let tally = Tally::of(socket);
        let group = session.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
        tally.secure(Secured::by(&group.unwrap_or_default()));
        Self { channel: Channel::Tls(Box::new(stream)), received: 0, sent: 0, tally }
    }

    /// What is known of the connection, also after the stream was given away.
    #[must_use]
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Payload bytes read so far.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Payload bytes written so far.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Is it inside TLS?
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }

    /// The version and cipher suite that both sides agreed on, as people know them; none in the clear.
    #[must_use]
    pub fn security(&self) -> Option<(String, String)> {
        let Channel::Tls(stream) = &self.channel else { return None };
        let (_, session) = stream.get_ref();
        let version = match session.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
            rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
            other => format!("{other:?}"),
        };
        let suite = session.negotiated_cipher_suite()?.suite();
        Some((version, suite.as_str().map_or_else(|| format!("{suite:?}"), str::to_owned)))
    }

    /// Did the handshake take up an earlier session (RFC 8446, section 2.2)? `None` in the clear.
    #[must_use]
    pub fn is_resumed(&self) -> Option<bool> {
        let Channel::Tls(stream) = &self.channel else { return None };
        Some(stream.get_ref().1.handshake_kind()? == rustls::HandshakeKind::Resumed)
    }

    /// The application protocol that was agreed on in the TLS handshake (RFC 7301); `None` when none was.
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        match &self.channel {
            Channel::Plain(_) => None,
            Channel::Tls(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }

    /// The TCP stream again, to start TLS on it; `None` when it is inside TLS already.
    #[must_use]
    pub fn into_plain(self) -> Option<TcpStream> {
        match self.channel {
            Channel::Plain(stream) => Some(stream),
            Channel::Tls(_) => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = match &mut self.channel {
            Channel::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Channel::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let came = buf.filled().len() - before;
        if came > 0 {
            self.received = self.received.saturating_add(came as u64);
            self.tally.hears();
        } else if matches!(done, Poll::Ready(_)) {
            // The end, or a failure: the last moment at which the kernel knows.
            self.tally.look();
        }
        done
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let done = match &mut self.channel {
            Channel::Plain(stream) => Pin::new(stream).poll_write(cx, data),
            Channel::Tls(stream) => Pin::new(stream).poll_write(cx, data),
        };
        if let Poll::Ready(Ok(count)) = &done {
            self.sent = self.sent.saturating_add(*count as u64);
            self.tally.says();
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.channel {
            Channel::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Channel::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Ends our direction; inside TLS with close_notify first.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tally.look();
        match &mut self.channel {
            Channel::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Channel::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
