//! What helps is kept, so that later runs use it without being told.

use jiff::Timestamp;

use super::Report;
use crate::db::{Db, DbError};
use crate::manners::{self, Remedy};

/// From now on what `report` shows to help is used at `server`. Returns that.
///
/// # Errors
/// The store's; what was kept before stays.
pub async fn prescribe(db: &Db, server: &str, report: &Report, now: Timestamp) -> Result<Vec<Remedy>, DbError> {
    let mut kept = Vec::new();
    for (remedy, why) in report.shown() {
        manners::prescribe(db, server, remedy, why, now).await?;
        kept.push(remedy);
    }
    Ok(kept)
}
