//! What the journal is asked: which items are open, what was meant to be done, what is known of a path, how a run stands.

pub(super) mod store;
