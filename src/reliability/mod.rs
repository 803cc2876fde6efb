//! How reliable FTP, SFTP and WebDAV really are here: what is measured, and what may be said about it.
//!
//! Everything that speaks a protocol (our own clients, and the doors for the clients of others) makes an
//! [`Observation`] of each connection and each transfer and hands it to a [`Recorder`], which never
//! waits. [`compare`] turns the observations of a window into one row per statistic, each with a 95 %
//! interval and the number it rests on. The statistics are defined one by one in [`stat`].
//!
//! The traffic of real jobs and clients is *observational*: big files may go over one protocol and
//! small ones over another, one at night and the other by day. The figures describe it; they do not rank
//! the protocols. See [`CAVEAT`].

mod compare;
pub mod estimate;
mod observation;
mod recorder;
pub mod stat;
mod store;

pub use compare::{CAVEAT, Cell, Column, Comparison, FAMILIES, Row, Window, compare, compare_columns};
pub use estimate::Estimate;
pub use observation::{Direction, End, Observation, Role, What};
pub use recorder::Recorder;
pub use stat::{Better, STATISTICS, Statistic, Unit};
pub use store::{RETENTION_DAYS, Source, prune, sources};

#[cfg(test)]
mod tests;
