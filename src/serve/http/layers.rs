//! What every answer gets: security headers and, for text above a size, compression.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::Predicate;

use super::certificate::Served;
use super::{coding, squeeze};
use crate::net::http::digest::{DIGEST, REPR_DIGEST};
use crate::net::{Counters, Refusal};

/// For answers that set none of their own: nothing runs, nothing is loaded, nothing is sent anywhere.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Below this a packet is a packet, compressed or not.
const SMALLEST: u64 = 1024;

/// How long a client may remember that the port of this number speaks HTTP/3 (RFC 7838, section 3.1).
const ALTERNATIVE: &str = "ma=86400";

/// What is told of other versions of HTTP (RFC 7838, section 3).
pub(super) struct Alternative {
    /// The port of HTTP/3 as it is reached from outside.
    pub(super) port: u16,
    /// Is HTTP/3 to be had? Who remembers a port that is not should forget it.
    pub(super) spoken: Arc<AtomicBool>,
}

impl Alternative {
    fn told(&self) -> HeaderValue {
        let there = HeaderValue::from_str(&format!("h3=\":{}\"; {ALTERNATIVE}", self.port));
        there.ok().filter(|_| self.spoken.load(Ordering::Relaxed)).unwrap_or(HeaderValue::from_static("clear"))
    }
}

pub(super) fn around(router: Router, served: Served, counters: Counters, alternative: Alternative) -> Router {
    let alternative = Arc::new(alternative);
    let squeezed = counters.clone();
    let compression = CompressionLayer::new().quality(CompressionLevel::Precise(4)).compress_when(WorthCompressing);
    router
        .layer(from_fn(squeeze::before))
        .layer(compression)
        .layer(from_fn(move |request: Request, next: Next| squeeze::after(request, next, squeezed.clone())))
        // Outside the compression: it sees what was done to the body.
        .layer(from_fn(move |mut request: Request, next: Next| {
            let (self_signed, counters, told) = (served.borrow().self_signed, counters.clone(), alternative.told());
            async move {
                let sent = coding::take_off(request.headers_mut());
                let mut response = next.run(request).await;
                coding::put_on(&mut response, sent.as_ref());
                if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    counters.refused(Refusal::Body);
                }
                response.headers_mut().insert(header::ALT_SVC, told);
                finish(response, self_signed)
            }
        }))
}

fn finish(mut response: Response, self_signed: bool) -> Response {
    let headers = response.headers_mut();
    let mut unless_set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    // Another Causeway knows by it which names are ours.
    unless_set(header::SERVER, "Causeway");
    unless_set(header::CONTENT_SECURITY_POLICY, POLICY);
    unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_set(header::X_FRAME_OPTIONS, "DENY");
    unless_set(header::REFERRER_POLICY, "same-origin");
    unless_set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if !self_signed {
        // With a self-signed certificate this would lock people out of the name.
        unless_set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

/// Text types only, above a size, whole answers only. What is compressed already is left alone, and
/// so are event streams, which must not wait in a compressor. Pages with the token of their forms are compressed, too: they
/// would be four times as large, and no two of them show the token alike, so that its repetition tells nothing (BREACH;
/// [`crate::account::mask`]).
#[derive(Debug, Clone, Copy)]
pub(super) struct WorthCompressing;

impl Predicate for WorthCompressing {
    fn should_compress<B: http_body::Body>(&self, response: &http::Response<B>) -> bool {
        let headers = response.headers();
        // Digests are of the bytes as they are.
        if [header::CONTENT_RANGE, header::CONTENT_ENCODING, REPR_DIGEST, DIGEST]
            .iter()
            .any(|h| headers.contains_key(h))
        {
            return false;
        }
        if response.body().size_hint().exact().is_some_and(|size| size < SMALLEST) {
            return false;
        }
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_text)
    }
}

/// Is a body of this type worth compressing?
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "text/event-stream" => false,
        "application/json"
        | "application/xml"
        | "application/javascript"
        | "application/manifest+json"
        | "application/wasm"
        | "image/svg+xml"
        | "application/x-ndjson"
        | "application/yaml"
        | "application/sql" => true,
        other => other.starts_with("text/") || other.ends_with("+json") || other.ends_with("+xml"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content_type: &str, size: usize) -> http::Response<axum::body::Body> {
        http::Response::builder()
            .header(header::CONTENT_TYPE, content_type)
            .body(axum::body::Body::from(vec![b'x'; size]))
            .unwrap()
    }

    #[test]
    fn text_above_a_size_and_nothing_else() {
        assert!(WorthCompressing.should_compress(&answer("text/plain; charset=utf-8", 5000)));
        assert!(!WorthCompressing.should_compress(&answer("text/plain", 100)));
        assert!(!WorthCompressing.should_compress(&answer("application/zip", 5000)));
        assert!(!WorthCompressing.should_compress(&answer("text/event-stream", 5000)));
        let mut part = answer("text/plain", 5000);
        part.headers_mut().insert(header::CONTENT_RANGE, HeaderValue::from_static("bytes 0-4999/9000"));
        assert!(!WorthCompressing.should_compress(&part));
    }

    #[test]
    fn hsts_only_with_a_vouched_certificate() {
        assert!(!finish(answer("text/html", 1), true).headers().contains_key(header::STRICT_TRANSPORT_SECURITY));
        assert!(finish(answer("text/html", 1), false).headers().contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}
