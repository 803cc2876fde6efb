//! Binding, accepting and draining.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::certificate::{self, CertificateError, Identity, Served};
use super::certificate::{ACME_TLS, Challenges, Keeper, Orders};
use super::plain::Plain;
use super::quic::{self, Accepting};
use super::service::Door;
use super::visit::Visit;
use super::{Settings, layers, layers::Alternative};
use crate::model::Clock;
use crate::net::{Counters, Entrance, OpenedBy, tune};
use crate::task::{self, Tasks};

/// How many free ports of TCP are tried, until one is free for UDP as well.
const TRIES: u32 = 20;

/// Why the listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The certificate is not there or not usable.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Another program has the port.
    #[error("{0} is in use by another program: stop it, or choose another port with `listen`")]
    InUse(SocketAddr),
    /// Another program has the port for UDP, which HTTP/3 needs.
    #[error("{0} is in use for UDP by another program: stop it, choose another port, or set `http3` to false")]
    InUseByUdp(SocketAddr),
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
    counters: Counters,
    challenges: Challenges,
    plain: Option<TcpListener>,
    http3: Option<quinn::Endpoint>,
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

    /// Where plain HTTP is answered, with the port that was taken.
    #[must_use]
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.plain.as_ref().and_then(|socket| socket.local_addr().ok())
    }

    /// Counts in `counters`, perhaps with other doors.
    #[must_use]
    pub fn counted_in(self, counters: Counters) -> Self {
        Self { counters, ..self }
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
    let challenges = Challenges::default();
    let tls = tls(certificate.1.clone(), challenges.clone())?;
    let resolver = certificate::resolver(certificate.1.clone(), challenges.clone());
    let (socket, http3) = sockets(settings, &quic::tls(resolver)?).await?;
    let plain = match settings.plain {
        Some(plain) => Some(TcpListener::bind(plain).await.map_err(|error| refused(plain, error))?),
        None => None,
    };
    let address = socket.local_addr().map_err(|error| refused(settings.listen, error))?;
    Ok(Listener {
        socket,
        acceptor: TlsAcceptor::from(Arc::new(tls)),
        settings: settings.clone(),
        address,
        certificate,
        data: data.to_owned(),
        clock,
        counters: Counters::default(),
        challenges,
        plain,
        http3,
    })
}

/// Takes the port for TCP, and where HTTP/3 is wanted for UDP as well.
async fn sockets(
    settings: &Settings,
    quic: &ServerConfig,
) -> Result<(TcpListener, Option<quinn::Endpoint>), ListenError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let socket = TcpListener::bind(settings.listen).await.map_err(|error| refused(settings.listen, error))?;
        let address = socket.local_addr().map_err(|error| refused(settings.listen, error))?;
        if !settings.http3 {
            return Ok((socket, None));
        }
        match quic::bind(address, quic.clone(), settings) {
            Ok(endpoint) => return Ok((socket, Some(endpoint))),
            // A free port for TCP need not be one for UDP: another one, then.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && settings.listen.port() == 0 && tries < TRIES => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(ListenError::InUseByUdp(address)),
            Err(error) => return Err(refused(address, error)),
        }
    }
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
fn tls(served: Served, challenges: Challenges) -> Result<ServerConfig, CertificateError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificate::resolver(served, challenges));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), ACME_TLS.to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

/// Accepts until `tasks` stop, then lets running requests end for the settings' grace. Returns at once; `tasks`
/// knows the accepting task and every connection.
pub fn serve(listener: Listener, router: Router, tasks: &Tasks) {
    let (current, served) = listener.certificate;
    let (settings, challenges) = (listener.settings.clone(), listener.challenges);
    let port = settings.public_port.unwrap_or(listener.address.port());
    if let Some(socket) = listener.plain {
        let acme = settings.acme.iter().flat_map(|acme| acme.names.iter());
        let names = settings.names.iter().chain(acme).cloned().collect();
        let plain = Plain { served: served.clone(), names, challenges: challenges.clone(), port };
        tasks.spawn("http-accept", plain.accept(socket, listener.counters.clone(), tasks.clone()));
    }
    let spoken = Arc::new(AtomicBool::new(listener.http3.is_some()));
    let alternative = Alternative { port, spoken: Arc::clone(&spoken) };
    let router = layers::around(router, served, listener.counters.clone(), alternative);
    let orders = Orders::new(&settings, &listener.data, challenges, tasks.clone());
    let (clock, data) = (listener.clock, listener.data);
    let keeper = Keeper { current, settings, data, orders, clock: Arc::clone(&clock), tasks: tasks.clone() };
    tasks.spawn("https-certificate", keeper.run());
    let Settings { connections, strangers, streams_per_address, .. } = listener.settings;
    let entrance = Entrance::with_requests(connections, strangers, streams_per_address, listener.counters.clone());
    if let Some(endpoint) = listener.http3 {
        let (entrance, settings, counters) = (entrance.clone(), listener.settings.clone(), listener.counters.clone());
        let accepting = Accepting { endpoint, entrance, settings, counters, clock, tasks: tasks.clone(), spoken };
        tasks.spawn("http3-accept", accepting.run(router.clone()));
    }
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
            let (settings, counters) = (listener.settings.clone(), listener.counters.clone());
            let visit = Visit { address: peer, place, settings, counters, tasks: inner.clone(), door: Door::default() };
            inner.spawn("https-connection", visit.run(socket, listener.acceptor.clone(), router.clone()));
        }
    });
}
