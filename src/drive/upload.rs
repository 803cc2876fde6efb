//! Taking a file in: into a part that nobody sees, published only when it is complete.

use std::io;

use bytes::BytesMut;
use data_encoding::HEXLOWER;
use http::StatusCode;
use jiff::Timestamp;

use super::{Guest, Integrity, Meter, Mismatch, Terms};
use crate::audit::Event;
use crate::model::{Checksum, FaultKind, RelPath};
use crate::net::http::status;
use crate::reliability::Direction;
use crate::task;
use crate::tree::{PartFile, Replace, SetAttributes, Stat};

/// How much is gathered before it is written.
const BLOCK: usize = 1 << 20;

/// Why an upload has not got its name.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// With this status: 412 or 423 when the terms do not hold.
    #[error("refused with {0}")]
    Refused(StatusCode),
    /// It is not what the client said that it would be: 400.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// It could not be written or published.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Unfinished {
    /// What the client is told.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused(status) => *status,
            Self::Mismatch(_) => StatusCode::BAD_REQUEST,
            Self::Io(error) => status::of(error),
        }
    }
}

impl From<StatusCode> for Unfinished {
    fn from(status: StatusCode) -> Self {
        Self::Refused(status)
    }
}

/// One upload on its way. Dropping it before [`Upload::finish`] leaves no trace: what was under the
/// name stays.
#[derive(Debug)]
pub struct Upload {
    guest: Guest,
    path: RelPath,
    part: Option<PartFile>,
    pending: BytesMut,
    written: u64,
    integrity: Integrity,
    meter: Meter,
}

impl Upload {
    /// Begins an upload to `path`, whose folder must be there, of what must be as `integrity` says.
    ///
    /// # Errors
    /// Those of [`crate::tree::View::part`]; [`io::ErrorKind::IsADirectory`] for a folder.
    pub async fn begin(guest: &Guest, path: &RelPath, integrity: Integrity) -> io::Result<Self> {
        let mut key = [0; 16];
        crate::random::fill(&mut key)?;
        let (view, at) = (guest.view.clone(), path.clone());
        let part = blocking(move || {
            let mut part = view.part(&at, &HEXLOWER.encode(&key))?;
            part.ephemeral();
            Ok(part)
        })
        .await?;
        Ok(Self {
            guest: guest.clone(),
            path: path.clone(),
            part: Some(part),
            pending: BytesMut::new(),
            written: 0,
            integrity,
            meter: guest.measure(Direction::Upload),
        })
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.written + u64::try_from(self.pending.len()).unwrap_or(u64::MAX)
    }

    /// Nothing taken yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of writing; [`io::ErrorKind::StorageFull`] on a full disk, [`io::ErrorKind::FileTooLarge`] over
    /// the configured limit.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.len().saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX)) > self.guest.books.max_upload {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than uploads may be here"));
        }
        self.meter.add(bytes.len());
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= BLOCK { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let block = self.pending.split().freeze();
        let part = self.part.take().ok_or_else(lost)?;
        let (at, len) = (self.written, u64::try_from(block.len()).unwrap_or(u64::MAX));
        let bytes = block.clone();
        let write = blocking(move || {
            let result = part.write_at(&bytes, at);
            Ok((part, result))
        });
        let (written, hashed) = tokio::join!(write, self.integrity.update(block));
        let (part, result) = written?;
        self.part = Some(part);
        hashed?;
        if let Err(error) = &result {
            self.meter.failed(FaultKind::of_io(error));
        }
        result?;
        self.written += len;
        Ok(())
    }

    /// All bytes are there: syncs the part and puts it under its name in one step, with `mtime` when
    /// the client named one, if it is what it should be and the `terms` hold. `expected` is the length that was
    /// announced.
    ///
    /// # Errors
    /// [`Unfinished`]: a [`Mismatch`], [`io::ErrorKind::UnexpectedEof`] when bytes are missing or too many came,
    /// [`io::ErrorKind::AlreadyExists`] under [`Replace::No`], what the terms say, and those of publishing.
    pub async fn finish(
        mut self,
        expected: Option<u64>,
        mtime: Option<Timestamp>,
        replace: Replace,
        terms: Terms,
    ) -> Result<Stat, Unfinished> {
        if expected.is_some_and(|expected| expected != self.len()) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "not as many bytes as announced").into());
        }
        if !self.pending.is_empty() {
            self.flush().await?;
        }
        let part = self.part.take().ok_or_else(lost)?;
        let sums =
            std::mem::take(&mut self.integrity).finish().inspect_err(|_| self.meter.failed(FaultKind::Mismatch))?;
        // From here on a client that hangs up changes nothing: what is published is also recorded.
        let tasks = self.guest.books.tasks.clone();
        tasks.spawn("publish", self.publish(part, sums, mtime, replace, terms)).await.map_err(io::Error::other)?
    }

    async fn publish(
        mut self,
        part: PartFile,
        sums: Vec<Checksum>,
        mtime: Option<Timestamp>,
        replace: Replace,
        terms: Terms,
    ) -> Result<Stat, Unfinished> {
        let complete = Complete { part, sums, mtime, replace };
        complete.publish(&self.guest, &self.path, &mut self.meter, terms).await
    }
}

/// Content that is all there, before it has its name.
pub(super) struct Complete {
    pub(super) part: PartFile,
    /// Computed over it.
    pub(super) sums: Vec<Checksum>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) replace: Replace,
}

impl Complete {
    /// Gives it the name `path` if the `terms` hold, and writes that down.
    ///
    /// # Errors
    /// What the terms say, and those of publishing.
    pub(super) async fn publish(
        self,
        guest: &Guest,
        path: &RelPath,
        meter: &mut Meter,
        terms: Terms,
    ) -> Result<Stat, Unfinished> {
        let Self { mut part, sums, mtime, replace } = self;
        let published = task::blocking(move || {
            if mtime.is_some() {
                part.set_attributes(SetAttributes { mtime, ..SetAttributes::default() })?;
            }
            part.publish_if(replace, |now| terms.hold(now).map_err(Unfinished::Refused))
        });
        let published = published.await.unwrap_or_else(|lost| Err(io::Error::other(lost).into()));
        match &published {
            Ok(stat) => {
                meter.clean();
                guest.books.digests.note(stat, &sums).await;
                let (account, path) = (guest.account.clone(), guest.whole(path));
                let event = Event::DoorUploaded { door: guest.door, account, path, size: stat.size };
                guest.record(event).await;
            }
            // The transfer itself went well.
            Err(Unfinished::Refused(_) | Unfinished::Mismatch(_)) => meter.clean(),
            Err(Unfinished::Io(error)) => meter.failed(FaultKind::of_io(error)),
        }
        published
    }
}

pub(super) fn lost() -> io::Error {
    io::Error::other("the upload ended already")
}

/// Does `work` off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    task::blocking(work).await.map_err(io::Error::other)?
}
