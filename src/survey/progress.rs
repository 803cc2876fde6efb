//! How far a survey is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::model::RelPath;

/// What a survey does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Connects and logs in.
    #[default]
    Connecting,
    /// Reads folders.
    Listing,
    /// Asks the server about itself, and reads a few files.
    Asking,
    /// It is over.
    Done,
}

impl Stage {
    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Listing => "listing",
            Self::Asking => "asking the server about itself",
            Self::Done => "done",
        }
    }
}

/// Written by a survey, read by whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    folders: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    waiting: AtomicU64,
    now: Mutex<(Stage, RelPath)>,
}

/// How far it is at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    /// What it does.
    pub stage: Stage,
    /// Folders that were read.
    pub folders: u64,
    /// Folders that wait to be read, about.
    pub waiting: u64,
    /// Files that were seen.
    pub files: u64,
    /// Bytes that they have.
    pub bytes: u64,
    /// The folder that was read last, for people.
    pub folder: String,
}

impl Progress {
    /// How far it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (stage, folder) = self.now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            stage,
            folders: of(&self.folders),
            waiting: of(&self.waiting),
            files: of(&self.files),
            bytes: of(&self.bytes),
            folder: super::census::shown(&folder),
        }
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0 = stage;
    }

    pub(super) fn read(&self, folders: u64, files: u64, bytes: u64, folder: &RelPath) {
        self.folders.store(folders, Ordering::Relaxed);
        self.files.store(files, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.now.lock().unwrap_or_else(PoisonError::into_inner).1 = folder.clone();
    }

    pub(super) fn waiting(&self, folders: usize) {
        self.waiting.store(u64::try_from(folders).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
