//! FTP, SFTP and WebDAV side by side, from what really happened.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};

use super::rollup::Digest;
use super::stat::{STATISTICS, Sample, Statistic};
use super::{Estimate, Role, rollup, store};
use crate::db::{Db, DbError};

/// The families that are compared, in the order of the page.
pub const FAMILIES: [&str; 3] = ["FTP", "SFTP", "WebDAV"];

/// What every page and export with these figures says with them.
pub const CAVEAT: &str = "These figures describe the traffic as it was: different files, partners, times and paths \
                          went over each protocol, and failures come in bursts, which makes the true intervals wider. \
                          They do not rank the protocols; only paired probes on the same path at the same time do.";

/// Which observations count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Ended at or after.
    pub from: Timestamp,
    /// Ended before.
    pub to: Timestamp,
    /// Only connections that we made, or only those of the doors; none = both.
    pub role: Option<Role>,
    /// Only those with this other side or door; none = all.
    pub endpoint: Option<String>,
}

impl Window {
    /// The last `span` before `now`, which is in it.
    #[must_use]
    pub fn last(now: Timestamp, span: SignedDuration) -> Self {
        let to = now.saturating_add(SignedDuration::from_micros(1)).unwrap_or(now);
        Self { from: now.saturating_sub(span).unwrap_or(Timestamp::MIN), to, role: None, endpoint: None }
    }

    /// Only one role.
    #[must_use]
    pub fn of(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// Only one other side or door.
    #[must_use]
    pub fn at(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }
}

/// Of whom the figures are: one family, seen from one side. What a client measures from its first packet
/// and what a door measures from accepting are different stretches, so the two are never put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The family.
    pub family: &'static str,
    /// Whose connections; none = both.
    pub role: Option<Role>,
}

/// One figure of one family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The family.
    pub family: &'static str,
    /// Whose connections; none = both.
    pub role: Option<Role>,
    /// The figure.
    pub estimate: Estimate,
}

/// One statistic across the families.
#[derive(Debug)]
pub struct Row {
    /// What it is.
    pub statistic: &'static Statistic,
    /// One per column, in the order of the comparison.
    pub cells: Vec<Cell>,
}

/// The whole comparison.
#[derive(Debug)]
pub struct Comparison {
    /// Of what.
    pub window: Window,
    /// One row per statistic.
    pub rows: Vec<Row>,
    /// Observations that were lost because the recorder's queue was full, in the window's hours.
    pub dropped: u64,
    /// What must be said with it; [`CAVEAT`].
    pub caveat: &'static str,
}

/// Computes every statistic of every family in a window, from roll-ups; `tests/bench/rollups.rs` measures how long it takes.
///
/// # Errors
/// What the store says.
pub async fn compare(db: &Db, window: Window) -> Result<Comparison, DbError> {
    let columns = FAMILIES.map(|family| Column { family, role: window.role });
    compare_columns(db, window, &columns).await
}

/// What was seen from a time on, for the width of its timeline.
#[derive(Debug, Clone)]
pub struct Slice {
    /// When it begins.
    pub at: Timestamp,
    /// What was seen.
    pub sample: Sample,
}

/// What a comparison was made of.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Of each slice.
    pub width: SignedDuration,
    /// Of each column the slices of the window, without holes.
    pub slices: Vec<Vec<Slice>>,
    /// Of each column all of them together.
    pub samples: Vec<Sample>,
}

/// The same for chosen columns; the role of a column counts, not that of the window.
///
/// # Errors
/// What the store says.
pub async fn compare_columns(db: &Db, window: Window, columns: &[Column]) -> Result<Comparison, DbError> {
    Ok(compare_over_time(db, window, columns, 1).await?.0)
}

/// The same, with what it was made of in at most `most` slices. Every roll-up is read once.
///
/// # Errors
/// What the store says.
pub async fn compare_over_time(
    db: &Db,
    window: Window,
    columns: &[Column],
    most: i64,
) -> Result<(Comparison, Timeline), DbError> {
    let windows: Vec<_> = columns.iter().map(|column| Window { role: column.role, ..window.clone() }).collect();
    let width = if most > 1 { rollup::width(db, &window, most).await? } else { i64::MAX };
    let taken = columns.iter().zip(&windows).map(|(column, window)| rollup::slices(db, column.family, window, width));
    let digests: Vec<_> = try_join_all(taken).await?;
    let samples: Vec<_> = digests.iter().map(whole).collect();
    let (comparison, samples) = compared(db, window, columns, samples).await?;
    let slices = if most > 1 { sliced(&comparison.window, digests, width)? } else { Vec::new() };
    Ok((comparison, Timeline { width: SignedDuration::from_micros(width), slices, samples }))
}

fn whole(slices: &BTreeMap<i64, Digest>) -> Sample {
    let mut all = Digest::default();
    slices.values().for_each(|slice| all.merge(slice));
    Sample::of(all)
}

/// One slice after the other, also those in which nothing was seen.
fn sliced(window: &Window, digests: Vec<BTreeMap<i64, Digest>>, width: i64) -> Result<Vec<Vec<Slice>>, DbError> {
    let moment = |micros| Timestamp::from_microsecond(micros).map_err(|error| DbError::Value(error.to_string()));
    let (from, to) = (window.from.as_microsecond(), window.to.as_microsecond());
    let begins: Vec<_> = std::iter::successors(Some(from - from.rem_euclid(width)), |at| at.checked_add(width))
        .take_while(|at| *at < to)
        .collect();
    let column = |mut slices: BTreeMap<i64, Digest>| {
        let slice =
            |at: &i64| Ok(Slice { at: moment(*at)?, sample: Sample::of(slices.remove(at).unwrap_or_default()) });
        begins.iter().map(slice).collect()
    };
    digests.into_iter().map(column).collect()
}

/// The slices of one endpoint, as [`compare_over_time`] has them.
///
/// # Errors
/// What the store says.
pub async fn over_time(db: &Db, family: &str, window: &Window, most: i64) -> Result<Timeline, DbError> {
    let width = rollup::width(db, window, most).await?;
    let digests = rollup::slices(db, family, window, width).await?;
    let samples = vec![whole(&digests)];
    let slices = sliced(window, vec![digests], width)?;
    Ok(Timeline { width: SignedDuration::from_micros(width), slices, samples })
}

async fn compared(
    db: &Db,
    window: Window,
    columns: &[Column],
    samples: Vec<Sample>,
) -> Result<(Comparison, Vec<Sample>), DbError> {
    let rows = STATISTICS
        .iter()
        .map(|statistic| {
            let cell = |(column, sample): (&Column, _)| Cell {
                family: column.family,
                role: column.role,
                estimate: (statistic.compute)(sample),
            };
            Row { statistic, cells: columns.iter().zip(&samples).map(cell).collect() }
        })
        .collect();
    let dropped = store::dropped(db, &window).await?;
    Ok((Comparison { window, rows, dropped, caveat: CAVEAT }, samples))
}
