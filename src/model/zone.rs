//! The zone of a clock face that somebody else reads times from: minutes, or a name with rules.

mod learn;
mod pieces;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use learn::{FEWEST, Learned, Pair, Unclear, learn};
pub use pieces::{Piece, pieces};

/// Further than this no zone is from UTC; minutes.
const FARTHEST: u32 = 18 * 60;

/// How a server's clock face stands to UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerZone(TimeZone);

/// Why a text is no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no zone: write minutes ahead of UTC (120, -300), an offset (+02:00) or a name (Europe/Berlin)")]
pub struct ServerZoneError(String);

impl Default for ServerZone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl ServerZone {
    /// A clock that is always so many minutes ahead of UTC.
    ///
    /// # Errors
    /// When that is more than 18 hours.
    pub fn minutes(ahead: i32) -> Result<Self, ServerZoneError> {
        let no = || ServerZoneError(ahead.to_string());
        if ahead.unsigned_abs() > FARTHEST {
            return Err(no());
        }
        if ahead == 0 {
            return Ok(Self::default());
        }
        Offset::from_seconds(ahead * 60).map(|offset| Self(TimeZone::fixed(offset))).map_err(|_| no())
    }

    /// The instant at which this clock shows `face`; where it shows that twice, the first time. `None` beyond the
    /// calendar.
    #[must_use]
    pub fn instant(&self, face: DateTime) -> Option<Timestamp> {
        self.0.to_timestamp(face).ok()
    }

    /// What this clock shows at `at`.
    #[must_use]
    pub fn face(&self, at: Timestamp) -> DateTime {
        self.0.to_datetime(at)
    }
}

impl FromStr for ServerZone {
    type Err = ServerZoneError;

    fn from_str(text: &str) -> Result<Self, ServerZoneError> {
        let no = || ServerZoneError(text.chars().take(60).collect());
        let text = text.trim();
        if let Some((sign, (hours, minutes))) =
            text.split_at_checked(1).and_then(|(sign, rest)| Some((sign, rest.split_once(':')?)))
        {
            let digits = |part: &str| part.parse::<u8>().ok().filter(|_| part.len() == 2).map(i32::from);
            let ahead = digits(hours).zip(digits(minutes)).map(|(hours, minutes)| hours * 60 + minutes);
            let ahead = ahead.ok_or_else(no)?;
            return match sign {
                "+" => Self::minutes(ahead),
                "-" => Self::minutes(-ahead),
                _ => Err(no()),
            };
        }
        if let Ok(ahead) = text.parse::<i32>() {
            return Self::minutes(ahead);
        }
        let zone = TimeZone::get(text).ok().filter(|zone| zone.iana_name().is_some_and(|name| name != "Etc/Unknown"));
        zone.map(Self).ok_or_else(no)
    }
}

impl fmt::Display for ServerZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.iana_name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0.to_offset(Timestamp::UNIX_EPOCH).seconds() / 60),
        }
    }
}

impl Serialize for ServerZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ServerZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Minutes(i32),
            Text(String),
        }
        let zone = match Written::deserialize(deserializer)? {
            Written::Minutes(ahead) => Self::minutes(ahead),
            Written::Text(text) => text.parse(),
        };
        zone.map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EndpointOptions;

    #[test]
    fn minutes_offsets_and_names() {
        let noon: DateTime = "2026-07-01T12:00:00".parse().unwrap();
        for (text, shown, utc) in [
            ("0", "UTC", "2026-07-01T12:00:00Z"),
            ("120", "120", "2026-07-01T10:00:00Z"),
            ("+120", "120", "2026-07-01T10:00:00Z"),
            ("-300", "-300", "2026-07-01T17:00:00Z"),
            ("+05:45", "345", "2026-07-01T06:15:00Z"),
            ("-03:30", "-210", "2026-07-01T15:30:00Z"),
            ("Europe/Berlin", "Europe/Berlin", "2026-07-01T10:00:00Z"),
            ("UTC", "UTC", "2026-07-01T12:00:00Z"),
        ] {
            let zone: ServerZone = text.parse().unwrap();
            assert_eq!(zone.to_string(), shown);
            assert_eq!(zone.instant(noon).unwrap(), utc.parse().unwrap(), "{text}");
            assert_eq!(zone.face(utc.parse().unwrap()), noon);
            assert_eq!(shown.parse::<ServerZone>().unwrap(), zone);
        }
        for bad in ["", "Europe/Nowhere", "+2:0", "2000", "-2147483648", "2147483647", "x"] {
            assert!(bad.parse::<ServerZone>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_number_of_minutes_is_too_far_to_be_refused() {
        for bad in [i32::MIN, i32::MIN + 1, -1081, 1081, i32::MAX] {
            assert_eq!(ServerZone::minutes(bad), Err(ServerZoneError(bad.to_string())));
        }
        let stored = serde_json::from_str::<EndpointOptions>(r#"{"zone-minutes":-2147483648}"#);
        assert!(stored.unwrap_err().to_string().contains("is no zone"));
    }

    #[test]
    fn options_of_older_versions_are_still_read() {
        let old: EndpointOptions = serde_json::from_str(r#"{"connections":3,"zone-minutes":60}"#).unwrap();
        assert_eq!(old.zone, Some(ServerZone::minutes(60).unwrap()));
        let text = serde_json::to_string(&old).unwrap();
        assert_eq!(serde_json::from_str::<EndpointOptions>(&text).unwrap(), old);
    }
}
