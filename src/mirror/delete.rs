//! What is gone from the source. Only what this job wrote and nobody changed since may go; only on the word
//! of listings that were proven complete, in two runs in a row; only below both caps; only into the trash.

use super::engine::{Broken, Engine, Facts, Failures};
use super::journal::{self, Candidate, Change, Found};
use super::names;
use super::plan::Kind;
use super::publish;
use super::replace;
use super::scan::store as scan;
use super::words::Action;
use super::{Deletions, PlannedStep};
use crate::model::{Fault, RelPath, RunId};

const PAGE: i64 = 1000;

/// What is known about the absence of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// The directory that should name it, or the nearest one above that is there, was listed in full.
    Proven,
    /// It may only be hidden.
    Unsure,
}

#[derive(Debug, Default)]
struct Survey {
    /// Files that may go now.
    going: u64,
    /// Folders that may go now when they are empty by then.
    going_dirs: u64,
    /// Gone for the first time.
    first_time: u64,
    /// Hidden behind a listing that is not proven.
    unsure: u64,
    /// Changed in the target since it was published.
    changed: u64,
    /// Gone from the target, too.
    vanished: u64,
}

impl Survey {
    /// Is more going than the policy allows, of `all` files and folders that the job published? One file, and the folder
    /// that held it, may always go: in a small tree it is more than any percentage.
    fn is_capped(&self, policy: &Deletions, all: u64) -> bool {
        let going = self.going.saturating_add(self.going_dirs);
        let few = self.going <= 1 && self.going_dirs <= 1;
        !few && (going > policy.max_files
            || going.saturating_mul(100) > all.saturating_mul(u64::from(policy.max_percent)))
    }
}

/// Looks for what is gone from the source and, where the policy wants it and everything allows it, moves it
/// into the trash.
pub(super) async fn gone(engine: &Engine, facts: &mut Facts) -> Result<(), Broken> {
    let (enabled, dry) = (engine.order.policy.delete.enabled, engine.order.policy.dry_run);
    let found = survey(engine, enabled && !dry).await?;
    let all = journal::count_paths(&engine.order.db, engine.order.job).await?;
    let capped = found.is_capped(&engine.order.policy.delete, all);
    let may = enabled && !capped;
    // A dry run only tells.
    let go = may && !dry;
    facts.counts.files_kept = found.first_time + found.unsure + found.changed + if may { 0 } else { found.going };
    explain(&found, facts, enabled, capped, all, engine);
    let mut failed = Failures::default();
    if go {
        move_all(engine, false, &mut failed).await?;
        facts.counts.files_kept += failed.count;
        move_all(engine, true, &mut failed).await?;
    }
    if enabled && !dry {
        journal::sweep_tombstones(&engine.order.db, engine.order.job, engine.order.run).await?;
    }
    facts.notes.extend(failed.sentence("could not be moved into the trash and stay"));
    Ok(())
}

fn explain(found: &Survey, facts: &mut Facts, enabled: bool, capped: bool, all: u64, engine: &Engine) {
    let mut note = |count: u64, text: &str| {
        if count > 0 {
            facts.notes.push(format!("{count} {text}"));
        }
    };
    if !enabled {
        note(found.going + found.first_time, "files are gone from the source and stay in the target: deleting is off");
    } else {
        note(found.first_time, "files are gone from the source for the first time: they go when the next run agrees");
        if capped {
            let policy = &engine.order.policy.delete;
            let text = format!(
                "files and folders of {all} would go, more than the cap of {} % and {} files allows: nothing was deleted; raise the cap when this is right",
                policy.max_percent, policy.max_files
            );
            note(found.going + found.going_dirs, &text);
        }
        note(found.changed, "files are gone from the source but were changed in the target: they stay");
    }
    note(found.unsure, "files were not seen in the source, but its listing is not proven complete: they stay");
}

/// Counts, and notes for the next run what this one found gone.
async fn survey(engine: &Engine, bury: bool) -> Result<Survey, Broken> {
    let mut found = Survey::default();
    for dirs in [false, true] {
        let mut after = None;
        loop {
            engine.check_stop()?;
            let page = page(engine, dirs, after.as_ref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.path.clone());
            let (mut graves, mut forgotten) = (Vec::new(), Vec::new());
            for candidate in &page {
                if engine.filter.leaves_out_anywhere(&candidate.path, dirs) {
                    continue;
                }
                let absence = absence(engine, &candidate.target).await?;
                if absence == Absence::Proven {
                    let side = if candidate.there.is_some() { &mut graves } else { &mut forgotten };
                    side.push(candidate.path.clone());
                }
                if !dirs {
                    count(engine, candidate, absence, &mut found).await;
                } else if absence == Absence::Proven && candidate.buried && candidate.is_ours() {
                    found.going_dirs += 1;
                }
            }
            if bury && !graves.is_empty() {
                journal::bury(&engine.order.db, engine.order.job, engine.order.run, &graves).await?;
            }
            if !engine.order.policy.dry_run && !forgotten.is_empty() {
                journal::forget_all(&engine.order.db, engine.order.job, &forgotten).await?;
            }
        }
    }
    Ok(found)
}

async fn page(engine: &Engine, dirs: bool, after: Option<&RelPath>) -> Result<Vec<Candidate>, Broken> {
    Ok(journal::candidates(&engine.order.db, engine.order.job, engine.order.run, dirs, after, PAGE).await?)
}

async fn count(engine: &Engine, candidate: &Candidate, absence: Absence, found: &mut Survey) {
    let place = match (absence, candidate) {
        (_, Candidate { there: None, .. }) => &mut found.vanished,
        (Absence::Unsure, _) => &mut found.unsure,
        (Absence::Proven, c) if !c.is_ours() => &mut found.changed,
        (Absence::Proven, c) if !c.buried => &mut found.first_time,
        (Absence::Proven, _) => {
            show(engine, candidate).await;
            &mut found.going
        }
    };
    *place += 1;
}

async fn show(engine: &Engine, candidate: &Candidate) {
    if let Some(reader) = engine.progress.plan_reader()
        && engine.order.policy.delete.enabled
    {
        let why = Some("gone from the source in two runs".to_owned());
        let step = PlannedStep { path: candidate.path.clone(), action: Action::Trash.as_str(), size: None, why };
        // A reader that went away wants no more.
        drop(reader.send(step).await);
    }
}

/// Is it certain that the source has nothing at `target`? The nearest directory above it that the source
/// shows must have been listed in full.
async fn absence(engine: &Engine, target: &RelPath) -> Result<Absence, Broken> {
    let mut above = target.parent();
    while let Some(dir) = above {
        match scan::source_at(&engine.order.db, engine.order.run, &dir).await? {
            Some((Kind::Dir, true)) if is_renamed_only(engine, target).await? => return Ok(Absence::Unsure),
            Some((Kind::Dir, true)) => return Ok(Absence::Proven),
            // Something else took the directory's place, or it is not known in full.
            Some(_) => return Ok(Absence::Unsure),
            None => above = dir.parent(),
        }
    }
    Ok(Absence::Unsure)
}

/// Does the source show it in another case or composition, which the target takes for the same name?
async fn is_renamed_only(engine: &Engine, target: &RelPath) -> Result<bool, Broken> {
    let shown = names::store::is_shown(&engine.order.db, engine.order.run, target).await?;
    Ok(shown && (engine.order.policy.dry_run || engine.folds().await.any()))
}

/// Moves what may go: files, or (`dirs`) directories that are empty by then, the deepest first.
async fn move_all(engine: &Engine, dirs: bool, failed: &mut Failures) -> Result<(), Broken> {
    let mut after = None;
    loop {
        engine.check_stop()?;
        let page = page(engine, dirs, after.as_ref()).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.path.clone());
        let mut going = Vec::new();
        for candidate in page {
            let may_go = candidate.buried
                && candidate.is_ours()
                && !engine.filter.leaves_out_anywhere(&candidate.path, dirs)
                && absence(engine, &candidate.target).await? == Absence::Proven;
            if may_go {
                going.push(candidate);
            }
        }
        if !going.is_empty() {
            intend(engine, &going).await?;
        }
        for candidate in going {
            move_one(engine, candidate, failed).await?;
        }
    }
}

/// The journal knows before anything is moved.
async fn intend(engine: &Engine, going: &[Candidate]) -> Result<(), Broken> {
    let paths = going.iter().map(|c| (c.path.clone(), c.target.clone(), c.kind)).collect();
    engine.journal.commit(Change::Intended { job: engine.order.job, run: engine.order.run, paths }).await
}

/// For the journal and the audit log: it lies in the trash.
pub(super) fn trashed(engine: &Engine, run: RunId, path: RelPath, target: RelPath, kind: Kind) -> Change {
    let event = replace::trashed(run, target.clone());
    Change::Trashed { job: engine.order.job, run, path, target, kind, event }
}

async fn move_one(engine: &Engine, candidate: Candidate, failed: &mut Failures) -> Result<(), Broken> {
    let run = engine.order.run;
    match try_move(engine, &candidate).await {
        Ok(true) => {
            engine
                .progress
                .files_trashed
                .fetch_add(u64::from(!candidate.is_dir()), std::sync::atomic::Ordering::Relaxed);
            if let Some(parent) = candidate.target.parent() {
                let mut tx = engine.order.db.write().await?;
                scan::touch(&mut tx, run, &[parent]).await?;
                tx.commit().await.map_err(crate::db::DbError::from)?;
            }
            engine.journal.commit(trashed(engine, run, candidate.path, candidate.target, candidate.kind)).await
        }
        moved => {
            if !candidate.is_dir() && matches!(moved, Ok(false)) {
                let target = candidate.target.clone();
                engine.journal.put(Change::Doubted { target, own: false }).await?;
            }
            failed.note(&candidate.target, moved.map(drop));
            engine.journal.commit(Change::Dropped { run, path: candidate.path, event: None }).await
        }
    }
}

/// Moves it, unless a last look shows that somebody is working on it right now.
async fn try_move(engine: &Engine, candidate: &Candidate) -> Result<bool, Fault> {
    let target = &engine.order.target;
    if candidate.is_dir() {
        if !is_empty(engine, &candidate.target).await? {
            return Ok(false);
        }
    } else {
        let there = target.stat(&candidate.target).await?;
        if !candidate.is_as_published(there.as_ref().map(Found::of).as_ref()) {
            return Ok(false);
        }
    }
    target.trash(&candidate.target, &candidate.target, &publish::batch(engine.order.run)?).await?;
    Ok(true)
}

/// Does a directory of the target hold nothing at all?
async fn is_empty(engine: &Engine, dir: &RelPath) -> Result<bool, Fault> {
    let mut lister = engine.order.target.list(dir).await?;
    if lister.next().await?.is_some() {
        return Ok(false);
    }
    Ok(lister.finish().await?.is_proven())
}
