//! A limit on the bytes per second that are read, over all connections together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use crate::model::{Algorithm, Checksum, Digest, Entry, Fault, Mtime, Name, RelPath, ServerZone};
use crate::reliability::What;
use crate::remote::{Capabilities, Coming, Lister, Remote, Samples, Sink, Source, Together, Traits};

/// Reads from `inner` no faster than `bytes_per_second`, however many files are read at once.
#[must_use]
pub fn limited(inner: Arc<dyn Remote>, bytes_per_second: u64) -> Arc<dyn Remote> {
    let budget = Arc::new(Budget { rate: bytes_per_second.max(1), spent_until: Mutex::new(None) });
    Arc::new(Limited { inner, budget })
}

/// The moment up to which the budget is spent. Whoever takes bytes moves it on and waits for it.
struct Budget {
    rate: u64,
    spent_until: Mutex<Option<Instant>>,
}

/// Bytes may come this much ahead of their time, so that a burst after a pause does not stutter.
const BURST: Duration = Duration::from_millis(100);

impl Budget {
    async fn take(&self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        let cost = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let until = {
            let mut spent = self.spent_until.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let until = spent.map_or(now, |old| old.max(now)) + cost;
            *spent = Some(until);
            until
        };
        if let Some(wait) = until.checked_duration_since(Instant::now() + BURST) {
            tokio::time::sleep(wait).await;
        }
    }
}

struct Limited {
    inner: Arc<dyn Remote>,
    budget: Arc<Budget>,
}

struct LimitedSource {
    inner: Box<dyn Source>,
    budget: Arc<Budget>,
}

#[async_trait]
impl Source for LimitedSource {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let bytes = self.inner.next().await?;
        if let Some(bytes) = &bytes {
            self.budget.take(bytes.len()).await;
        }
        Ok(bytes)
    }

    fn is_off_the_road(&self) -> bool {
        self.inner.is_off_the_road()
    }

    fn opened(&self) -> Option<&Entry> {
        self.inner.opened()
    }

    async fn stop(self: Box<Self>) {
        self.inner.stop().await;
    }

    async fn finish(self: Box<Self>) -> Result<Option<Entry>, Fault> {
        self.inner.finish().await
    }
}

#[async_trait]
impl Remote for Limited {
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

    async fn list_together(&self, dirs: &[RelPath]) -> Result<Option<Box<dyn Together>>, Fault> {
        self.inner.list_together(dirs).await
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

    fn listing_zone(&self) -> Option<ServerZone> {
        self.inner.listing_zone()
    }

    fn set_listing_zone(&self, zone: &ServerZone) {
        self.inner.set_listing_zone(zone);
    }

    async fn read(&self, path: &RelPath, offset: u64, size: Option<u64>) -> Result<Box<dyn Source>, Fault> {
        let inner = self.inner.read(path, offset, size).await?;
        Ok(Box::new(LimitedSource { inner, budget: Arc::clone(&self.budget) }))
    }

    async fn write(&self, path: &RelPath, offset: u64) -> Result<Box<dyn Sink>, Fault> {
        self.inner.write(path, offset).await
    }

    async fn write_new(&self, path: &RelPath, coming: Coming) -> Result<Box<dyn Sink>, Fault> {
        self.inner.write_new(path, coming).await
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

    async fn traits(&self, samples: &Samples) -> Traits {
        self.inner.traits(samples).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_readers_share_one_budget() {
        let budget = Budget { rate: 10_000, spent_until: Mutex::new(None) };
        let start = Instant::now();
        for _ in 0..10 {
            budget.take(500).await;
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(380), "{took:?}");
    }
}
