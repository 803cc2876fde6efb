//! Which files of the source are copied in a drill, and what is in them: read straight, before anything goes wrong.

use std::collections::VecDeque;

use super::DrillError;
use crate::mirror::Filter;
use crate::model::{Digest, DigestAlgorithm, Entry, EntryKind, Fault, FaultKind, Hasher, Phase, RelPath};
use crate::remote::Remote;

/// Folders that are looked through.
const MOST_FOLDERS: usize = 2_000;
/// Names of one folder that are looked at.
const MOST_ENTRIES: usize = 100_000;

/// How much is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files at most.
    pub files: usize,
    /// Their bytes at most, all together.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 500, bytes: 64 << 20 }
    }
}

/// A file and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sampled {
    pub(super) path: RelPath,
    pub(super) size: u64,
    /// SHA-256.
    pub(super) sum: Digest,
}

/// Takes the first files that fit, the folders near the root first.
///
/// # Errors
/// Those of listing and reading; [`DrillError::Nothing`] where there is no file that fits.
pub(super) async fn take(source: &dyn Remote, filter: &Filter, limits: Limits) -> Result<Vec<Sampled>, DrillError> {
    let (mut folders, mut looked) = (VecDeque::from([RelPath::root()]), 0);
    let (mut files, mut left) = (Vec::new(), limits.bytes);
    while let Some(folder) = folders.pop_front().filter(|_| looked < MOST_FOLDERS && files.len() < limits.files) {
        looked += 1;
        let Some(entries) = of_its_own(list(source, &folder).await)? else { continue };
        for entry in entries {
            let (path, is_dir) = (folder.join(&entry.name), entry.kind == EntryKind::Dir);
            if entry.name.is_reserved() || filter.leaves_out(&path, is_dir) {
                continue;
            }
            if is_dir && folders.len() < MOST_FOLDERS {
                folders.push_back(path);
            } else if entry.kind == EntryKind::File
                && files.len() < limits.files
                && entry.size.is_none_or(|size| size <= left)
                && let Some(Some(file)) = of_its_own(read(source, path, left).await)?
            {
                left -= file.size;
                files.push(file);
            }
        }
    }
    if files.iter().all(|file| file.size == 0) { Err(DrillError::Nothing(limits.bytes)) } else { Ok(files) }
}

/// A folder or file that nobody may read, or that went away, is none of the sample; anything else ends it.
fn of_its_own<T>(done: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match done {
        Err(fault) if matches!(fault.kind, FaultKind::Missing | FaultKind::Permission) => Ok(None),
        done => done.map(Some),
    }
}

async fn list(source: &dyn Remote, folder: &RelPath) -> Result<Vec<Entry>, Fault> {
    let mut lister = source.list(folder).await?;
    let mut found = Vec::new();
    while let Some(entries) = lister.next().await? {
        found.extend(entries);
        if found.len() > MOST_ENTRIES {
            return Ok(found);
        }
    }
    lister.finish().await?;
    Ok(found)
}

/// None when it holds more than `most` bytes.
pub(super) async fn read(source: &dyn Remote, path: RelPath, most: u64) -> Result<Option<Sampled>, Fault> {
    let mut reader = source.read(&path, 0, None).await?;
    let (mut hasher, mut size) = (Hasher::of_digest(DigestAlgorithm::Sha256), 0_u64);
    while let Some(bytes) = reader.next().await? {
        size = size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if size > most {
            reader.stop().await;
            return Ok(None);
        }
        hasher.update(&bytes);
    }
    reader.finish().await?;
    let sum = Digest::try_from(hasher).map_err(|error| Fault::new(Phase::Verify, FaultKind::Io, error.to_string()))?;
    Ok(Some(Sampled { path, size, sum }))
}
