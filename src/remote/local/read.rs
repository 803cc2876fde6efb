//! Reading a file of this machine.

use async_trait::async_trait;
use bytes::Bytes;

use super::CHUNK;
use super::hands::Hands;
use crate::model::{Entry, Fault, FaultKind, Phase, RelPath};
use crate::remote::Source;
use crate::tree::FileReader;

/// A file being read. It stays the version it was when it was opened.
pub(super) struct LocalSource {
    path: RelPath,
    reader: Option<FileReader>,
    at: u64,
    hands: Hands,
}

impl LocalSource {
    pub(super) fn new(path: &RelPath, reader: FileReader, offset: u64, hands: Hands) -> Self {
        Self { path: path.clone(), reader: Some(reader), at: offset, hands }
    }
}

#[async_trait]
impl Source for LocalSource {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let lost = || Fault::new(Phase::Transfer, FaultKind::Io, "reading failed before: open the file again");
        let reader = self.reader.take().ok_or_else(lost)?;
        let at = self.at;
        let translate = |error: &std::io::Error| super::fault::at(Phase::Transfer, &self.path, error);
        let work = self.hands.run(Phase::Transfer, translate, move || {
            let left = usize::try_from(reader.len().saturating_sub(at)).unwrap_or(CHUNK);
            // One byte more than expected, so that growth is seen and the end is found in one read.
            let mut buffer = vec![0; left.saturating_add(1).min(CHUNK)];
            let got = reader.read_at(&mut buffer, at)?;
            buffer.truncate(got);
            Ok((reader, buffer))
        });
        let (reader, bytes) = work.await?;
        self.reader = Some(reader);
        self.at += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(Some(Bytes::from(bytes)).filter(|bytes| !bytes.is_empty()))
    }

    async fn finish(self: Box<Self>) -> Result<Option<Entry>, Fault> {
        Ok(None)
    }
}
