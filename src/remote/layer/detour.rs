//! Paths that stand for others: a source whose symbolic links were resolved, so that no server follows one by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use crate::model::{Algorithm, Checksum, Digest, Entry, Fault, FaultKind, Mtime, Name, Phase, RelPath, ServerZone};
use crate::reliability::What;
use crate::remote::{Capabilities, Lister, Remote, Sink, Source, Together};

/// So many are remembered.
const MOST: usize = 100_000;

/// Where paths lead. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Detours(Arc<RwLock<HashMap<RelPath, RelPath>>>);

impl Detours {
    /// From now on `at`, and what lies below it, is looked for at `to`, in which no part is a detour.
    ///
    /// # Errors
    /// [`FaultKind::Unsupported`] when there are too many.
    pub fn add(&self, at: RelPath, to: RelPath) -> Result<(), Fault> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&at) {
            let message = format!("more than {MOST} links are not followed in one run: leave some folders out");
            return Err(Fault::new(Phase::List, FaultKind::Unsupported, message));
        }
        known.insert(at, to);
        Ok(())
    }

    /// Is `at` itself a detour?
    #[must_use]
    pub fn holds(&self, at: &RelPath) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(at)
    }

    /// Where `path` really lies.
    #[must_use]
    pub fn real(&self, path: &RelPath) -> RelPath {
        self.nearest(path).map_or_else(|| path.clone(), |(to, rest)| to.concat(&rest))
    }

    /// Is `path` a detour, or does one lead to it?
    #[must_use]
    pub fn leads_to(&self, path: &RelPath) -> bool {
        self.nearest(path).is_some()
    }

    /// The last detour on the way to `path`, and what remains behind it.
    fn nearest(&self, path: &RelPath) -> Option<(RelPath, RelPath)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return None;
        }
        let mut above = Some(path.clone());
        while let Some(at) = above {
            if let Some(to) = known.get(&at) {
                let rest = path.as_bytes().get(at.as_bytes().len() + 1..).unwrap_or_default();
                return Some((to.clone(), RelPath::new(rest).unwrap_or_default()));
            }
            above = at.parent();
        }
        None
    }
}

/// Reads from `inner` by way of `detours`. It cannot be written to: what a path stands for is somebody else's.
#[must_use]
pub fn detoured(inner: Arc<dyn Remote>, detours: Detours) -> Arc<dyn Remote> {
    Arc::new(Detoured { inner, detours })
}

struct Detoured {
    inner: Arc<dyn Remote>,
    detours: Detours,
}

fn only_read() -> Fault {
    Fault::new(Phase::Command, FaultKind::Unsupported, "what is read by way of links cannot be written")
}

#[async_trait]
impl Remote for Detoured {
    fn capabilities(&self) -> Capabilities {
        Capabilities { write: false, ..self.inner.capabilities() }
    }

    fn observe(&self, what: What) {
        self.inner.observe(what);
    }

    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        self.inner.list(&self.detours.real(dir)).await
    }

    async fn warm(&self, connections: u16) {
        self.inner.warm(connections).await;
    }

    async fn list_together(&self, dirs: &[RelPath]) -> Result<Option<Box<dyn Together>>, Fault> {
        let dirs: Vec<_> = dirs.iter().map(|dir| self.detours.real(dir)).collect();
        self.inner.list_together(&dirs).await
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        let entry = self.inner.stat(&self.detours.real(path)).await?;
        Ok(entry.map(|entry| Entry { name: path.name().unwrap_or_else(|| entry.name.clone()), ..entry }))
    }

    async fn look_up(&self, dir: &RelPath, names: &BTreeSet<Name>) -> Result<BTreeMap<Name, Entry>, Fault> {
        self.inner.look_up(&self.detours.real(dir), names).await
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
        self.inner.read(&self.detours.real(path), offset, size).await
    }

    async fn write(&self, _path: &RelPath, _offset: u64) -> Result<Box<dyn Sink>, Fault> {
        Err(only_read())
    }

    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault> {
        self.inner.digest(&self.detours.real(path)).await
    }

    async fn checksum(&self, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
        self.inner.checksum(&self.detours.real(path), wanted).await
    }

    async fn set_attributes(&self, _path: &RelPath, _mtime: Option<Mtime>, _mode: Option<u32>) -> Result<(), Fault> {
        Err(only_read())
    }

    async fn rename(&self, _from: &RelPath, _to: &RelPath) -> Result<Option<Entry>, Fault> {
        Err(only_read())
    }

    async fn remove_file(&self, _path: &RelPath) -> Result<(), Fault> {
        Err(only_read())
    }

    async fn remove_dir(&self, _path: &RelPath) -> Result<(), Fault> {
        Err(only_read())
    }

    async fn make_dir(&self, _path: &RelPath) -> Result<(), Fault> {
        Err(only_read())
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn the_last_detour_on_the_way_counts() {
        let detours = Detours::default();
        assert_eq!(detours.real(&path("a/b")), path("a/b"));
        detours.add(path("current"), path("releases/2")).unwrap();
        detours.add(path("current/shared"), path("common")).unwrap();
        for (at, real) in [
            ("current", "releases/2"),
            ("current/x/y", "releases/2/x/y"),
            ("current/shared/z", "common/z"),
            ("currently", "currently"),
            ("", ""),
        ] {
            assert_eq!(detours.real(&path(at)), path(real), "{at}");
        }
        assert!(detours.leads_to(&path("current/x")) && !detours.leads_to(&path("releases/2/x")));
    }
}
