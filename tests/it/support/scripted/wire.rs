//! A connection of the scripted server, in the clear or inside TLS, and the ways in which it may end.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, SupportedProtocolVersion};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A record in the clear: fatal, handshake_failure (RFC 8446 section 6).
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];
/// A record of application data that nobody can decrypt.
const GARBAGE: [u8; 37] = {
    let mut record = [0; 37];
    (record[0], record[1], record[2], record[4]) = (23, 3, 3, 32);
    record
};

/// A server that speaks this version, with a certificate of its own.
pub(super) fn certified(version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into());
    Arc::new(config.unwrap())
}

/// The connection.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Inside TLS, where it is not yet.
    pub async fn secured(self, config: &Arc<ServerConfig>) -> io::Result<Self> {
        match self {
            Self::Plain(tcp) => {
                TlsAcceptor::from(Arc::clone(config)).accept(tcp).await.map(|tls| Self::Tls(Box::new(tls)))
            }
            secured @ Self::Tls(_) => Ok(secured),
        }
    }

    /// FIN, without the farewell of TLS.
    pub fn cut(&self) -> io::Result<()> {
        SockRef::from(self.tcp()).shutdown(Shutdown::Write)
    }

    /// RST: without linger, closing is one.
    pub fn reset(self) -> io::Result<()> {
        SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO))
    }

    /// A fatal alert: encrypted inside TLS, where the session itself makes it of a broken record.
    pub async fn alert(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(&ALERT).await,
            Self::Tls(tls) => {
                let (tcp, session) = tls.get_mut();
                session.read_tls(&mut &GARBAGE[..])?;
                assert!(session.process_new_packets().is_err(), "a broken record was taken");
                let mut alert = Vec::new();
                while session.wants_write() {
                    session.write_tls(&mut alert)?;
                }
                tcp.write_all(&alert).await
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, data),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
