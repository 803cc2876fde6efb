//! The tamper-evident operation log: typed events in a SHA-256 chain, written in the same transaction as
//! the change they describe.
//!
//! Every entry is a line of canonical JSON that holds its number, time, actor, event and the SHA-256 of
//! the line before it. An export is therefore a text file that anybody can check with `sha256sum` alone:
//! the hash of line *n* stands as `previous` in line *n* + 1.
//!
//! # What it proves
//!
//! That no entry was changed, removed, inserted or moved, up to the last entry. That nothing was cut off
//! at the end, or that not the whole chain was written anew, is shown by a [`Checkpoint`] kept where the
//! one who could do that cannot write. It does not prove that what was logged is true, nor what happened
//! after the last checkpoint.

mod checkpoint;
mod entry;
mod event;
mod log;
mod named_digest;
mod store;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, CheckpointParseError};
pub use event::{Actor, ActorParseError, CertificateShown, Event, LoginMethod, LoginRefusal, RunOutcome};
pub use log::AuditLog;
pub use store::{Filter, Record, append, append_many};
pub use verify::{Damage, DamageKind, Verification};
