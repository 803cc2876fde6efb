//! Single observations, read back: for roll-ups, for figures, and for who wants to see what they were made of.

mod store;

pub(super) use store::{COLUMNS, attempts, observation, raw, raw_within, within};
pub use store::{last_before, observations_after};
