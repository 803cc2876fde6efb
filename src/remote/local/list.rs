//! Reading a directory of this machine in batches.

use async_trait::async_trait;

use super::hands::Hands;
use crate::model::{Entry, Fault, FaultKind, Phase, RelPath};
use crate::remote::{Completeness, Lister};
use crate::tree::DirReader;

/// Entries per batch, and per hop to the blocking threads.
const BATCH: usize = 1024;

/// A directory being read.
pub(super) struct LocalLister {
    dir: RelPath,
    reader: Option<DirReader>,
    ended: bool,
    hands: Hands,
}

impl LocalLister {
    pub(super) fn new(dir: &RelPath, reader: DirReader, hands: Hands) -> Self {
        Self { dir: dir.clone(), reader: Some(reader), ended: false, hands }
    }
}

#[async_trait]
impl Lister for LocalLister {
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let mut reader = self.reader.take().ok_or_else(|| broken(&self.dir))?;
        let translate = |error: &std::io::Error| super::fault::at(Phase::List, &self.dir, error);
        let work = self.hands.run(Phase::List, translate, move || {
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                match reader.next() {
                    Some(entry) => {
                        let entry = entry?;
                        batch.push(entry.stat.entry(entry.name));
                    }
                    None => break,
                }
            }
            Ok((reader, batch))
        });
        let (reader, batch) = work.await?;
        self.ended = batch.len() < BATCH;
        self.reader = Some(reader);
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }

    async fn finish(self: Box<Self>) -> Result<Completeness, Fault> {
        if self.ended {
            Ok(Completeness::Proven { how: "the directory was read to its end".into() })
        } else {
            Err(broken(&self.dir))
        }
    }
}

fn broken(dir: &RelPath) -> Fault {
    Fault::new(Phase::List, FaultKind::Incomplete, format!("{} was not read to its end", dir.display()))
}
