//! One connection from its admission to its end, whichever version of HTTP is spoken over it.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Settings;
use super::pace::Patience;
use super::service::{Door, Service};
use super::taken::Streams;
use crate::model::{FaultKind, Phase};
use crate::net::{Counters, Place, Refusal};
use crate::reliability::{Detail, End};
use crate::task::Tasks;

/// A handshake takes a few round trips; who needs longer is not a client.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(15);
/// For the head of a request, and over HTTP/1.1 between two requests of one connection.
pub(super) const HEAD: Duration = Duration::from_secs(60);
/// Requests of one connection that may be under way at once, where a connection has several.
pub(super) const STREAMS: u32 = 256;
/// Bytes of a request's body that may be on their way to us: large windows make uploads 40 % faster (measured; research
/// on WebDAV).
pub(super) const STREAM_WINDOW: u32 = 4 << 20;
/// The same for all requests of a connection.
pub(super) const CONNECTION_WINDOW: u32 = 16 << 20;
/// To whom floods us; after that the connection is cut.
const GOODBYE: Duration = Duration::from_secs(1);

/// One accepted connection.
pub(super) struct Visit {
    pub(super) address: SocketAddr,
    pub(super) place: Place,
    pub(super) settings: Settings,
    pub(super) counters: Counters,
    pub(super) tasks: Tasks,
    /// Who came in, once somebody did.
    pub(super) door: Door,
}

impl Visit {
    /// What answers requests: `router`, for those that the limits let through.
    pub(super) fn service(&self, router: Router) -> Service {
        Service {
            router,
            address: self.address,
            place: self.place.clone(),
            door: Door::clone(&self.door),
            patience: Patience { stall: self.settings.stall, strangers: self.settings.strangers_body },
            counters: self.counters.clone(),
            tasks: self.tasks.clone(),
        }
    }

    /// What runs requests of which a connection has several.
    pub(super) fn streams(&self) -> Streams {
        Streams { tasks: self.tasks.clone(), limit: self.settings.stall, counters: self.counters.clone() }
    }

    /// Waits for the end of the connection, and asks for it by `leave` when the service stops, a stranger stays too long, or
    /// `alarm` rings.
    pub(super) async fn attend<C>(
        &self,
        mut connection: Pin<&mut C>,
        leave: impl Fn(Pin<&mut C>),
        alarm: &Notify,
    ) -> End
    where
        C: Future<Output = Result<(), Box<dyn Error + Send + Sync>>>,
    {
        tokio::select! {
            ended = connection.as_mut() => return self.end_of(ended),
            () = self.tasks.stopped() => leave(connection.as_mut()),
            () = alarm.notified() => {
                self.counters.refused(Refusal::Flood);
                tracing::warn!(net.peer = %self.address, "a flood of frames that bring nothing: the connection is ended");
                leave(connection.as_mut());
                let _said_in_time = tokio::time::timeout(GOODBYE, connection).await.is_ok();
                return End::Failed(Phase::Command, FaultKind::Protocol);
            }
            () = self.place.overstayed(self.settings.login) => {
                leave(connection.as_mut());
                // Who logs in with the request that is under way is heard to its end.
                tokio::select! {
                    ended = connection.as_mut() => return self.end_of(ended),
                    () = self.tasks.stopped() => {}
                    () = self.place.overstayed(self.settings.strangers_body) => {
                        self.counters.refused(Refusal::Overstayed);
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

    /// Writes down how the connection ended that was accepted at `accepted`, if somebody came in through it.
    pub(super) fn over(&self, accepted: Instant, end: End, detail: Detail) {
        if let Some((books, came_in)) = self.door.get() {
            books.connection_ended(came_in.duration_since(accepted), came_in.elapsed(), end, detail);
        }
    }

    /// What the end of a connection means. Clients leave idle connections as they like: with a goodbye or
    /// without one, or by letting our deadline pass.
    fn end_of(&self, ended: Result<(), Box<dyn Error + Send + Sync>>) -> End {
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
            if let Some(hyper) = one.downcast_ref::<hyper::Error>() {
                if hyper.is_timeout() {
                    return End::Clean;
                }
                if hyper.is_parse_too_large() {
                    self.counters.refused(Refusal::Head);
                }
            }
            let calm = |h2: &h2::Error| h2.is_library() && h2.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM);
            if one.downcast_ref::<h2::Error>().is_some_and(calm) {
                self.counters.refused(Refusal::Flood);
                tracing::warn!(net.peer = %self.address, "a flood of HTTP/2 frames: the connection is ended");
            }
            cause = one.source();
        }
        End::Failed(Phase::Command, FaultKind::Protocol)
    }
}
