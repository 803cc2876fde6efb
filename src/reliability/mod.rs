//! How reliable FTP, SFTP and WebDAV really are here: what is measured, and what may be said about it.
//!
//! Everything that speaks a protocol (our own clients, and the doors for the clients of others) makes an
//! [`Observation`] of each connection and each transfer and hands it to a [`Recorder`], which never
//! waits.
//!
//! The traffic of real jobs and clients is *observational*: big files may go over one protocol and
//! small ones over another, one at night and the other by day. The figures describe it; they do not rank
//! the protocols.

mod observation;
mod recorder;
mod store;

pub use observation::{Direction, End, Observation, Role, What};
pub use recorder::Recorder;
pub use store::{RETENTION_DAYS, prune};
