//! Layers: remotes around a remote.

mod detour;
mod limit;

pub use detour::{Detours, detoured};
pub use limit::limited;
