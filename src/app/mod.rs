//! Puts the parts together, starts them, and ends them in good order.

mod doors;
mod files;
mod ports;
mod running;
mod service;
mod signals;
mod store;
mod sweep;
mod watching;
mod ways;

pub use ports::certificate_plan;
pub use running::{Running, RunningError};
pub use service::{Certificate, Service, StartError};
pub use signals::Signals;
pub use store::{Store, StoreError, operator};
