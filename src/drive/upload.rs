//! Taking a file in: into a part that nobody sees, published only when it is complete.

use std::io;

use data_encoding::HEXLOWER;
use http::StatusCode;
use jiff::Timestamp;

use super::intake::Intake;
use super::{Guest, Integrity, Meter, Mismatch, Terms};
use crate::audit::Event;
use crate::model::{Checksum, FaultKind, RelPath};
use crate::net::http::status;
use crate::reliability::Direction;
use crate::task;
use crate::tree::{PartFile, Replace, SetAttributes, Stat};

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
    intake: Intake,
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
        let intake = Intake::new(part, 0, integrity, guest.measure(path, Direction::Upload));
        Ok(Self { guest: guest.clone(), path: path.clone(), intake })
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.intake.len()
    }

    /// Nothing taken yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it goes.
    #[must_use]
    pub fn path(&self) -> &RelPath {
        &self.path
    }

    /// From now on it goes to `path`.
    ///
    /// # Errors
    /// Those of [`PartFile::retarget`].
    pub async fn rename(&mut self, path: &RelPath) -> io::Result<()> {
        if *path != self.path {
            let (view, at) = (self.guest.view.clone(), path.clone());
            self.intake.with_part(move |part| part.retarget(&view, &at)).await?;
            self.path = path.clone();
        }
        Ok(())
    }

    /// It will be `len` bytes long, says the client: is there room for so much? What a quota leaves is kept for it.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] over the configured limit, [`io::ErrorKind::QuotaExceeded`].
    pub async fn expect(&mut self, len: u64) -> io::Result<()> {
        if len > self.guest.books.max_upload {
            return Err(too_large());
        }
        if self.guest.view.is_limited() {
            self.intake.with_part(move |part| part.expect(len)).await?;
        }
        Ok(())
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of writing; [`io::ErrorKind::StorageFull`] on a full disk, [`io::ErrorKind::FileTooLarge`] over
    /// the configured limit.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.intake.len_with(bytes) > self.guest.books.max_upload {
            return Err(too_large());
        }
        self.intake.push(bytes).await.map(|_| ())
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
        self.intake.flush().await?;
        let sums = self.intake.proven()?;
        let part = self.intake.take_part()?;
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
        complete.publish(&self.guest, &self.path, &mut self.intake.meter, terms).await
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

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "larger than uploads may be here")
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
