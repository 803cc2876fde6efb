//! The merge join of what the source shows, what the job remembers and what the target shows: all three lie in the store in
//! the order of their paths, so that a million files are compared in one pass and a page of memory.

pub(super) mod store;
#[cfg(test)]
mod tests;

/// Rows that need no judgement: files that are as they were published by everything that is known of them, and folders
/// that are there. In the usual run these are nearly all, and the store passes over them by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sieve {
    /// A file with other permission bits than in the source is to be judged.
    pub keep_mode: bool,
}
