//! Small pieces of HTML that many pages show. Each is a type whose `Display` is safe HTML, so that a
//! template writes `{{ piece }}` and nothing else.

mod chip;
mod gauge;
mod icon;
mod interval;
mod moment;
mod problems;

pub(super) use chip::{Chip, Tone};
pub(super) use gauge::Gauge;
pub(super) use icon::{Icon, icon};
pub(super) use interval::IntervalBar;
pub(super) use moment::Moment;
pub(super) use problems::Problems;
