//! When connections are reset, and what went on then.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::audit::Filter;
use crate::reliability::Window;
use crate::reliability::rollup::reset_hours;
use crate::web::chart::{Hour, ResetHours};
use crate::web::problem::Problem;
use crate::web::state::WebState;

/// Events that change something which connections depend on.
const CHANGES: [&str; 5] =
    ["job-changed", "endpoint-changed", "comparison-changed", "host-key-changed", "service-started"];
/// Entries of one kind that are looked at, the newest first.
const ENTRIES: u32 = 1000;

/// The week of a window.
pub(super) async fn resets(state: &WebState, window: &Window) -> Result<ResetHours, Problem> {
    let counts = reset_hours(&state.db, window).await?;
    let hour = |count: crate::reliability::rollup::ResetCount| Hour {
        resets: count.resets,
        stood: count.stood,
        ..Hour::default()
    };
    let mut week = ResetHours { hours: counts.map(|day| day.map(hour)) };
    for at in entries(state, window, "run-started").await? {
        with(&mut week, at, |hour| hour.runs += 1);
    }
    for action in CHANGES {
        for at in entries(state, window, action).await? {
            with(&mut week, at, |hour| hour.changes += 1);
        }
    }
    Ok(week)
}

async fn entries(state: &WebState, window: &Window, action: &str) -> Result<Vec<Timestamp>, Problem> {
    let filter = Filter {
        action: Some(action.to_owned()),
        from: Some(window.from),
        to: Some(window.to),
        limit: ENTRIES,
        ..Filter::default()
    };
    Ok(state.audit.page(&filter).await?.into_iter().map(|record| record.at).collect())
}

fn with(week: &mut ResetHours, at: Timestamp, change: impl FnOnce(&mut Hour)) {
    let at = at.to_zoned(TimeZone::UTC);
    let day = usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0);
    let hour = usize::try_from(at.hour()).unwrap_or(0);
    if let Some(slot) = week.hours.get_mut(day).and_then(|day| day.get_mut(hour)) {
        change(slot);
    }
}
