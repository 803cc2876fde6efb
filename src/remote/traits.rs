//! What the other side turned out to be: what it says of itself, and what was proven by using it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Mtime, RelPath};

/// What there is on the other side to try things on; nothing of it is changed.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// A small file that may be read.
    pub file: Option<Sample>,
    /// A folder that holds names with a dot in front.
    pub dotted: Option<RelPath>,
}

/// A file as it was listed.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Where it is.
    pub path: RelPath,
    /// Its length.
    pub size: u64,
    /// Its time, where the listing tells one.
    pub mtime: Option<Mtime>,
}

/// Everything that is known about the other side. Times are in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Traits {
    /// How it greets, as it came.
    pub greeting: Option<String>,
    /// What it says to be (SYST).
    pub system: Option<String>,
    /// What it says it can do (FEAT, extensions), line by line.
    pub announced: Vec<String>,
    /// What it can do, and how that is known.
    pub skills: Vec<Skill>,
    /// Whether connections are encrypted.
    pub encryption: Encryption,
    /// By which command directories are listed.
    pub listing: Option<String>,
    /// Whether a plain listing shows names with a dot in front.
    pub dot_files: DotFiles,
    /// How commands are sent, in words.
    pub manner: Option<String>,
    /// Round trips that a small file costs, reading and checking it, when it is not the first.
    pub round_trips_small: Option<f64>,
    /// Round trips that a larger one costs, beside those that its bytes take.
    pub round_trips_large: Option<f64>,
    /// How long single questions took, in order.
    pub round_trips: Vec<u64>,
    /// How long connecting and logging in took.
    pub setup: Option<u64>,
    /// What was learned about limits.
    pub connections: Connections,
}

/// One thing that servers can or cannot do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Skill {
    /// For example `MLSD`.
    pub name: String,
    /// Does the server say that it can? None: it says nothing of this kind.
    pub announced: Option<bool>,
    /// What came of trying.
    pub proven: Proven,
}

/// What came of trying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "proven", rename_all = "kebab-case")]
pub enum Proven {
    /// It works.
    Works {
        /// What showed it.
        how: String,
    },
    /// It does not.
    Fails {
        /// What the server said or did instead.
        why: String,
    },
    /// It was not tried.
    Untried {
        /// Why not.
        why: String,
    },
}

/// Whether what is sent can be read on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "encryption", rename_all = "kebab-case")]
pub enum Encryption {
    /// Nothing is known about it.
    #[default]
    Unknown,
    /// It never leaves this machine.
    Needless,
    /// The survey itself was encrypted.
    Used {
        /// For example `TLS 1.3`.
        version: String,
        /// The cipher suite.
        cipher: String,
    },
    /// The survey was in the clear; the server would have encrypted.
    Offered {
        /// For example `TLS 1.3`.
        version: String,
        /// The cipher suite.
        cipher: String,
        /// SHA-256 of the certificate, to be pinned.
        certificate: Option<String>,
    },
    /// The survey was in the clear, and the server does not encrypt.
    Refused {
        /// What it said.
        reply: String,
    },
}

/// Whether a plain listing shows names with a dot in front.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DotFiles {
    /// No such name was seen, or it was not asked.
    #[default]
    Unknown,
    /// It does.
    Shown,
    /// It does not: programs that ask without `-a` miss them.
    Hidden,
}

/// What was learned about limits, without trying to meet one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Connections {
    /// So many were open at once.
    pub most: u16,
    /// It bears no more than these, when it said so or hung up.
    pub limit: Option<u16>,
    /// What it said when it had enough, the first few.
    pub refusals: Vec<String>,
}

impl Traits {
    /// The middle one of the times that single questions took.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        let mut sorted = self.round_trips.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().map(Duration::from_micros)
    }
}

impl Skill {
    /// What was tried and worked.
    #[must_use]
    pub fn works(name: &str, announced: Option<bool>, how: impl Into<String>) -> Self {
        Self { name: name.to_owned(), announced, proven: Proven::Works { how: how.into() } }
    }

    /// What was tried and did not work.
    #[must_use]
    pub fn fails(name: &str, announced: Option<bool>, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), announced, proven: Proven::Fails { why: why.into() } }
    }

    /// What was not tried.
    #[must_use]
    pub fn untried(name: &str, announced: Option<bool>, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), announced, proven: Proven::Untried { why: why.into() } }
    }
}

impl Skill {
    /// What is known, as a sentence without its end.
    #[must_use]
    pub fn sentence(&self) -> String {
        let announced = match self.announced {
            Some(true) => "announced; ",
            Some(false) => "not announced; ",
            None => "",
        };
        match &self.proven {
            Proven::Works { how } => format!("works ({announced}{how})"),
            Proven::Fails { why } => format!("does not work ({announced}{why})"),
            Proven::Untried { why } => format!("not tried ({announced}{why})"),
        }
    }
}

impl Encryption {
    /// What is known, as a sentence without its end.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Unknown => "not known".to_owned(),
            Self::Needless => "a folder of this machine".to_owned(),
            Self::Used { version, cipher } => format!("{version}, {cipher}"),
            Self::Offered { version, cipher, certificate } => {
                let pin = certificate.as_ref().map(|print| format!("; certificate {print}")).unwrap_or_default();
                format!("none was used; the server offers {version}, {cipher}{pin}")
            }
            Self::Refused { reply } => format!("none; the server offers none ({reply})"),
        }
    }
}

/// Microseconds, as reports have them.
#[must_use]
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_round_trip_minds_no_outlier() {
        let traits = Traits { round_trips: vec![900_000, 20_000, 21_000, 19_000, 20_500], ..Traits::default() };
        assert_eq!(traits.round_trip(), Some(Duration::from_micros(20_500)));
        assert_eq!(Traits::default().round_trip(), None);
    }

    #[test]
    fn reports_of_older_versions_are_still_read() {
        let traits: Traits =
            serde_json::from_str(r#"{"greeting":"hello","encryption":{"encryption":"needless"}}"#).unwrap();
        assert_eq!((traits.greeting.as_deref(), traits.encryption), (Some("hello"), Encryption::Needless));
    }
}
