//! Cron expressions with five fields, and what to say about wrong ones.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ScheduleError, Zone};

/// The five fields: name, what may stand there, and one that works.
const FIELDS: [(&str, &str, &str); 5] = [
    ("minute", "0 to 59, a list, a range or a step", "'*/15 * * * *' for every quarter of an hour"),
    ("hour", "0 to 23, a list, a range or a step", "'30 2 * * *' for every day at 02:30"),
    (
        "day of month",
        "1 to 31, L for the last, a list, a range or a step",
        "'0 3 1 * *' for the first of every month at 03:00",
    ),
    (
        "month",
        "1 to 12 or JAN to DEC, a list, a range or a step",
        "'0 3 1 JAN,JUL *' for the first of January and July",
    ),
    ("day of week", "0 to 7 or SUN to SAT, a list or a range", "'0 22 * * MON-FRI' for every working day at 22:00"),
];

const NICKNAMES: [&str; 7] = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];

/// A checked cron expression: five fields (or a word such as `@daily`), to the minute.
///
/// Where the clocks change, a fixed time that is skipped happens at the first moment after the gap, and
/// one that comes twice happens once; intervals (`*/15`) follow real time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronExpr {
    text: String,
    cron: Box<Cron>,
}

impl CronExpr {
    /// Checks `text`; `now` is where the search for a first occurrence begins.
    ///
    /// # Errors
    /// Says which field is wrong and shows one that works.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, ScheduleError> {
        let expr = Self::read(text)?;
        // Searched in UTC: whether a date exists does not depend on the zone.
        match expr.next_after(&Zone::utc(), now) {
            Some(_) => Ok(expr),
            None => Err(ScheduleError::Never(expr.text)),
        }
    }

    fn read(text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<_> = text.split_whitespace().collect();
        let text = fields.join(" ");
        if text.starts_with('@') {
            let word = text.to_ascii_lowercase();
            if !NICKNAMES.contains(&word.as_str()) {
                return Err(ScheduleError::Nickname(text));
            }
            let cron = parser().parse(&word).map_err(|_| ScheduleError::Nickname(text))?;
            return Ok(Self { text: word, cron: Box::new(cron) });
        }
        if fields.len() != FIELDS.len() {
            return Err(ScheduleError::FieldCount { count: fields.len(), text });
        }
        match parser().parse(&text) {
            Ok(cron) => Ok(Self { text, cron: Box::new(cron) }),
            Err(_) => Err(blame(&fields, text)),
        }
    }

    /// The next start strictly after `after`, to the whole minute; none when there is none before the
    /// calendar's end.
    #[must_use]
    pub fn next_after(&self, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
        let mut from = after.to_zoned(zone.time_zone().clone());
        // A search that starts inside a repeated hour can come back with the same moment: step over it.
        for _ in 0..4 {
            let next = self.cron.find_next_occurrence(&from, false).ok()?;
            if next.timestamp() > after {
                return Some(next.timestamp());
            }
            from = from.checked_add(SignedDuration::from_mins(30)).ok()?;
        }
        None
    }

    /// The expression as it was written, blanks tidied.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// In English, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        self.cron.describe()
    }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build()
}

/// Tries each field alone, with stars around it, to find the one to blame.
fn blame(fields: &[&str], text: String) -> ScheduleError {
    for (at, (field, (name, allowed, example))) in fields.iter().zip(FIELDS).enumerate() {
        let mut alone = ["*"; FIELDS.len()];
        if let Some(place) = alone.get_mut(at) {
            *place = field;
        }
        if field.contains('@') || parser().parse(&alone.join(" ")).is_err() {
            return ScheduleError::Field { position: at + 1, field: name, text: (*field).to_owned(), allowed, example };
        }
    }
    ScheduleError::Never(text)
}

impl Serialize for CronExpr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for CronExpr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is stored was checked before, including that it happens.
        Self::read(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
