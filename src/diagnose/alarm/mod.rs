//! Early warning at work: the detectors of [`crate::reliability::alarm`] see every five minutes of every endpoint, one each.
//! An alarm begins when one rings, with the slots that it rests on, and ends by itself when things are as usual again.
//!
//! The detectors' state is kept: what is usual is learnt over days, and a restart must not lose it. What was rolled up
//! while nobody looked is made up for.

mod desk;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

pub use desk::Alarms;
pub use store::within;

use crate::model::AlarmId;
use crate::reliability::Role;
use crate::reliability::alarm::{Sign, Slot};

/// When slots are looked at, and when an alarm is put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How often it is looked whether a slot is over.
    pub beat: Duration,
    /// A slot is looked at so long after its end, when all that was observed in it has been stored.
    pub grace: Duration,
    /// An alarm of an endpoint that was not used for so long is put away: nobody knows whether it is over.
    pub forgotten: Duration,
    /// What has been so for so long is what is usual now.
    pub relearnt: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(10),
            grace: Duration::from_secs(20),
            forgotten: Duration::from_secs(24 * 3600),
            relearnt: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// Who is watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// One of [`crate::reliability::FAMILIES`].
    pub family: &'static str,
    /// Whose connections.
    pub role: Role,
    /// The other side or the door, as observations name it.
    pub endpoint: String,
}

/// Why an alarm is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is as usual again.
    Normal,
    /// Nothing happened at the endpoint for a day.
    Forgotten,
    /// It has been so for a week.
    Relearnt,
}

impl Ending {
    const ALL: [Self; 3] = [Self::Normal, Self::Forgotten, Self::Relearnt];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Forgotten => "forgotten",
            Self::Relearnt => "relearnt",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == word)
    }

    /// In one sentence, without its end.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Normal => "it is as usual again",
            Self::Forgotten => "nothing happened there for a day, and it is not known whether it is over",
            Self::Relearnt => "it has been so for a week, and what is usual is learnt anew",
        }
    }
}

/// Something changed for the worse.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// Its number.
    pub id: AlarmId,
    /// Where.
    pub place: Place,
    /// What.
    pub sign: Sign,
    /// When it probably began.
    pub since: Timestamp,
    /// When it was noticed.
    pub noticed: Timestamp,
    /// When it was over, and why; none: it goes on.
    pub ended: Option<(Timestamp, Ending)>,
    /// What was usual: seconds, or a share.
    pub usual: f64,
    /// What was seen from when it began until it was noticed.
    pub seen: f64,
    /// The slots that it rests on, the last ones if they are many.
    pub evidence: Vec<Slot>,
}

impl Alarm {
    /// In one sentence, without its end.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (seen, usual) = (amount(self.sign, self.seen), amount(self.sign, self.usual));
        let what = match self.sign {
            Sign::SetupTime => format!("set-up takes {seen}"),
            Sign::Errors => format!("{seen} of attempts fail"),
            Sign::Resets => format!("{seen} of connections are reset"),
        };
        let whose = match self.place.role {
            Role::Client => "at",
            Role::Door => "for clients at the door",
        };
        format!("{what} instead of {usual} {whose} {} ({})", self.place.endpoint, self.place.family)
    }
}

/// A value of a sign with its unit.
#[must_use]
pub fn amount(sign: Sign, value: f64) -> String {
    match sign {
        Sign::SetupTime if value < 0.9995 => format!("{:.0} ms", value * 1000.0),
        Sign::SetupTime => format!("{value:.1} s"),
        Sign::Errors | Sign::Resets => format!("{:.1} %", value * 100.0),
    }
}

/// One endpoint that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub place: Place,
    /// It is not known yet what is usual of these.
    pub learning: Vec<Sign>,
}
