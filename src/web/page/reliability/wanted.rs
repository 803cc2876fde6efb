//! What is asked for: a window, a side, an endpoint; and the addresses of such questions.

use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::reliability::{Role, Window};
use crate::web::page::run::Tab;

/// The windows to choose from: word, label, hours.
const WINDOWS: &[(&str, &str, i64)] = &[
    ("hour", "Last hour", 1),
    ("day", "Last day", 24),
    ("month", "Last 30 days", 30 * 24),
    ("year", "Last year", 366 * 24),
];
/// The window of who asks for none, a place in that list.
const USUAL: (&str, &str, i64) = ("day", "Last day", 24);
/// The sides to choose from: word, label.
const ROLES: &[(&str, &str)] = &[("", "Both sides"), ("client", "Our jobs"), ("door", "Our doors")];

/// What to compare, as an address says it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Wanted {
    pub window: String,
    /// With `to`, instead of a window's word.
    pub from: String,
    pub to: String,
    pub role: String,
    pub endpoint: String,
}

/// A part of an address.
pub(in crate::web::page) fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A time in an address: whole seconds, UTC.
pub(in crate::web) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// From when to when.
#[derive(Debug, Clone)]
pub(in crate::web::page) struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
    /// "Last day".
    pub label: String,
}

impl Wanted {
    /// The window and its name. What cannot be read is as if it were not there.
    pub(in crate::web::page) fn span(&self, now: Timestamp) -> Span {
        let bounds = self.from.parse::<Timestamp>().ok().zip(self.to.parse::<Timestamp>().ok());
        if let Some((from, to)) = bounds.filter(|(from, to)| from < to) {
            let minute = "%Y-%m-%d %H:%M";
            return Span { from, to, label: format!("{} to {} UTC", from.strftime(minute), to.strftime(minute)) };
        }
        let (_, label, hours) = WINDOWS.iter().find(|window| window.0 == self.window).copied().unwrap_or(USUAL);
        let window = Window::last(now, SignedDuration::from_hours(hours));
        Span { from: window.from, to: window.to, label: label.to_owned() }
    }

    pub(in crate::web::page) fn role(&self) -> Option<Role> {
        [Role::Client, Role::Door].into_iter().find(|role| role.as_str() == self.role)
    }

    /// The question as a window of observations.
    pub(in crate::web::page) fn window(&self, now: Timestamp) -> Window {
        let Span { from, to, .. } = self.span(now);
        let endpoint = Some(self.endpoint.clone()).filter(|endpoint| !endpoint.is_empty());
        Window { from, to, role: self.role(), endpoint }
    }

    /// The same with only the words that are known.
    pub(in crate::web::page) fn cleaned(mut self, now: Timestamp) -> Self {
        self.role = self.role().map_or("", Role::as_str).to_owned();
        let is_own = self.from.parse::<Timestamp>().is_ok_and(|from| from == self.span(now).from);
        if !is_own {
            (self.from, self.to) = (String::new(), String::new());
            if !WINDOWS.iter().any(|window| window.0 == self.window) {
                USUAL.0.clone_into(&mut self.window);
            }
        }
        self
    }

    /// The address of this choice.
    pub(in crate::web::page) fn query(&self) -> String {
        let query = if self.from.is_empty() {
            format!("?window={}", part(&self.window))
        } else {
            format!("?from={}&to={}", part(&self.from), part(&self.to))
        };
        format!("{query}&role={}&endpoint={}", part(&self.role), part(&self.endpoint))
    }

    /// The windows to choose from.
    pub(super) fn windows(&self) -> Vec<Tab> {
        let tab = |(word, label, _): &(&str, &str, i64)| Tab {
            href: Self { window: (*word).to_owned(), from: String::new(), to: String::new(), ..self.clone() }.query(),
            label: (*label).to_owned(),
            current: self.from.is_empty() && *word == self.window,
        };
        WINDOWS.iter().map(tab).collect()
    }

    /// Ways to look at another stretch of time, seen from this one.
    pub(in crate::web::page) fn zooms(&self, (from, to): (Timestamp, Timestamp)) -> Vec<Tab> {
        let length = to.duration_since(from);
        let tab = |label: &str, from: Option<Timestamp>, to: Option<Timestamp>| {
            let (from, to) = (instant(from?), instant(to?));
            let href = Self { from, to, ..self.clone() }.query();
            Some(Tab { href, label: label.to_owned(), current: false })
        };
        let (half, quarter) = (length / 2, length / 4);
        let before = |at: Timestamp, by: SignedDuration| at.checked_sub(by).ok();
        let after = |at: Timestamp, by: SignedDuration| at.checked_add(by).ok();
        [
            tab("Earlier", before(from, half), before(to, half)),
            tab("Later", after(from, half), after(to, half)),
            tab("Nearer", after(from, quarter), before(to, quarter)),
            tab("Farther", before(from, half), after(to, half)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The sides to choose from.
    pub(super) fn roles(&self) -> Vec<Tab> {
        let tab = |(word, label): &(&str, &str)| Tab {
            href: Self { role: (*word).to_owned(), ..self.clone() }.query(),
            label: (*label).to_owned(),
            current: *word == self.role,
        };
        ROLES.iter().map(tab).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_word_or_two_times() {
        let now: Timestamp = "2026-11-28T13:00:30Z".parse().unwrap();
        let day = Wanted { window: "week".into(), from: "x".into(), ..Wanted::default() }.cleaned(now);
        assert_eq!((day.query().as_str(), day.span(now).label.as_str()), ("?window=day&role=&endpoint=", "Last day"));
        let two = |from: &str, to: &str| Wanted { from: from.into(), to: to.into(), ..Wanted::default() };
        let own = two("2026-11-28T12:00:00Z", "2026-11-28T12:30:00Z").cleaned(now);
        assert_eq!(own.span(now).label, "2026-11-28 12:00 to 2026-11-28 12:30 UTC");
        assert!(own.query().starts_with("?from=2026%2D11%2D28T12%3A00%3A00Z&to="), "{}", own.query());
        let (from, to) = (own.span(now).from, own.span(now).to);
        let nearer = Wanted::default().zooms((from, to)).remove(2).href;
        assert!(nearer.contains("12%3A07%3A30Z&to=2026%2D11%2D28T12%3A22%3A30Z"), "{nearer}");
        assert!(own.windows().iter().all(|tab| !tab.current && tab.href.starts_with("?window=")));
        // The wrong way round is no window.
        assert_eq!(two("2026-11-28T12:30:00Z", "2026-11-28T12:00:00Z").cleaned(now).window, "day");
    }
}
