//! When a job starts: by hand, once, or by cron in a time zone.

mod cron;

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use cron::CronExpr;

/// A one-time start may lie this far in the past and still be taken: "now" that was typed a moment ago.
const PAST_GRACE: SignedDuration = SignedDuration::from_mins(1);

/// Why a text is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not five fields.
    #[error(
        "a cron schedule has five fields (minute, hour, day of month, month, day of week), '{text}' has {count}: \
         for example '30 2 * * *' starts every day at 02:30"
    )]
    FieldCount {
        /// What was given.
        text: String,
        /// How many fields it has.
        count: usize,
    },
    /// One field is wrong.
    #[error(
        "field {position} of the cron schedule ({field}) cannot be '{text}': {field} is {allowed}, for example {example}"
    )]
    Field {
        /// Its place, from 1.
        position: usize,
        /// What it stands for.
        field: &'static str,
        /// What was given.
        text: String,
        /// What is allowed there.
        allowed: &'static str,
        /// One that works, and what it means.
        example: &'static str,
    },
    /// A word behind `@` that cron does not know.
    #[error(
        "'{0}' is not a cron word: use @hourly, @daily, @weekly, @monthly, @yearly or five fields such as '30 2 * * *'"
    )]
    Nickname(String),
    /// Every field is fine, but no day fits all of them.
    #[error("the cron schedule '{0}' never happens: no date fits its day of month and its month")]
    Never(String),
    /// No such zone.
    #[error("'{0}' is not a time zone: use a name such as Europe/Berlin, America/New_York or UTC")]
    Zone(String),
    /// Not a date and time.
    #[error(
        "'{0}' is not a date and time: write it as 2026-12-31T22:30 (in the job's time zone) or 2026-12-31T22:30:00Z"
    )]
    Moment(String),
    /// Too late for that.
    #[error("{0} has passed: choose a later time, or 'now' to start at once")]
    Past(String),
}

/// A time zone by its IANA name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Finds the zone of a name; empty means UTC.
    ///
    /// # Errors
    /// [`ScheduleError::Zone`] when there is none of that name.
    pub fn parse(name: &str) -> Result<Self, ScheduleError> {
        let name = name.trim();
        let zone = if name.is_empty() { Ok(TimeZone::UTC) } else { TimeZone::get(name) };
        zone.ok()
            .filter(|zone| zone.iana_name().is_some_and(|n| n != "Etc/Unknown"))
            .map(Self)
            .ok_or_else(|| ScheduleError::Zone(name.to_owned()))
    }

    /// UTC.
    #[must_use]
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The calendar behind it.
    #[must_use]
    pub const fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// A moment as people in this zone write it: `2026-12-31 22:30 CET`.
    #[must_use]
    pub fn show(&self, at: Timestamp) -> String {
        at.to_zoned(self.0.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a job starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Schedule {
    /// Only when somebody says so.
    Manual,
    /// One time.
    Once {
        /// At this moment, or as soon after it as Causeway runs.
        at: Timestamp,
    },
    /// Again and again.
    Cron {
        /// When, in the job's time zone.
        expr: CronExpr,
    },
}

impl Schedule {
    /// Reads what people write: `manual`, `now`, `at 2026-12-31T22:30`, `@daily`, or five cron fields.
    ///
    /// # Errors
    /// A [`ScheduleError`] that says what is wrong and shows one that works.
    pub fn parse(text: &str, zone: &Zone, now: Timestamp) -> Result<Self, ScheduleError> {
        let text = text.trim();
        match text.to_ascii_lowercase().as_str() {
            "" | "manual" => return Ok(Self::Manual),
            "now" | "once" | "once now" => return Ok(Self::Once { at: now }),
            _ => {}
        }
        let moment = ["once at ", "at "].iter().find_map(|word| {
            text.get(..word.len()).filter(|t| t.eq_ignore_ascii_case(word)).and(text.get(word.len()..))
        });
        match moment {
            Some(moment) => Self::once(moment, zone, now),
            None => Ok(Self::Cron { expr: CronExpr::parse(text, now)? }),
        }
    }

    /// One start at the moment that `text` names: with an offset or `Z`, or else in `zone`.
    ///
    /// # Errors
    /// [`ScheduleError::Moment`] or [`ScheduleError::Past`].
    pub fn once(text: &str, zone: &Zone, now: Timestamp) -> Result<Self, ScheduleError> {
        let text = text.trim();
        let wrong = || ScheduleError::Moment(text.to_owned());
        let at = match text.parse::<Timestamp>() {
            Ok(at) => at,
            Err(_) => {
                let civil: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
                civil.to_zoned(zone.0.clone()).map_err(|_| wrong())?.timestamp()
            }
        };
        if at < now.saturating_sub(PAST_GRACE).unwrap_or(now) {
            return Err(ScheduleError::Past(zone.show(at)));
        }
        Ok(Self::Once { at })
    }

    /// The first start of a job that is made at `now`.
    #[must_use]
    pub fn first(&self, zone: &Zone, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { at } => Some(*at),
            Self::Manual | Self::Cron { .. } => self.next_after(zone, now),
        }
    }

    /// The next start strictly after `after`; none when there is none any more.
    #[must_use]
    pub fn next_after(&self, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Manual => None,
            Self::Once { at } => Some(*at).filter(|at| *at > after),
            Self::Cron { expr } => expr.next_after(zone, after),
        }
    }

    /// The next `count` starts after `after`.
    #[must_use]
    pub fn preview(&self, zone: &Zone, after: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(zone, after), |last| self.next_after(zone, *last)).take(count).collect()
    }

    /// In words, for people.
    #[must_use]
    pub fn describe(&self, zone: &Zone) -> String {
        match self {
            Self::Manual => "only by hand".to_owned(),
            Self::Once { at } => format!("once, {}", zone.show(*at)),
            Self::Cron { expr } => format!("{} ({zone})", expr.describe()),
        }
    }

    /// As [`Schedule::parse`] reads it back.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Manual => "manual".to_owned(),
            Self::Once { at } => format!("at {at}"),
            Self::Cron { expr } => expr.as_str().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
