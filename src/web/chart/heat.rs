//! When connections are reset: hours of the day by days of the week, with what was going on then.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::web::show;

/// Colours, from none to most.
const SHADES: f64 = 5.0;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// One hour of a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hour {
    pub resets: u64,
    /// Connections that stood.
    pub stood: u64,
    /// Runs of jobs that began then.
    pub runs: u64,
    /// Changes of jobs, endpoints and comparisons, and starts of the service.
    pub changes: u64,
}

impl Hour {
    /// Resets per 1,000 connections; none without a connection.
    fn rate(&self) -> Option<f64> {
        let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        (self.stood > 0).then(|| number(self.resets) * 1000.0 / number(self.stood))
    }

    fn marks(&self) -> String {
        let runs = if self.runs > 0 { format!(", {}", show::plural(self.runs, "run", "runs")) } else { String::new() };
        let changes = if self.changes > 0 {
            format!(", {}", show::plural(self.changes, "change", "changes"))
        } else {
            String::new()
        };
        runs + &changes
    }

    fn said(&self) -> String {
        let (resets, stood) =
            (show::plural(self.resets, "reset", "resets"), show::plural(self.stood, "connection", "connections"));
        format!("{resets} of {stood}{}", self.marks())
    }
}

/// A week of hours.
#[derive(Debug, Clone, Template)]
#[template(path = "chart/heat.html")]
pub struct ResetHours {
    /// Monday first, in UTC.
    pub hours: [[Hour; 24]; 7],
}

impl HtmlSafe for ResetHours {}

impl ResetHours {
    fn days(&self) -> impl Iterator<Item = (usize, &'static str, &[Hour; 24])> {
        DAYS.into_iter().zip(&self.hours).enumerate().map(|(at, (name, hours))| (at, name, hours))
    }

    fn most(&self) -> f64 {
        self.hours.iter().flatten().filter_map(Hour::rate).fold(0.0, f64::max)
    }

    /// The highest rate in words.
    fn worst(&self) -> String {
        show::figure(self.most())
    }

    /// For the table: by hour, the resets of each day, or a dash where nothing connected.
    fn rows(&self) -> Vec<Vec<String>> {
        let cell = |hour: &Hour| match hour.stood {
            0 => "–".to_owned(),
            stood => format!("{} of {}{}", hour.resets, stood, hour.marks()),
        };
        (0..24).map(|at| self.hours.iter().filter_map(|day| day.get(at)).map(cell).collect()).collect()
    }

    /// The class of an hour's colour.
    fn shade(&self, hour: &Hour) -> String {
        match hour.rate() {
            None => "none".to_owned(),
            Some(0.0) => "h0".to_owned(),
            Some(rate) => format!("h{:.0}", (rate / self.most() * SHADES).ceil().clamp(1.0, SHADES)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_hour_is_the_darkest() {
        let mut week = ResetHours { hours: [[Hour::default(); 24]; 7] };
        week.hours[0][3] = Hour { resets: 5, stood: 100, runs: 1, changes: 0 };
        week.hours[6][23] = Hour { resets: 1, stood: 100, runs: 0, changes: 2 };
        week.hours[1][1] = Hour { resets: 0, stood: 9, ..Hour::default() };
        let shade = |day: usize, hour: usize| week.shade(&week.hours[day][hour]);
        assert_eq!([shade(0, 3), shade(6, 23), shade(1, 1), shade(2, 2)], ["h5", "h1", "h0", "none"]);
        assert_eq!(week.hours[6][23].said(), "1 reset of 100 connections, 2 changes");
        let html = week.to_string();
        assert!(html.matches("<rect").count() == 7 * 24 && html.contains("Sun 23:00"), "{html}");
    }
}
