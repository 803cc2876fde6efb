//! Request bodies that nobody wants. When a request is refused before its body was read, closing at
//! once makes many clients lose the answer: the rest is read and thrown away, up to a limit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::task::Tasks;

/// Most that is thrown away; whoever sends more loses the answer.
const MOST: usize = 4 << 20;
/// And how long it may take.
const LONGEST: Duration = Duration::from_secs(3);

pub(super) struct PoliteBody {
    inner: Option<Incoming>,
    /// The client waits for a word before it sends (`Expect: 100-continue`): then nothing is coming.
    waits: bool,
    tasks: Tasks,
}

impl PoliteBody {
    pub(super) fn new(inner: Incoming, waits: bool, tasks: Tasks) -> Self {
        Self { inner: Some(inner), waits, tasks }
    }
}

impl Body for PoliteBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
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

impl Drop for PoliteBody {
    fn drop(&mut self) {
        let Some(mut rest) = self.inner.take().filter(|inner| !self.waits && !inner.is_end_stream()) else { return };
        self.tasks.spawn("https-unwanted-body", async move {
            let read = async {
                let mut seen = 0;
                while let Some(Ok(frame)) = rest.frame().await {
                    seen += frame.data_ref().map_or(0, Bytes::len);
                    if seen > MOST {
                        break;
                    }
                }
            };
            let _in_time = tokio::time::timeout(LONGEST, read).await.is_ok();
        });
    }
}
