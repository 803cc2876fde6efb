//! The most that a folder of the served tree may hold.

use serde::{Deserialize, Serialize};

/// Limits of one home folder; none = as much as the disk holds. Who may write into the same folder by another account
/// or as a job is not held to it, and what they write counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Bytes of all files, each name counted with the whole length of its file.
    pub bytes: Option<u64>,
    /// Names: files, folders and links.
    pub files: Option<u64>,
}

impl Quota {
    /// Nothing but the disk is a limit.
    pub const NONE: Self = Self { bytes: None, files: None };

    /// Does it limit anything?
    #[must_use]
    pub fn is_limited(&self) -> bool {
        *self != Self::NONE
    }
}

/// What a folder holds, in the terms of a [`Quota`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Bytes.
    pub bytes: u64,
    /// Names.
    pub files: u64,
}

impl Used {
    /// One name of a file of this length.
    #[must_use]
    pub const fn file(bytes: u64) -> Self {
        Self { bytes, files: 1 }
    }

    /// More content under names that are there.
    #[must_use]
    pub const fn content(bytes: u64) -> Self {
        Self { bytes, files: 0 }
    }

    /// Both.
    #[must_use]
    pub const fn and(self, more: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(more.bytes), files: self.files.saturating_add(more.files) }
    }

    /// What is left without `less`, never below nothing.
    #[must_use]
    pub const fn without(self, less: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(less.bytes), files: self.files.saturating_sub(less.files) }
    }
}
