//! QUIC (RFC 9000) as the HTTP/3 library wants it: connections and the streams that they open. Who takes a request back is
//! heard at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming};

use super::framing::Framing;
use super::guard::Guard;
use super::stream::{Both, Receiver, Sender, number};

/// What is waited for, kept from one look to the next.
pub(super) type Later<T> = Pin<Box<dyn Future<Output = T> + Send + Sync>>;
type Opened = Result<quinn::SendStream, quinn::ConnectionError>;
type Accepted<T> = Result<T, quinn::ConnectionError>;

/// One connection.
pub(super) struct Connection {
    inner: quinn::Connection,
    guard: Guard,
    both: Option<Later<Accepted<(quinn::SendStream, quinn::RecvStream)>>>,
    one: Option<Later<Accepted<quinn::RecvStream>>>,
    opener: Opener,
}

impl Connection {
    pub(super) fn new(inner: quinn::Connection, guard: Guard) -> Self {
        let opener = Opener { inner: inner.clone(), opening: None };
        Self { inner, guard, both: None, one: None, opener }
    }
}

/// Polls what `make` makes, and makes it anew after each result.
fn again<T>(slot: &mut Option<Later<T>>, cx: &mut Context<'_>, make: impl FnOnce() -> Later<T>) -> Poll<T> {
    let result = ready!(slot.get_or_insert_with(make).as_mut().poll(cx));
    *slot = None;
    Poll::Ready(result)
}

impl<B: Buf> quic::Connection<B> for Connection {
    type RecvStream = Receiver;
    type OpenStreams = Opener;

    fn poll_accept_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Receiver, ConnectionErrorIncoming>> {
        let inner = &self.inner;
        let accept = || -> Later<_> {
            let inner = inner.clone();
            Box::pin(async move { inner.accept_uni().await })
        };
        let stream = ready!(again(&mut self.one, cx, accept)).map_err(lost)?;
        Poll::Ready(Receiver::new(stream, Framing::of_one_side(), self.guard.clone()))
    }

    fn poll_accept_bidi(&mut self, cx: &mut Context<'_>) -> Poll<Result<Both<B>, ConnectionErrorIncoming>> {
        let inner = &self.inner;
        let accept = || -> Later<_> {
            let inner = inner.clone();
            Box::pin(async move { inner.accept_bi().await })
        };
        let (send, receive) = ready!(again(&mut self.both, cx, accept)).map_err(lost)?;
        let stopped = send.stopped();
        let gone: Later<()> = Box::pin(async move {
            if matches!(stopped.await, Ok(None)) {
                // The answer was received.
                std::future::pending::<()>().await;
            }
        });
        self.guard.watch(gone);
        let receive = Receiver::new(receive, Framing::of_request(), self.guard.clone())?;
        Poll::Ready(Ok(Both::new(Sender::new(send)?, receive)))
    }

    fn opener(&self) -> Opener {
        self.opener.clone()
    }
}

impl<B: Buf> quic::OpenStreams<B> for Connection {
    type BidiStream = Both<B>;
    type SendStream = Sender<B>;

    fn poll_open_bidi(&mut self, cx: &mut Context<'_>) -> Poll<Result<Both<B>, StreamErrorIncoming>> {
        self.opener.poll_open_bidi(cx)
    }

    fn poll_open_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sender<B>, StreamErrorIncoming>> {
        self.opener.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<B>::close(&mut self.opener, code, reason);
    }
}

/// Opens streams of ours.
pub(super) struct Opener {
    inner: quinn::Connection,
    opening: Option<Later<Opened>>,
}

impl Clone for Opener {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), opening: None }
    }
}

impl<B: Buf> quic::OpenStreams<B> for Opener {
    type BidiStream = Both<B>;
    type SendStream = Sender<B>;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Both<B>, StreamErrorIncoming>> {
        // No server asks its clients for anything (RFC 9114, section 6.1).
        let connection_error = ConnectionErrorIncoming::InternalError("a server opens no request".to_owned());
        Poll::Ready(Err(StreamErrorIncoming::ConnectionErrorIncoming { connection_error }))
    }

    fn poll_open_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sender<B>, StreamErrorIncoming>> {
        let inner = &self.inner;
        let open = || -> Later<_> {
            let inner = inner.clone();
            Box::pin(async move { inner.open_uni().await })
        };
        let stream = ready!(again(&mut self.opening, cx, open)).map_err(with_connection)?;
        let no_id = |connection_error| StreamErrorIncoming::ConnectionErrorIncoming { connection_error };
        Poll::Ready(Sender::new(stream).map_err(no_id))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.inner.close(number(code.value()), reason);
    }
}

/// Why a connection is no more.
pub(super) fn lost(error: quinn::ConnectionError) -> ConnectionErrorIncoming {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => {
            ConnectionErrorIncoming::ApplicationClose { error_code: close.error_code.into_inner() }
        }
        // Without a word of HTTP/3, but well (RFC 9000, section 20.1).
        quinn::ConnectionError::ConnectionClosed(close) if close.error_code == quinn::TransportErrorCode::NO_ERROR => {
            ConnectionErrorIncoming::ApplicationClose { error_code: Code::H3_NO_ERROR.value() }
        }
        // It has lost its memory of us: it was started anew (RFC 9000, section 10.3).
        quinn::ConnectionError::TimedOut | quinn::ConnectionError::Reset => ConnectionErrorIncoming::Timeout,
        other => ConnectionErrorIncoming::Undefined(Arc::new(other)),
    }
}

/// The same, as the end of one of its streams.
pub(super) fn with_connection(error: quinn::ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error: lost(error) }
}
