//! What a mirror may do: the settings of a job.

use serde::{Deserialize, Serialize};

use super::Proving;
use super::uploads::NAMES;
use crate::model::DigestAlgorithm;

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* }) => {
        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word of the settings.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().copied().find(|value| value.as_str() == text);
                found.ok_or_else(|| format!("'{text}' is not one of {}", [$($word),*].join(", ")))
            }
        }
    };
}

/// The settings of a mirror, all with sensible and careful defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// Globs as in `.gitignore`; when there are any, only files that match one (or lie in a folder
    /// that does) are mirrored.
    pub include: Vec<String>,
    /// Globs as in `.gitignore` (`!` takes back); what matches is neither read nor ever deleted.
    pub exclude: Vec<String>,
    /// What happens in the target to files that are gone from the source.
    pub delete: Deletions,
    /// What happens when the target already holds a file that this job did not write.
    pub existing: Existing,
    /// What happens to symbolic links of the source.
    pub links: Links,
    /// What has to be known of a file's content.
    pub proof: Proving,
    /// How content is hashed. Files that are kept unchanged keep the digest that they had.
    pub digest: DigestAlgorithm,
    /// Write a signed manifest after a run that changed something.
    pub manifest: bool,
    /// Make the plan, change nothing.
    pub dry_run: bool,
    /// Most bytes per second read from the source; none = no limit.
    pub bandwidth: Option<u64>,
    /// Files copied side by side; none = as many as the source bears.
    pub connections: Option<u16>,
    /// The character set of the source's names (an Encoding Standard label such as `gbk`): names become
    /// UTF-8 in the target. `auto` = found out for each folder and remembered. None = the bytes are kept. Normally copied from the source's endpoint.
    pub charset: Option<String>,
    /// How names are carried over that the target, or a client of it, cannot hold.
    pub names: Naming,
    /// Keep permission bits where the source tells them.
    pub keep_mode: bool,
    /// A file may still be written for this many seconds beyond the tick in which its time is told: it is left for
    /// later in the run. 0 = no waiting.
    pub settle_seconds: u32,
    /// What is waited for because it may still be being uploaded.
    pub uploads: Uploads,
    /// Tries per file without progress before it counts as failed in this run.
    pub attempts: u32,
    /// How many seconds a source or target may be out of reach before the run ends.
    pub patience_seconds: u32,
    /// Between the runs over the whole tree, the folders in which something changed lately are looked at every so many
    /// minutes. None = only the whole tree, when its time comes.
    pub hot_minutes: Option<u32>,
    /// How much a tree may show.
    pub limits: Limits,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            delete: Deletions::default(),
            existing: Existing::default(),
            links: Links::default(),
            proof: Proving::default(),
            digest: DigestAlgorithm::default(),
            manifest: true,
            dry_run: false,
            bandwidth: None,
            connections: None,
            charset: None,
            names: Naming::default(),
            keep_mode: true,
            settle_seconds: 2,
            uploads: Uploads::default(),
            attempts: 5,
            patience_seconds: 300,
            hot_minutes: None,
            limits: Limits::default(),
        }
    }
}

/// Files that are left for later because they may still be being uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Uploads {
    /// Globs as in `.gitignore`, in any case, of names that speak for an upload.
    pub names: Vec<String>,
    /// A file with such a name is copied when it has not changed for so many seconds. 0 = nothing is taken for an upload,
    /// neither by its name nor because files in its folder were seen to change.
    pub rest_seconds: u32,
}

impl Default for Uploads {
    fn default() -> Self {
        Self { names: NAMES.iter().map(|name| (*name).to_owned()).collect(), rest_seconds: 300 }
    }
}

/// How much either tree may show before it is no longer believed: high enough for every real tree, and a bound for a
/// server that lists without end. A folder that goes beyond is reported, and nothing is deleted on its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Folders in one another.
    pub depth: u32,
    /// Names in one folder.
    pub folder_entries: u64,
    /// Names in the whole tree.
    pub entries: u64,
    /// How many seconds the listing of one folder may take in all.
    pub listing_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 200, folder_entries: 10_000_000, entries: 100_000_000, listing_seconds: 6 * 3600 }
    }
}

/// Deleting in the target. Off by default; when on, only files that this job wrote and nobody changed
/// since, only on the word of proven listings of two runs in a row, only below both caps, and only into
/// the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Deletions {
    /// Move what is gone from the source into the trash.
    pub enabled: bool,
    /// Most of the files that this job wrote, in percent, that one run may move.
    pub max_percent: u8,
    /// Most files that one run may move.
    pub max_files: u64,
}

impl Default for Deletions {
    fn default() -> Self {
        Self { enabled: false, max_percent: 10, max_files: 1000 }
    }
}

/// The target already holds a file that this job did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Existing {
    /// Read the source and compare: the same content is kept and counts as proven, another goes into
    /// the trash before the new file takes its place.
    #[default]
    Prove,
    /// Believe equal size and time: the file stays, counted as present but not proven. Any other goes into
    /// the trash before it is replaced.
    Adopt,
}

/// How names are carried over that the target, or a client of it, cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Naming {
    /// As they are. What the target cannot hold is reported, and so are names that it takes for one.
    #[default]
    Keep,
    /// As every client can hold them, Windows among them: see [`super::portable`]. Of names that the target takes for
    /// one, all but one get a suffix.
    Portable,
}

words!(Naming { Keep = "keep", Portable = "portable" });

/// What happens to symbolic links of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// They are left out, and counted.
    #[default]
    Skip,
    /// What they lead to is mirrored in their place, as long as it lies inside the source.
    Follow,
    /// The target gets links with the same bytes, as long as these lead to the same place there.
    Recreate,
}

words!(Links { Skip = "skip", Follow = "follow", Recreate = "recreate" });
