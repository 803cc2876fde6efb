//! A share as a bar, made on the server.

use askama::Template;
use askama::filters::HtmlSafe;

/// A bar as long as its share of the longest. Attributes only: the Content-Security-Policy forbids inline style.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<svg class="gauge" viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true"><rect width="{{ width }}" height="10" rx="1.5"/></svg>"#
)]
pub struct Gauge {
    width: u64,
}

impl Gauge {
    /// `part` of `most`. What is there is seen, however little it is.
    #[must_use]
    pub fn new(part: u64, most: u64) -> Self {
        let width = if most == 0 { 0 } else { (u128::from(part.min(most)) * 200).div_ceil(u128::from(most)) };
        let width = u64::try_from(width).unwrap_or(200);
        Self { width: if part > 0 { width.max(2) } else { 0 } }
    }
}

impl HtmlSafe for Gauge {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_seen() {
        for (part, most, width) in [(0, 0, 0), (0, 9, 0), (1, u64::MAX, 2), (5, 10, 100), (10, 10, 200), (11, 10, 200)]
        {
            assert_eq!(Gauge::new(part, most), Gauge { width }, "{part} of {most}");
        }
    }
}
