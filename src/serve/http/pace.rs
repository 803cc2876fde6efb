//! How fast a request's body must come (RFC 9110, 15.5.9). A client that sends nothing, or a byte now and then,
//! would hold a connection and an unfinished file for as long as it likes; one that has not logged in has no
//! business sending much at all.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::net::{Counters, Refusal};

/// Bytes that count as progress: fewer within the time of a stall are a drip.
const PROGRESS: usize = 1024;
/// Most bytes of a stranger's body: a sign-in form.
const STRANGERS_BYTES: usize = 64 * 1024;

/// How long bodies may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Without progress, for somebody who has logged in.
    pub(super) stall: Duration,
    /// In all, for a stranger.
    pub(super) strangers: Duration,
}

/// A body that breaks off when it keeps us waiting, and a stranger's also when it is long.
pub(super) struct PacedBody<B> {
    inner: B,
    patience: Patience,
    /// Did the sender of the request log in?
    known: Arc<AtomicBool>,
    /// What is left of the patience; only waiting takes from it, not our own work.
    left: Option<Duration>,
    waiting: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    seen: usize,
    since_progress: usize,
    counters: Counters,
}

impl<B> PacedBody<B> {
    /// When it breaks off, that is counted in `counters`.
    pub(super) fn new(inner: B, patience: Patience, known: Arc<AtomicBool>, counters: Counters) -> Self {
        Self { inner, patience, known, left: None, waiting: None, timer: None, seen: 0, since_progress: 0, counters }
    }

    fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// More bytes came.
    fn took(&mut self, bytes: usize) -> io::Result<()> {
        if let (Some(since), Some(left)) = (self.waiting.take(), &mut self.left) {
            *left = left.saturating_sub(since.elapsed());
        }
        self.seen = self.seen.saturating_add(bytes);
        self.since_progress = self.since_progress.saturating_add(bytes);
        if !self.is_known() {
            let most = STRANGERS_BYTES;
            if self.seen > most {
                self.counters.refused(Refusal::Body);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large before signing in"));
            }
            return Ok(());
        }
        if self.since_progress >= PROGRESS {
            (self.since_progress, self.left) = (0, None);
        }
        Ok(())
    }

    /// Nothing comes; ready with an error when that takes too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let patience = if self.is_known() { self.patience.stall } else { self.patience.strangers };
        let left = *self.left.get_or_insert(patience);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(left)));
        if self.waiting.is_none() {
            let now = Instant::now();
            timer.as_mut().reset(now + left);
            self.waiting = Some(now);
        }
        ready!(timer.as_mut().poll(cx));
        self.counters.refused(Refusal::SlowWriter);
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "no bytes for too long"))
    }
}

impl<B> Body for PacedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Pending => this.wait(cx).map(|error| Some(Err(error))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, error))))
            }
            Poll::Ready(Some(Ok(frame))) => {
                let taken = this.took(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(taken.map(|()| frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full, StreamBody};
    use tokio::sync::mpsc;

    use super::*;

    type Chunk = Result<Frame<Bytes>, io::Error>;

    fn paced(known: bool) -> (mpsc::Sender<Chunk>, impl Body<Data = Bytes, Error = io::Error> + Unpin) {
        let (send, mut receive) = mpsc::channel::<Chunk>(100);
        let stream = futures_util::stream::poll_fn(move |cx| receive.poll_recv(cx));
        let patience = Patience { stall: Duration::from_secs(1), strangers: Duration::from_secs(1) };
        (send, PacedBody::new(StreamBody::new(stream), patience, Arc::new(AtomicBool::new(known)), Counters::default()))
    }

    async fn drip(send: mpsc::Sender<Chunk>, bytes: usize, times: usize) {
        for _ in 0..times {
            if send.send(Ok(Frame::data(vec![0; bytes].into()))).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[tokio::test]
    async fn a_drip_is_cut_and_a_slow_stream_is_not() {
        let (send, body) = paced(true);
        let (_, dripped) = tokio::join!(drip(send, 1, 1000), body.collect());
        assert_eq!(dripped.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (send, body) = paced(true);
        let (_, streamed) = tokio::join!(drip(send, PROGRESS, 30), body.collect());
        assert_eq!(streamed.unwrap().to_bytes().len(), 30 * PROGRESS);
    }

    #[tokio::test]
    async fn a_stranger_has_one_time_and_one_size() {
        let (send, body) = paced(false);
        let (_, slow) = tokio::join!(drip(send, PROGRESS, 1000), body.collect());
        assert_eq!(slow.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let patience = Patience { stall: Duration::from_secs(60), strangers: Duration::from_secs(60) };
        let long = Full::new(Bytes::from(vec![0; STRANGERS_BYTES + 1]));
        let long = PacedBody::new(long, patience, Arc::default(), Counters::default()).collect().await;
        assert_eq!(long.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[tokio::test]
    async fn our_own_slowness_is_not_the_clients() {
        let (send, mut body) = paced(true);
        for _ in 0..3 {
            let late = async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                drip(send.clone(), 1, 1).await;
            };
            let (_, frame) = tokio::join!(late, body.frame());
            assert!(frame.unwrap().is_ok());
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }
}
