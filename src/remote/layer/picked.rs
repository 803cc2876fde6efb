//! A source of which only some files are there: a sample of a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{Algorithm, Checksum, Digest, Entry, Fault, FaultKind, Mtime, Name, Phase, RelPath, ServerZone};
use crate::reliability::What;
use crate::remote::{Capabilities, Completeness, Lister, Reading, Remote, Sink, Source};

/// Reads `files` from `inner`, and finds nothing else there. It cannot be written to.
#[must_use]
pub fn picked(inner: Arc<dyn Remote>, files: impl IntoIterator<Item = RelPath>) -> Arc<dyn Remote> {
    let mut folders: BTreeMap<RelPath, BTreeSet<Name>> = BTreeMap::new();
    for file in files {
        let mut at = file;
        while let (Some(folder), Some(name)) = (at.parent(), at.name()) {
            folders.entry(folder.clone()).or_default().insert(name);
            at = folder;
        }
    }
    Arc::new(Picked { inner, folders })
}

struct Picked {
    inner: Arc<dyn Remote>,
    /// What there is, by folder.
    folders: BTreeMap<RelPath, BTreeSet<Name>>,
}

impl Picked {
    fn holds(&self, path: &RelPath) -> bool {
        match (path.parent(), path.name()) {
            (Some(folder), Some(name)) => self.folders.get(&folder).is_some_and(|names| names.contains(&name)),
            _ => true,
        }
    }
}

struct PickedLister {
    inner: Box<dyn Lister>,
    names: BTreeSet<Name>,
}

#[async_trait]
impl Lister for PickedLister {
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        let entries = self.inner.next().await?;
        Ok(entries.map(|entries| entries.into_iter().filter(|entry| self.names.contains(&entry.name)).collect()))
    }

    fn readings(&mut self) -> Vec<Reading> {
        // They would count entries that nobody sees.
        self.inner.readings();
        Vec::new()
    }

    async fn finish(self: Box<Self>) -> Result<Completeness, Fault> {
        self.inner.finish().await
    }
}

fn only_read() -> Fault {
    Fault::new(Phase::Command, FaultKind::Unsupported, "a sample of a tree cannot be written")
}

#[async_trait]
impl Remote for Picked {
    fn capabilities(&self) -> Capabilities {
        Capabilities { write: false, ..self.inner.capabilities() }
    }

    fn observe(&self, what: What) {
        self.inner.observe(what);
    }

    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        let names = self.folders.get(dir).cloned().unwrap_or_default();
        Ok(Box::new(PickedLister { inner: self.inner.list(dir).await?, names }))
    }

    async fn warm(&self, connections: u16) {
        self.inner.warm(connections).await;
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        if self.holds(path) { self.inner.stat(path).await } else { Ok(None) }
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
        self.inner.read(path, offset, size).await
    }

    async fn write(&self, _path: &RelPath, _offset: u64) -> Result<Box<dyn Sink>, Fault> {
        Err(only_read())
    }

    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault> {
        self.inner.digest(path).await
    }

    async fn checksum(&self, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
        self.inner.checksum(path, wanted).await
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
    use crate::model::EntryKind;
    use crate::remote::memory::Memory;

    #[tokio::test]
    async fn nothing_is_there_but_what_was_picked() {
        let path = |text: &str| RelPath::new(text).unwrap();
        let inner = Arc::new(Memory::new());
        for folder in ["a", "a/b", "c"] {
            inner.make_dir(&path(folder)).await.unwrap();
        }
        for file in ["top", "a/one", "a/two", "a/b/three", "c/four"] {
            inner.write(&path(file), 0).await.unwrap().finish().await.unwrap();
        }
        let sample = picked(inner, [path("a/b/three"), path("a/one")]);
        let mut seen = Vec::new();
        for folder in ["", "a", "a/b", "c"] {
            let folder = RelPath::new(folder).unwrap_or_default();
            let mut lister = sample.list(&folder).await.unwrap();
            while let Some(entries) = lister.next().await.unwrap() {
                for entry in entries {
                    let at = folder.join(&entry.name);
                    assert_eq!(
                        entry.kind == EntryKind::Dir,
                        sample.stat(&at).await.unwrap().unwrap().kind == EntryKind::Dir
                    );
                    seen.push(at.display().into_owned());
                }
            }
        }
        seen.sort();
        assert_eq!(seen, ["a", "a/b", "a/b/three", "a/one"]);
        assert!(sample.stat(&path("top")).await.unwrap().is_none());
        assert!(sample.stat(&path("a/two")).await.unwrap().is_none());
    }
}
