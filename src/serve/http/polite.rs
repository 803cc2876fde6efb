//! Request bodies that nobody wants. When a request is refused before its body was read, closing at
//! once makes many clients lose the answer: the rest is read and thrown away, for a time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::task::Tasks;

/// How long that may take. Clients of files (KIO) send the whole content before they look at the 401 that asks them to
/// sign in: who needs longer loses the answer.
const LONGEST: Duration = Duration::from_secs(30);
/// So many bytes must come
const STEP: usize = 64 * 1024;
/// within this time: who sends nothing, or drop by drop, is not waited for.
const IDLE: Duration = Duration::from_secs(3);
/// And how much it may be: nothing of it is kept, but who sends for ever is not waited for.
const MOST: usize = 1 << 30;

pub(super) struct PoliteBody<B: Body<Data = Bytes> + Send + Unpin + 'static> {
    inner: Option<B>,
    /// The client waits for a word before it sends (`Expect: 100-continue`): then nothing is coming.
    waits: bool,
    tasks: Tasks,
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> PoliteBody<B> {
    pub(super) fn new(inner: B, waits: bool, tasks: Tasks) -> Self {
        Self { inner: Some(inner), waits, tasks }
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Body for PoliteBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.waits = false;
        match self.inner.as_mut() {
            Some(inner) => Pin::new(inner).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drop for PoliteBody<B> {
    fn drop(&mut self) {
        let Some(mut rest) = self.inner.take().filter(|inner| !self.waits && !inner.is_end_stream()) else { return };
        let tasks = self.tasks.clone();
        self.tasks.spawn("https-unwanted-body", async move {
            let read = async {
                let mut left = MOST;
                while left > 0 && tokio::time::timeout(IDLE, step(&mut rest)).await == Ok(true) {
                    left = left.saturating_sub(STEP);
                }
            };
            tokio::select! {
                () = read => {}
                () = tokio::time::sleep(LONGEST) => {}
                // Nothing waits for it then.
                () = tasks.stopped() => {}
            }
        });
    }
}

/// Throws so much away; false at the end.
async fn step<B: Body<Data = Bytes> + Unpin>(rest: &mut B) -> bool {
    let mut seen = 0_usize;
    while seen < STEP {
        let Some(Ok(frame)) = rest.frame().await else { return false };
        seen = frame.data_ref().map_or(0, Bytes::len).saturating_add(seen);
    }
    true
}
