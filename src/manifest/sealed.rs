//! A manifest that may be believed, and whose files may be asked for: they are those that were signed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blocks::{Blocks, Hashes};
use super::read::Reader;
use super::{ManifestError, PublicKey, Verified};
use crate::tree::{FileReader, file};

/// A manifest whose signature is right. It stays open: what is read of it later is what was signed, or an error.
pub struct Sealed {
    path: PathBuf,
    file: Arc<FileReader>,
    hashes: Hashes,
    verified: Verified,
}

impl Sealed {
    /// Reads the whole manifest at `path` and checks its form, its order, its totals, its hash and its signature, which
    /// has to be of the key `wanted` when there is one. Blocks.
    ///
    /// # Errors
    /// Why it may not be believed.
    pub fn open(path: &Path, wanted: Option<&PublicKey>) -> Result<Self, ManifestError> {
        let file = Arc::new(file::open(path).map_err(ManifestError::file(path))?);
        let mut reader = Reader::over(path, Blocks::first(Arc::clone(&file)))?;
        while reader.next_entry()?.is_some() {}
        let (verified, hashes) = reader.verified(wanted)?;
        Ok(Self { path: path.to_owned(), file, hashes, verified })
    }

    /// What the signature says.
    #[must_use]
    pub const fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Its files, from the first on.
    ///
    /// # Errors
    /// [`ManifestError::File`] when it cannot be read any more, or was changed since.
    pub fn entries(&self) -> Result<Reader, ManifestError> {
        Reader::over(&self.path, Blocks::again(Arc::clone(&self.file), Arc::clone(&self.hashes)))
    }
}

/// Reads the whole manifest at `path` and says what its signature says: [`Sealed::open`] without what comes after. Blocks.
///
/// # Errors
/// Why it may not be believed.
pub fn verify(path: &Path, wanted: Option<&PublicKey>) -> Result<Verified, ManifestError> {
    Sealed::open(path, wanted).map(|sealed| sealed.verified)
}
