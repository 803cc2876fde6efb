//! How much was seen, from the counts beside the digests: no digest is read for it.

mod store;

pub use store::{ResetCount, all_seen, reset_hours, seen};
pub(super) use store::{old, write};
