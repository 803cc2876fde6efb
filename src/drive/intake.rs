//! Bytes of an upload on their way into its part.

use std::io;

use bytes::BytesMut;

use super::upload::{blocking, lost};
use super::{Integrity, Meter, Mismatch};
use crate::model::{Checksum, FaultKind};
use crate::tree::PartFile;

/// How much is gathered before it is written.
pub(super) const BLOCK: usize = 1 << 20;

/// What comes is gathered to blocks; each is written and hashed at the same time, off the async threads.
#[derive(Debug)]
pub(super) struct Intake {
    part: Option<PartFile>,
    pending: BytesMut,
    /// Bytes in the part.
    written: u64,
    /// What the bytes must be like.
    pub(super) integrity: Integrity,
    /// Of the transfer.
    pub(super) meter: Meter,
}

impl Intake {
    /// Into `part`, behind the `written` bytes that it holds.
    pub(super) fn new(part: PartFile, written: u64, integrity: Integrity, meter: Meter) -> Self {
        Self { part: Some(part), pending: BytesMut::new(), written, integrity, meter }
    }

    /// Bytes that are in the part.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes taken so far, with those that are not in the part yet.
    pub(super) fn len(&self) -> u64 {
        self.written.saturating_add(u64::try_from(self.pending.len()).unwrap_or(u64::MAX))
    }

    /// How many there will be with `bytes`.
    pub(super) fn len_with(&self, bytes: &[u8]) -> u64 {
        self.len().saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
    }

    /// Takes the next bytes; says whether a block was written.
    ///
    /// # Errors
    /// As [`Intake::flush`].
    pub(super) async fn push(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.meter.add(bytes.len());
        self.pending.extend_from_slice(bytes);
        let is_full = self.pending.len() >= BLOCK;
        if is_full {
            self.flush().await?;
        }
        Ok(is_full)
    }

    /// Writes what has gathered.
    ///
    /// # Errors
    /// Those of writing.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
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

    /// All that will come is written: what was computed over it, if it is as it should be.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub(super) fn proven(&mut self) -> Result<Vec<Checksum>, Mismatch> {
        std::mem::take(&mut self.integrity).finish().inspect_err(|_| self.meter.failed(FaultKind::Mismatch))
    }

    /// Does `work` with the part, off the async threads.
    ///
    /// # Errors
    /// What the work says.
    pub(super) async fn with_part<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut PartFile) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let mut part = self.part.take().ok_or_else(lost)?;
        let (part, result) = blocking(move || {
            let result = work(&mut part);
            Ok((part, result))
        })
        .await?;
        self.part = Some(part);
        result
    }

    /// Is there a part, or was the last look at it broken off?
    pub(super) fn has_part(&self) -> bool {
        self.part.is_some()
    }

    /// The part, to be published.
    ///
    /// # Errors
    /// It is gone.
    pub(super) fn take_part(&mut self) -> io::Result<PartFile> {
        self.part.take().ok_or_else(lost)
    }
}
