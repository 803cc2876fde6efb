//! Is a listing all there is?

use std::fmt;

use serde::{Deserialize, Serialize};

/// A reason not to believe that a listing names everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "doubt", rename_all = "kebab-case")]
pub enum Doubt {
    /// Lines that were not understood; the count and the first of them.
    Unparsed {
        /// How many.
        count: u64,
        /// The first, for people.
        first: String,
    },
    /// The closing reply says that something is missing.
    ClosingReply {
        /// Its text.
        text: String,
    },
    /// Nothing was listed, and nothing confirmed that the directory is empty.
    UnconfirmedEmpty,
    /// Exactly a number of entries at which servers are known to cut.
    RoundCount {
        /// That number.
        count: u64,
    },
    /// Names that cannot be used (line breaks, NUL, separators, reserved); the count and the first.
    BadNames {
        /// How many.
        count: u64,
        /// The first, for people.
        first: String,
    },
    /// Names that came twice.
    Duplicates {
        /// How many.
        count: u64,
    },
    /// Listed twice because the first listing may have been cut, and the second showed other names; how many each had.
    Differs {
        /// Names in the first.
        first: u64,
        /// Names in the second.
        second: u64,
    },
    /// The encrypted data connection ended without a farewell: somebody may have cut it.
    Unsealed,
    /// A symbolic link leads to the folder: that a name is gone may only mean that it leads elsewhere now.
    Linked,
    /// The listing came from a command that cannot show everything (NLST, LIST without dot files).
    WeakCommand {
        /// Which.
        command: String,
    },
}

impl Doubt {
    /// Does it speak of something that is missing? The others only say that something could be: enough not to
    /// delete anything, not enough to call every copy from this server incomplete. The summary says it.
    #[must_use]
    pub const fn hides_something(&self) -> bool {
        !matches!(self, Self::RoundCount { .. } | Self::WeakCommand { .. } | Self::Unsealed | Self::Linked)
    }
}

/// As a sentence without its end.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unparsed { count, first } => {
                write!(f, "{count} lines of the listing were not understood, first '{first}'")
            }
            Self::ClosingReply { text } => write!(f, "the server ended the listing with '{text}'"),
            Self::UnconfirmedEmpty => f.write_str("it was listed as empty, and nothing confirms that"),
            Self::RoundCount { count } => write!(f, "exactly {count} entries: servers cut lists at such numbers"),
            Self::BadNames { count, first } => write!(f, "{count} names cannot be used, first '{first}'"),
            Self::Duplicates { count } => write!(f, "{count} names came twice"),
            Self::Differs { first, second } => {
                write!(f, "listed twice in a row it showed {first} and then {second} names, not the same ones")
            }
            Self::Linked => f.write_str("a symbolic link leads to it, which may lead elsewhere now"),
            Self::Unsealed => f.write_str("the encrypted listing ended without a farewell"),
            Self::WeakCommand { command } => write!(f, "{command} cannot show everything"),
        }
    }
}

/// How a part of a listing was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Entries that came one after another in the same format.
    Entries {
        /// A short name, for example `unix`.
        format: &'static str,
        /// How many.
        count: usize,
    },
    /// A line that gave no entry although it is no noise.
    Unparsed {
        /// As it came, without its end; the first 64 KiB of it.
        line: Vec<u8>,
        /// What is wrong with it, when more is known than that it was not understood.
        why: Option<String>,
    },
    /// So many more such lines, which were not kept.
    MoreUnparsed(u64),
}

/// Whether a finished listing is known to be complete. Deleting anything takes [`Completeness::Proven`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "completeness", rename_all = "kebab-case")]
pub enum Completeness {
    /// Everything that can be checked says yes; holds how it was shown, for people.
    Proven {
        /// For example "MLSD with a clean 226".
        how: String,
    },
    /// At least one doubt.
    Doubtful {
        /// All of them.
        doubts: Vec<Doubt>,
    },
}

impl Completeness {
    /// Proven when `doubts` is empty.
    #[must_use]
    pub fn from_doubts(doubts: Vec<Doubt>, how: impl Into<String>) -> Self {
        if doubts.is_empty() { Self::Proven { how: how.into() } } else { Self::Doubtful { doubts } }
    }

    /// The same with one more doubt.
    #[must_use]
    pub fn doubted(self, doubt: Doubt) -> Self {
        let mut doubts = match self {
            Self::Proven { .. } => Vec::new(),
            Self::Doubtful { doubts } => doubts,
        };
        doubts.push(doubt);
        Self::Doubtful { doubts }
    }

    /// Is nothing known to be missing? Weaker than [`Completeness::is_proven`].
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Proven { .. } => true,
            Self::Doubtful { doubts } => !doubts.iter().any(Doubt::hides_something),
        }
    }

    /// May something be deleted because this listing does not name it?
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        matches!(self, Self::Proven { .. })
    }
}
