//! What a run is doing right now, cheap to read from any thread.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::PlannedStep;
use crate::db::{DbError, Waiting};
use crate::model::RelPath;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Not begun.
    #[default]
    Waiting,
    /// Reading directories on both sides.
    Listing,
    /// Comparing.
    Planning,
    /// Moving files.
    Copying,
    /// Deletions, times of directories.
    Finishing,
    /// Over.
    Done,
}

impl Stage {
    const ALL: [Self; 6] = [Self::Waiting, Self::Listing, Self::Planning, Self::Copying, Self::Finishing, Self::Done];
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of a run under way. Shared as `Arc<Progress>`; only the mirror writes.
        #[derive(Debug)]
        pub struct Progress {
            $(pub(super) $name: AtomicU64,)*
            stage: AtomicU8,
            current: Mutex<Vec<(u64, RelPath, u64, Option<u64>)>>,
            tickets: AtomicU64,
            rate: Mutex<Rate>,
            waits_for: Mutex<Option<String>>,
            connections: Mutex<Option<String>>,
            plan: Option<mpsc::Sender<PlannedStep>>,
        }

        /// The counters at one instant.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Snapshot {
            /// Where the run is.
            pub stage: Stage,
            $($(#[$doc])* pub $name: u64,)*
            /// Bytes per second over the last seconds.
            pub rate: f64,
            /// Files being moved now.
            pub current: Vec<Current>,
            /// The run can do nothing until this is over (no room in the target, a side out of reach); for people.
            pub waits_for: Option<String>,
            /// How many connections move files now, and why so many; for people.
            pub connections: Option<String>,
        }

        impl Progress {
            /// All zero.
            #[must_use]
            pub fn new() -> Self {
                Self {
                    $($name: AtomicU64::new(0),)*
                    stage: AtomicU8::new(0),
                    current: Mutex::default(),
                    tickets: AtomicU64::new(0),
                    rate: Mutex::new(Rate::default()),
                    waits_for: Mutex::default(),
                    connections: Mutex::default(),
                    plan: None,
                }
            }

            /// The counters now.
            #[must_use]
            pub fn snapshot(&self) -> Snapshot {
                Snapshot {
                    stage: self.stage(),
                    $($name: self.$name.load(Relaxed),)*
                    rate: self.rate(),
                    current: self.current(),
                    waits_for: self.waits_for.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                    connections: self.connections.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                }
            }
        }
    };
}

counters! {
    /// Directories listed in the source.
    dirs_listed,
    /// Entries seen in the source.
    entries_seen,
    /// Files that must be moved.
    files_planned,
    /// Their bytes, as far as sizes are known.
    bytes_planned,
    /// Files under their final name.
    files_done,
    /// Bytes read from the source for them, in all attempts.
    bytes_moved,
    /// Bytes of the files that are done.
    bytes_done,
    /// Files that were there already.
    files_unchanged,
    /// Files that failed in this run.
    files_failed,
    /// Entries left out on purpose (links, special files).
    entries_skipped,
    /// Files moved into the trash because the source no longer has them.
    files_trashed,
    /// Tries that failed and were or will be repeated.
    retries,
    /// Milliseconds for which the job store was locked by another program, the longest time of it.
    locked,
}

/// A file being moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Its path, for people.
    pub path: String,
    /// Bytes there so far.
    pub bytes: u64,
    /// All of them, when known.
    pub size: Option<u64>,
}

#[derive(Debug, Default)]
struct Rate {
    window: Option<(Instant, u64)>,
    last: f64,
}

/// How long a rate is averaged before a new window begins.
const RATE_WINDOW: Duration = Duration::from_secs(1);

impl Waiting for Progress {
    fn begins(&self, locked: &DbError) {
        self.wait_for(locked);
    }

    fn ends(&self, after: Duration) {
        self.locked.fetch_max(u64::try_from(after.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.goes_on();
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Also sends every step of the plan to `plan` (for a dry run that prints it). The plan waits for a
    /// slow reader, and goes on without one that went away.
    #[must_use]
    pub fn with_plan(plan: mpsc::Sender<PlannedStep>) -> Self {
        Self { plan: Some(plan), ..Self::new() }
    }

    /// Where the run is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        Stage::ALL.get(usize::from(self.stage.load(Relaxed))).copied().unwrap_or_default()
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.stage.store(
            Stage::ALL.iter().position(|s| *s == stage).and_then(|n| u8::try_from(n).ok()).unwrap_or(0),
            Relaxed,
        );
    }

    pub(super) fn plan_reader(&self) -> Option<&mpsc::Sender<PlannedStep>> {
        self.plan.as_ref()
    }

    /// Bytes per second, measured over at least a second.
    fn rate(&self) -> f64 {
        let moved = self.bytes_moved.load(Relaxed);
        let now = Instant::now();
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        match rate.window {
            None => rate.window = Some((now, moved)),
            Some((since, before)) if now.duration_since(since) >= RATE_WINDOW => {
                #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
                let bytes = moved.saturating_sub(before) as f64;
                rate.last = bytes / now.duration_since(since).as_secs_f64();
                rate.window = Some((now, moved));
            }
            Some(_) => {}
        }
        rate.last
    }

    fn current(&self) -> Vec<Current> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current
            .iter()
            .map(|(_, path, bytes, size)| Current { path: path.display().into_owned(), bytes: *bytes, size: *size })
            .collect()
    }

    /// A file of `bytes` is not to be moved after all. An earlier start of the run may have planned it: never below zero.
    pub(super) fn plans_less(&self, bytes: u64) {
        for (counter, less) in [(&self.files_planned, 1), (&self.bytes_planned, bytes)] {
            counter.fetch_update(Relaxed, Relaxed, |planned| Some(planned.saturating_sub(less))).ok();
        }
    }

    /// A side as a whole is waited for. The log hears of it once, when it begins.
    pub(super) fn wait_for(&self, what: &dyn std::fmt::Display) {
        let mut waits_for = self.waits_for.lock().unwrap_or_else(PoisonError::into_inner);
        if waits_for.replace(what.to_string()).is_none() {
            tracing::warn!(fault = %what, "the run waits until this is over");
        }
    }

    /// So many connections move files, for this reason.
    pub(super) fn uses(&self, connections: String) {
        tracing::debug!(connections, "files at once");
        *self.connections.lock().unwrap_or_else(PoisonError::into_inner) = Some(connections);
    }

    /// Something worked again, or nobody waits any more.
    pub(super) fn goes_on(&self) {
        self.waits_for.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Bytes that are still to be written, as far as sizes are known.
    pub(super) fn bytes_left(&self) -> u64 {
        self.bytes_planned.load(Relaxed).saturating_sub(self.bytes_done.load(Relaxed))
    }

    /// Shows a file as being moved until the ticket is dropped.
    pub(super) fn show(&self, path: &RelPath, size: Option<u64>) -> Ticket<'_> {
        let id = self.tickets.fetch_add(1, Relaxed);
        self.current.lock().unwrap_or_else(PoisonError::into_inner).push((id, path.clone(), 0, size));
        Ticket { progress: self, id }
    }
}

/// A file on show in [`Progress`].
pub(super) struct Ticket<'a> {
    progress: &'a Progress,
    id: u64,
}

impl Ticket<'_> {
    /// `bytes` of it are there.
    pub(super) fn at(&self, bytes: u64) {
        let mut current = self.progress.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shown) = current.iter_mut().find(|(id, ..)| *id == self.id) {
            shown.2 = bytes;
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut current = self.progress.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.retain(|(id, ..)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_start_planned_is_not_taken_from_nothing() {
        let progress = Progress::new();
        progress.files_planned.store(2, Relaxed);
        progress.bytes_planned.store(5, Relaxed);
        progress.plans_less(3);
        assert_eq!((progress.snapshot().files_planned, progress.snapshot().bytes_planned), (1, 2));
        progress.plans_less(8);
        progress.plans_less(8);
        assert_eq!((progress.snapshot().files_planned, progress.snapshot().bytes_planned), (0, 0));
    }
}
