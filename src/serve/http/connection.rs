//! One connection: handshake with a deadline, HTTP/1.1 or HTTP/2 by ALPN, limits, graceful end.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::Settings;
use super::linger::Lingering;
use super::pace::{PacedBody, Patience};
use super::polite::PoliteBody;
use super::stall::StallGuard;
use crate::drive::Books;
use crate::model::{FaultKind, Phase};
use crate::net::Place;
use crate::reliability::End;
use crate::task::Tasks;

/// A handshake takes a few round trips; who needs longer is not a client.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// For the head of a request, and between two requests of one connection.
const HEAD: Duration = Duration::from_secs(60);
/// Request line and headers together, in bytes; more is answered with 431.
const HEAD_BYTES: usize = 64 * 1024;
/// How long the peer may leave our bytes unread.
const WRITE_STALL: Duration = Duration::from_secs(60);
/// How long a closed connection waits for the peer to close too, so that it can read our last answer.
const LINGER: Duration = Duration::from_secs(1);

/// Who is at the other end; found in the extensions of every request.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Address and port of the client.
    pub address: SocketAddr,
    door: Arc<OnceLock<(Books, Instant)>>,
    /// Of the connection.
    place: Option<Place>,
    /// Did the sender of this request log in?
    known: Arc<AtomicBool>,
}

impl Peer {
    /// A peer that no listener knows, for tests of routers.
    #[must_use]
    pub fn unknown() -> Self {
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        Self { address, door: Arc::default(), place: None, known: Arc::default() }
    }

    /// Says that the sender of the request has logged in: its body may be large and take its time, and the
    /// connection is no stranger's any more.
    pub fn welcome(&self) {
        self.known.store(true, Ordering::Relaxed);
        if let Some(place) = &self.place {
            place.welcome();
        }
    }

    /// Says that somebody came in through a door for files, so the connection counts in the statistics.
    pub fn mark_door(&self, books: &Books) {
        self.door.get_or_init(|| (books.clone(), Instant::now()));
    }
}

/// One accepted connection.
pub(super) struct Visit {
    pub(super) address: SocketAddr,
    pub(super) place: Place,
    pub(super) settings: Settings,
    pub(super) tasks: Tasks,
}

impl Visit {
    pub(super) async fn run(self, socket: TcpStream, acceptor: TlsAcceptor, router: Router) {
        let accepted = Instant::now();
        let guarded = StallGuard::new(Lingering::new(socket, LINGER), WRITE_STALL);
        let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(guarded)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(net.peer = %self.address, tls.error = %error, "TLS handshake failed");
                return;
            }
            Err(_) => {
                tracing::debug!(net.peer = %self.address, "TLS handshake took too long");
                return;
            }
        };
        let door: Arc<OnceLock<(Books, Instant)>> = Arc::default();
        let (address, place, tasks, seen) = (self.address, self.place.clone(), self.tasks.clone(), Arc::clone(&door));
        let patience = Patience { stall: self.settings.stall, strangers: self.settings.strangers_body };
        let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            let known: Arc<AtomicBool> = Arc::default();
            let (door, place) = (Arc::clone(&seen), Some(place.clone()));
            request.extensions_mut().insert(Peer { address, door, place, known: Arc::clone(&known) });
            let waits = request.headers().contains_key(http::header::EXPECT);
            let tasks = tasks.clone();
            request
                .map(|body| axum::body::Body::new(PacedBody::new(PoliteBody::new(body, waits, tasks), patience, known)))
        });
        let builder = builder(&self.tasks);
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        tokio::pin!(connection);
        let end = self.attend(connection).await;
        if let Some((books, came_in)) = door.get() {
            books.connection_ended(came_in.duration_since(accepted), came_in.elapsed(), end);
        }
    }

    /// Waits for the end of the connection, and asks for it when the service stops or a stranger stays too long.
    async fn attend<C>(&self, mut connection: Pin<&mut C>) -> End
    where
        C: GracefulConnection<Error = Box<dyn Error + Send + Sync>>,
    {
        tokio::select! {
            ended = connection.as_mut() => return end_of(ended),
            () = self.tasks.stopped() => connection.as_mut().graceful_shutdown(),
            () = self.place.overstayed(self.settings.login) => {
                connection.as_mut().graceful_shutdown();
                // Who logs in with the request that is under way is heard to its end.
                tokio::select! {
                    ended = connection.as_mut() => return end_of(ended),
                    () = self.tasks.stopped() => {}
                    () = self.place.overstayed(self.settings.strangers_body) => {
                        tracing::debug!(net.peer = %self.address, "a stranger stayed too long");
                        return End::Clean;
                    }
                }
            }
        }
        if tokio::time::timeout(self.settings.grace, connection).await.is_err() {
            tracing::info!(net.peer = %self.address, "a request was cut off by the stop");
        }
        End::StillOpen
    }
}

/// What the end of a connection means. Clients leave idle connections as they like: with a goodbye or
/// without one, or by letting our deadline pass.
fn end_of(ended: Result<(), Box<dyn Error + Send + Sync>>) -> End {
    let Err(error) = ended else { return End::Clean };
    tracing::debug!(http.error = %error, "HTTPS connection ended badly");
    let mut cause: Option<&(dyn Error + 'static)> = Some(error.as_ref());
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<std::io::Error>() {
            return match FaultKind::of_io(io) {
                FaultKind::ClosedEarly => End::Clean,
                kind => End::Failed(Phase::Transfer, kind),
            };
        }
        if one.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout) {
            return End::Clean;
        }
        cause = one.source();
    }
    End::Failed(Phase::Command, FaultKind::Protocol)
}

fn builder(tasks: &Tasks) -> Builder<Tasks> {
    let mut builder = Builder::new(tasks.clone());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(256)
        // Measured: large windows and frames make uploads 40 % faster (research on WebDAV).
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .max_frame_size(1 << 20)
        .max_send_buf_size(1 << 20)
        .keep_alive_interval(Duration::from_secs(25))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
