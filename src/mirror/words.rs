//! The stable words of the journal.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable word for the store, JSON and pages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the word back.
            #[must_use]
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|w| w.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// How far an item is. It only moves down this list, except that a failed one may be planned again.
    ItemState {
        /// To be done.
        Planned = "planned",
        /// Bytes are moving, or moved in part.
        Transferring = "transferring",
        /// All bytes are in the part file, hashed and compared with the source.
        Verified = "verified",
        /// As verified, and about to change places with what lies under its final name.
        Publishing = "publishing",
        /// Done: under its final name in the target.
        Published = "published",
        /// Given up in this run; the fault says why.
        Failed = "failed",
        /// Left out on purpose; the fault says why.
        Skipped = "skipped",
    }
}

impl ItemState {
    /// Does the digest that is known of it stand for the whole file?
    #[must_use]
    pub const fn is_verified(self) -> bool {
        matches!(self, Self::Verified | Self::Publishing | Self::Published)
    }
}

words! {
    /// What is done about an item.
    Action {
        /// A file that the target does not have.
        Copy = "copy",
        /// A file that the target has in another version.
        Replace = "replace",
        /// A file that the target has and that is believed.
        Adopt = "adopt",
        /// A file that looked changed and turned out to be there in the source's version.
        Keep = "keep",
        /// A file that looks unchanged and whose content is looked at all the same.
        Recheck = "recheck",
        /// A file whose content is there, with other permission bits than in the source.
        SetMode = "set-mode",
        /// A directory that the target does not have.
        MakeDir = "make-dir",
        /// A symbolic link that the target does not have, or that leads elsewhere there.
        Link = "link",
        /// A file that the source no longer has.
        Trash = "trash",
        /// Left out by policy (links, special files).
        Skip = "skip",
        /// Cannot be mirrored (its name, its kind, what lies in its place).
        Refuse = "refuse",
    }
}
