//! What tells one version of a file from another, without reading it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Mtime;

/// Size, time and the server's own identity, each as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Bytes.
    pub size: Option<u64>,
    /// Modification time with its precision and source.
    pub mtime: Option<Mtime>,
    /// The `unique` fact of MLSD.
    pub unique: Option<String>,
}

impl Fingerprint {
    /// Is it certain enough that both describe the same version? Unknown on one side is not agreement
    /// on size; a time that only one side knows decides nothing.
    #[must_use]
    pub fn same_version(&self, other: &Self) -> bool {
        let sizes = matches!((self.size, other.size), (Some(a), Some(b)) if a == b);
        let times = match (&self.mtime, &other.mtime) {
            (Some(a), Some(b)) => a.agrees(b),
            _ => true,
        };
        let unique = match (&self.unique, &other.unique) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        sizes && times && unique
    }
}

impl fmt::Display for Fingerprint {
    /// A stable text; part files are named after it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            Some(size) => write!(f, "{size}")?,
            None => f.write_str("?")?,
        }
        match self.mtime {
            Some(mtime) => write!(f, "@{}", mtime.at)?,
            None => f.write_str("@?")?,
        }
        match &self.unique {
            Some(unique) => write!(f, "#{unique}"),
            None => Ok(()),
        }
    }
}
