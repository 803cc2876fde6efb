//! What somebody may see and do in the served tree.

use serde::{Deserialize, Serialize};

use super::{Quota, RelPath};

/// May the holder change anything? The lesser right comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// List and read.
    ReadOnly,
    /// List, read, create, change and remove.
    ReadWrite,
}

/// A folder of the tree and what may be done in it. `tree::Tree::view` turns it into a `View`, whose
/// root is `home`: nothing outside can be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The folder, relative to the root of the served tree; the empty path is the whole tree.
    pub home: RelPath,
    /// Whether it may be changed.
    pub access: Access,
    /// How much may be in it.
    #[serde(default)]
    pub quota: Quota,
}

impl Scope {
    /// The whole tree, to read and write.
    #[must_use]
    pub fn whole() -> Self {
        Self::of(RelPath::root(), Access::ReadWrite)
    }

    /// A folder with as much in it as the disk holds.
    #[must_use]
    pub fn of(home: RelPath, access: Access) -> Self {
        Self { home, access, quota: Quota::NONE }
    }
}
