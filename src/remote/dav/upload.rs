//! The body of a PUT whose bytes come as they are read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::model::{Fault, FaultKind, Phase};

/// Pieces that wait for the connection; whoever brings more then waits.
const QUEUE: usize = 4;

/// What is brought.
#[derive(Debug)]
pub(super) enum Piece {
    /// More bytes.
    Data(Bytes),
    /// That was all. A body whose sender goes away without this is broken off, so that no server takes a part for
    /// the whole.
    End,
}

/// The receiving end: hyper's.
#[derive(Debug)]
pub(super) struct Upload {
    pieces: mpsc::Receiver<Piece>,
    left: Option<u64>,
    ended: bool,
}

impl Upload {
    /// A body of `size` bytes, when that is known.
    pub(super) fn new(size: Option<u64>) -> (mpsc::Sender<Piece>, Self) {
        let (sender, pieces) = mpsc::channel(QUEUE);
        (sender, Self { pieces, left: size, ended: false })
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.pieces.poll_recv(cx)) {
            Some(Piece::Data(bytes)) => {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.left = self.left.map(|left| left.saturating_sub(length));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Piece::End) => {
                self.ended = true;
                Poll::Ready(None)
            }
            None => {
                let why = "the upload was broken off";
                Poll::Ready(Some(Err(Fault::new(Phase::Transfer, FaultKind::Cancelled, why))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn only_an_end_that_was_said_is_one() {
        for said in [true, false] {
            let (sender, body) = Upload::new(None);
            sender.send(Piece::Data(Bytes::from_static(b"ab"))).await.unwrap();
            if said {
                sender.send(Piece::End).await.unwrap();
            }
            drop(sender);
            let all = body.collect().await;
            assert_eq!(all.map(|all| all.to_bytes()).ok().as_deref(), said.then_some(b"ab".as_slice()));
        }
    }
}
