//! The streams of a connection. The bytes that come are looked at on their way ([`super::framing`]), and what ends too early
//! is never taken for an end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::{ReadError, VarInt, WriteError};

use super::framing::{Cut, Framing};
use super::guard::Guard;
use super::transport::{Later, with_connection};
use crate::net::Refusal;

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// A request and its answer.
pub(super) struct Both<B: Buf> {
    send: Sender<B>,
    receive: Receiver,
}

impl<B: Buf> Both<B> {
    pub(super) fn new(send: Sender<B>, receive: Receiver) -> Self {
        Self { send, receive }
    }
}

impl<B: Buf> quic::BidiStream<B> for Both<B> {
    type SendStream = Sender<B>;
    type RecvStream = Receiver;

    fn split(self) -> (Sender<B>, Receiver) {
        (self.send, self.receive)
    }
}

impl<B: Buf> quic::RecvStream for Both<B> {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.receive.poll_data(cx)
    }

    fn stop_sending(&mut self, code: u64) {
        self.receive.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.receive.recv_id()
    }
}

impl<B: Buf> quic::SendStream<B> for Both<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_ready(cx)
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.send.send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_finish(cx)
    }

    fn reset(&mut self, code: u64) {
        self.send.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.send.send_id()
    }
}

/// What comes on a stream.
pub(super) struct Receiver {
    id: StreamId,
    /// Nothing once the guard has it.
    stream: Option<quinn::RecvStream>,
    framing: Framing,
    guard: Guard,
    /// Read, but not given to the library.
    ahead: BytesMut,
    /// Bytes of it that the guard knows of.
    held: usize,
    ended: bool,
}

impl Receiver {
    pub(super) fn new(
        stream: quinn::RecvStream,
        framing: Framing,
        guard: Guard,
    ) -> Result<Self, ConnectionErrorIncoming> {
        let id = id(stream.id())?;
        Ok(Self { id, stream: Some(stream), framing, guard, ahead: BytesMut::new(), held: 0, ended: false })
    }

    /// Reads on.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        let there = self.ahead.len();
        self.ahead.resize(there.saturating_add(CHUNK), 0);
        let poll = stream.poll_read(cx, self.ahead.get_mut(there..).unwrap_or_default());
        let read = if let Poll::Ready(Ok(read)) = &poll { *read } else { 0 };
        self.ahead.truncate(there.saturating_add(read));
        if self.ahead.is_empty() {
            // Who waits keeps no memory for what may come.
            self.ahead = BytesMut::new();
        }
        self.ended = ready!(poll).map_err(not_read)? == 0;
        Poll::Ready(Ok(()))
    }

    /// So much waits for the rest of its frame now. Is that too much?
    fn hold(&mut self, bytes: usize) -> Result<(), StreamErrorIncoming> {
        let before = std::mem::replace(&mut self.held, bytes);
        if before == bytes || self.guard.holds(before, bytes) { Ok(()) } else { Err(self.guard.refuse(Refusal::Head)) }
    }

    /// The next bytes go on.
    fn give(&mut self, size: usize) -> Result<Bytes, StreamErrorIncoming> {
        let piece = self.ahead.split_to(size).freeze();
        self.hold(0)?;
        if self.framing.is_unread()
            && let Some(stream) = self.stream.take()
        {
            self.guard.discard(stream);
        }
        Ok(piece)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.guard.holds(self.held, 0);
    }
}

impl quic::RecvStream for Receiver {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        loop {
            let guard = &self.guard;
            let cut = match self.ahead.is_empty() {
                true => Cut::Wait,
                false => self.framing.cut(&self.ahead, || guard.allows()).map_err(|why| guard.refuse(why))?,
            };
            match cut {
                Cut::Give(size) => return Poll::Ready(self.give(size).map(Some)),
                Cut::Skip(size) => self.ahead.advance(size),
                Cut::Wait if !self.ended => {
                    self.hold(self.ahead.len())?;
                    ready!(self.poll_fill(cx))?;
                }
                Cut::Wait if self.ahead.is_empty() && self.framing.is_whole() => return Poll::Ready(Ok(None)),
                Cut::Wait => {
                    // Cut off within a frame. The library would take it for the end of a body.
                    let error_code = Code::H3_REQUEST_INCOMPLETE.value();
                    return Poll::Ready(Err(StreamErrorIncoming::StreamTerminated { error_code }));
                }
            }
        }
    }

    fn stop_sending(&mut self, code: u64) {
        // It may have ended.
        let _stopped = self.stream.as_mut().is_some_and(|stream| stream.stop(number(code)).is_ok());
    }

    fn recv_id(&self) -> StreamId {
        self.id
    }
}

/// What goes on a stream. Dropped before its end it says that something is missing.
pub(super) struct Sender<B: Buf> {
    id: StreamId,
    stream: quinn::SendStream,
    writing: Option<WriteBuf<B>>,
    received: Option<Later<Result<(), StreamErrorIncoming>>>,
    over: bool,
}

impl<B: Buf> Sender<B> {
    pub(super) fn new(stream: quinn::SendStream) -> Result<Self, ConnectionErrorIncoming> {
        Ok(Self { id: id(stream.id())?, stream, writing: None, received: None, over: false })
    }
}

impl<B: Buf> quic::SendStream<B> for Sender<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(data) = self.writing.as_mut().filter(|data| data.has_remaining()) {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, data.chunk())).map_err(not_written)?;
            data.advance(written);
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.writing = Some(data.into());
        Ok(())
    }

    /// Waits until all of it was received: a connection that is closed before loses it.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        if self.received.is_none() {
            self.stream.finish().map_err(|closed| StreamErrorIncoming::Unknown(Box::new(closed)))?;
            let stopped = self.stream.stopped();
            self.received = Some(Box::pin(async move {
                match stopped.await {
                    Ok(None) => Ok(()),
                    Ok(Some(code)) => Err(StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }),
                    Err(error) => Err(StreamErrorIncoming::Unknown(Box::new(error))),
                }
            }));
        }
        let Some(received) = &mut self.received else { return Poll::Ready(Ok(())) };
        let received = ready!(received.as_mut().poll(cx));
        self.over = true;
        Poll::Ready(received)
    }

    fn reset(&mut self, code: u64) {
        self.over = true;
        // It may have ended.
        let _reset = self.stream.reset(number(code)).is_ok();
    }

    fn send_id(&self) -> StreamId {
        self.id
    }
}

impl<B: Buf> Drop for Sender<B> {
    fn drop(&mut self) {
        if !self.over {
            quic::SendStream::<B>::reset(self, Code::H3_REQUEST_CANCELLED.value());
        }
    }
}

/// A code as QUIC carries it.
pub(super) fn number(value: u64) -> VarInt {
    VarInt::from_u64(value).unwrap_or(VarInt::MAX)
}

fn id(id: quinn::StreamId) -> Result<StreamId, ConnectionErrorIncoming> {
    let no_id = |invalid: quic::InvalidStreamId| ConnectionErrorIncoming::InternalError(invalid.to_string());
    StreamId::try_from(VarInt::from(id).into_inner()).map_err(no_id)
}

fn not_read(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() },
        ReadError::ConnectionLost(error) => with_connection(error),
        other => StreamErrorIncoming::Unknown(Box::new(other)),
    }
}

fn not_written(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() },
        WriteError::ConnectionLost(error) => with_connection(error),
        other => StreamErrorIncoming::Unknown(Box::new(other)),
    }
}
