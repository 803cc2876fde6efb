//! One figure over time, with the band of its interval, and gaps where there was not enough to say anything.

use std::fmt::Write as _;

use askama::Template;
use askama::filters::HtmlSafe;

use super::Axis;

const WIDE: f64 = 480.0;
const HIGH: f64 = 96.0;

/// One slice of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When it begins, as people read it.
    pub when: String,
    /// Value and interval in the shown unit; none when there is not enough.
    pub figure: Option<(f64, Option<f64>, Option<f64>)>,
    /// The same in words, with its n.
    pub said: String,
    /// Leads to that slice alone.
    pub href: String,
    /// Early warning had an alarm then.
    pub alarmed: bool,
}

/// A drawing of it. One of several that share their scales.
#[derive(Debug, Clone, Template)]
#[template(path = "chart/trend.html")]
pub struct Trend {
    /// Unique on its page.
    pub id: String,
    /// The class of its colours.
    pub class: &'static str,
    pub name: String,
    /// The figure of the whole window, in words.
    pub whole: String,
    pub points: Vec<Point>,
    /// The top and the bottom of the scale, in words.
    pub ends: (String, String),
    /// When it begins and ends.
    pub times: (String, String),
    pub axis: Axis,
}

impl HtmlSafe for Trend {}

impl Trend {
    fn step(&self) -> f64 {
        WIDE / f64::from(u32::try_from(self.points.len().max(1)).unwrap_or(u32::MAX))
    }

    /// The slices with their left ends.
    fn hits(&self) -> impl Iterator<Item = (String, &Point)> {
        let half = self.step() / 2.0;
        self.points.iter().enumerate().map(move |(at, point)| (format!("{:.1}", self.middle(at) - half), point))
    }

    fn width(&self) -> String {
        format!("{:.1}", self.step())
    }

    fn middle(&self, at: usize) -> f64 {
        (f64::from(u32::try_from(at).unwrap_or(u32::MAX)) + 0.5) * self.step()
    }

    /// Neighbours that have a figure: their middles with value, low and high as heights.
    fn runs(&self) -> Vec<Vec<(f64, f64, f64, f64)>> {
        let mut runs = vec![Vec::new()];
        for (at, point) in self.points.iter().enumerate() {
            match (point.figure, runs.last_mut()) {
                (Some((value, low, high)), Some(run)) => run.push((
                    self.middle(at),
                    self.axis.height(value),
                    self.axis.height(low.unwrap_or(self.axis.base())),
                    self.axis.height(high.unwrap_or(self.axis.top())),
                )),
                (None, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
                _ => {}
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }

    fn line(&self) -> String {
        let mut path = String::new();
        for run in self.runs() {
            for (at, (x, y, ..)) in run.iter().enumerate() {
                let word = if at == 0 { 'M' } else { 'L' };
                write!(path, "{word}{x:.1} {y:.1}").ok();
            }
        }
        path
    }

    fn dots(&self) -> String {
        let mut path = String::new();
        for (x, y, ..) in self.runs().into_iter().flatten() {
            write!(path, "M{x:.1} {y:.1}h0").ok();
        }
        path
    }

    fn band(&self) -> String {
        // A slice by itself has a width, too.
        let half = self.step() / 2.0 * 0.7;
        let mut path = String::new();
        for run in self.runs() {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            write!(path, "M{:.1} {:.1}", first.0 - half, first.3).ok();
            for (x, _, _, high) in &run {
                write!(path, "L{x:.1} {high:.1}").ok();
            }
            write!(path, "L{:.1} {:.1}L{:.1} {:.1}", last.0 + half, last.3, last.0 + half, last.2).ok();
            for (x, _, low, _) in run.iter().rev() {
                write!(path, "L{x:.1} {low:.1}").ok();
            }
            write!(path, "L{:.1} {:.1}Z", first.0 - half, first.2).ok();
        }
        path
    }

    /// When there was an alarm, along the top.
    fn alarms(&self) -> String {
        let mut path = String::new();
        for (at, _) in self.points.iter().enumerate().filter(|(_, point)| point.alarmed) {
            write!(path, "M{:.1} 1h{:.1}", self.middle(at) - self.step() / 2.0, self.step()).ok();
        }
        path
    }

    /// Where there is not enough to say anything.
    fn gaps(&self) -> String {
        let mut path = String::new();
        for (at, point) in self.points.iter().enumerate() {
            if point.figure.is_none() {
                let inset = self.step() * 0.15;
                write!(
                    path,
                    "M{:.1} {:.1}h{:.1}",
                    self.middle(at) - self.step() / 2.0 + inset,
                    HIGH - 1.0,
                    self.step() - 2.0 * inset
                )
                .ok();
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(figures: &[Option<f64>]) -> Trend {
        let point = |figure: &Option<f64>| Point {
            when: "12:00".into(),
            figure: figure.map(|value| (value, Some(value - 1.0), Some(value + 1.0))),
            said: "5 <ms>".into(),
            href: "?from=a&to=b".into(),
            alarmed: false,
        };
        Trend {
            id: "t1".into(),
            class: "ftp",
            name: "FTP".into(),
            whole: "5 ms".into(),
            points: figures.iter().map(point).collect(),
            ends: ("10 ms".into(), "0".into()),
            times: ("12:00".into(), "13:00".into()),
            axis: Axis::between(0.0, 10.0, HIGH),
        }
    }

    #[test]
    fn gaps_are_gaps() {
        let drawn = trend(&[Some(5.0), Some(6.0), None, Some(5.0)]);
        assert_eq!(drawn.line(), "M60.0 48.0L180.0 38.4M420.0 48.0");
        assert_eq!((drawn.gaps().as_str(), drawn.dots().matches('M').count()), ("M258.0 95.0h84.0", 3));
        assert_eq!(drawn.band().matches('Z').count(), 2);
        let html = drawn.to_string();
        assert!(html.contains("aria-labelledby=\"t1-t t1-d\"") && html.contains("5 &#60;ms&#62;"), "{html}");
        assert!(!html.contains("style="), "{html}");
        assert_eq!(trend(&[None]).line(), "");
        assert!(!html.contains("class=\"alarm\""));
        let mut warned = trend(&[Some(5.0), None]);
        warned.points[1].alarmed = true;
        assert_eq!(warned.alarms(), "M240.0 1h240.0");
        assert!(warned.to_string().contains("class=\"alarm\""));
        assert_eq!(trend(&[]).width(), "480.0");
    }
}
