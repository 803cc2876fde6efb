//! Writing a file of this machine where it lies (a part; its rename is the mirror's).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;

use super::durable::Syncs;
use super::hands::{Hands, heard};
use crate::model::{Fault, Mtime, Phase, RelPath};
use crate::remote::Sink;
use crate::task::Blocking;
use crate::tree::{PartFile, SetAttributes, View};

/// Writes end where a multiple of this does, unless the file does or time is up: one hop to the blocking threads for a
/// small file, large aligned blocks of a large one.
const GATHER: u64 = 1024 * 1024;
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
pub(super) enum Part {
    /// Made when the first bytes are written: a small file costs one hop to the blocking threads.
    Unopened(View),
    Open(PartFile),
}

#[derive(Debug)]
enum State {
    Idle(Part),
    /// Bytes are on their way into it, while the next ones are gathered.
    Writing(Blocking<io::Result<PartFile>>),
    /// Writing failed.
    Lost,
}

/// A file being written.
pub(super) struct LocalSink {
    path: RelPath,
    state: State,
    hands: Hands,
    syncs: Arc<Syncs>,
    stamp: Option<(Option<Timestamp>, Option<u32>)>,
    /// What comes behind `written`, without a gap.
    gathered: Vec<Bytes>,
    /// Up to here everything was given to the disk's threads,
    written: u64,
    /// and with what is gathered up to here.
    end: u64,
    synced: u64,
    synced_at: Instant,
}

impl LocalSink {
    pub(super) fn new(path: &RelPath, part: Part, offset: u64, (hands, syncs): (Hands, Arc<Syncs>)) -> Self {
        Self {
            path: path.clone(),
            state: State::Idle(part),
            hands,
            syncs,
            stamp: None,
            gathered: Vec::new(),
            written: offset,
            end: offset,
            synced: offset,
            synced_at: Instant::now(),
        }
    }

    /// Begins to write what is gathered, up to `end`. What was begun before is over then.
    async fn flush(&mut self, end: u64, stamp: Option<(Option<Timestamp>, Option<u32>)>) -> Result<(), Fault> {
        let (pieces, at) = (self.take(end), self.written);
        let (part, path) = (self.idle().await?, self.path.clone());
        let write = self.hands.begin(move || {
            let part = match part {
                Part::Unopened(view) => open(&view, &path, 0)?,
                Part::Open(part) => part,
            };
            part.write_pieces_at(&pieces, at)?;
            if let Some((mtime, mode)) = stamp {
                part.stamp(mtime, mode)?;
            }
            Ok(part)
        });
        (self.state, self.written) = (State::Writing(write.await), end);
        Ok(())
    }

    /// The gathered pieces up to `end`; the last of them is cut there.
    fn take(&mut self, end: u64) -> Vec<Bytes> {
        let beyond = usize::try_from(self.end - end).unwrap_or(usize::MAX);
        let mut pieces = std::mem::take(&mut self.gathered);
        if beyond > 0
            && let Some(last) = pieces.last_mut()
        {
            self.gathered.push(last.split_off(last.len().saturating_sub(beyond)));
        }
        pieces
    }

    /// Waits until nothing is on its way. The state is lost until it is set again.
    async fn idle(&mut self) -> Result<Part, Fault> {
        let failed = |error: &io::Error| super::fault::at(Phase::Transfer, &self.path, error);
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(part) => Ok(part),
            State::Writing(write) => heard(Phase::Transfer, failed, write).await.map(Part::Open),
            State::Lost => Err(failed(&io::Error::other("writing failed before: open the file again"))),
        }
    }

    /// Makes durable what was written.
    async fn sync(&mut self) -> Result<(), Fault> {
        let part = match self.idle().await? {
            Part::Open(part) => part,
            unopened @ Part::Unopened(_) => {
                self.state = State::Idle(unopened);
                return Ok(());
            }
        };
        let (part, synced) = self.syncs.sync(part).await;
        synced.map_err(|error| super::fault::at(Phase::Transfer, &self.path, &error))?;
        self.state = part.map_or(State::Lost, |part| State::Idle(Part::Open(part)));
        (self.synced, self.synced_at) = (self.written, Instant::now());
        Ok(())
    }

    fn is_due(&self) -> bool {
        self.synced_at.elapsed() >= SYNC_AFTER
    }
}

#[async_trait]
impl Sink for LocalSink {
    async fn write(&mut self, data: Bytes) -> Result<(), Fault> {
        self.end += u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.gathered.push(data);
        let is_due = self.is_due();
        let end = if is_due { self.end } else { self.end - self.end % GATHER };
        if end > self.written {
            self.flush(end, None).await?;
            if is_due || end - self.synced >= SYNC_EVERY {
                self.sync().await?;
            }
        }
        Ok(())
    }

    fn confirmed(&self) -> u64 {
        self.synced
    }

    fn stamp(&mut self, mtime: Option<Mtime>, mode: Option<u32>) -> bool {
        self.stamp = Some((mtime.map(|mtime| mtime.at), mode));
        true
    }

    async fn finish(mut self: Box<Self>) -> Result<u64, Fault> {
        self.flush(self.end, self.stamp).await?;
        self.sync().await?;
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;
    use crate::tree::Tree;

    #[tokio::test]
    async fn pieces_of_any_length_become_large_aligned_writes_with_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let view = Tree::open(folder.path()).unwrap().view(&Scope::whole()).unwrap();
        let path = RelPath::new("file").unwrap();
        let all: Vec<u8> = (0..5 * GATHER + 4321).map(|n| (n / 11) as u8).collect();
        let mut sink = LocalSink::new(&path, Part::Unopened(view), 0, Default::default());
        let mut blocks = Vec::new();
        for piece in all.chunks(123_457) {
            let before = sink.written;
            sink.write(Bytes::copy_from_slice(piece)).await.unwrap();
            // A busy machine may take longer than a second: then time was up.
            if sink.written > before && sink.written != sink.end {
                blocks.push(sink.written);
                assert_eq!(sink.written % GATHER, 0);
            }
        }
        assert!(!blocks.is_empty(), "nothing was written before the end");
        assert_eq!(Box::new(sink).finish().await, Ok(all.len() as u64));
        assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), all);
    }

    #[tokio::test]
    async fn what_fails_behind_the_back_is_said_by_the_next_write_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let view = Tree::open(folder.path()).unwrap().view(&Scope::whole()).unwrap();
        std::fs::create_dir(folder.path().join("taken")).unwrap();
        let mut sink = LocalSink::new(&RelPath::new("taken").unwrap(), Part::Unopened(view), 0, Default::default());
        let block = Bytes::from(vec![7; usize::try_from(GATHER).unwrap()]);
        let mut faults = Vec::new();
        for _ in 0..3 {
            faults.extend(sink.write(block.clone()).await.err());
        }
        assert_eq!(faults.len(), 2, "the first write is only begun: {faults:?}");
        assert_eq!(sink.confirmed(), 0);
        assert!(Box::new(sink).finish().await.is_err());
    }
}
