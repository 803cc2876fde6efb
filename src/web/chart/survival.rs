//! How many connections would still be held after a time: Kaplan-Meier, with its band.

use std::fmt::Write as _;

use askama::Template;
use askama::filters::HtmlSafe;

use super::Axis;
use crate::reliability::estimate::Step;

const WIDE: f64 = 480.0;
const HIGH: f64 = 160.0;

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    pub name: String,
    /// The class of its colours.
    pub class: &'static str,
    pub steps: Vec<Step>,
    /// How many were watched, and how many of them were lost.
    pub watched: String,
}

/// All of them in one drawing.
#[derive(Debug, Clone, Template)]
#[template(path = "chart/survival.html")]
pub struct Survival {
    pub curves: Vec<Curve>,
    /// The longest time of the drawing, in seconds.
    pub longest: f64,
    /// The same in words.
    pub longest_said: String,
    /// Rows of the table: time and the share of each curve.
    pub table: Vec<(String, Vec<String>)>,
}

impl HtmlSafe for Survival {}

impl Survival {
    fn axes(&self) -> (Axis, Axis) {
        (Axis::between(0.0, self.longest, WIDE), Axis::between(0.0, 1.0, HIGH))
    }

    fn line(&self, curve: &Curve) -> String {
        let (time, share) = self.axes();
        let mut path = format!("M0 {:.1}", share.height(1.0));
        for step in &curve.steps {
            write!(path, "H{:.1}V{:.1}", time.place(step.time), share.height(step.share)).ok();
        }
        write!(path, "H{WIDE}").ok();
        path
    }

    fn band(&self, curve: &Curve) -> String {
        let (time, share) = self.axes();
        let mut path = format!("M0 {:.1}", share.height(1.0));
        for step in &curve.steps {
            write!(path, "H{:.1}V{:.1}", time.place(step.time), share.height(step.high)).ok();
        }
        write!(path, "H{WIDE}").ok();
        for step in curve.steps.iter().rev() {
            write!(path, "V{:.1}H{:.1}", share.height(step.low), time.place(step.time)).ok();
        }
        write!(path, "V{:.1}", share.height(1.0)).ok();
        path.push('Z');
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_down_in_steps() {
        let step = |time, share: f64| Step { time, share, low: share - 0.1, high: share + 0.1, at_risk: 9 };
        let curve = Curve {
            name: "FTP".into(),
            class: "ftp",
            steps: vec![step(10.0, 0.75), step(50.0, 0.5)],
            watched: "9 connections, 2 lost".into(),
        };
        let drawn = Survival {
            curves: vec![curve.clone()],
            longest: 100.0,
            longest_said: "100 s".into(),
            table: vec![("10 s".into(), vec!["75 %".into()])],
        };
        assert_eq!(drawn.line(&curve), "M0 0.0H48.0V40.0H240.0V80.0H480");
        assert!(
            drawn.band(&curve).starts_with("M0 0.0H48.0V24.0H240.0V64.0H480V96.0H240.0V56.0H48.0V0.0Z"),
            "{}",
            drawn.band(&curve)
        );
        assert!(drawn.to_string().contains("<td>75 %</td>"));
    }
}
