//! One request over HTTP/3 and its answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf as _, Bytes};
use h3::error::{Code, StreamError};
use h3::server::{RequestResolver, RequestStream};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::stream::{Receiver, Sender};
use super::transport::Connection;
use crate::model::Clock;
use crate::net::http::date;
use crate::net::{Counters, Refusal};
use crate::serve::http::service::Service;
use crate::serve::http::taken::Taken;
use crate::serve::http::visit::HEAD;

/// For what is on its way when all was handed over: as much as may be sent and not yet received, at 64 kbit/s.
const LAST: Duration = Duration::from_secs(1024);
/// What means something to HTTP/1.1 only (RFC 9114, section 4.2).
const OF_CONNECTIONS: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It has an answer, or as much of one as could be sent.
    Answered,
    /// Its head did not come.
    Headless,
}

/// Answers one request. An error is one of the stream: the client went away, or what it sent is no request.
pub(super) async fn answer(
    asked: RequestResolver<Connection, Bytes>,
    service: Service,
    counters: Counters,
    clock: Arc<dyn Clock>,
) -> Result<Ending, StreamError> {
    // A head takes room before it is whole. Who has no more of it is told so if all of it is there, and is not waited for.
    let room = service.room();
    let patience = if room.is_some() { HEAD } else { Duration::ZERO };
    let Ok(resolved) = tokio::time::timeout(patience, asked.resolve_request()).await else {
        if room.is_some() {
            counters.refused(Refusal::SlowWriter);
        }
        return Ok(Ending::Headless);
    };
    let (request, stream) = resolved.inspect_err(|error| {
        if matches!(error, StreamError::HeaderTooBig { .. }) {
            counters.refused(Refusal::Head);
        }
    })?;
    let (mut send, receive) = stream.split();
    let Ok(body) = Incoming::new(receive, request.headers()).await else {
        send.stop_stream(Code::H3_MESSAGE_ERROR);
        return Ok(Ending::Answered);
    };
    let bare = *request.method() == Method::HEAD;
    let answer = service.answer(request.map(|()| body), room).await;
    give(answer, bare, &mut send, &counters, &*clock).await.map(|()| Ending::Answered)
}

/// Sends an answer, without its body where there must be none.
async fn give(
    answer: Response<Taken<Body>>,
    bare: bool,
    send: &mut RequestStream<Sender<Bytes>, Bytes>,
    counters: &Counters,
    clock: &dyn Clock,
) -> Result<(), StreamError> {
    let (mut head, mut body) = answer.into_parts();
    let bodiless = bare || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status);
    complete(&mut head.headers, body.size_hint().exact().filter(|_| !bodiless), clock);
    send.send_response(Response::from_parts(head, ())).await?;
    while !bodiless && let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            // Half an answer must not look like a whole one.
            send.stop_stream(Code::H3_INTERNAL_ERROR);
            return Ok(());
        };
        // Trailers have no name in this house.
        if let Ok(data) = frame.into_data() {
            send.send_data(data).await?;
        }
    }
    match tokio::time::timeout(LAST, send.finish()).await {
        Ok(finished) => finished,
        Err(_) => {
            counters.refused(Refusal::SlowReader);
            Ok(())
        }
    }
}

/// What the library for the older versions adds and takes away by itself.
fn complete(headers: &mut HeaderMap, size: Option<u64>, clock: &dyn Clock) {
    for name in OF_CONNECTIONS {
        headers.remove(name);
    }
    if let Some(size) = size {
        headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(size));
    }
    if let Some(now) = date::print(clock.now()).and_then(|now| HeaderValue::from_str(&now).ok()) {
        headers.entry(header::DATE).or_insert(now);
    }
}

/// The body of a request.
struct Incoming {
    stream: RequestStream<Receiver, Bytes>,
    /// Bytes that are still to come, where the request says so.
    left: Option<u64>,
    /// The first piece, if it came with the head.
    first: Option<Option<Result<Bytes, Broken>>>,
    over: bool,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the client broke off")]
    Stream(#[from] StreamError),
    #[error("the body is not as long as the request says")]
    Length,
    #[error("the length of the body is no number")]
    NoLength,
}

impl Incoming {
    /// # Errors
    /// When the length that `headers` tell is none.
    async fn new(stream: RequestStream<Receiver, Bytes>, headers: &HeaderMap) -> Result<Self, Broken> {
        let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
        let left = match (lengths.next(), lengths.next()) {
            (None, _) => None,
            (Some(length), None) => {
                let digits = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                Some(digits.and_then(|text| text.parse().ok()).ok_or(Broken::NoLength)?)
            }
            (Some(_), Some(_)) => return Err(Broken::NoLength),
        };
        let mut body = Self { stream, left, first: None, over: false };
        // Whoever sends no body ends the stream with the head, and then it is known that there is none.
        body.first = match poll_fn(|cx| Poll::Ready(body.poll_piece(cx))).await {
            Poll::Ready(first) => Some(first),
            Poll::Pending => None,
        };
        Ok(body)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(first);
        }
        if self.over {
            return Poll::Ready(None);
        }
        let piece = match ready!(self.stream.poll_recv_data(cx)) {
            Ok(Some(mut data)) => Ok(Some(data.copy_to_bytes(data.remaining()))),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        self.over = !matches!(piece, Ok(Some(_)));
        Poll::Ready(self.counted(piece).transpose())
    }

    /// A body that is not as long as it was said to be is malformed (RFC 9114, section 4.1.2).
    fn counted(&mut self, piece: Result<Option<Bytes>, StreamError>) -> Result<Option<Bytes>, Broken> {
        let piece = piece?;
        if let Some(left) = &mut self.left {
            let size = piece.as_ref().map(|piece| u64::try_from(piece.len()).unwrap_or(u64::MAX));
            *left = match size {
                Some(size) => left.checked_sub(size).ok_or(Broken::Length)?,
                None if *left == 0 => 0,
                None => return Err(Broken::Length),
            };
        }
        Ok(piece)
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.over && matches!(self.first, None | Some(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            _ if self.is_end_stream() => SizeHint::with_exact(0),
            Some(left) => {
                let first = match &self.first {
                    Some(Some(Ok(first))) => u64::try_from(first.len()).unwrap_or(u64::MAX),
                    _ => 0,
                };
                SizeHint::with_exact(left.saturating_add(first))
            }
            None => SizeHint::default(),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.over {
            // We do not want the rest, and nothing went wrong (RFC 9114, section 4.1).
            self.stream.stop_sending(Code::H3_NO_ERROR);
        }
    }
}
