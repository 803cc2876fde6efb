//! What was learned about a server while speaking to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::RelPath;

/// Versions of files whose reading broke off that are remembered at a time.
const MOST_VERSIONS: usize = 1024;

/// The property by which a server lets the modification time be set, where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeProperty {
    /// `getlastmodified` itself.
    Live,
    /// `Win32LastModifiedTime`, as Windows sends it.
    Windows,
    /// `lastmodified` in seconds since 1970, as ownCloud and Nextcloud have it.
    Bare,
}

impl TimeProperty {
    /// Every value, in the order of trying.
    pub(super) const ALL: &'static [Self] = &[Self::Live, Self::Windows, Self::Bare];

    /// Namespace and name.
    pub(super) const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Live => ("DAV:", "getlastmodified"),
            Self::Windows => ("urn:schemas-microsoft-com:", "Win32LastModifiedTime"),
            Self::Bare => ("DAV:", "lastmodified"),
        }
    }
}

/// Each is "known to be so here"; nothing is known in the beginning.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// 0, or one more than the place in [`TimeProperty::ALL`].
    time: AtomicU8,
    /// A PUT with `X-OC-Mtime` gives the file that time.
    pub(super) put_sets_time: AtomicBool,
    /// MOVE with `Overwrite: F` replaces nothing.
    pub(super) move_is_safe: AtomicBool,
    /// `Destination` must be a path: behind a proxy the whole address is taken for another server's.
    pub(super) bare_destination: AtomicBool,
    /// A range is answered with the whole file.
    pub(super) no_ranges: AtomicBool,
    /// It tells SHA-256 of a file's content,
    pub(super) tells_sha256: AtomicBool,
    /// or some other hash.
    pub(super) tells_checksums: AtomicBool,
    /// It was asked for hashes of a file and told none.
    pub(super) tells_nothing: AtomicBool,
    /// Strong tags of the versions that were begun to read.
    versions: Mutex<BTreeMap<RelPath, String>>,
}

impl Learned {
    pub(super) fn time_property(&self) -> Option<TimeProperty> {
        let place = usize::from(self.time.load(Ordering::Relaxed)).checked_sub(1)?;
        TimeProperty::ALL.get(place).copied()
    }

    pub(super) fn set_time_property(&self, property: TimeProperty) {
        let place = TimeProperty::ALL.iter().position(|one| *one == property);
        let place = place.and_then(|place| u8::try_from(place + 1).ok()).unwrap_or_default();
        self.time.store(place, Ordering::Relaxed);
    }

    /// Are the times of new files kept, one way or the other?
    pub(super) fn keeps_times(&self) -> bool {
        self.time_property().is_some() || self.put_sets_time.load(Ordering::Relaxed)
    }

    fn versions(&self) -> MutexGuard<'_, BTreeMap<RelPath, String>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of `path` that is being read. Whoever reads on later must get the same one.
    pub(super) fn begun(&self, path: &RelPath, tag: Option<&str>) {
        let mut versions = self.versions();
        versions.remove(path);
        if versions.len() >= MOST_VERSIONS {
            versions.pop_first();
        }
        versions.extend(tag.map(|tag| (path.clone(), tag.to_owned())));
    }

    /// The version that was begun.
    pub(super) fn version(&self, path: &RelPath) -> Option<String> {
        self.versions().get(path).cloned()
    }

    /// It was read to its end.
    pub(super) fn ended(&self, path: &RelPath) {
        self.versions().remove(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_known() {
        let learned = Learned::default();
        assert!(learned.time_property().is_none() && !learned.keeps_times());
        for property in TimeProperty::ALL {
            learned.set_time_property(*property);
            assert_eq!(learned.time_property(), Some(*property));
        }
        let path = RelPath::new("a").unwrap();
        learned.begun(&path, Some("1"));
        assert_eq!(learned.version(&path).as_deref(), Some("1"));
        learned.begun(&path, None);
        assert_eq!(learned.version(&path), None);
    }
}
