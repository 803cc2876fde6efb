//! FTP, SFTP and WebDAV side by side, from what really happened.

use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};

use super::stat::{STATISTICS, Statistic};
use super::{Estimate, Role, store};
use crate::db::{Db, DbError};

/// The families that are compared, in the order of the page.
pub const FAMILIES: [&str; 3] = ["FTP", "SFTP", "WebDAV"];

/// What every page and export with these figures says with them.
pub const CAVEAT: &str = "These figures describe the traffic as it was: different files, partners, times and paths \
                          went over each protocol, and failures come in bursts, which makes the true intervals wider. \
                          They do not rank the protocols; only paired probes on the same path at the same time do.";

/// Which observations count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Ended at or after.
    pub from: Timestamp,
    /// Ended before.
    pub to: Timestamp,
    /// Only connections that we made, or only those of the doors; none = both.
    pub role: Option<Role>,
}

impl Window {
    /// The last `span` before `now`, which is in it.
    #[must_use]
    pub fn last(now: Timestamp, span: SignedDuration) -> Self {
        let to = now.saturating_add(SignedDuration::from_micros(1)).unwrap_or(now);
        Self { from: now.saturating_sub(span).unwrap_or(Timestamp::MIN), to, role: None }
    }

    /// Only one role.
    #[must_use]
    pub fn of(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }
}

/// One figure of one family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The family.
    pub family: &'static str,
    /// The figure.
    pub estimate: Estimate,
}

/// One statistic across the families.
#[derive(Debug)]
pub struct Row {
    /// What it is.
    pub statistic: &'static Statistic,
    /// One per family, in the order of [`FAMILIES`].
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

/// Computes every statistic of every family in a window. A million observations take about a second.
///
/// # Errors
/// What the store says.
pub async fn compare(db: &Db, window: Window) -> Result<Comparison, DbError> {
    let samples = try_join_all(FAMILIES.map(|family| store::sample(db, family, &window))).await?;
    let rows = STATISTICS
        .iter()
        .map(|statistic| {
            let cell = |(family, sample)| Cell { family, estimate: (statistic.compute)(sample) };
            Row { statistic, cells: FAMILIES.into_iter().zip(&samples).map(cell).collect() }
        })
        .collect();
    let dropped = store::dropped(db, &window).await?;
    Ok(Comparison { window, rows, dropped, caveat: CAVEAT })
}
