//! What changed between two manifests.

use std::cmp::Ordering;

use serde::Serialize;

use super::{Entry, ManifestError, Sealed};
use crate::model::RelPath;

/// One file that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// Only in the second.
    Added {
        /// Which file.
        path: RelPath,
        /// Its bytes.
        size: Option<u64>,
    },
    /// Only in the first.
    Removed {
        /// Which file.
        path: RelPath,
        /// Its bytes.
        size: Option<u64>,
    },
    /// Another size or content.
    Changed {
        /// Which file.
        path: RelPath,
        /// Its bytes in the first.
        before: Option<u64>,
        /// Its bytes in the second.
        after: Option<u64>,
    },
    /// The same size and content as far as both know it, and another time.
    Time {
        /// Which file.
        path: RelPath,
    },
}

/// The comparison in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Diff {
    /// Files only in the second.
    pub added: u64,
    /// Files only in the first.
    pub removed: u64,
    /// Files with another size or content.
    pub changed: u64,
    /// Files of which only the time is another.
    pub time: u64,
    /// Files that are the same in both.
    pub same: u64,
    /// Of these, files of which one of both knows no content, or which both hashed in two ways: their size and time are
    /// the same.
    pub unsure: u64,
}

impl Diff {
    /// Do both say the same?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added == 0 && self.removed == 0 && self.changed == 0 && self.time == 0
    }
}

/// Compares two manifests, telling each change to `tell` in the order of the paths. Blocks.
///
/// # Errors
/// When one of them cannot be read; an error of `tell`.
pub fn diff<E: From<ManifestError>>(
    before: &Sealed,
    after: &Sealed,
    mut tell: impl FnMut(&Change) -> Result<(), E>,
) -> Result<Diff, E> {
    let (mut old, mut new) = (before.entries()?, after.entries()?);
    let (mut left, mut right) = (old.next_entry()?, new.next_entry()?);
    let mut counts = Diff::default();
    loop {
        let order = match (&left, &right) {
            (None, None) => return Ok(counts),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.path.as_bytes().cmp(b.path.as_bytes()),
        };
        let a = if order == Ordering::Greater { None } else { std::mem::replace(&mut left, old.next_entry()?) };
        let b = if order == Ordering::Less { None } else { std::mem::replace(&mut right, new.next_entry()?) };
        if let Some(change) = compare(a, b, &mut counts) {
            tell(&change)?;
        }
    }
}

fn compare(before: Option<Entry>, after: Option<Entry>, counts: &mut Diff) -> Option<Change> {
    let (counter, change) = match (before, after) {
        (None, None) => return None,
        (Some(a), None) => (&mut counts.removed, Some(Change::Removed { path: a.path, size: a.size })),
        (None, Some(b)) => (&mut counts.added, Some(Change::Added { path: b.path, size: b.size })),
        (Some(a), Some(b)) if differs(&a, &b) => {
            (&mut counts.changed, Some(Change::Changed { path: b.path, before: a.size, after: b.size }))
        }
        (Some(a), Some(b)) if !same_time(&a, &b) => (&mut counts.time, Some(Change::Time { path: b.path })),
        (Some(a), Some(b)) => {
            counts.unsure = counts.unsure.saturating_add(u64::from(a.digest.is_none() || a.digest != b.digest));
            (&mut counts.same, None)
        }
    };
    *counter = counter.saturating_add(1);
    change
}

fn differs(a: &Entry, b: &Entry) -> bool {
    let contents = matches!((a.digest, b.digest), (Some(a), Some(b)) if a.differs(&b));
    contents || a.size != b.size
}

/// At the coarser precision of both.
fn same_time(a: &Entry, b: &Entry) -> bool {
    match (a.mtime, b.mtime) {
        (Some(a), Some(b)) => a.agrees(&b),
        (None, None) => true,
        _ => false,
    }
}
