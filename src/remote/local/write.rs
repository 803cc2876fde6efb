//! Writing a file of this machine where it lies (a part; its rename is the mirror's).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use tokio::time::Instant;

use super::durable::Syncs;
use crate::model::{Fault, Mtime, Phase, RelPath};
use crate::remote::Sink;
use crate::tree::{PartFile, SetAttributes, View};

/// Bytes gathered before the disk is asked: one hop to the blocking threads for a small file.
const GATHER: usize = 1024 * 1024;
/// After so many bytes what was written is made durable, and counts as confirmed.
const SYNC_EVERY: u64 = 16 * 1024 * 1024;
/// After so long, too: on a slow link a power cut costs seconds, not [`SYNC_EVERY`] of each file.
const SYNC_AFTER: Duration = Duration::from_secs(1);
/// Of a file that did not exist; parts get theirs when they are published.
const NEW_MODE: u32 = 0o644;

/// Opens `path` cut to `offset`.
pub(super) fn open(view: &View, path: &RelPath, offset: u64) -> io::Result<PartFile> {
    let is_new = !path.is_reserved() && matches!(view.stat(path), Err(e) if e.kind() == io::ErrorKind::NotFound);
    if offset > 0 && view.stat(path)?.size < offset {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the file is shorter than where writing should go on",
        ));
    }
    let part = view.part_in_place(path)?;
    part.truncate(offset)?;
    if is_new {
        view.set_attributes(path, SetAttributes { mode: Some(NEW_MODE), ..SetAttributes::default() })?;
    }
    Ok(part)
}

/// Where the bytes go.
#[derive(Debug)]
pub(super) enum Place {
    /// Made when the first bytes are written: a small file costs one hop to the blocking threads.
    Unopened(View),
    Open(PartFile),
    /// Writing failed.
    Lost,
}

/// A file being written.
pub(super) struct LocalSink {
    path: RelPath,
    place: Place,
    syncs: Arc<Syncs>,
    stamp: Option<(Option<Timestamp>, Option<u32>)>,
    gathered: BytesMut,
    written: u64,
    synced: u64,
    synced_at: Instant,
}

impl LocalSink {
    pub(super) fn new(path: &RelPath, place: Place, offset: u64, syncs: Arc<Syncs>) -> Self {
        let (gathered, synced_at, stamp) = (BytesMut::new(), Instant::now(), None);
        Self { path: path.clone(), place, syncs, stamp, gathered, written: offset, synced: offset, synced_at }
    }

    async fn flush(&mut self, finish: bool) -> Result<(), Fault> {
        let (data, at) = (self.gathered.split().freeze(), self.written);
        let end = at + u64::try_from(data.len()).unwrap_or(u64::MAX);
        let stamp = self.stamp.filter(|_| finish);
        let (place, path) = (std::mem::replace(&mut self.place, Place::Lost), self.path.clone());
        let translate = |error: &io::Error| super::fault::at(Phase::Transfer, &self.path, error);
        let part = super::run(Phase::Transfer, translate, move || {
            let part = match place {
                Place::Unopened(view) => open(&view, &path, 0)?,
                Place::Open(part) => part,
                Place::Lost => return Err(io::Error::other("writing failed before: open the file again")),
            };
            part.write_at(&data, at)?;
            if let Some((mtime, mode)) = stamp {
                part.stamp(mtime, mode)?;
            }
            Ok(part)
        })
        .await?;
        self.written = end;
        if finish || end - self.synced >= SYNC_EVERY || self.is_due() {
            let (part, synced) = self.syncs.sync(part).await;
            synced.map_err(|error| super::fault::at(Phase::Transfer, &self.path, &error))?;
            self.place = part.map_or(Place::Lost, Place::Open);
            (self.synced, self.synced_at) = (end, Instant::now());
        } else {
            self.place = Place::Open(part);
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        self.synced_at.elapsed() >= SYNC_AFTER
    }
}

#[async_trait]
impl Sink for LocalSink {
    async fn write(&mut self, data: Bytes) -> Result<(), Fault> {
        self.gathered.extend_from_slice(&data);
        if self.gathered.len() >= GATHER || self.is_due() { self.flush(false).await } else { Ok(()) }
    }

    fn confirmed(&self) -> u64 {
        self.synced
    }

    fn stamp(&mut self, mtime: Option<Mtime>, mode: Option<u32>) -> bool {
        self.stamp = Some((mtime.map(|mtime| mtime.at), mode));
        true
    }

    async fn finish(mut self: Box<Self>) -> Result<u64, Fault> {
        self.flush(true).await?;
        Ok(self.written)
    }
}
