//! What a shared link leads to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What somebody who has a link may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShareKind {
    /// Fetch one file.
    File,
    /// Look around in a folder and fetch what is in it.
    Folder,
    /// Send files into a folder, and see nothing of it.
    DropBox,
}

impl ShareKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::File, Self::Folder, Self::DropBox];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::DropBox => "drop-box",
        }
    }

    /// For sentences.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::DropBox => "drop box",
        }
    }

    /// That of the stable word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for ShareKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
