//! Drawings of figures, made on the server as SVG.
//!
//! An SVG holds shapes only and stretches with its place; names, scales and times stand beside it as text, which stays
//! readable on a phone. Colours come from classes, so that light, dark and paper each have theirs; nothing is styled in
//! place, which the Content-Security-Policy forbids. Every drawing has a title and a description, shows its values to the
//! mouse without scripts, and has a table that says the same.

mod axis;
mod heat;
mod survival;
mod trend;
mod waterfall;

pub use axis::Axis;
pub use heat::{Hour, ResetHours};
pub use survival::{Curve, Survival};
pub use trend::{Point, Trend};
pub use waterfall::{Bar, Part, Waterfall};
