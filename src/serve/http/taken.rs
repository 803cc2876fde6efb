//! Answers that the client does not take. Over HTTP/1.1 the connection stalls and [`super::stall`] sees it. Over HTTP/2 and
//! HTTP/3 a client can let one stream's window stay shut (RFC 9113, section 6.9) while it answers every ping: file, buffer and
//! request would be held for as long as it likes. So each stream has a watch of its own, and one that is not taken for too
//! long is reset, the others on its connection go on.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::net::admit::Permit;
use crate::net::{Counters, Refusal};
use crate::task::Tasks;

tokio::task_local! {
    /// Whose turn it is on the stream that this task is for.
    static TURNS: Arc<Turns>;
}

/// Counts how often the turn changed: it is the client's while the number is odd.
#[derive(Debug, Default)]
struct Turns(AtomicU64);

impl Turns {
    fn pass(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn clients(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|turns| turns % 2 == 1)
    }

    /// Resolves when it has been the client's turn for `limit` on end.
    async fn overdue(&self, limit: Duration) {
        let mut watched: Option<(u64, Pin<Box<Sleep>>)> = None;
        poll_fn(|cx| {
            let Some(turn) = self.clients() else {
                watched = None;
                return Poll::Pending;
            };
            let (since, timer) = watched.get_or_insert_with(|| (turn, Box::pin(sleep(limit))));
            if *since != turn {
                *since = turn;
                timer.as_mut().reset(Instant::now() + limit);
            }
            timer.as_mut().poll(cx)
        })
        .await;
    }
}

/// Runs the streams of an HTTP/2 or HTTP/3 connection, each until it is answered or its client has not taken it for too long.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub(super) tasks: Tasks,
    /// How long a client may leave an answer.
    pub(super) limit: Duration,
    pub(super) counters: Counters,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, work: F) {
        // A little longer than the connection's own: where nobody reads at all it is that one which ends, and is counted.
        let limit = self.limit.saturating_add(self.limit / 4);
        let (turns, counters) = (Arc::<Turns>::default(), self.counters.clone());
        self.tasks.spawn("http stream", async move {
            let work = TURNS.scope(Arc::clone(&turns), work);
            tokio::pin!(work);
            tokio::select! {
                biased;
                () = &mut work => {}
                // The stream is reset when it is dropped.
                () = turns.overdue(limit) => counters.refused(Refusal::SlowReader),
            }
        });
    }
}

/// The client's turn ends with so many bytes: a frame that every client takes (RFC 9113, section 4.2). Blocks of ours are
/// larger, and who takes one slowly takes it all the same.
const STEP: usize = 16 * 1024;

/// The body of an answer, which knows whose turn it is and holds the request's place until it is sent.
pub(super) struct Taken<B> {
    inner: B,
    /// Of the last block, what was not handed over yet.
    rest: Bytes,
    turns: Option<Arc<Turns>>,
    _room: Option<Permit>,
}

impl<B> Taken<B> {
    /// To be called where the request is answered.
    pub(super) fn new(inner: B, room: Option<Permit>) -> Self {
        let turns = TURNS.try_with(Arc::clone).ok();
        // Nothing is asked of the body before there is room for it at the client.
        turns.iter().for_each(|turns| turns.pass());
        Self { inner, rest: Bytes::new(), turns, _room: room }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Taken<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if let Some(turns) = this.turns.as_ref().filter(|turns| turns.clients().is_some()) {
            turns.pass();
        }
        let Some(turns) = &this.turns else { return Pin::new(&mut this.inner).poll_frame(cx) };
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => this.rest = data,
                Some(Ok(Err(other))) => {
                    turns.pass();
                    return Poll::Ready(Some(Ok(other)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        turns.pass();
        let step = this.rest.len().min(STEP);
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(step)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), u64::try_from(self.rest.len()).unwrap_or(u64::MAX));
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(inner.lower().saturating_add(rest));
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn only_the_clients_time_runs() {
        let turns = Turns::default();
        let overdue = |limit| turns.overdue(limit).now_or_never().is_some();
        assert!(!overdue(Duration::ZERO), "it is our turn");
        turns.pass();
        assert!(!overdue(Duration::from_secs(3600)));
        turns.overdue(Duration::from_millis(1)).await;
        turns.pass();
        assert!(!overdue(Duration::ZERO));
    }

    #[tokio::test]
    async fn the_turn_goes_to_and_fro() {
        let turns = Arc::<Turns>::default();
        let body = http_body_util::Full::new(Bytes::from_static(b"x"));
        let mut taken = TURNS.sync_scope(Arc::clone(&turns), || Taken::new(body, None));
        assert!(turns.clients().is_some(), "before it has room, it asks for nothing");
        poll_fn(|cx| Pin::new(&mut taken).poll_frame(cx)).await.unwrap().unwrap();
        let given = turns.clients();
        assert!(given.is_some(), "it got something to take");
        assert!(poll_fn(|cx| Pin::new(&mut taken).poll_frame(cx)).await.is_none());
        assert!(turns.clients().is_none());
    }

    #[tokio::test]
    async fn a_large_block_is_taken_step_by_step() {
        let turns = Arc::<Turns>::default();
        let sent: Vec<u8> = (0..=255).cycle().take(2 * STEP + 5).collect();
        let body = http_body_util::Full::new(Bytes::from(sent.clone()));
        let mut taken = TURNS.sync_scope(Arc::clone(&turns), || Taken::new(body, None));
        let (mut got, mut turn) = (Vec::new(), turns.clients());
        for (length, left) in [(STEP, STEP + 5), (STEP, 5), (5, 0)] {
            let frame = poll_fn(|cx| Pin::new(&mut taken).poll_frame(cx)).await.unwrap().unwrap();
            let data = frame.into_data().unwrap();
            assert_eq!((data.len(), taken.size_hint().exact()), (length, Some(left as u64)));
            assert_eq!(taken.is_end_stream(), left == 0);
            assert!(turns.clients().is_some() && turns.clients() != turn, "each step is another turn");
            turn = turns.clients();
            got.extend_from_slice(&data);
        }
        assert!(got == sent);
        assert!(poll_fn(|cx| Pin::new(&mut taken).poll_frame(cx)).await.is_none());
    }
}
