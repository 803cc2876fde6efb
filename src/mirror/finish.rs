//! The last steps: times of directories, parts that nobody needs, and the summary.

use super::engine::{Broken, Engine, Facts};
use super::names::store::count_mapped;
use super::scan::store as scan;
use super::{Ended, MirrorError, Naming, Summary, journal, lag, proof};
use crate::model::{FaultKind, Mtime, RelPath};

const PAGE: i64 = 1000;

/// The owner of a mirrored directory can always enter and change it.
const OWNER: u32 = 0o700;
const MODE_MASK: u32 = 0o777;
/// So many files that went away are named one by one.
const VANISHED_SHOWN: i64 = 20;

/// Makes the names in the directories that this run changed durable, and gives directories the times and
/// modes that they have in the source. Once per directory instead of once per file: a name that a power cut
/// takes away before is missed by the next run, which copies the file again.
pub(super) async fn settle_dirs(engine: &Engine, facts: &mut Facts) -> Result<(), Broken> {
    let mut after = None;
    loop {
        engine.check_stop()?;
        let page = scan::dirs_to_settle(&engine.order.db, engine.order.run, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.path.clone());
        for dir in page {
            let target = &engine.order.target;
            if dir.touched {
                let synced = engine.persist(|| async { Ok(target.sync_dir(&dir.path).await) }).await?;
                facts.unsynced.note(&dir.path, synced);
            }
            let (mtime, mode) = wanted(engine, &dir);
            if mtime.is_some() || mode.is_some() {
                let set = || async { Ok(target.set_attributes(&dir.path, mtime, mode).await) };
                facts.unsettled.note(&dir.path, engine.persist(set).await?);
            }
        }
    }
}

/// What the target can keep of the directory's time and mode. The root's mode is its owner's business.
fn wanted(engine: &Engine, dir: &scan::UnsettledDir) -> (Option<Mtime>, Option<u32>) {
    let able = engine.order.target.capabilities();
    let keeps_mode = able.set_mode && engine.order.policy.keep_mode && !dir.path.is_root();
    let mode = dir.mode.filter(|_| keeps_mode).map(|mode| (mode & MODE_MASK) | OWNER);
    (dir.version.mtime.filter(|_| able.set_mtime), mode)
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
    let mut tx = engine.order.db.write().await?;
    journal::unlink_parts(&mut tx, &gone).await?;
    Ok(tx.commit().await.map_err(crate::db::DbError::from)?)
}

/// For the summary: how many files went away, and the first of them by name.
fn vanished(count: u64, first: &[RelPath]) -> String {
    let names: Vec<_> = first.iter().map(RelPath::display).collect();
    let told = u64::try_from(names.len()).unwrap_or(u64::MAX);
    let more = match count.saturating_sub(told) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{count} files went away from the source before they could be copied: {}{more}", names.join(", "))
}

/// What the run did.
pub(super) async fn summary(engine: &Engine, ended: Ended, facts: Facts) -> Result<Summary, MirrorError> {
    let (db, run) = (&engine.order.db, engine.order.run);
    let Facts { mut counts, mut notes, scanned, unplanned, unsynced, unsettled, overlooked: _, moves: _ } = facts;
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
        counts.files_uploading = totals.unsettled;
        counts.modes_set = totals.modes_set;
        counts.links_made = totals.links_made;
        counts.files_trashed = totals.trashed;
        counts.entries_skipped = totals.skipped;
        counts.files_vanished = totals.vanished;
    }
    if counts.entries_skipped > 0 {
        notes.push(format!("{} links and special files were left out", counts.entries_skipped));
    }
    if counts.links_dangling > 0 {
        notes.push(format!("{} of them are links that lead to nothing in the source", counts.links_dangling));
    }
    if engine.order.policy.names == Naming::Portable && !engine.order.policy.dry_run {
        let mapped = count_mapped(db, engine.order.job).await?;
        notes.extend((mapped > 0).then(|| {
            format!("{mapped} files and folders have another path in the target: 'causeway run show {run} --mapped' lists them")
        }));
    }
    if dirs.held > 0 {
        notes.push(format!(
            "{} folders were listed in a way that cannot prove that nothing is hidden (a round number of names, a \
             server that does not show dot files or seal its listings, or a symbolic link that leads there): nothing is deleted there",
            dirs.held
        ));
    }
    if counts.files_vanished > 0 {
        let names = journal::vanished_names(db, run, VANISHED_SHOWN).await?;
        notes.push(vanished(counts.files_vanished, &names));
    }
    notes.extend((snapshot.locked > 0).then(|| {
        let seconds = snapshot.locked.div_ceil(1000);
        format!("another program kept the job store locked, for up to {seconds} s at a time: the run waited for it")
    }));
    notes.extend(unsynced.sentence("folders could not be made safe against a power cut"));
    notes.extend(unsettled.sentence("folders could not be given their time and mode"));
    let nothing_open = counts.files_failed == 0 && counts.files_waiting == 0;
    let mut summary = Summary {
        run,
        complete: ended == Ended::Finished
            && scanned
            && !unplanned
            && dirs.unsure == 0
            && nothing_open
            && unsynced.count == 0,
        verified: counts.files_adopted == 0,
        ended,
        dry_run: engine.order.policy.dry_run,
        counts,
        missing,
        unsure: dirs.first,
        notes,
        extent: engine.order.extent,
        lag: lag::of_run(engine).await?,
        proofs: proof::store::Methods::new(),
        orders: None,
        records: None,
    };
    proof::sum_up(engine, &mut summary).await?;
    Ok(summary)
}
