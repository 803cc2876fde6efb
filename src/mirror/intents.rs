//! What an earlier start of this run, or an earlier run of the job, was about to do when its process died: was it
//! done? The journal notes a deletion, a new directory or a new mode before the deed, so that the deed is in the audit
//! log whenever it happened.

use super::engine::{Broken, Engine};
use super::journal::{self, Change, Intent};
use super::plan::file_mode;
use super::planner::made_here;
use super::words::Action;
use super::{delete, publish, replace};
use crate::audit::Event;
use crate::model::{EntryKind, Fault, RelPath, RunId};

/// Looks at each and notes how it went. What was not done is planned anew.
pub(super) async fn settle(engine: &Engine) -> Result<(), Broken> {
    replace::settle_all(engine).await?;
    let (db, job, this) = (&engine.order.db, engine.order.job, engine.order.run);
    for Intent { run, path, target, kind, .. } in journal::intended(db, job, this, Action::Trash).await? {
        let moved = engine.persist(|| async { Ok(was_trashed(engine, run, &target).await) }).await?;
        let change = if matches!(moved, Ok(true)) {
            delete::trashed(engine, run, path, target, kind)
        } else {
            Change::Dropped { run, path, event: None }
        };
        engine.journal.commit(change).await?;
    }
    for Intent { run, path, target, .. } in journal::intended(db, job, this, Action::MakeDir).await? {
        let there = engine.persist(|| async { Ok(engine.order.target.stat(&target).await) }).await?;
        if there.is_ok_and(|entry| entry.is_some_and(|entry| entry.kind == EntryKind::Dir)) {
            let (file, event) = made_here(run, &path, target, None);
            engine.journal.commit(Change::Made { run, file: Box::new(file), events: vec![event] }).await?;
        }
    }
    for Intent { run, path, target, link, .. } in journal::intended(db, job, this, Action::Link).await? {
        let (there, kept) = (&engine.order.target, publish::kept(run, &target));
        let look = || async {
            let kept = match &kept {
                Ok(kept) => there.stat(kept).await?.is_some(),
                Err(_) => false,
            };
            Ok::<_, Fault>((there.stat(&target).await?.map(|entry| entry.kind), kept))
        };
        let Ok((there, kept)) = engine.persist(|| async { Ok(look().await) }).await? else { continue };
        let trashed = kept.then(|| replace::trashed(run, target.clone()));
        let change = if link.is_some() && there == Some(EntryKind::Symlink(link.clone())) {
            let (file, event) = made_here(run, &path, target, link);
            Change::Made { run, file: Box::new(file), events: trashed.into_iter().chain([event]).collect() }
        } else {
            // Only its place was cleared.
            Change::Dropped { run, path, event: trashed }
        };
        engine.journal.commit(change).await?;
    }
    for Intent { run, path, target, mode, .. } in journal::intended(db, job, this, Action::SetMode).await? {
        let there = engine.persist(|| async { Ok(engine.order.target.stat(&target).await) }).await?;
        let is = there.ok().flatten().and_then(|entry| entry.mode).map(file_mode);
        if is.is_some() && is == mode.map(file_mode) {
            let event = Event::ModeSet { run, path: target };
            engine.journal.commit(Change::ModeSet { run, path, event }).await?;
        }
    }
    Ok(())
}

/// Is it gone from its place and in that run's trash?
async fn was_trashed(engine: &Engine, run: RunId, target: &RelPath) -> Result<bool, Fault> {
    if engine.order.target.stat(target).await?.is_some() {
        return Ok(false);
    }
    Ok(engine.order.target.stat(&publish::kept(run, target)?).await?.is_some())
}
