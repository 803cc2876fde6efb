//! Bounds of a scan: a server that shows names without end, or a folder that shows itself again and again, must not fill
//! the disk that holds the journal.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::mirror::policy::Limits;
use crate::model::{Entry, Fault, FaultKind, Phase, RelPath, Retry};

/// Counts the entries of one side against the policy's limits.
#[derive(Debug)]
pub(super) struct Guard {
    limits: Limits,
    all: AtomicU64,
}

impl Guard {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, all: AtomicU64::new(0) }
    }

    /// How long one listing may take, from its first name to its last.
    pub(super) const fn patience(&self) -> Duration {
        Duration::from_secs(self.limits.listing_seconds as u64)
    }

    /// A listing begins.
    pub(super) const fn listing(&self) -> Listing<'_> {
        Listing { guard: self, here: 0, whole: false }
    }

    /// Why a folder is not gone into, when it lies too deep.
    pub(super) fn too_deep(&self, dir: &RelPath) -> Option<Fault> {
        let most = self.limits.depth;
        (dir.depth() > usize::try_from(most).unwrap_or(usize::MAX)).then(|| {
            over(&format!("it lies deeper than {most} folders, or a folder shows itself in itself: raise limits.depth"))
        })
    }

    /// The listing took longer than it may.
    pub(super) fn too_slow(&self) -> Fault {
        let seconds = self.limits.listing_seconds;
        let message = format!(
            "the listing did not end within {seconds} seconds: raise limits.listing-seconds when the folder is that big"
        );
        Fault::new(Phase::List, FaultKind::Timeout, message).retry(Retry::Never)
    }
}

/// What one listing adds. Unless it is kept, it counts no more when it is dropped.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    guard: &'a Guard,
    here: u64,
    whole: bool,
}

impl Listing<'_> {
    /// Takes a batch.
    ///
    /// # Errors
    /// [`FaultKind::Incomplete`], with the limit that was met.
    pub(super) fn take(&mut self, entries: &[Entry]) -> Result<(), Fault> {
        let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        self.here += count;
        let all = self.guard.all.fetch_add(count, Relaxed) + count;
        let Limits { folder_entries, entries, .. } = self.guard.limits;
        if self.here > folder_entries {
            return Err(over(&format!("it shows more than {folder_entries} names: raise limits.folder-entries")));
        }
        if all > entries {
            return Err(over(&format!("the tree shows more than {entries} names: raise limits.entries")));
        }
        Ok(())
    }

    /// The listing is used.
    pub(super) const fn keep(&mut self) {
        self.whole = true;
    }
}

impl Drop for Listing<'_> {
    fn drop(&mut self) {
        if !self.whole {
            self.guard.all.fetch_sub(self.here, Relaxed);
        }
    }
}

fn over(what: &str) -> Fault {
    Fault::new(Phase::List, FaultKind::Incomplete, format!("{what} when this is right"))
}
