//! What runs of a job that is gone left half done in its target: the parts that the journal knows, and nothing else.

use std::sync::Arc;

use super::MirrorError;
use super::journal::{self, Item};
use super::replace;
use super::words::ItemState;
use crate::audit::{Actor, Event, append};
use crate::db::{Db, DbError};
use crate::model::{Clock, EntryKind, Fault, FaultKind, ItemId, JobId, RelPath};
use crate::remote::{Remote, holds};

/// Parts per transaction.
const PAGE: i64 = 500;

/// Removes the parts of `job` from its `target`, and the journal's memory of them in one transaction with the audit
/// entry. For a job that has no run any more that could go on. What it published stays. Returns how many went; a part
/// that cannot be removed now stays in the journal for another time.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn remove_parts(
    db: &Db,
    clock: &Arc<dyn Clock>,
    job: JobId,
    target: &Arc<dyn Remote>,
) -> Result<u64, MirrorError> {
    let (mut after, mut removed) = (ItemId(0), 0);
    loop {
        let page = journal::parts_of(db, job, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(removed) };
        after = last.id;
        let mut gone = Vec::new();
        for (item, is_shared) in page {
            let Some(part) = &item.part else { continue };
            match remove(target, &item, part, is_shared).await {
                Ok(true) => gone.push(item.id),
                Ok(false) => {
                    tracing::warn!(part = %part.display(), "what lies under a part's name is not that part: it stays");
                }
                Err(fault) => tracing::warn!(part = %part.display(), fault = %fault, "a part could not be removed"),
            }
        }
        if gone.is_empty() {
            continue;
        }
        let count = u64::try_from(gone.len()).unwrap_or(u64::MAX);
        let mut tx = db.write().await?;
        journal::unlink_parts(&mut tx, &gone).await?;
        append(&mut tx, clock.now(), &Actor::System, &Event::PartsRemoved { job, parts: count }).await?;
        tx.commit().await.map_err(DbError::from)?;
        removed += count;
    }
}

/// Is it gone? Another job may copy the same version of a file to the same place: then the part is that job's now.
async fn remove(target: &Arc<dyn Remote>, item: &Item, part: &RelPath, is_shared: bool) -> Result<bool, Fault> {
    if is_shared {
        return Ok(true);
    }
    // About to change places when the process died: somebody else's file may lie there, or stand aside.
    if item.state == ItemState::Publishing
        && !(is_part(target, item, part).await? && is_back(target, item, part).await?)
    {
        return Ok(false);
    }
    match target.remove_file(part).await {
        Err(fault) if fault.kind == FaultKind::Missing => Ok(true),
        removed => removed.map(|()| true),
    }
}

/// Is whatever stood aside for the part in its place again?
async fn is_back(target: &Arc<dyn Remote>, item: &Item, part: &RelPath) -> Result<bool, Fault> {
    let aside = replace::aside(part)?;
    match target.stat(&aside).await? {
        Some(_) => replace::put_back(&**target, item, &aside).await,
        None => Ok(true),
    }
}

async fn is_part(target: &Arc<dyn Remote>, item: &Item, part: &RelPath) -> Result<bool, Fault> {
    match target.stat(part).await? {
        None => Ok(true),
        Some(there) if there.kind != EntryKind::File || there.size != Some(item.confirmed) => Ok(false),
        Some(_) => holds(&**target, part, item.digest).await,
    }
}
