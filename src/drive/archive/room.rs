//! How many archives are made at once: each reads a folder, keeps a block and may take a processor.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::net::{Counters, Refusal};

/// For who comes when there are enough.
const CROWDED: &str = "as many archives as can be made at once are being fetched: try again in a moment, or ask an administrator to raise \
     'limits.archives'";

/// Places for archives. Clones share them.
#[derive(Debug, Clone)]
pub struct Packing {
    places: Arc<Semaphore>,
    counters: Counters,
}

impl Packing {
    /// `most` at once; who comes then is counted in `counters`.
    #[must_use]
    pub fn new(most: usize, counters: Counters) -> Self {
        Self { places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))), counters }
    }

    /// A place until it is dropped.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if place.is_none() {
            self.counters.refused(Refusal::Archives);
        }
        place
    }
}

/// The answer where there is no place.
pub(super) fn crowded() -> Response {
    let mut answer = Response::new(Body::from(format!("{CROWDED}\n")));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
