//! Listings, readers and writers of a [`Memory`]; each call is a step that may fail.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Memory, missing};
use crate::model::{Entry, Fault, Phase, RelPath};
use crate::remote::{Completeness, Lister, Sink, Source};

/// Entries per batch: small, so that tests meet several.
const BATCH: usize = 3;

pub(super) struct MemoryLister {
    memory: Memory,
    dir: RelPath,
    entries: std::vec::IntoIter<Entry>,
    verdict: Completeness,
}

impl MemoryLister {
    pub(super) fn new(memory: Memory, dir: &RelPath, entries: Vec<Entry>, verdict: Completeness) -> Self {
        Self { memory, dir: dir.clone(), entries: entries.into_iter(), verdict }
    }
}

#[async_trait]
impl Lister for MemoryLister {
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        drop(self.memory.step("list-next", &self.dir)?);
        let batch: Vec<_> = self.entries.by_ref().take(BATCH).collect();
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }

    async fn finish(self: Box<Self>) -> Result<Completeness, Fault> {
        drop(self.memory.step("list-finish", &self.dir)?);
        Ok(self.verdict)
    }
}

pub(super) struct MemorySource {
    memory: Memory,
    path: RelPath,
    at: usize,
}

impl MemorySource {
    pub(super) fn new(memory: Memory, path: &RelPath, at: usize) -> Self {
        Self { memory, path: path.clone(), at }
    }
}

#[async_trait]
impl Source for MemorySource {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let mut state = self.memory.step("read-next", &self.path)?;
        let end = state.script.cut.get(&self.path).copied().unwrap_or(usize::MAX);
        let chunk = state.script.chunk.max(1);
        let node = state.nodes.get(&self.path).ok_or_else(|| missing(Phase::Transfer, &self.path))?;
        let till = self.at.saturating_add(chunk).min(node.data.len()).min(end);
        let bytes = node.data.get(self.at..till).map(Bytes::copy_from_slice).unwrap_or_default();
        self.at += bytes.len();
        if let Some(data) = state.script.changes_while_read.remove(&self.path) {
            let mtime = state.tick();
            if let Some(node) = state.nodes.get_mut(&self.path) {
                node.data = data;
                node.mtime = mtime;
            }
        }
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    async fn finish(self: Box<Self>) -> Result<Option<Entry>, Fault> {
        self.memory.step("read-finish", &self.path).map(|_| None)
    }
}

pub(super) struct MemorySink {
    memory: Memory,
    path: RelPath,
    at: usize,
}

impl MemorySink {
    pub(super) fn new(memory: Memory, path: &RelPath, at: usize) -> Self {
        Self { memory, path: path.clone(), at }
    }
}

#[async_trait]
impl Sink for MemorySink {
    async fn write(&mut self, data: Bytes) -> Result<(), Fault> {
        let mut state = self.memory.step("write-next", &self.path)?;
        let node = state.nodes.get_mut(&self.path).ok_or_else(|| missing(Phase::Transfer, &self.path))?;
        node.data.truncate(self.at);
        node.data.extend_from_slice(&data);
        self.at = node.data.len();
        Ok(())
    }

    fn confirmed(&self) -> u64 {
        u64::try_from(self.at).unwrap_or(u64::MAX)
    }

    async fn finish(self: Box<Self>) -> Result<u64, Fault> {
        drop(self.memory.step("write-finish", &self.path)?);
        Ok(self.confirmed())
    }
}
