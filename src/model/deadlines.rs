//! How long each kind of wait may take. A session that missed one is thrown away.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest that can be asked for: a day.
const MOST: u64 = 86_400;

/// Deadlines by class; the defaults suit servers across an ocean. Written as `listing=1200,stall=90`: names and
/// whole seconds of those that are not the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Deadlines {
    /// Look-up, TCP connect, TLS handshake, data connection: each.
    pub connect: Duration,
    /// From connect to the greeting.
    pub banner: Duration,
    /// From a command to its reply.
    pub command: Duration,
    /// Between two bytes of data.
    pub stall: Duration,
    /// From the last byte of data to the closing reply.
    pub closing: Duration,
    /// From LIST to its first byte: mainframes recall tapes, and a million names take minutes to sort.
    pub listing: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            banner: Duration::from_secs(15),
            command: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            closing: Duration::from_secs(60),
            listing: Duration::from_secs(600),
        }
    }
}

/// Why a text is no list of deadlines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeadlinesError {
    /// No `=`.
    #[error("'{0}' is not a deadline: write for example listing=1200,stall=90 (seconds)")]
    Form(String),
    /// A name that is none.
    #[error("there is no deadline '{0}': there are connect, banner, command, stall, closing and listing")]
    Name(String),
    /// Not a number, or out of range.
    #[error("the deadline '{0}' takes whole seconds from 1 to {MOST}")]
    Seconds(String),
}

impl Deadlines {
    fn by_name(&mut self) -> [(&'static str, &mut Duration); 6] {
        [
            ("connect", &mut self.connect),
            ("banner", &mut self.banner),
            ("command", &mut self.command),
            ("stall", &mut self.stall),
            ("closing", &mut self.closing),
            ("listing", &mut self.listing),
        ]
    }
}

impl FromStr for Deadlines {
    type Err = DeadlinesError;

    fn from_str(text: &str) -> Result<Self, DeadlinesError> {
        let mut deadlines = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, seconds) = part.split_once('=').ok_or_else(|| DeadlinesError::Form(part.to_owned()))?;
            let (name, seconds) = (name.trim(), seconds.trim());
            let mut classes = deadlines.by_name().into_iter();
            let (name, deadline) =
                classes.find(|(known, _)| *known == name).ok_or_else(|| DeadlinesError::Name(name.to_owned()))?;
            let seconds = seconds.parse().ok().filter(|seconds| (1..=MOST).contains(seconds));
            *deadline = Duration::from_secs(seconds.ok_or_else(|| DeadlinesError::Seconds(name.to_owned()))?);
        }
        Ok(deadlines)
    }
}

impl fmt::Display for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut ours, mut usual) = (*self, Self::default());
        let mut comma = "";
        for ((name, deadline), (_, default)) in ours.by_name().into_iter().zip(usual.by_name()) {
            if deadline != default {
                write!(f, "{comma}{name}={}", deadline.as_secs())?;
                comma = ",";
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Deadlines {
    type Error = DeadlinesError;

    fn try_from(text: String) -> Result<Self, DeadlinesError> {
        text.parse()
    }
}

impl From<Deadlines> for String {
    fn from(deadlines: Deadlines) -> Self {
        deadlines.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_written_as_they_are_read() {
        let read: Deadlines = " listing = 1200, connect=5 ".parse().unwrap();
        assert_eq!(
            read,
            Deadlines { listing: Duration::from_secs(1200), connect: Duration::from_secs(5), ..Deadlines::default() }
        );
        assert_eq!(read.to_string(), "connect=5,listing=1200");
        assert_eq!(serde_json::from_str::<Deadlines>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
        assert_eq!("".parse(), Ok(Deadlines::default()));
        assert_eq!(Deadlines::default().to_string(), "");
    }

    #[test]
    fn refuse_with_a_reason() {
        let read = |text: &str| text.parse::<Deadlines>().unwrap_err();
        assert_eq!(read("listing"), DeadlinesError::Form("listing".into()));
        assert_eq!(read("patience=5"), DeadlinesError::Name("patience".into()));
        for wrong in ["stall=0", "stall=-1", "stall=1.5", "stall=90000", "stall="] {
            assert_eq!(read(wrong), DeadlinesError::Seconds("stall".into()), "{wrong}");
        }
    }
}
