//! Layers: remotes around a remote.

mod limit;

pub use limit::limited;
