//! An instant for people: UTC as written by the server, local time where scripts run.

use askama::Template;
use askama::filters::HtmlSafe;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A `<time>` element.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<time class="nowrap" datetime="{{ iso }}"{% if kind.is_empty() %} title="{{ full }}" data-ago{% else %} data-local="{{ kind }}"{% endif %}>{{ text }}</time>"#
)]
pub struct Moment {
    iso: String,
    full: String,
    text: String,
    /// How exact the local form is; empty: it is relative.
    kind: &'static str,
}

impl Moment {
    /// The date and the minute.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        let full = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string();
        Self { iso: iso(at), text: full.clone(), full, kind: "minute" }
    }

    /// The date and the second.
    #[must_use]
    pub fn exact(at: Timestamp) -> Self {
        let full = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        Self { iso: iso(at), text: full.clone(), full, kind: "second" }
    }

    /// How long ago, or in how long, seen from `now`.
    #[must_use]
    pub fn around(at: Timestamp, now: Timestamp) -> Self {
        let seconds = now.as_second() - at.as_second();
        let (span, ahead) = (seconds.unsigned_abs(), seconds < 0);
        let amount = match span {
            0..=9 => "moments".to_owned(),
            10..=59 => many(span, "second"),
            60..=3_569 => many((span + 30) / 60, "minute"),
            3_570..=86_399 => many((span + 1_800) / 3_600, "hour"),
            _ => many(span / 86_400, "day"),
        };
        let text = if ahead { format!("in {amount}") } else { format!("{amount} ago") };
        Self { text, kind: "", ..Self::at(at) }
    }
}

fn many(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
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
            ("2026-11-23T18:59:55Z", "moments ago"),
            ("2026-11-23T18:59:30Z", "30 seconds ago"),
            ("2026-11-23T18:58:50Z", "1 minute ago"),
            ("2026-11-23T18:56:00Z", "4 minutes ago"),
            ("2026-11-23T21:00:00Z", "in 2 hours"),
            ("2026-11-20T19:00:00Z", "3 days ago"),
        ] {
            assert!(Moment::around(at.parse().unwrap(), now).to_string().contains(text), "{at}");
        }
    }
}
