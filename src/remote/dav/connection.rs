//! One connection: dialled, inside TLS where the endpoint says so, HTTP/2 where the server offers it (ALPN), else
//! HTTP/1.1. RFC 9112, RFC 9113.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::fault;
use super::shared::Shared;
use super::upload::Upload;
use crate::model::{Fault, FaultKind, Phase};
use crate::net::{Dialled, Stream, Tally, Way, dial_by};
use crate::reliability::{Detail, End, What};

/// The application protocols that we speak, the most wanted one first.
pub(super) const SPOKEN: &[&str] = &["h2", "http/1.1"];

/// Bytes of one answer, and of all together, that may be on their way to us: bandwidth × delay.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Bytes of one upload that wait for the connection.
const SEND_BUFFER: usize = 1 << 20;
/// A NAT that forgets is kept awake, and a server that is gone is noticed.
const PING: Duration = Duration::from_secs(15);
const PONG: Duration = Duration::from_secs(30);

/// The body of a request: at hand, or brought while it is sent.
pub(super) type Sent = Either<Full<Bytes>, Upload>;

/// The head of an answer, or the request again when none of it was sent.
pub(super) type Came = Result<Response<Incoming>, TrySendError<Request<Sent>>>;

/// An answer on its way.
pub(super) type Answering = Pin<Box<dyn Future<Output = Came> + Send>>;

/// Sends requests on one connection.
#[derive(Debug)]
pub(super) enum Sender {
    /// One at a time.
    One(http1::SendRequest<Sent>),
    /// Any number side by side.
    Many(http2::SendRequest<Sent>),
}

impl Sender {
    /// Opens a connection; the observation of it is recorded when it ends.
    ///
    /// # Errors
    /// The first thing that did not work.
    pub(super) async fn open(shared: &Arc<Shared>) -> Result<Self, Fault> {
        let endpoint = &shared.endpoint;
        let within = shared.deadlines().connect;
        let way = Way { relay: endpoint.options.relay, ..Way::default() };
        let Dialled { stream, mut phases, .. } = dial_by(&endpoint.host, endpoint.port, within, way).await?;
        let stream = match &shared.tls {
            None => Stream::plain(stream),
            Some(tls) => {
                let began = Instant::now();
                let stream = tls.connect(stream, within).await?;
                phases.push((Phase::Tls, began.elapsed()));
                stream
            }
        };
        let many = stream.protocol() == Some(b"h2");
        let greeting = Self::greet(shared, stream, many, phases);
        timeout(within, greeting).await.unwrap_or_else(|_| {
            let why = format!("{} does not greet within {} s", endpoint.host, within.as_secs());
            Err(Fault::new(Phase::Banner, FaultKind::Timeout, why))
        })
    }

    async fn greet(
        shared: &Arc<Shared>,
        stream: Stream,
        many: bool,
        phases: Vec<(Phase, Duration)>,
    ) -> Result<Self, Fault> {
        let tally = stream.tally();
        // A reset leaves nothing to look at.
        tally.look();
        let (io, tasks) = (TokioIo::new(stream), &shared.ctx.tasks);
        let lost = |error: hyper::Error| fault::of_hyper(Phase::Banner, "greeting the server", &error);
        tracing::info!(endpoint = %shared.endpoint, http2 = many, tls = shared.tls.is_some(), "connected to a WebDAV server");
        if many {
            let mut builder = http2::Builder::new(tasks.clone());
            builder
                .timer(TokioTimer::new())
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_send_buf_size(SEND_BUFFER)
                .keep_alive_interval(PING)
                .keep_alive_timeout(PONG);
            let (sender, connection) = builder.handshake(io).await.map_err(lost)?;
            tasks.spawn("dav connection", watch(Arc::clone(shared), (phases, tally), connection));
            return Ok(Self::Many(sender));
        }
        let (sender, connection) = http1::Builder::new().handshake(io).await.map_err(lost)?;
        tasks.spawn("dav connection", watch(Arc::clone(shared), (phases, tally), connection));
        Ok(Self::One(sender))
    }

    /// Puts a request on its way.
    pub(super) fn send(&mut self, request: Request<Sent>) -> Answering {
        match self {
            Self::One(sender) => Box::pin(sender.try_send_request(request)),
            Self::Many(sender) => Box::pin(sender.try_send_request(request)),
        }
    }
}

/// Carries the connection to its end, and records it.
async fn watch(
    shared: Arc<Shared>,
    (phases, tally): (Vec<(Phase, Duration)>, Arc<Tally>),
    connection: impl Future<Output = Result<(), hyper::Error>>,
) {
    let (setup, ready) = (phases.iter().map(|(_, took)| *took).sum(), Instant::now());
    let broken = connection.await.err().map(|error| fault::of_hyper(Phase::Command, "the connection", &error));
    // An upload that we broke off takes its connection along.
    let broken = broken.filter(|fault| fault.kind != FaultKind::Cancelled);
    // Whose files it carried the pool does not know.
    let detail = Detail { payload: None, wire: None, ..Detail::of(&tally) }.ended(broken.as_ref());
    let end = End::by(broken.as_ref());
    shared.record(What::Connection { setup: Some(setup), phases, held: ready.elapsed(), end }, detail);
}
