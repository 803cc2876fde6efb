//! A listing that was saved as it came: read in pieces, as from a server.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::cli::Failure;
use crate::model::{Entry, Fault, FaultKind, Phase};
use crate::remote::ftp::listing::{Form, Parser, Zone};
use crate::remote::{Completeness, Lister, Reading};
use crate::task;
use crate::tree::{FileReader, file};

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Where the bytes are.
enum Bytes {
    File { reader: FileReader, at: u64 },
    Standard,
}

impl Bytes {
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Standard => io::stdin().read(buffer),
            Self::File { reader, at } => {
                let count = reader.read_at(buffer, *at)?;
                *at += count as u64;
                Ok(count)
            }
        }
    }
}

/// A saved listing being read.
pub struct Saved {
    bytes: Arc<Mutex<Bytes>>,
    parser: Parser,
    last: Option<u8>,
    ended: bool,
}

impl Saved {
    /// Opens the file; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path, form: Form, zone: Zone) -> Result<Self, Failure> {
        let bytes = if path == Path::new("-") {
            Bytes::Standard
        } else {
            let reader = file::open(path)
                .map_err(|error| Failure::new(format!("the listing {} cannot be read: {error}", path.display())))?;
            Bytes::File { reader, at: 0 }
        };
        Ok(Self { bytes: Arc::new(Mutex::new(bytes)), parser: Parser::new(form, zone), last: None, ended: false })
    }

    async fn piece(&self) -> Result<Vec<u8>, Fault> {
        let bytes = Arc::clone(&self.bytes);
        let read = task::blocking(move || {
            let mut buffer = vec![0; PIECE];
            let mut bytes = bytes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let count = bytes.next(&mut buffer)?;
            buffer.truncate(count);
            Ok(buffer)
        })
        .await;
        let read = read.map_err(|error| Fault::new(Phase::List, FaultKind::Io, error.to_string()))?;
        read.map_err(|error: io::Error| Fault::io(Phase::List, "the saved listing cannot be read", &error))
    }
}

#[async_trait]
impl Lister for Saved {
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        let mut out = Vec::new();
        if self.ended {
            return Ok(None);
        }
        let piece = self.piece().await?;
        if let Some(last) = piece.last() {
            self.last = Some(*last);
            self.parser.push(&piece, &mut out);
        } else {
            // Whoever saves a listing by hand may leave out the end of its last line.
            if self.last.is_some_and(|last| last != b'\n') {
                self.parser.push(b"\n", &mut out);
            }
            self.parser.end(&mut out);
            self.ended = true;
        }
        Ok(Some(out))
    }

    fn readings(&mut self) -> Vec<Reading> {
        self.parser.readings()
    }

    async fn finish(self: Box<Self>) -> Result<Completeness, Fault> {
        let doubts = self.parser.tally().doubts();
        Ok(Completeness::from_doubts(doubts, "every line of the saved listing was understood"))
    }
}
