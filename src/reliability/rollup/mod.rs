//! Roll-ups: minutes, hours and days of one endpoint, each a [`Digest`] of counts and mergeable histograms, so that the
//! figures of a year cost some thousand additions of short arrays.
//!
//! Observations are stored as they are first ([`crate::reliability::Recorder`]). Every few seconds those that are new are
//! added to the digests of their minutes; full hours are made of minutes, full days of hours. A figure is made of the
//! coarsest pieces that fit its window, and of the observations that are in no minute yet.

mod attempts;
mod codec;
mod counts;
mod digest;
mod histogram;
mod pieces;
mod series;
mod store;

pub use attempts::Attempts;
pub use codec::encode;
pub use counts::{ResetCount, all_seen, reset_hours, seen};
pub use digest::{CLASSES, Digest, Ended, Measure, Sum};
pub use histogram::Histogram;
pub use pieces::{DAY, HOUR, MINUTE};
pub use series::{Series, Source};
pub use store::{KEEP_DAYS, KEEP_HOURS, KEEP_MINUTES, prune, read, roll, slices, widened, width};
