//! Writing a manifest, line by line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use super::lines::{SealLine, TotalLine};
use super::{Entry, Header, ManifestError, PublicKey, Seal, SigningKey, Totals, signed_text};
use crate::model::RelPath;
use crate::tree::Replace;
use crate::tree::file::Draft;

/// So many bytes are collected before they go to the disk.
const BLOCK: usize = 256 * 1024;
/// Only the owner may read it: it names everything that is there.
const MODE: u32 = 0o600;

/// A manifest that is being written; it appears under its name when it is [`finish`](Writer::finish)ed. Blocks.
pub struct Writer {
    draft: Draft,
    path: PathBuf,
    key: Arc<SigningKey>,
    hash: Context,
    waiting: Vec<u8>,
    totals: Totals,
    last: Option<RelPath>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// How much is in it.
    pub totals: Totals,
    /// Of its lines, in hexadecimal: what was signed.
    pub sha256: String,
    /// By whom.
    pub key: PublicKey,
}

impl Writer {
    /// Begins the manifest that will lie at `path`.
    ///
    /// # Errors
    /// [`ManifestError::File`].
    pub fn begin(path: &Path, header: &Header, key: Arc<SigningKey>) -> Result<Self, ManifestError> {
        let draft = Draft::begin(path).map_err(ManifestError::file(path))?;
        let (hash, waiting) = (Context::new(&SHA256), Vec::with_capacity(BLOCK + 4096));
        let totals = Totals::default();
        let mut new = Self { draft, path: path.to_owned(), key, hash, waiting, totals, last: None };
        new.line(&json(header)?)?;
        Ok(new)
    }

    /// Adds a file. They come in the order of the bytes of their paths.
    ///
    /// # Errors
    /// [`ManifestError::File`]; [`ManifestError::Form`] when it comes out of order.
    pub fn add(&mut self, entry: &Entry) -> Result<(), ManifestError> {
        if self.last.as_ref().is_some_and(|last| last.as_bytes() >= entry.path.as_bytes()) {
            return Err(wrong(self.totals.files.saturating_add(2), "its path is out of order".to_owned()));
        }
        self.line(&entry.to_line().map_err(|error| wrong(0, error.to_string()))?)?;
        self.totals.files = self.totals.files.saturating_add(1);
        self.totals.bytes = self.totals.bytes.saturating_add(entry.size.unwrap_or(0));
        self.last = Some(entry.path.clone());
        Ok(())
    }

    /// Signs it and gives it its name.
    ///
    /// # Errors
    /// [`ManifestError::File`], [`ManifestError::Sign`]; nothing is left behind.
    pub fn finish(mut self) -> Result<Written, ManifestError> {
        self.line(&json(&TotalLine { total: self.totals })?)?;
        let sha256 = HEXLOWER.encode(self.hash.clone().finish().as_ref());
        let key = self.key.public();
        let signature = HEXLOWER.encode(&self.key.sign(&signed_text(&sha256))?);
        let seal = Seal { sha256: sha256.clone(), key: key.to_string(), signature };
        self.line(&json(&SealLine { seal })?)?;
        self.flush()?;
        self.draft.publish(MODE, Replace::Yes).map_err(ManifestError::file(&self.path))?;
        Ok(Written { path: self.path, totals: self.totals, sha256, key })
    }

    fn line(&mut self, text: &str) -> Result<(), ManifestError> {
        let from = self.waiting.len();
        self.waiting.extend_from_slice(text.as_bytes());
        self.waiting.push(b'\n');
        self.hash.update(self.waiting.get(from..).unwrap_or_default());
        if self.waiting.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ManifestError> {
        self.draft.write(&self.waiting).map_err(ManifestError::file(&self.path))?;
        self.waiting.clear();
        Ok(())
    }
}

fn json(line: &impl serde::Serialize) -> Result<String, ManifestError> {
    serde_json::to_string(line).map_err(|error| wrong(0, error.to_string()))
}

fn wrong(line: u64, why: String) -> ManifestError {
    ManifestError::Form { line, why }
}
