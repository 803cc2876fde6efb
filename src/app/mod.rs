//! Puts the parts together, starts them, and ends them in good order.

mod doors;
mod files;
mod running;
mod service;
mod signals;
mod store;
mod sweep;
mod ways;

pub use running::{Running, RunningError};
pub use service::{Certificate, Service, StartError};
pub use signals::Signals;
pub use store::{Store, StoreError, operator};
