//! Where an installation keeps its manifests: `manifests/` in the data folder, one file a run, beside the key that
//! signed them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Header, ManifestError, SigningKey, Writer};
use crate::model::{JobId, Name, RelPath, RunId, Scope};
use crate::tree::{Tree, View, file};

const FOLDER: &str = "manifests";
const KEY: &str = "manifest-key.pem";
const END: &str = ".jsonl";
/// A manifest that is begun and not touched for so long belongs to a process that died.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// The manifests of a data folder. All of it blocks.
#[derive(Debug, Clone)]
pub struct Manifests {
    data: PathBuf,
}

/// One manifest that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Of which job.
    pub job: JobId,
    /// After which run.
    pub run: RunId,
    /// Where.
    pub path: PathBuf,
    /// Bytes of the file.
    pub size: u64,
    /// When it was written.
    pub written: Timestamp,
}

impl Kept {
    /// A name for a copy of it.
    #[must_use]
    pub fn file_name(&self) -> String {
        file_name(self.job, self.run)
    }
}

impl Manifests {
    /// In the data folder `data`. Nothing is made yet.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    /// The installation's key; made when there is none.
    ///
    /// # Errors
    /// As [`SigningKey::load_or_make`].
    pub fn key(&self) -> Result<Arc<SigningKey>, ManifestError> {
        SigningKey::load_or_make(&self.data.join(KEY)).map(Arc::new)
    }

    /// Begins the manifest that `header` is of; it takes the place of an older one of the same run.
    ///
    /// # Errors
    /// [`ManifestError::File`], [`ManifestError::Key`].
    pub fn begin(&self, header: &Header) -> Result<Writer, ManifestError> {
        let folder = self.folder();
        file::ensure_dir(&folder, true).map_err(ManifestError::file(&folder))?;
        Writer::begin(&self.path(header.job, header.run), header, self.key()?)
    }

    /// Where the manifest of a run lies, or would.
    #[must_use]
    pub fn path(&self, job: JobId, run: RunId) -> PathBuf {
        self.folder().join(file_name(job, run))
    }

    /// All that are kept, by run; of one job when it is given.
    ///
    /// # Errors
    /// [`ManifestError::File`].
    pub fn list(&self, job: Option<JobId>) -> Result<Vec<Kept>, ManifestError> {
        let mut found: Vec<Kept> = self
            .names()?
            .into_iter()
            .filter_map(|(name, size, written)| {
                let (job, run) = of_name(name.as_bytes())?;
                Some(Kept { job, run, path: self.path(job, run), size, written })
            })
            .filter(|kept| job.is_none_or(|job| kept.job == job))
            .collect();
        found.sort_by_key(|kept| (kept.run, kept.job));
        Ok(found)
    }

    /// Removes the manifests of `job` that `old` names, but never the newest, and what died while it was written.
    /// Returns how many went.
    ///
    /// # Errors
    /// [`ManifestError::File`].
    pub fn prune(&self, job: JobId, old: impl Fn(RunId) -> bool, now: Timestamp) -> Result<u64, ManifestError> {
        let mut all = self.list(Some(job))?;
        all.pop();
        let names = all.iter().filter(|kept| old(kept.run)).map(Kept::file_name);
        let stale = self
            .names()?
            .into_iter()
            .filter(|(name, _, written)| name.as_bytes().starts_with(b".") && now.duration_since(*written) > STALE);
        let names: Vec<Vec<u8>> =
            names.map(String::into_bytes).chain(stale.map(|(name, ..)| name.as_bytes().to_vec())).collect();
        let mut gone = 0;
        if let Some(view) = self.view()? {
            for name in names {
                let path = RelPath::new(name).map_err(io::Error::other).map_err(ManifestError::file(self.folder()))?;
                view.remove_file(&path).map_err(ManifestError::file(self.folder()))?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    fn folder(&self) -> PathBuf {
        self.data.join(FOLDER)
    }

    /// None: nothing was ever written.
    fn view(&self) -> Result<Option<View>, ManifestError> {
        let folder = self.folder();
        match Tree::open(&folder).and_then(|tree| tree.view(&Scope::whole())) {
            Ok(view) => Ok(Some(view)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ManifestError::file(folder)(error)),
        }
    }

    fn names(&self) -> Result<Vec<(Name, u64, Timestamp)>, ManifestError> {
        let Some(view) = self.view()? else { return Ok(Vec::new()) };
        let failed = |error| ManifestError::file(self.folder())(error);
        let mut found = Vec::new();
        for entry in view.read_dir(&RelPath::root()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.stat.is_file() {
                found.push((entry.name, entry.stat.size, entry.stat.mtime));
            }
        }
        Ok(found)
    }
}

fn file_name(job: JobId, run: RunId) -> String {
    format!("job-{job}-run-{run}{END}")
}

fn of_name(name: &[u8]) -> Option<(JobId, RunId)> {
    let middle = std::str::from_utf8(name).ok()?.strip_prefix("job-")?.strip_suffix(END)?;
    let (job, run) = middle.split_once("-run-")?;
    Some((JobId(job.parse().ok()?), RunId(run.parse().ok()?)))
}
