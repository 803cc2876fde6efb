//! One connection over TCP: handshake with a deadline, HTTP/1.1 or HTTP/2 by ALPN.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::{Builder, Connection};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::calm::Calm;
use super::certificate::ACME_TLS;
use super::linger::Lingering;
use super::service::HEAD_BYTES;
use super::stall::StallGuard;
use super::taken::Streams;
use super::visit::{CONNECTION_WINDOW, HANDSHAKE, HEAD, STREAM_WINDOW, STREAMS, Visit};
use crate::net::{Refusal, Secured, Tally};
use crate::reliability::Detail;

/// How long a closed connection waits for the peer to close too, so that it can read our last answer.
const LINGER: Duration = Duration::from_secs(1);

impl Visit {
    /// Speaks with who came over TCP.
    pub(super) async fn run(self, socket: TcpStream, acceptor: TlsAcceptor, router: Router) {
        let accepted = Instant::now();
        let tally = Tally::of(&socket);
        let guarded = StallGuard::new(Lingering::new(socket, LINGER), self.settings.stall, self.counters.clone());
        let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(guarded)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(net.peer = %self.address, tls.error = %error, "TLS handshake failed");
                return;
            }
            Err(_) => {
                self.counters.refused(Refusal::Handshake);
                tracing::debug!(net.peer = %self.address, "TLS handshake took too long");
                return;
            }
        };
        if stream.get_ref().1.alpn_protocol() == Some(ACME_TLS) {
            // The handshake is all that the authority wanted (RFC 8737, section 3).
            return;
        }
        let group = stream.get_ref().1.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
        tally.secure(Secured::by(&group.unwrap_or_default()));
        let alarm = Arc::<Notify>::default();
        let builder = builder(self.streams());
        let service = self.service(router);
        let service = hyper::service::service_fn(move |request| {
            let service = service.clone();
            async move {
                let room = service.room();
                Ok::<_, Infallible>(service.answer(request, room).await)
            }
        });
        let connection = builder.serve_connection(TokioIo::new(Calm::new(stream, Arc::clone(&alarm))), service);
        tokio::pin!(connection);
        let end = self
            .attend(connection, |connection: Pin<&mut Connection<'_, _, _, _>>| connection.graceful_shutdown(), &alarm)
            .await;
        // Turns and silence are seen below TLS by the kernel alone.
        let detail = Detail { round_trips: None, payload: None, wire: None, idle: None, ..Detail::of(&tally) };
        self.over(accepted, end, detail);
    }
}

fn builder(streams: Streams) -> Builder<Streams> {
    let mut builder = Builder::new(streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .http2()
        .timer(TokioTimer::new())
        // Twice as much as we take, so that it is we who answer and count what is a little too large.
        .max_header_list_size(u32::try_from(2 * HEAD_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        // Rapid reset (CVE-2023-44487): streams that were taken back before we looked at them, and streams that we
        // had to reset because of what came on them. More end the connection with ENHANCE_YOUR_CALM.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(256)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(1 << 20)
        .max_send_buf_size(1 << 20)
        .keep_alive_interval(Duration::from_secs(25))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
