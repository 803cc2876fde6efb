//! The archive as a body.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::walk::Walk;
use super::{Format, Tally};
use crate::audit::Event;
use crate::drive::{Guest, Meter};
use crate::model::{FaultKind, RelPath};
use crate::reliability::Direction;
use crate::task::{self, Blocking};

type Step = (Walk, io::Result<Option<Bytes>>);

/// Sends an archive and makes the next block of it meanwhile.
pub(super) struct ArchiveBody {
    making: Option<Blocking<Step>>,
    meter: Meter,
    tally: Tally,
    /// Who writes down what became of it, also when the client went away.
    clerk: Option<oneshot::Sender<Tally>>,
    _place: OwnedSemaphorePermit,
}

impl ArchiveBody {
    /// Begins to make it. What is in it lies at or below `path` of the guest's view.
    pub(super) fn new(guest: &Guest, path: &RelPath, format: Format, walk: Walk, place: OwnedSemaphorePermit) -> Self {
        let (clerk, told) = oneshot::channel();
        let (writer, meter) = (guest.clone(), guest.measure(path, Direction::Download));
        let path = guest.whole(path);
        guest.books.tasks.spawn("record of an archive", async move {
            let Tally { entries, size, whole } = told.await.unwrap_or_default();
            let (door, account, format) = (writer.door, writer.account.clone(), format.extension().to_owned());
            writer.record(Event::DoorArchived { door, account, path, format, entries, size, whole }).await;
        });
        Self { making: Some(make(walk)), meter, tally: Tally::default(), clerk: Some(clerk), _place: place }
    }
}

/// The next block, or `None` after the last.
fn make(mut walk: Walk) -> Blocking<Step> {
    task::blocking(move || {
        let block = walk.block();
        (walk, block)
    })
}

impl http_body::Body for ArchiveBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        while let Some(making) = self.making.as_mut() {
            let made = ready!(Pin::new(making).poll(cx));
            self.making = None;
            let block = made.map_err(io::Error::other).and_then(|(walk, block)| {
                self.tally.entries = walk.entries();
                block.inspect(|block| self.making = block.is_some().then(|| make(walk)))
            });
            match block {
                // Much was read and little came of it.
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(Some(bytes)) => {
                    self.meter.add(bytes.len());
                    let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    self.tally.size = self.tally.size.saturating_add(more);
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Ok(None) => {
                    self.meter.clean();
                    self.tally.whole = true;
                }
                Err(error) => {
                    self.meter.failed(FaultKind::of_io(&error));
                    tracing::warn!(io.error = %error, "an archive was cut");
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(None)
    }
}

impl Drop for ArchiveBody {
    fn drop(&mut self) {
        let Some(clerk) = self.clerk.take() else { return };
        // The clerk is gone only when the service is.
        let _told = clerk.send(self.tally).is_ok();
    }
}
