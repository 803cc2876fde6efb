//! What a run did, and exactly what is missing and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::heat::Extent;
use super::lag::Lag;
use super::proof::Proving;
use super::proof::store::Records;
use crate::model::{Fault, RelPath, RunId};
use crate::remote::Doubt;

/// How many examples of each kind a summary holds; the counts are exact, the store has them all.
pub const EXAMPLES: usize = 100;

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ended")]
pub enum Ended {
    /// Went through to the end.
    Finished,
    /// Was told to stop; goes on from here when it is started again.
    Stopped,
    /// The source or target stayed out of reach, or refused the login.
    GaveUp {
        /// Why.
        fault: Fault,
    },
}

/// A path that is not in the target as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingItem {
    /// In the source.
    pub path: RelPath,
    /// Why.
    pub fault: Fault,
}

/// A directory whose listing is not known to be everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsureDir {
    /// In the source.
    pub path: RelPath,
    /// It could not be listed at all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<Fault>,
    /// It was listed, with doubts.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub doubts: Vec<Doubt>,
}

/// Exact numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Directories listed in the source.
    pub dirs_listed: u64,
    /// Of these, not listed at all, or something in them is known to be missing.
    pub dirs_unsure: u64,
    /// Files in the source, as far as listed.
    pub files_seen: u64,
    /// Files copied and published by this run (over all of its starts).
    pub files_published: u64,
    /// Their bytes.
    pub bytes_published: u64,
    /// Files that were there already, as published before.
    pub files_unchanged: u64,
    /// Unchanged files whose content was looked at all the same, and was unchanged, too.
    pub files_rechecked: u64,
    /// Files that looked unchanged, and whose content was another.
    pub files_unseen: u64,
    /// Files of earlier runs that the target does not hold any more as they were published, and that were not copied again.
    pub files_doubted: u64,
    /// Unchanged files that were given the permission bits of the source.
    pub modes_set: u64,
    /// Symbolic links made in the target.
    pub links_made: u64,
    /// Of the links and special files left out, links that lead to nothing.
    pub links_dangling: u64,
    /// Files of the target believed by size and time alone (`existing = adopt`).
    pub files_adopted: u64,
    /// Files that this run should have copied and could not.
    pub files_failed: u64,
    /// Files that this run should still copy: it was stopped or gave up, or they are waited for.
    pub files_waiting: u64,
    /// Of these, files that may still be being uploaded: a later run copies them.
    pub files_uploading: u64,
    /// Links and special files left out.
    pub entries_skipped: u64,
    /// Files that went away from the source before they could be copied.
    pub files_vanished: u64,
    /// Files moved into the trash because the source no longer has them.
    pub files_trashed: u64,
    /// Files gone from the source that stay in the target for now.
    pub files_kept: u64,
    /// Tries that failed.
    pub retries: u64,
}

impl Summary {
    /// Is all that is missing for it to be complete files that may still be being uploaded? Time alone sees to those.
    #[must_use]
    pub const fn only_waits_for_uploads(&self) -> bool {
        let Counts { files_failed, files_waiting, files_uploading, dirs_unsure, .. } = self.counts;
        files_uploading > 0 && files_waiting == files_uploading && files_failed == 0 && dirs_unsure == 0
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Which run.
    pub run: RunId,
    /// How it ended.
    #[serde(flatten)]
    pub ended: Ended,
    /// Nothing was changed: the counts say what would be.
    pub dry_run: bool,
    /// Every directory was listed with nothing known to be missing, and every file that should be in the target is there.
    pub complete: bool,
    /// Everything that is there was read from the source and its digest stored (nothing merely adopted), and the policy
    /// wants more than sizes.
    pub verified: bool,
    /// Exact numbers.
    pub counts: Counts,
    /// The first [`EXAMPLES`] paths that are missing.
    pub missing: Vec<MissingItem>,
    /// The first [`EXAMPLES`] directories that may be incomplete.
    pub unsure: Vec<UnsureDir>,
    /// Sentences for people: what was decided and why (deletions held back, links left out …).
    pub notes: Vec<String>,
    /// What it looked at.
    #[serde(default)]
    pub extent: Extent,
    /// How long files that were new to it took to get here; none when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
    /// How many files this run proved by which method: those that it copied, and unchanged ones that it looked at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proofs: BTreeMap<String, u64>,
    /// What the run was told to do. None: by an earlier version, which did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<Orders>,
    /// The job's records when the run ended. None: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Records>,
}

/// What a run was told, as far as a manifest tells it: the job may be told otherwise later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// The source's URL; it holds no password.
    pub source: String,
    /// The target's URL; it holds no password.
    pub target: String,
    /// How files were to be proven.
    pub proof: Proving,
}
