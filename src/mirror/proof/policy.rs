//! How a job wants its files to be proven.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::model::RelPath;

/// What has to be known of a file before it is published, and how files that look unchanged are looked at.
///
/// The digest of what arrived is always computed and kept; the policy says what is done, and claimed, beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Proving {
    /// As many bytes arrived as the source said. An unchanged size and time are believed.
    Size,
    /// The digest of what arrived is kept. An unchanged size and time are believed.
    #[default]
    StreamHash,
    /// The source is read twice, and unchanged files are read again in every run.
    SecondRead,
    /// The source's server is asked for its own hash, of unchanged files too; where it tells none, this is
    /// [`Proving::StreamHash`].
    ServerHash,
    /// [`Proving::SecondRead`] for so many files in a hundred, chosen by their paths: always the same ones.
    Sampling(u8),
}

/// The text names no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write size, stream-hash, second-read, server-hash, or sampling=PERCENT with a whole number from 1 to 100")]
pub struct ProvingError;

impl Proving {
    /// Every way of proving, for lists to choose from; sampling with a usual share.
    pub const ALL: &'static [Self] =
        &[Self::Size, Self::StreamHash, Self::SecondRead, Self::ServerHash, Self::Sampling(5)];

    /// Is the file read from the source a second time?
    #[must_use]
    pub fn reads_twice(self, path: &RelPath) -> bool {
        match self {
            Self::SecondRead => true,
            Self::Sampling(percent) => place(path) < percent,
            Self::Size | Self::StreamHash | Self::ServerHash => false,
        }
    }

    /// Is the content looked at of any file that seems to be unchanged?
    #[must_use]
    pub const fn rechecks_any(self) -> bool {
        !matches!(self, Self::Size | Self::StreamHash)
    }

    /// Is the content looked at of a file that seems to be unchanged?
    #[must_use]
    pub fn rechecks(self, path: &RelPath) -> bool {
        self == Self::ServerHash || self.reads_twice(path)
    }
}

/// From 0 to 99, by the SHA-256 of the path: evenly spread, and the same in every run and on every machine.
fn place(path: &RelPath) -> u8 {
    let hash = digest(&SHA256, path.as_bytes());
    let start = hash.as_ref().iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    u8::try_from((u128::from(start) * 100) >> 64).unwrap_or(99)
}

impl fmt::Display for Proving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => f.write_str("size"),
            Self::StreamHash => f.write_str("stream-hash"),
            Self::SecondRead => f.write_str("second-read"),
            Self::ServerHash => f.write_str("server-hash"),
            Self::Sampling(percent) => write!(f, "sampling={percent}"),
        }
    }
}

impl FromStr for Proving {
    type Err = ProvingError;
    fn from_str(text: &str) -> Result<Self, ProvingError> {
        match text.trim() {
            "size" => Ok(Self::Size),
            "stream-hash" => Ok(Self::StreamHash),
            "second-read" => Ok(Self::SecondRead),
            "server-hash" => Ok(Self::ServerHash),
            other => {
                let share = other.strip_prefix("sampling=").map(|share| share.trim_end_matches('%').parse::<u8>());
                match share {
                    Some(Ok(percent @ 1..=100)) => Ok(Self::Sampling(percent)),
                    _ => Err(ProvingError),
                }
            }
        }
    }
}

impl TryFrom<String> for Proving {
    type Error = ProvingError;
    fn try_from(text: String) -> Result<Self, ProvingError> {
        text.parse()
    }
}

impl From<Proving> for String {
    fn from(proving: Proving) -> Self {
        proving.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_come_back_from_their_words() {
        for proving in Proving::ALL {
            assert_eq!(proving.to_string().parse(), Ok(*proving));
        }
        assert_eq!("sampling=7%".parse(), Ok(Proving::Sampling(7)));
        for bad in ["", "sampling", "sampling=0", "sampling=101", "sampling=5.5", "hash"] {
            assert_eq!(bad.parse::<Proving>(), Err(ProvingError), "{bad}");
        }
    }

    #[test]
    fn a_sample_is_the_same_every_time_and_as_large_as_asked_for() {
        let all: Vec<_> = (0..10_000).map(|n| RelPath::new(format!("d{}/file-{n}", n % 7)).unwrap()).collect();
        let chosen = |percent| all.iter().filter(|path| Proving::Sampling(percent).reads_twice(path)).count();
        assert_eq!(chosen(20), chosen(20));
        assert!((1800..2200).contains(&chosen(20)), "{}", chosen(20));
        assert_eq!(chosen(100), all.len());
        // A larger sample holds the smaller one.
        let both = |path: &&RelPath| Proving::Sampling(5).reads_twice(path) && !Proving::Sampling(20).reads_twice(path);
        assert_eq!(all.iter().filter(both).count(), 0);
    }
}
