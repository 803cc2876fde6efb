//! Who lets clients in.

use async_trait::async_trait;
use axum::response::Response;
use http::request::Parts;

use super::Peer;
use crate::drive::Guest;
use crate::model::Door;

/// Turns the head of a request into a guest, or into the answer that says why not. The doors do not
/// care how: by what every request shows, or by the dashboard's session.
#[async_trait]
pub trait Doorman: Send + Sync + 'static {
    /// Lets the sender of `head` in through `door`.
    ///
    /// # Errors
    /// The answer to send: 401 with a challenge, 403, 429 or 503.
    async fn admit(&self, head: &Parts, door: Door) -> Result<Guest, Response>;
}

/// The connection that `head` came over.
#[must_use]
pub fn peer_of(head: &Parts) -> Peer {
    head.extensions.get::<Peer>().cloned().unwrap_or_else(Peer::unknown)
}
