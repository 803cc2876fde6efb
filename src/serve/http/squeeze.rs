//! What the compression of answers is worth: bytes before and behind it, counted for each coding.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Body as AnyBody;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http_body::{Body, Frame, SizeHint};
use tower_http::compression::predicate::Predicate as _;

use super::layers::WorthCompressing;
use crate::net::{Coding, Counters};

/// Bytes that went into the compression, in the extensions of an answer.
#[derive(Debug, Clone)]
struct Before(Arc<AtomicU64>);

/// Under the compression: counts what goes into it.
pub(super) async fn before(request: Request, next: Next) -> Response {
    let asked = request.headers().contains_key(ACCEPT_ENCODING);
    let mut response = next.run(request).await;
    if !asked || !WorthCompressing.should_compress(&response) {
        return response;
    }
    let bytes = Arc::<AtomicU64>::default();
    response.extensions_mut().insert(Before(Arc::clone(&bytes)));
    response.map(|inner| AnyBody::new(Counted { inner, bytes, end: None }))
}

/// Over the compression: counts what comes out, and tells `counters` when that ends.
pub(super) async fn after(request: Request, next: Next, counters: Counters) -> Response {
    let mut response = next.run(request).await;
    let Some(Before(plain)) = response.extensions_mut().remove::<Before>() else { return response };
    let name = response.headers().get(CONTENT_ENCODING).and_then(|name| name.to_str().ok());
    let Some(coding) = name.and_then(Coding::of) else { return response };
    let end = Some(End { coding, plain, counters });
    response.map(|inner| AnyBody::new(Counted { inner, bytes: Arc::default(), end }))
}

/// Whom the sum is told to.
struct End {
    coding: Coding,
    plain: Arc<AtomicU64>,
    counters: Counters,
}

/// A body whose bytes are counted.
struct Counted {
    inner: AnyBody,
    bytes: Arc<AtomicU64>,
    end: Option<End>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let poll = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &poll {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(End { coding, plain, counters }) = self.end.take() {
            counters.squeezed(coding, plain.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        }
    }
}
