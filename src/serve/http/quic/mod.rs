//! HTTP/3 (RFC 9114) over QUIC, on the UDP port of the same number. The same router answers under the same limits
//! ([`super::service`], [`super::visit`]); only how bytes come and go is another.
//!
//! A connection stays with the address that it was admitted for: who moves to another begins a new one, so that no address
//! has more than its share. There is no 0-RTT: a request that somebody recorded is not answered a second time.

mod connection;
mod exchange;
mod framing;
mod guard;
mod stream;
mod transport;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime, TransportConfig};

use super::Settings;
use super::certificate::CertificateError;
use super::service::Door;
use super::visit::{CONNECTION_WINDOW, STREAM_WINDOW, STREAMS, Visit};
use crate::model::Clock;
use crate::net::{Counters, Entrance};
use crate::task::Tasks;

/// Control, two of QPACK (RFC 9204, section 4.2), and what nobody knows yet.
const STREAMS_OF_ONE_SIDE: u32 = 8;
/// Bytes of answers that were sent and not yet received.
const SENT: u64 = 8 << 20;
/// With so many connections, who comes must show first that the address is its own (RFC 9000, section 8.1.2).
const UNSEEN: usize = 32;
/// Packets of connections that wait to be looked at: how many connections, and bytes of each and in all.
const WAITING: (usize, u64, u64) = (256, 64 * 1024, 4 << 20);
/// A client that is not heard of for so long has gone.
const SILENCE: Duration = Duration::from_secs(45);

/// Takes the port. `tls` is for `h3` only.
///
/// # Errors
/// When the system does not give it, or the keys cannot be used for QUIC.
pub(super) fn bind(address: SocketAddr, tls: rustls::ServerConfig, settings: &Settings) -> io::Result<Endpoint> {
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    let (connections, each, all) = WAITING;
    config.transport_config(Arc::new(transport(settings)?)).migration(false);
    config.max_incoming(connections).incoming_buffer_size(each).incoming_buffer_size_total(all);
    let socket = std::net::UdpSocket::bind(address)?;
    Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))
}

fn transport(settings: &Settings) -> io::Result<TransportConfig> {
    let silence = settings.stall.min(SILENCE);
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(STREAMS.into())
        .max_concurrent_uni_streams(STREAMS_OF_ONE_SIDE.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(SENT)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(IdleTimeout::try_from(silence).map_err(io::Error::other)?))
        .keep_alive_interval(Some(silence / 2));
    Ok(transport)
}

/// TLS for QUIC: version 1.3 only (RFC 9001, section 4.2).
///
/// # Errors
/// When TLS cannot be set up.
pub(super) fn tls(
    certificates: Arc<dyn rustls::server::ResolvesServerCert>,
) -> Result<rustls::ServerConfig, CertificateError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h3".to_vec()];
    Ok(config)
}

/// What accepts needs.
pub(super) struct Accepting {
    pub(super) endpoint: Endpoint,
    /// Shared with who comes over TCP.
    pub(super) entrance: Entrance,
    pub(super) settings: Settings,
    pub(super) counters: Counters,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: Tasks,
    /// Whether HTTP/3 is to be had.
    pub(super) spoken: Arc<AtomicBool>,
}

/// How many connections may be there before who comes must show its address: so few that nobody can use up more than half
/// of the places of another in its name.
fn unseen(settings: &Settings) -> usize {
    UNSEEN.min(settings.connections.per_address.min(settings.strangers.per_address) / 2)
}

impl Accepting {
    /// Accepts until the tasks stop, then waits until the goodbyes are sent.
    pub(super) async fn run(self, router: Router) {
        let Self { endpoint, entrance, settings, counters, clock, tasks, spoken } = self;
        let unseen = unseen(&settings);
        loop {
            let incoming = tokio::select! {
                () = tasks.stopped() => break,
                incoming = endpoint.accept() => incoming,
            };
            let Some(incoming) = incoming else {
                tracing::error!("the UDP port is lost: HTTP/3 is not to be had until the next start");
                spoken.store(false, Ordering::Relaxed);
                return;
            };
            // Nothing is taken, counted or written down for an address that is not shown: it may be somebody else's.
            let full = endpoint.open_connections() >= unseen || !entrance.has_room(incoming.remote_address());
            if !incoming.remote_address_validated() && full {
                if let Err(error) = incoming.retry() {
                    tracing::debug!(net.error = %error, "a client cannot be asked to show its address");
                }
                continue;
            }
            let peer = incoming.remote_address();
            let Some(place) = entrance.try_enter(peer) else {
                tracing::warn!(net.peer = %peer, "too many HTTPS connections: refused");
                incoming.refuse();
                continue;
            };
            // Here, and not in its task: from now on it is one of those that are open.
            let connecting = match incoming.accept() {
                Ok(connecting) => connecting,
                Err(error) => {
                    tracing::debug!(net.peer = %peer, net.error = %error, "a QUIC connection cannot begin");
                    continue;
                }
            };
            let (settings, counters) = (settings.clone(), counters.clone());
            let visit = Visit { address: peer, place, settings, counters, tasks: tasks.clone(), door: Door::default() };
            tasks.spawn("http3-connection", visit.run_quic(connecting, router.clone(), Arc::clone(&clock)));
        }
        endpoint.set_server_config(None);
        // Connections have the grace for their requests, and a moment more to say so.
        let _said_in_time =
            tokio::time::timeout(settings.grace + Duration::from_secs(1), endpoint.wait_idle()).await.is_ok();
    }
}

#[cfg(test)]
mod tests {
    use quinn::crypto::rustls::QuicClientConfig;
    use rustls::crypto::aws_lc_rs;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::sign::{CertifiedKey, SingleCertAndKey};

    use super::*;

    /// A client that knows nothing else, so that there is no other way.
    fn hybrid(trusted: CertificateDer<'static>) -> quinn::ClientConfig {
        let kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
        let provider = rustls::crypto::CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted).unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h3".to_vec()];
        quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()))
    }

    #[test]
    fn nobody_uses_up_the_places_of_another() {
        let limits = |per_address| crate::net::AdmissionLimits { total: 100, per_address };
        let unseen = |all, strangers| {
            unseen(&Settings { connections: limits(all), strangers: limits(strangers), ..Settings::default() })
        };
        assert_eq!([unseen(1000, 1000), unseen(10, 1000), unseen(1000, 9), unseen(1, 1)], [32, 5, 4, 0]);
    }

    #[tokio::test]
    async fn keys_are_exchanged_so_that_quantum_computers_do_not_read_them() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = made.cert.der().clone();
        let own = CertifiedKey::from_der(vec![certificate.clone()], key, &aws_lc_rs::default_provider()).unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let door = bind(local, tls(Arc::new(SingleCertAndKey::from(own))).unwrap(), &Settings::default()).unwrap();
        let client = Endpoint::client(local).unwrap();
        let connecting = client.connect_with(hybrid(certificate), door.local_addr().unwrap(), "localhost").unwrap();
        let (theirs, ours) = tokio::join!(connecting, async { door.accept().await.unwrap().await });
        assert!(theirs.is_ok() && ours.is_ok(), "{theirs:?} {ours:?}");
    }
}
