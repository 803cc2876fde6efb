//! What is rehearsed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::relay::Harm;

/// A slow server sends so many times less than the copy would take.
const SLOWER: u64 = 8;

/// One fault, in the middle of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exercise {
    /// A connection is reset.
    Reset,
    /// Nothing moves for a while.
    Stall,
    /// The server forgets a connection, and tells nobody.
    HalfOpen,
    /// All connections end, and new ones are turned away.
    Refusals,
    /// Nothing comes through any more, nor does anybody answer.
    BlackHole,
    /// The server is very slow for a while.
    Slow,
    /// The target has no room.
    DiskFull,
    /// Another program holds the job store.
    DatabaseLocked,
    /// The process that copies is killed.
    Killed,
}

impl Exercise {
    /// All, in the order in which they are done.
    pub const ALL: [Self; 9] = [
        Self::Reset,
        Self::Stall,
        Self::HalfOpen,
        Self::Refusals,
        Self::BlackHole,
        Self::Slow,
        Self::DiskFull,
        Self::DatabaseLocked,
        Self::Killed,
    ];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Stall => "stall",
            Self::HalfOpen => "half-open",
            Self::Refusals => "refusals",
            Self::BlackHole => "black-hole",
            Self::Slow => "slow",
            Self::DiskFull => "disk-full",
            Self::DatabaseLocked => "database-locked",
            Self::Killed => "killed",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exercise| exercise.as_str() == word)
    }

    /// How long the fault lasts; zero for what happens once.
    #[must_use]
    pub const fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::Reset | Self::HalfOpen | Self::Killed => 0,
            Self::Refusals | Self::DiskFull | Self::DatabaseLocked => 5,
            Self::Stall | Self::Slow => 10,
            Self::BlackHole => 20,
        })
    }

    /// What is done, for people.
    #[must_use]
    pub fn what(self) -> String {
        let time = self.lasts().as_secs();
        match self {
            Self::Reset => "a connection is reset in the middle of a transfer".to_owned(),
            Self::Stall => format!("no byte moves for {time} s"),
            Self::HalfOpen => "the server loses a connection, and nobody is told".to_owned(),
            Self::Refusals => format!("all connections end, and for {time} s new ones are turned away (FTP: 421)"),
            Self::BlackHole => format!("every packet is swallowed for {time} s, and old connections stay dead"),
            Self::Slow => format!("the server sends an {SLOWER}th of what the copy would take, for {time} s"),
            Self::DiskFull => format!("the target has no space left for {time} s"),
            Self::DatabaseLocked => format!("another program holds the job store for {time} s"),
            Self::Killed => "the copying process is killed (SIGKILL), and started again".to_owned(),
        }
    }

    /// What is done to connections of a copy that takes `pace` bytes a second, where it is that.
    pub(super) fn harm(self, pace: u64) -> Option<Harm> {
        Some(match self {
            Self::Reset => Harm::Reset,
            Self::Stall => Harm::Stall,
            Self::HalfOpen => Harm::HalfOpen,
            Self::Refusals => Harm::Refusals,
            Self::BlackHole => Harm::BlackHole,
            Self::Slow => Harm::Slow(u32::try_from(pace / SLOWER).unwrap_or(u32::MAX).max(1)),
            Self::DiskFull | Self::DatabaseLocked | Self::Killed => return None,
        })
    }
}

impl fmt::Display for Exercise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exercise_has_its_word_and_its_sentence() {
        for exercise in Exercise::ALL {
            assert_eq!(Exercise::of(exercise.as_str()), Some(exercise));
            assert_eq!(serde_json::to_value(exercise).unwrap(), exercise.as_str());
            assert!(exercise.what().len() > 15);
        }
        assert_eq!(Exercise::of("nothing"), None);
    }
}
