//! One connection over QUIC, from its handshake to its end.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use h3::error::{Code, ConnectionError};
use h3::server::RequestResolver;
use hyper::rt::Executor as _;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::exchange::{self, Ending};
use super::guard::Guard;
use super::transport::Connection;
use crate::model::Clock;
use crate::net::Refusal;
use crate::reliability::Detail;
use crate::serve::http::visit::{HANDSHAKE, Visit};

/// Bytes of a head when it is taken apart. The limit of a request is a smaller one ([`crate::serve::http::service`]), and who
/// exceeds it is to be answered; this keeps a small block from growing without end.
const FIELDS: u64 = 512 * 1024;

type Server = h3::server::Connection<Connection, Bytes>;

impl Visit {
    /// Speaks with who came over QUIC.
    pub(in crate::serve::http) async fn run_quic(
        self,
        connecting: quinn::Connecting,
        router: Router,
        clock: Arc<dyn Clock>,
    ) {
        let accepted = Instant::now();
        let connection = match tokio::time::timeout(HANDSHAKE, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                tracing::debug!(net.peer = %self.address, tls.error = %error, "QUIC handshake failed");
                return;
            }
            Err(_) => {
                self.counters.refused(Refusal::Handshake);
                tracing::debug!(net.peer = %self.address, "QUIC handshake took too long");
                return;
            }
        };
        let (alarm, leave) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let guard = Guard::new(Arc::clone(&alarm), self.counters.clone(), self.tasks.clone());
        let transport = Connection::new(connection, guard.clone());
        let mut builder = h3::server::builder();
        builder.max_field_section_size(FIELDS).send_grease(false);
        let (streams, service, counters) = (self.streams(), self.service(router), self.counters.clone());
        let worn_out = Arc::clone(&leave);
        let answer = move |asked, open: mpsc::Sender<()>| {
            let (guard, service, leave) = (guard.clone(), service.clone(), Arc::clone(&worn_out));
            let gone = guard.gone();
            let answered = exchange::answer(asked, service, counters.clone(), Arc::clone(&clock));
            streams.execute(async move {
                let taken_back = async {
                    match gone {
                        Some(gone) => gone.await,
                        None => std::future::pending().await,
                    }
                };
                let broken = tokio::select! {
                    biased;
                    answered = answered => !matches!(answered, Ok(Ending::Answered)),
                    () = taken_back => true,
                };
                if broken && guard.is_worn_out() {
                    leave.notify_one();
                }
                drop(open);
            });
        };
        let left = Arc::clone(&leave);
        let spoken = async move { speak(builder.build(transport).await, &left, answer).await };
        tokio::pin!(spoken);
        let end = self.attend(spoken, |_: Pin<&mut _>| leave.notify_one(), &alarm).await;
        self.over(accepted, end, Detail { encrypted: Some(true), ..Detail::default() });
    }
}

/// Takes requests until the client leaves, or `leave` is rung and those that are under way have their answers.
async fn speak(
    built: Result<Server, ConnectionError>,
    leave: &Notify,
    answer: impl Fn(RequestResolver<Connection, Bytes>, mpsc::Sender<()>),
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut server = match built {
        Ok(server) => server,
        Err(error) => return ended(error),
    };
    // Nothing is sent: it closes when the last request has its end.
    let (open, mut under_way) = mpsc::channel::<()>(1);
    let mut open = Some(open);
    loop {
        tokio::select! {
            () = leave.notified(), if open.is_some() => {
                open = None;
                // All that was accepted is answered (RFC 9114, section 5.2): who asked need not ask again.
                if let Err(error) = server.shutdown(1).await {
                    return ended(error);
                }
            }
            _ = under_way.recv(), if open.is_none() => return Ok(()),
            asked = server.accept() => match (asked, &open) {
                (Ok(Some(asked)), Some(open)) => answer(asked, open.clone()),
                // It came while we said goodbye, and is asked elsewhere again.
                (Ok(Some(_)), None) => {}
                (Ok(None), _) => return Ok(()),
                (Err(error), _) => return ended(error),
            },
        }
    }
}

/// Clients leave as they like, also without a word. Those that say by their code that something went wrong do not.
fn ended(error: ConnectionError) -> Result<(), Box<dyn Error + Send + Sync>> {
    use h3::quic::ConnectionErrorIncoming::ApplicationClose;
    let clean = |code: u64| [0, Code::H3_NO_ERROR.value(), Code::H3_REQUEST_CANCELLED.value()].contains(&code);
    match error {
        ConnectionError::Timeout { .. } => Ok(()),
        ConnectionError::Remote { 0: ApplicationClose { error_code }, .. } if clean(error_code) => Ok(()),
        error if error.is_h3_no_error() => Ok(()),
        error => Err(Box::new(error)),
    }
}
