//! An instant for people: UTC as written by the server, local time where scripts run.

use askama::Template;
use askama::filters::HtmlSafe;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A `<time>` element.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<time class="nowrap" datetime="{{ iso }}"{% if relative %} title="{{ full }}"{% else %} data-local{% endif %}>{{ text }}</time>"#
)]
pub struct Moment {
    iso: String,
    full: String,
    text: String,
    relative: bool,
}

impl Moment {
    /// The date and the minute.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        let full = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string();
        Self { iso: iso(at), text: full.clone(), full, relative: false }
    }

    /// The date and the second.
    #[must_use]
    pub fn exact(at: Timestamp) -> Self {
        let full = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        Self { iso: iso(at), text: full.clone(), full, relative: false }
    }

    /// How long ago, or in how long, seen from `now`.
    #[must_use]
    pub fn around(at: Timestamp, now: Timestamp) -> Self {
        let seconds = now.as_second() - at.as_second();
        let (span, ahead) = (seconds.unsigned_abs(), seconds < 0);
        let amount = match span {
            0..=44 => "moments".to_owned(),
            45..=89 => "a minute".to_owned(),
            90..=3_569 => format!("{} minutes", (span + 30) / 60),
            3_570..=5_399 => "an hour".to_owned(),
            5_400..=86_399 => format!("{} hours", (span + 1_800) / 3_600),
            86_400..=172_799 => "a day".to_owned(),
            _ => format!("{} days", span / 86_400),
        };
        let text = if ahead { format!("in {amount}") } else { format!("{amount} ago") };
        Self { text, relative: true, ..Self::at(at) }
    }
}

fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl HtmlSafe for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_of_the_past_and_the_future() {
        let now: Timestamp = "2026-11-23T19:00:00Z".parse().unwrap();
        for (at, text) in [
            ("2026-11-23T18:59:50Z", "moments ago"),
            ("2026-11-23T18:56:00Z", "4 minutes ago"),
            ("2026-11-23T21:00:00Z", "in 2 hours"),
            ("2026-11-20T19:00:00Z", "3 days ago"),
        ] {
            assert!(Moment::around(at.parse().unwrap(), now).to_string().contains(text), "{at}");
        }
    }
}
