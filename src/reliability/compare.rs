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

/// Computes every statistic of every family in a window. A million observations take about a second.
///
/// # Errors
/// What the store says.
pub async fn compare(db: &Db, window: Window) -> Result<Comparison, DbError> {
    let columns = FAMILIES.map(|family| Column { family, role: window.role });
    compare_columns(db, window, &columns).await
}

/// The same for chosen columns; the role of a column counts, not that of the window.
///
/// # Errors
/// What the store says.
pub async fn compare_columns(db: &Db, window: Window, columns: &[Column]) -> Result<Comparison, DbError> {
    let windows: Vec<_> = columns.iter().map(|column| Window { role: column.role, ..window.clone() }).collect();
    let taken = columns.iter().zip(&windows).map(|(column, window)| store::sample(db, column.family, window));
    let samples = try_join_all(taken).await?;
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
    Ok(Comparison { window, rows, dropped, caveat: CAVEAT })
}
