//! Taking a file in: into a part that nobody sees, published only when it is complete.

use std::io;

use axum::body::Body;
use axum::response::Response;
use bytes::BytesMut;
use data_encoding::HEXLOWER;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;

use super::integrity::{Integrity, Mismatch};
use crate::audit::Event;
use crate::model::{Checksum, FaultKind, RelPath};
use crate::reliability::Direction;
use crate::serve::http::{Guest, Meter, body, date, plain, problem, status};
use crate::task;
use crate::tree::{PartFile, Replace, SetAttributes, Stat};

/// How much is gathered before it is written.
const BLOCK: usize = 1 << 20;

/// What must hold when an upload takes its name; told what is under the name then (`None`: nothing). What it gives
/// is kept until the name is taken. Asked on a blocking thread.
pub struct Terms(Box<Ask>);

type Ask = dyn FnOnce(Option<&Stat>) -> Result<Box<dyn Send>, StatusCode> + Send + Sync;

impl Terms {
    /// These; an `Err` is the status to refuse the upload with.
    pub fn new<K: Send + 'static>(
        ask: impl FnOnce(Option<&Stat>) -> Result<K, StatusCode> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(|now| ask(now).map(|kept| Box::new(kept) as Box<dyn Send>)))
    }

    /// Do they hold, with `now` under the name? What is given keeps it so until it is dropped. Blocks.
    ///
    /// # Errors
    /// The status to refuse with.
    pub fn hold(self, now: Option<&Stat>) -> Result<Box<dyn Send>, StatusCode> {
        (self.0)(now)
    }
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Terms")
    }
}

/// Knows what must hold for a change: preconditions, and the locks that others hold.
pub trait Claims: Send + Sync + 'static {
    /// The terms of a PUT (or MKCOL) with `headers` to `path`. For a PUT they are asked before the body, and again when
    /// it is complete.
    fn of_put(&self, guest: &Guest, path: &RelPath, headers: &HeaderMap) -> Terms;
}

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
        mut part: PartFile,
        sums: Vec<Checksum>,
        mtime: Option<Timestamp>,
        replace: Replace,
        terms: Terms,
    ) -> Result<Stat, Unfinished> {
        let published = task::blocking(move || {
            if mtime.is_some() {
                part.set_attributes(SetAttributes { mtime, ..SetAttributes::default() })?;
            }
            part.publish_if(replace, |now| terms.hold(now).map_err(Unfinished::Refused))
        });
        let published = published.await.unwrap_or_else(|lost| Err(io::Error::other(lost).into()));
        match &published {
            Ok(stat) => {
                self.meter.clean();
                self.guest.books.digests.note(stat, &sums).await;
                let (account, path) = (self.guest.account.clone(), self.guest.whole(&self.path));
                let event = Event::DoorUploaded { door: self.guest.door, account, path, size: stat.size };
                self.guest.record(event).await;
            }
            // The transfer itself went well.
            Err(Unfinished::Refused(_) | Unfinished::Mismatch(_)) => self.meter.clean(),
            Err(Unfinished::Io(error)) => self.meter.failed(FaultKind::of_io(error)),
        }
        published
    }
}

fn lost() -> io::Error {
    io::Error::other("the upload ended already")
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    task::blocking(work).await.map_err(io::Error::other)?
}

/// The modification time that the client wants (`X-OC-Mtime`, seconds since 1970, as rclone and
/// ownCloud clients send it).
fn wanted_mtime(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get("x-oc-mtime")?.to_str().ok()?.trim();
    let seconds = text.split('.').next()?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

/// How long the body will be, when the client says so. The Finder of macOS, which sends in chunks, says it in a header
/// of its own.
fn announced(headers: &HeaderMap) -> Option<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    number(CONTENT_LENGTH.as_str()).or_else(|| number("x-expected-entity-length"))
}

/// Answers PUT of the file `path`: 201 or 204 with the new entity tag.
pub async fn put(guest: &Guest, path: &RelPath, headers: &HeaderMap, body: Body, claims: &dyn Claims) -> Response {
    match take(guest, path, headers, body, claims).await {
        Ok((stat, created)) => {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
            let date = date::print(stat.mtime).unwrap_or_default();
            for (name, value) in [(ETAG, stat.etag()), (LAST_MODIFIED, date)] {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    answer.headers_mut().insert(name, value);
                }
            }
            if wanted_mtime(headers).is_some() {
                answer.headers_mut().insert("x-oc-mtime", HeaderValue::from_static("accepted"));
            }
            answer
        }
        Err(Unfinished::Mismatch(mismatch)) => plain(StatusCode::BAD_REQUEST, &mismatch.to_string()),
        Err(error) => problem(error.status()),
    }
}

async fn take(
    guest: &Guest,
    path: &RelPath,
    headers: &HeaderMap,
    mut sent: Body,
    claims: &dyn Claims,
) -> Result<(Stat, bool), Unfinished> {
    // RFC 9110, 14.5: a server that does not do partial PUT must refuse it, or it would store a piece
    // as the whole.
    if headers.contains_key(CONTENT_RANGE) || path.is_root() {
        return Err(if path.is_root() { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::BAD_REQUEST }.into());
    }
    let integrity = Integrity::of(headers)?;
    let is_new = begin(guest, path, claims.of_put(guest, path, headers)).await?;
    let mut upload = Upload::begin(guest, path, integrity).await.map_err(|error| match error.kind() {
        // The folder above is missing (RFC 4918, 9.7.1).
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StatusCode::CONFLICT,
        _ => status::of(&error),
    })?;
    while let Some(bytes) = body::next(&mut sent).await? {
        upload.write(&bytes).await?;
    }
    // `If-None-Match: *` holds until the very end: two who create the same name cannot both win.
    let only_new = headers.get(http::header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    let replace = if only_new { Replace::No } else { Replace::Yes };
    let terms = claims.of_put(guest, path, headers);
    let stat =
        upload.finish(announced(headers), wanted_mtime(headers), replace, terms).await.map_err(
            |error| match error {
                Unfinished::Io(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {
                    StatusCode::PRECONDITION_FAILED.into()
                }
                error => error,
            },
        )?;
    Ok((stat, is_new))
}

/// Is it a new file? And do the terms hold, as far as can be said before the body?
async fn begin(guest: &Guest, path: &RelPath, terms: Terms) -> Result<bool, StatusCode> {
    let (view, at) = (guest.view.clone(), path.clone());
    let begun = task::blocking(move || {
        let current = match view.stat_follow(&at) {
            Ok(stat) => Some(stat),
            // What lies below a file is as good as what lies below nothing.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
            Err(error) => return Err(status::of(&error)),
        };
        terms.hold(current.as_ref()).map(|_| current.is_none())
    });
    begun.await.unwrap_or_else(|lost| Err(status::of(&io::Error::other(lost))))
}
