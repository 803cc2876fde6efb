//! The last steps: times of directories, parts that nobody needs, and the summary.

use super::engine::{Broken, Engine, Facts};
use super::scan::store as scan;
use super::{Ended, MirrorError, Summary, journal};
use crate::model::FaultKind;

const PAGE: i64 = 1000;

/// Makes the names in the directories that this run changed durable, and gives directories the times that
/// they have in the source. Once per directory instead of once per file: a name that a power cut takes
/// away before is missed by the next run, which copies the file again.
pub(super) async fn settle_dirs(engine: &Engine) -> Result<(), Broken> {
    let able = engine.order.target.capabilities().set_mtime;
    let mut after = None;
    loop {
        engine.check_stop()?;
        let page = scan::dirs_to_settle(&engine.order.db, engine.order.run, after.as_ref(), PAGE).await?;
        let Some((last, ..)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        for (dir, version, touched) in page {
            let settled = engine.persist(|| async {
                let target = &engine.order.target;
                if touched && let Err(fault) = target.sync_dir(&dir).await {
                    return Ok(Err(fault));
                }
                Ok(match version.mtime.filter(|_| able) {
                    Some(mtime) => target.set_attributes(&dir, Some(mtime), None).await,
                    None => Ok(()),
                })
            });
            if let Err(fault) = settled.await?
                && fault.kind != FaultKind::Missing
            {
                tracing::warn!(dir = %dir.display(), fault = %fault, "the time of a directory could not be set");
            }
        }
    }
}

/// Removes parts of earlier runs that nobody will go on with.
pub(super) async fn sweep_parts(engine: &Engine) -> Result<(), Broken> {
    let parts = journal::leftover_parts(&engine.order.db, engine.order.job, engine.order.run).await?;
    if parts.is_empty() {
        return Ok(());
    }
    let mut gone = Vec::new();
    for (item, part) in parts {
        match engine.persist(|| async { Ok(engine.order.target.remove_file(&part).await) }).await? {
            Ok(()) => gone.push(item),
            Err(fault) if fault.kind == FaultKind::Missing => gone.push(item),
            Err(fault) => {
                tracing::warn!(part = %part.display(), fault = %fault, "a left-over part could not be removed");
            }
        }
    }
    Ok(journal::unlink_parts(&engine.order.db, &gone).await?)
}

/// What the run did.
pub(super) async fn summary(engine: &Engine, ended: Ended, facts: Facts) -> Result<Summary, MirrorError> {
    let (db, run) = (&engine.order.db, engine.order.run);
    let Facts { mut counts, mut notes, scanned } = facts;
    let totals = journal::totals(db, run).await?;
    let dirs = scan::directories(db, run).await?;
    let missing = journal::missing_examples(db, run).await?;
    let snapshot = engine.progress.snapshot();
    counts.dirs_listed = dirs.all;
    counts.dirs_unsure = dirs.unsure;
    counts.retries = snapshot.retries;
    if engine.order.policy.dry_run {
        counts.files_waiting = snapshot.files_planned;
        counts.files_failed = snapshot.files_failed;
    } else {
        counts.files_published = totals.published;
        counts.bytes_published = totals.bytes;
        counts.files_unchanged += totals.kept;
        counts.files_adopted += totals.adopted;
        counts.files_failed = totals.failed;
        counts.files_waiting = totals.open;
        counts.files_trashed = totals.trashed;
        counts.entries_skipped = totals.skipped;
    }
    if counts.entries_skipped > 0 {
        notes.push(format!("{} links and special files were left out", counts.entries_skipped));
    }
    if dirs.held > 0 {
        notes.push(format!(
            "{} folders hold exactly a number of names at which servers cut lists: nothing is deleted there",
            dirs.held
        ));
    }
    let nothing_open = counts.files_failed == 0 && counts.files_waiting == 0;
    Ok(Summary {
        run,
        complete: ended == Ended::Finished && scanned && dirs.unsure == 0 && nothing_open,
        verified: counts.files_adopted == 0,
        ended,
        dry_run: engine.order.policy.dry_run,
        counts,
        missing,
        unsure: dirs.first,
        notes,
    })
}
