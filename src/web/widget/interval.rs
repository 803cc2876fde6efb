//! A value with its 95 % interval as a small drawing, made on the server.

use askama::Template;
use askama::filters::HtmlSafe;

/// A track with ends, with the interval as a band and the value as a mark. Attributes only, no
/// style: the Content-Security-Policy forbids inline style.
#[derive(Debug, Clone, PartialEq, Template)]
#[template(
    ext = "html",
    source = r#"<svg class="bar" viewBox="0 0 200 20" preserveAspectRatio="none" role="img" aria-label="{{ label }}"><path class="track" d="M0 15.5H200" vector-effect="non-scaling-stroke"/><rect class="span" x="{{ left }}" y="4" width="{{ width }}" height="10" rx="2"/><rect class="point" x="{{ mark }}" y="1" width="2.5" height="16" rx="1"/></svg>"#
)]
pub struct IntervalBar {
    left: String,
    width: String,
    mark: String,
    label: String,
}

impl IntervalBar {
    /// `low ≤ value ≤ high` on a track from `base` to `top`.
    #[must_use]
    pub fn new(value: f64, (low, high): (f64, f64), (base, top): (f64, f64), label: impl Into<String>) -> Self {
        let place = |x: f64| if top > base { ((x - base) / (top - base)).clamp(0.0, 1.0) * 200.0 } else { 0.0 };
        let (left, right) = (place(low), place(high));
        Self {
            left: format!("{left:.1}"),
            width: format!("{:.1}", (right - left).max(1.0)),
            mark: format!("{:.1}", (place(value) - 1.25).clamp(0.0, 197.5)),
            label: label.into(),
        }
    }
}

impl HtmlSafe for IntervalBar {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_on_the_track() {
        let bar = IntervalBar::new(5.0, (-1.0, 900.0), (0.0, 10.0), "x").to_string();
        assert!(bar.contains(r#"x="0.0" y="4" width="200.0""#), "{bar}");
        assert!(IntervalBar::new(0.0, (0.0, 0.0), (0.0, 0.0), "x").to_string().contains(r#"width="1.0""#));
        let near = IntervalBar::new(99.0, (98.0, 100.0), (98.0, 100.0), "x").to_string();
        assert!(near.contains(r#"x="98.8""#), "{near}");
    }
}
