//! Reading a manifest, line by line, and finding out whether it may be believed.

use std::io::{BufRead as _, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use super::blocks::{Blocks, Hashes};
use super::lines::{SealLine, TotalLine};
use super::{Entry, FORMAT, Header, ManifestError, PublicKey, Seal, Totals, signed_text};
use crate::model::RelPath;

/// No line is longer: two paths of 4 KiB, each as text and in hexadecimal.
const LONGEST: u64 = 256 * 1024;

/// What the signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The first line.
    pub header: Header,
    /// How much is in it.
    pub totals: Totals,
    /// Who signed it. Whether that is whom one trusts, only a key that came another way tells.
    pub key: PublicKey,
    /// Of its lines, in hexadecimal.
    pub sha256: String,
}

/// The files of a manifest, one after the other.
pub struct Reader {
    lines: Lines,
    header: Header,
    totals: Totals,
    last: Option<RelPath>,
    seal: Option<Seal>,
}

impl Reader {
    /// Reads the header of the manifest at `path`. When it is read for the first time, what it gives out is proven only
    /// by [`Reader::verified`] after the last entry.
    pub(super) fn over(path: &Path, from: Blocks) -> Result<Self, ManifestError> {
        let mut lines = Lines { path: path.to_owned(), from, hash: Context::new(&SHA256), hashing: true, count: 0 };
        let first = lines.next_line()?.ok_or_else(|| lines.wrong("it is empty"))?;
        let header: Header = serde_json::from_slice(&first).map_err(|error| match format_of(&first) {
            Some(newer) if newer > FORMAT => ManifestError::Newer(newer),
            _ => lines.wrong(&error.to_string()),
        })?;
        if header.format != FORMAT {
            return Err(ManifestError::Newer(header.format));
        }
        Ok(Self { lines, header, totals: Totals::default(), last: None, seal: None })
    }

    /// The first line.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The next file; [`None`] behind the last.
    ///
    /// # Errors
    /// When a line is not of a manifest, is out of order, or the end is missing.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ManifestError> {
        if self.seal.is_some() {
            return Ok(None);
        }
        let line = self.lines.next_line()?.ok_or_else(|| self.lines.cut())?;
        if line.starts_with(br#"{"total":"#) {
            self.end(&line)?;
            return Ok(None);
        }
        let entry = Entry::of_line(&line).map_err(|why| self.lines.wrong(&why))?;
        if self.last.as_ref().is_some_and(|last| last.as_bytes() >= entry.path.as_bytes()) {
            return Err(self.lines.wrong("its path is out of order"));
        }
        self.last = Some(entry.path.clone());
        self.totals.files = self.totals.files.saturating_add(1);
        self.totals.bytes = self.totals.bytes.saturating_add(entry.size.unwrap_or(0));
        Ok(Some(entry))
    }

    /// Totals and seal.
    fn end(&mut self, line: &[u8]) -> Result<(), ManifestError> {
        let told: TotalLine = serde_json::from_slice(line).map_err(|error| self.lines.wrong(&error.to_string()))?;
        if told.total != self.totals {
            return Err(self.lines.wrong("it does not count what stands above it"));
        }
        self.lines.hashing = false;
        let line = self.lines.next_line()?.ok_or_else(|| self.lines.cut())?;
        let line: SealLine = serde_json::from_slice(&line).map_err(|error| self.lines.wrong(&error.to_string()))?;
        if self.lines.next_line()?.is_some() {
            return Err(self.lines.wrong("nothing may stand behind the signature"));
        }
        self.seal = Some(line.seal);
        Ok(())
    }

    /// After the last entry: may all of it be believed? With the hashes of its blocks, for another reading.
    pub(super) fn verified(self, wanted: Option<&PublicKey>) -> Result<(Verified, Hashes), ManifestError> {
        let Some(seal) = self.seal else { return Err(self.lines.cut()) };
        let found = HEXLOWER.encode(self.lines.hash.finish().as_ref());
        if !seal.sha256.eq_ignore_ascii_case(&found) {
            return Err(ManifestError::Changed { found, signed: seal.sha256 });
        }
        let key: PublicKey = seal.key.parse()?;
        let signature = HEXLOWER_PERMISSIVE.decode(seal.signature.as_bytes()).unwrap_or_default();
        if !key.verifies(&signed_text(&found), &signature) {
            return Err(ManifestError::Signature(key));
        }
        match wanted {
            Some(wanted) if *wanted != key => Err(ManifestError::OtherKey { found: key, wanted: *wanted }),
            _ => {
                let verified = Verified { header: self.header, totals: self.totals, key, sha256: found };
                Ok((verified, self.lines.from.hashes()))
            }
        }
    }
}

/// The format that a first line names, whatever else it holds.
fn format_of(line: &[u8]) -> Option<u32> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    u32::try_from(value.get("causeway_manifest")?.as_u64()?).ok()
}

/// The lines of a file, hashed as they are read.
struct Lines {
    path: PathBuf,
    from: Blocks,
    hash: Context,
    hashing: bool,
    count: u64,
}

impl Lines {
    /// The next line without its end.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, ManifestError> {
        let mut line = Vec::new();
        let read = (&mut self.from).take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(ManifestError::file(&self.path))? == 0 {
            return Ok(None);
        }
        if self.hashing {
            self.hash.update(&line);
        }
        if line.pop() != Some(b'\n') {
            return Err(self.cut());
        }
        self.count = self.count.saturating_add(1);
        Ok(Some(line))
    }

    fn wrong(&self, why: &str) -> ManifestError {
        ManifestError::Form { line: self.count, why: why.to_owned() }
    }

    fn cut(&self) -> ManifestError {
        ManifestError::Cut { line: self.count }
    }
}
