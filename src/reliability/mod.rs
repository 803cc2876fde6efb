//! How reliable FTP, SFTP and WebDAV really are here: what is measured, and what may be said about it.
//!
//! Everything that speaks a protocol (our own clients, and the doors for the clients of others) makes an
//! [`Observation`] of each connection and each transfer and hands it to a [`Recorder`], which never
//! waits. They are added up in [`rollup`]s; [`compare`] turns those of a window into one row per statistic, each with a
//! 95 % interval and the number it rests on. The statistics are defined one by one in [`stat`], the
//! observations behind each are found again by [`basis`]; that their intervals hold
//! what they promise is shown by `tests/calibrate/run`. What one protocol has over another is said by [`pairs`] alone, and
//! how an endpoint stands to what it should do by [`objective`]. Whether something is changing for the worse is watched by
//! [`alarm`].
//!
//! The traffic of real jobs and clients is *observational*: big files may go over one protocol and
//! small ones over another, one at night and the other by day. The figures describe it; they do not rank
//! the protocols. See [`CAVEAT`].

pub mod alarm;
pub mod basis;
mod compare;
pub mod concurrency;
mod detail;
pub mod estimate;
pub mod objective;
mod observation;
pub mod pairs;
mod raw;
mod recorder;
pub mod rollup;
pub mod stat;
mod store;

pub use basis::Basis;
pub use compare::{
    CAVEAT, Cell, Column, Comparison, FAMILIES, Row, Slice, Timeline, Window, compare, compare_columns,
    compare_over_time, over_time,
};
pub use detail::{Detail, FileId, Party};
pub use estimate::Estimate;
pub use observation::{Direction, End, Observation, Role, What};
pub use raw::{last_before, observations_after};
pub use recorder::Recorder;
pub use rollup::{Source, all_seen as all_sources, seen as sources, widened};
pub use stat::{Better, Definition, Group, STATISTICS, Statistic, Unit};
pub use store::{RETENTION_DAYS, ROUNDS_DAYS, prune};

#[cfg(test)]
mod tests;
