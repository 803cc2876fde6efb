//! What answers a request, whichever version of HTTP it came by: the limits, and behind them the router.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{EXPECT, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::pace::{PacedBody, Patience};
use super::polite::PoliteBody;
use super::taken::Taken;
use super::{plain, problem};
use crate::drive::Books;
use crate::net::admit::Permit;
use crate::net::{Counters, Place, Refusal};
use crate::task::Tasks;

/// Request line and headers together, in bytes; more is answered with 431.
pub(super) const HEAD_BYTES: usize = 64 * 1024;

/// For who asks for more at once than an address may.
const CROWDED: &str = "too many requests from your address are under way: wait for some of their answers, or ask an administrator to raise \
     'limits.streams-per-address'";

/// Whose books count a connection, and since when, once somebody came in through a door for files.
pub(super) type Door = Arc<OnceLock<(Books, Instant)>>;

/// Who is at the other end; found in the extensions of every request.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Address and port of the client.
    pub address: SocketAddr,
    door: Door,
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

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) router: Router,
    pub(super) address: SocketAddr,
    pub(super) place: Place,
    pub(super) door: Door,
    pub(super) patience: Patience,
    pub(super) counters: Counters,
    pub(super) tasks: Tasks,
}

impl Service {
    /// Room for one more request, to be asked for when it is known that one comes. `None` is counted.
    pub(super) fn room(&self) -> Option<Permit> {
        self.place.try_request()
    }

    /// The router's answer, if there is `room` and the limits let the request through.
    pub(super) async fn answer<B>(self, mut request: Request<B>, room: Option<Permit>) -> Response<Taken<Body>>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self { router, address, place, door, patience, counters, tasks } = self;
        if head_bytes(&request) > HEAD_BYTES {
            counters.refused(Refusal::Head);
            return problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).map(|body| Taken::new(body, None));
        }
        let Some(room) = room else {
            let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, CROWDED);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return answer.map(|body| Taken::new(body, None));
        };
        let known: Arc<AtomicBool> = Arc::default();
        let place = Some(place);
        request.extensions_mut().insert(Peer { address, door, place, known: Arc::clone(&known) });
        let waits = request.headers().contains_key(EXPECT);
        let request = request
            .map(|body| Body::new(PacedBody::new(PoliteBody::new(body, waits, tasks), patience, known, counters)));
        let answer = match router.oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        answer.map(|body| Taken::new(body, Some(room)))
    }
}

/// The size of a request's head as HTTP/2 and HTTP/3 reckon it (RFC 9113, section 6.5.2; RFC 9114, section 4.2.2).
fn head_bytes<B>(request: &Request<B>) -> usize {
    let uri = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum::<usize>() + uri
}
