//! What one channel does: requests in, file work on blocking threads, answers out.
//!
//! ```text
//! session loop ── Lane::submit ─┬─▶ Worker, on the spot ──▶ Direct ──▶ session
//!                               └─▶ queue ──▶ Worker (blocking threads) ──▶ Outbox ──▶ sender task ──▶ session
//! ```
//!
//! The one rule that keeps it from ever standing still: *what the session loop waits for never waits for
//! the session loop*. `submit` waits for room in the queue, which only file work makes; answers go to an
//! outbox that never makes the worker wait, but ends a channel that asks without reading. READ of a
//! file that does not change leaves a note in the outbox and is done by the sender, when there is room for its bytes.
//!
//! Requests that have nothing to do with each other are done side by side, the others in order ([`claim`]).

mod claim;
mod context;
mod direct;
mod extended;
mod files;
mod filling;
mod lane;
mod names;
mod open;
mod outbox;
mod reach;
mod sums;
mod upload;
mod worker;

pub(super) use context::observation;
pub use context::{Context, Moved};
pub use direct::Direct;
pub(super) use files::{MASK, fresh_part};
pub use lane::Lane;
pub use outbox::{Outbox, Wire, send};
