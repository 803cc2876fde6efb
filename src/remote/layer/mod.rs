//! Layers: remotes around a remote.

mod detour;
mod full;
mod limit;
mod picked;

pub use detour::{Detours, detoured};
pub use full::{Room, roomy};
pub use limit::limited;
pub use picked::picked;
