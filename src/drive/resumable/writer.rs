//! One request's bytes of an upload.

use std::io;

use http::StatusCode;

use super::store::{self, Row};
use super::{Entry, Resumable, has_arrived};
use crate::drive::intake::{BLOCK, Intake};
use crate::drive::upload::{Complete, blocking};
use crate::drive::{Guest, Integrity, Metadata, Mismatch, Terms, Unfinished};
use crate::model::{Checksum, FaultKind, Hasher, RelPath};
use crate::reliability::Direction;
use crate::tree::{PartFile, View};

/// After so many bytes they are made safe: a crash takes no more of a long request.
const CHECKPOINT: u64 = 64 << 20;

/// Takes more of an upload. Whatever happens, it ends with [`Writer::end`] or [`Writer::stop`]; one that is dropped has
/// taken nothing since its last checkpoint.
#[derive(Debug)]
pub struct Writer {
    uploads: Resumable,
    guest: Guest,
    row: Row,
    path: RelPath,
    intake: Intake,
}

impl Writer {
    pub(super) async fn begin(
        uploads: &Resumable,
        guest: &Guest,
        id: &str,
        offset: u64,
        integrity: Integrity,
    ) -> Result<Self, Unfinished> {
        let (row, path) = uploads.find(guest, id).await?;
        let row = uploads.settled(guest, row, path.clone()).await?;
        if row.done || row.confirmed != offset {
            return Err(StatusCode::CONFLICT.into());
        }
        let (view, at, key, is_new) = (guest.view.clone(), path.clone(), row.id.clone(), row.confirmed == 0);
        let part = blocking(move || open(&view, &at, &key, is_new)).await?.ok_or(StatusCode::CONFLICT)?;
        // Now that nobody else writes it: where does it stand? Whoever had the lock before may have published the part,
        // and not have said so yet: then this one is new, and the old one lies under the name.
        let (mut row, _) = uploads.find(guest, id).await?;
        let (view, at, known) = (guest.view.clone(), path.clone(), row.clone());
        let (part, ino, over) = blocking(move || {
            let ino = part.stat()?.ino;
            let over = known.done || (ino != known.ino && has_arrived(&view, &at, &known)?);
            Ok((part, ino, over))
        })
        .await?;
        if over {
            blocking(move || part.discard()).await?;
            return Err(StatusCode::CONFLICT.into());
        }
        if row.confirmed != offset {
            return Err(StatusCode::CONFLICT.into());
        }
        let part = blocking(move || part.truncate(offset).map(|()| part)).await?;
        row.ino = ino;
        let meter = guest.measure(&path, Direction::Upload);
        Ok(Self {
            uploads: uploads.clone(),
            guest: guest.clone(),
            row,
            path,
            intake: Intake::new(part, offset, integrity, meter),
        })
    }

    /// The name that it will get, in the guest's view.
    #[must_use]
    pub fn path(&self) -> &RelPath {
        &self.path
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of writing; [`io::ErrorKind::FileTooLarge`] for more than was announced.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.intake.len_with(bytes) > self.row.size {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more bytes than announced"));
        }
        let is_written = self.intake.push(bytes).await?;
        // Bytes that must be as the client says are safe only when they are known to be so.
        let far = self.intake.written() - self.row.confirmed >= CHECKPOINT;
        if is_written && far && self.intake.integrity.is_silent() {
            self.confirm().await.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Makes what is written safe, and only then says so in the store.
    async fn confirm(&mut self) -> Result<(), Unfinished> {
        self.intake.with_part(|part| part.sync()).await?;
        self.row.confirmed = self.intake.written();
        self.row.expires = self.uploads.expiry(self.guest.books.clock.now());
        self.uploads.reached(&self.row).await
    }

    /// The request is over. With the last byte the file gets its name, if the `terms` hold.
    ///
    /// # Errors
    /// [`Unfinished::Mismatch`] when the bytes of the request are not as they should be, which are forgotten then, or when
    /// the whole is not: then all of it is. 412 when the name was taken meanwhile, what the terms say, those of
    /// publishing: the last bytes can be sent again.
    pub async fn end(mut self, terms: Terms) -> Result<Entry, Unfinished> {
        self.intake.flush().await?;
        self.intake.proven()?;
        if self.intake.written() < self.row.size {
            self.confirm().await?;
            self.intake.meter.clean();
        } else {
            self.publish(terms).await?;
        }
        Ok(Entry::from(&self.row))
    }

    async fn publish(&mut self, terms: Terms) -> Result<(), Unfinished> {
        let wish = Metadata::of(&self.row.metadata).map_err(io::Error::other)?;
        // From here on a crash finds the file under its name by the inode.
        self.uploads.reached(&self.row).await?;
        let mut part = self.intake.take_part()?;
        let mut sums = Vec::new();
        if let Some(said) = wish.checksum {
            let (read, sum) = blocking(move || hashed(part, &said)).await?;
            part = read;
            let Some(sum) = sum else {
                self.intake.meter.failed(FaultKind::Mismatch);
                blocking(move || part.discard()).await?;
                store::remove(&mut *self.uploads.db.statement().await?, &self.row.id).await?;
                return Err(Mismatch.into());
            };
            sums.push(sum);
        }
        let complete = Complete { part, sums, mtime: wish.mtime, replace: wish.replace };
        match complete.publish(&self.guest, &self.path, &mut self.intake.meter, terms).await {
            Ok(_) => self.uploads.arrived(&self.guest, &mut self.row).await,
            Err(Unfinished::Io(taken)) if taken.kind() == io::ErrorKind::AlreadyExists => {
                Err(StatusCode::PRECONDITION_FAILED.into())
            }
            Err(error) => Err(error),
        }
    }

    /// The request broke off: what came of it is kept, unless it cannot be known to be right.
    pub async fn stop(mut self) {
        if !self.intake.integrity.is_silent() || !self.intake.has_part() {
            return;
        }
        let kept = async {
            self.intake.flush().await?;
            self.confirm().await
        };
        if let Err(error) = kept.await {
            tracing::info!(error = %error, "the last bytes of an upload that broke off are lost");
        }
    }
}

/// The part to go on with; a new one only where nothing is to be gone on with.
fn open(view: &View, path: &RelPath, key: &str, is_new: bool) -> io::Result<Option<PartFile>> {
    if is_new { view.part(path, key).map(Some) } else { view.kept_part(path, key) }
}

/// Reads the part as a whole. Its checksum, if it is what was `said`.
fn hashed(part: PartFile, said: &Checksum) -> io::Result<(PartFile, Option<Checksum>)> {
    let (mut hasher, mut buffer, mut at) = (Hasher::new(said.algorithm()), vec![0; BLOCK], 0);
    loop {
        let got = part.read_at(&mut buffer, at)?;
        let Some(bytes) = buffer.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        at = at.saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
    }
    let sum = hasher.finish().map_err(io::Error::other)?;
    Ok((part, Some(sum).filter(|sum| sum == said)))
}
