//! How far a target is behind its source.
//!
//! A file is *new* to a run when its time in the source is not before the last complete look at it began: nobody could
//! have copied it earlier (a time that is told to the second or the minute counts from the end of its tick). Its **lag** is the time from its time in the source until it was under its name in the target.
//! The lag holds what the source's clock is off by, and counts as zero where that clock is ahead; a time that is told to
//! the day only says nothing, and its file is left out.

pub mod store;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::heat::Extent;
use super::{Ended, Summary};
use crate::db::DbError;

pub use store::{Looks, Newest};

/// The lag of the files that were new to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// How many there were.
    pub files: u64,
    /// Half of them were here within so many seconds.
    pub median_seconds: u64,
    /// All of them were.
    pub longest_seconds: u64,
}

/// The lag of what this run brought; none where nothing was new, or nobody looked before.
pub(super) async fn of_run(engine: &Engine) -> Result<Option<Lag>, DbError> {
    let looks = store::looks(&engine.order.db, engine.order.job).await?;
    let since = match engine.order.extent {
        Extent::Whole => looks.whole,
        Extent::Hot => looks.last(),
    };
    match since {
        Some(since) => store::lag(&engine.order.db, engine.order.run, since).await,
        None => Ok(None),
    }
}

/// Remembers that everything that the source showed from `begun` on is in the target.
pub(super) async fn keep(engine: &Engine, begun: Timestamp, summary: &Summary) -> Result<(), DbError> {
    if summary.ended != Ended::Finished || !summary.complete || summary.dry_run {
        return Ok(());
    }
    store::look(&engine.order.db, engine.order.job, engine.order.extent, begun).await
}
