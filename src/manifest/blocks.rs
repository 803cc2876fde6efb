//! A file in blocks whose hashes are kept while it is read for the first time, and checked when it is read again: what
//! was verified is what is used, however long the file is and whoever writes to it meanwhile. 32 bytes of memory stand
//! for 256 KiB of it.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use crate::tree::FileReader;

const BLOCK: usize = 256 * 1024;

/// The SHA-256 of a block.
type Hash = Vec<u8>;
/// Those of all blocks, in order.
pub(super) type Hashes = Arc<[Hash]>;

/// What is done with the hash of a block that was read.
enum Care {
    /// Kept, for a later reading.
    Note(Vec<Hash>),
    /// Compared with that of the first reading.
    Compare(Hashes),
}

/// The file as a stream.
pub(super) struct Blocks {
    file: Arc<FileReader>,
    care: Care,
    /// How many blocks were read.
    read: usize,
    block: Vec<u8>,
    /// Bytes of the block that were given out.
    used: usize,
}

impl Blocks {
    /// The first reading.
    pub(super) const fn first(file: Arc<FileReader>) -> Self {
        Self::new(file, Care::Note(Vec::new()))
    }

    /// Another reading of what was read as `first`.
    pub(super) const fn again(file: Arc<FileReader>, first: Hashes) -> Self {
        Self::new(file, Care::Compare(first))
    }

    const fn new(file: Arc<FileReader>, care: Care) -> Self {
        Self { file, care, read: 0, block: Vec::new(), used: 0 }
    }

    /// The hashes of everything that was read so far.
    pub(super) fn hashes(self) -> Hashes {
        match self.care {
            Care::Note(hashes) => hashes.into(),
            Care::Compare(hashes) => hashes,
        }
    }

    /// Reads the next block; an empty one is the end.
    fn turn(&mut self) -> io::Result<()> {
        let at = u64::try_from(self.read).unwrap_or(u64::MAX).saturating_mul(BLOCK as u64);
        self.used = 0;
        self.block.resize(BLOCK, 0);
        let got = self.file.read_at(&mut self.block, at).inspect_err(|_| self.block.clear())?;
        self.block.truncate(got);
        let hash = (got > 0).then(|| digest(&SHA256, &self.block).as_ref().to_vec());
        match &mut self.care {
            Care::Note(hashes) => hashes.extend(hash),
            Care::Compare(hashes) if hashes.get(self.read) == hash.as_ref() => {}
            Care::Compare(_) => {
                self.block.clear();
                return Err(io::Error::other("it was changed after its signature was checked"));
            }
        }
        self.read += usize::from(got > 0);
        Ok(())
    }
}

impl BufRead for Blocks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used >= self.block.len() {
            self.turn()?;
        }
        Ok(self.block.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.used = self.used.saturating_add(count);
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(buffer)?;
        self.consume(got);
        Ok(got)
    }
}
