//! A target that is full for a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::{Algorithm, Checksum, Digest, Entry, Fault, FaultKind, Mtime, Name, Phase, RelPath};
use crate::reliability::What;
use crate::remote::{Capabilities, Coming, Lister, Remote, Sink, Source};

/// The room of a target: it is full when so many bytes were written, and there is room again after a time.
#[derive(Debug)]
pub struct Room {
    full_at: u64,
    lasts: Duration,
    written: AtomicU64,
    full_since: OnceLock<Instant>,
}

impl Room {
    /// Room for `full_at` bytes; what comes then finds none for so long.
    #[must_use]
    pub fn new(full_at: u64, lasts: Duration) -> Self {
        Self { full_at, lasts, written: AtomicU64::new(0), full_since: OnceLock::new() }
    }

    /// When it became full.
    #[must_use]
    pub fn full_since(&self) -> Option<Instant> {
        self.full_since.get().copied()
    }

    /// Is there room for so much more?
    fn take(&self, bytes: usize) -> Result<(), Fault> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.written.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.full_at {
            return Ok(());
        }
        let since = self.full_since.get_or_init(Instant::now);
        if since.elapsed() < self.lasts {
            Err(Fault::new(Phase::Transfer, FaultKind::DiskFull, "no space left on the target, as this drill has it"))
        } else {
            Ok(())
        }
    }
}

/// Writes to `inner` what `room` has room for.
#[must_use]
pub fn roomy(inner: Arc<dyn Remote>, room: Arc<Room>) -> Arc<dyn Remote> {
    Arc::new(Roomy { inner, room })
}

struct Roomy {
    inner: Arc<dyn Remote>,
    room: Arc<Room>,
}

impl Roomy {
    fn sink(&self, inner: Box<dyn Sink>) -> Box<dyn Sink> {
        Box::new(RoomySink { inner, room: Arc::clone(&self.room) })
    }
}

struct RoomySink {
    inner: Box<dyn Sink>,
    room: Arc<Room>,
}

#[async_trait]
impl Sink for RoomySink {
    async fn write(&mut self, data: Bytes) -> Result<(), Fault> {
        self.room.take(data.len())?;
        self.inner.write(data).await
    }

    fn confirmed(&self) -> u64 {
        self.inner.confirmed()
    }

    fn stamp(&mut self, mtime: Option<Mtime>, mode: Option<u32>) -> bool {
        self.inner.stamp(mtime, mode)
    }

    async fn finish(self: Box<Self>) -> Result<u64, Fault> {
        self.inner.finish().await
    }
}

#[async_trait]
impl Remote for Roomy {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn observe(&self, what: What) {
        self.inner.observe(what);
    }

    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        self.inner.list(dir).await
    }

    async fn warm(&self, connections: u16) {
        self.inner.warm(connections).await;
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        self.inner.stat(path).await
    }

    async fn look_up(&self, dir: &RelPath, names: &BTreeSet<Name>) -> Result<BTreeMap<Name, Entry>, Fault> {
        self.inner.look_up(dir, names).await
    }

    fn root(&self) -> Option<Vec<u8>> {
        self.inner.root()
    }

    async fn read(&self, path: &RelPath, offset: u64, size: Option<u64>) -> Result<Box<dyn Source>, Fault> {
        self.inner.read(path, offset, size).await
    }

    async fn write(&self, path: &RelPath, offset: u64) -> Result<Box<dyn Sink>, Fault> {
        Ok(self.sink(self.inner.write(path, offset).await?))
    }

    async fn write_new(&self, path: &RelPath, coming: Coming) -> Result<Box<dyn Sink>, Fault> {
        Ok(self.sink(self.inner.write_new(path, coming).await?))
    }

    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault> {
        self.inner.digest(path).await
    }

    async fn checksum(&self, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
        self.inner.checksum(path, wanted).await
    }

    async fn set_attributes(&self, path: &RelPath, mtime: Option<Mtime>, mode: Option<u32>) -> Result<(), Fault> {
        self.inner.set_attributes(path, mtime, mode).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<Option<Entry>, Fault> {
        self.inner.rename(from, to).await
    }

    async fn exchange(&self, one: &RelPath, other: &RelPath) -> Result<(), Fault> {
        self.inner.exchange(one, other).await
    }

    async fn remove_file(&self, path: &RelPath) -> Result<(), Fault> {
        self.inner.remove_file(path).await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<(), Fault> {
        self.inner.remove_dir(path).await
    }

    async fn make_link(&self, path: &RelPath, target: &[u8]) -> Result<(), Fault> {
        self.inner.make_link(path, target).await
    }

    async fn make_dir(&self, path: &RelPath) -> Result<(), Fault> {
        self.inner.make_dir(path).await
    }

    async fn trash(&self, path: &RelPath, of: &RelPath, batch: &Name) -> Result<RelPath, Fault> {
        self.inner.trash(path, of, batch).await
    }

    async fn sync_dir(&self, dir: &RelPath) -> Result<(), Fault> {
        self.inner.sync_dir(dir).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::memory::Memory;

    #[tokio::test]
    async fn it_is_full_for_a_time() {
        let room = Arc::new(Room::new(10, Duration::from_millis(50)));
        let target = roomy(Arc::new(Memory::new()), Arc::clone(&room));
        let file = RelPath::new("file").unwrap();
        let mut sink = target.write(&file, 0).await.unwrap();
        sink.write(Bytes::from_static(b"0123456789")).await.unwrap();
        assert!(room.full_since().is_none());
        let full = sink.write(Bytes::from_static(b"0")).await.unwrap_err();
        assert_eq!(full.kind, FaultKind::DiskFull);
        drop(sink);
        tokio::time::sleep(room.full_since().unwrap() + Duration::from_millis(50) - Instant::now()).await;
        let mut sink = target.write(&file, 10).await.unwrap();
        sink.write(Bytes::from_static(b"0")).await.unwrap();
        assert_eq!(sink.finish().await.unwrap(), 11);
    }
}
