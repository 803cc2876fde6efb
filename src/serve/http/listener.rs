//! Binding, accepting and draining.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::certificate::{self, CertificateError, Identity, Served};
use super::connection::Visit;
use super::{Settings, layers};
use crate::model::Clock;
use crate::net::{Entrance, OpenedBy, tune};
use crate::task::{self, Tasks};

/// Why the listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The certificate is not there or not usable.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Another program has the port.
    #[error("{0} is in use by another program: stop it, or choose another port with `listen`")]
    InUse(SocketAddr),
    /// Ports below 1024 need a privilege.
    #[error("{0} needs a privilege this user does not have: choose a port above 1023, or grant CAP_NET_BIND_SERVICE")]
    Privilege(SocketAddr),
    /// The address is not one of this machine.
    #[error("{0} is not an address of this machine: use 0.0.0.0 or [::] for all")]
    Address(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}")]
    Other(SocketAddr, #[source] io::Error),
}

/// A bound listener that does not accept yet.
pub struct Listener {
    pub(super) socket: TcpListener,
    acceptor: TlsAcceptor,
    settings: Settings,
    address: SocketAddr,
    certificate: (watch::Sender<Arc<Identity>>, Served),
    data: PathBuf,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listener({})", self.address)
    }
}

impl Listener {
    /// The address with the port that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate: fingerprint to print, file to trust.
    #[must_use]
    pub fn certificate(&self) -> &Served {
        &self.certificate.1
    }
}

/// Reads or makes the certificate (in `data/tls`) and takes the port. `clock` tells when a certificate ends.
///
/// # Errors
/// [`ListenError`] in a sentence that says what to do.
pub async fn bind(settings: &Settings, data: &Path, clock: Arc<dyn Clock>) -> Result<Listener, ListenError> {
    let (wanted, folder, now) = (settings.clone(), data.to_owned(), clock.now());
    let identity = task::blocking(move || certificate::load(&wanted, &folder, now))
        .await
        .map_err(|lost| ListenError::Other(settings.listen, io::Error::other(lost)))??;
    let certificate = certificate::served(identity);
    let tls = tls(certificate.1.clone())?;
    let socket = TcpListener::bind(settings.listen).await.map_err(|error| refused(settings.listen, error))?;
    let address = socket.local_addr().map_err(|error| refused(settings.listen, error))?;
    Ok(Listener {
        socket,
        acceptor: TlsAcceptor::from(Arc::new(tls)),
        settings: settings.clone(),
        address,
        certificate,
        data: data.to_owned(),
        clock,
    })
}

fn refused(address: SocketAddr, error: io::Error) -> ListenError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::PermissionDenied => ListenError::Privilege(address),
        io::ErrorKind::AddrNotAvailable => ListenError::Address(address),
        _ => ListenError::Other(address, error),
    }
}

/// TLS 1.3 and 1.2. The provider puts the hybrid X25519MLKEM768 first (`prefer-post-quantum`).
fn tls(served: Served) -> Result<ServerConfig, CertificateError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificate::resolver(served));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

/// Accepts until `tasks` stop, then lets running requests end for the settings' grace. Returns at once; `tasks`
/// knows the accepting task and every connection.
pub fn serve(listener: Listener, router: Router, tasks: &Tasks) {
    let (current, served) = listener.certificate;
    let router = layers::around(router, served);
    let keeper = certificate::keep(current, listener.settings.clone(), listener.data, listener.clock, tasks.clone());
    tasks.spawn("https-certificate", keeper);
    let entrance = Entrance::new(listener.settings.connections, listener.settings.strangers);
    let inner = tasks.clone();
    tasks.spawn("https-accept", async move {
        loop {
            let accepted = tokio::select! {
                () = inner.stopped() => return,
                accepted = listener.socket.accept() => accepted,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors or a peer that left again: wait, then go on.
                    tracing::warn!(net.error = %error, "cannot accept an HTTPS connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(place) = entrance.try_enter(peer) else {
                tracing::warn!(net.peer = %peer, "too many HTTPS connections: refused");
                continue;
            };
            tune(&socket, OpenedBy::Them);
            let visit = Visit { address: peer, place, settings: listener.settings.clone(), tasks: inner.clone() };
            inner.spawn("https-connection", visit.run(socket, listener.acceptor.clone(), router.clone()));
        }
    });
}
