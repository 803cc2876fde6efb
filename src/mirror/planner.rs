//! From what both sides show to items of the journal; makes the missing directories on the way.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use jiff::SignedDuration;

use super::engine::{Broken, Engine, Facts};
use super::heat::Extent;
use super::journal::{self, FileRow, NewItem};
use super::merge::Sieve;
use super::merge::store::{self as merge, Merged};
use super::plan::{Kind, Rules, Seen, Step, decide, file_mode};
use super::proof;
use super::scan::store as scan;
use super::shift;
use super::words::{Action, ItemState};
use super::{PlannedStep, Proving, links};
use crate::audit::Event;
use crate::model::{Fault, FaultKind, Fingerprint, Phase, RelPath, RunId};

/// Paths per page: bounds memory and the length of a transaction.
const PAGE: i64 = 2000;

/// One decided path of a page.
struct Decided {
    seen: Seen,
    action: Action,
    state: ItemState,
    fault: Option<Fault>,
    /// Where the link that this job made there points.
    ours: Option<Vec<u8>>,
    /// What had to go for it, for the audit log.
    trashed: Option<Event>,
}

/// Plans everything, page by page.
pub(super) async fn plan(engine: &Engine, facts: &mut Facts) -> Result<(), Broken> {
    proof::prepare(engine).await;
    let (db, job, run) = (&engine.order.db, engine.order.job, engine.order.run);
    let moves = std::mem::take(&mut facts.moves);
    if engine.order.extent == Extent::Hot && shift::may_be_clock(&moves) {
        let note =
            "the clock in the source's listings may have been moved: the next run over the whole tree sees to it";
        facts.notes.push(note.to_owned());
        facts.unplanned = true;
        return Ok(());
    }
    let shift = shift::of_clock(&moves);
    facts.notes.extend(shift.map(|by| shift::note(by, shift::files(&moves, by))));
    pages(engine, facts, shift).await?;
    if let Some(by) = shift.filter(|_| !engine.order.policy.dry_run) {
        // From now on that clock is the usual one.
        merge::follow(db, job, run, by).await?;
    }
    Ok(())
}

async fn pages(engine: &Engine, facts: &mut Facts, shift: Option<SignedDuration>) -> Result<(), Broken> {
    let (db, job, run) = (&engine.order.db, engine.order.job, engine.order.run);
    let closed = scan::refused_dirs(db, run).await?;
    let sieve = sieve(engine).filter(|_| shift.is_none() && closed.is_empty());
    let mut after = RelPath::root();
    loop {
        engine.check_stop()?;
        let mut page = merge::merged(db, (job, run), sieve, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seen.target.clone();
        page.iter_mut().for_each(|merged| refuse_below(&closed, &mut merged.seen));
        let decided = page.into_iter().filter_map(|merged| judge(engine, facts, shift, merged)).collect::<Vec<_>>();
        show(engine, &decided).await;
        if !engine.order.policy.dry_run {
            carry_out(engine, decided).await?;
        }
    }
    if sieve.is_some() {
        let plain = merge::files(db, run).await?.saturating_sub(facts.counts.files_seen);
        facts.counts.files_seen += plain;
        facts.counts.files_unchanged += plain;
        engine.progress.files_unchanged.fetch_add(plain, Relaxed);
    }
    Ok(())
}

/// What need not be judged, unless the policy looks into files that seem to be unchanged.
fn sieve(engine: &Engine) -> Option<Sieve> {
    let policy = &engine.order.policy;
    let looks = engine.order.extent == Extent::Whole && policy.proof.rechecks_any();
    (!looks).then(|| Sieve { keep_mode: keeps_mode(engine) })
}

/// Does the policy want the source's permission bits, and can the target have them?
fn keeps_mode(engine: &Engine) -> bool {
    engine.order.policy.keep_mode && engine.order.target.capabilities().set_mode
}

/// Two folders whose names become one are never poured together: what lies below a refused folder is refused, too.
fn refuse_below(closed: &BTreeSet<RelPath>, seen: &mut Seen) {
    let mut above = seen.target.parent();
    while let Some(dir) = above.filter(|_| !closed.is_empty() && seen.refused.is_none()) {
        if closed.contains(&dir) {
            let message = "it lies in a folder that cannot be mirrored under its name";
            seen.refused = Some(Fault::new(Phase::List, FaultKind::BadName, message));
            return;
        }
        above = dir.parent();
    }
}

/// Decides about one path and counts it.
fn judge(engine: &Engine, facts: &mut Facts, shift: Option<SignedDuration>, merged: Merged) -> Option<Decided> {
    let Merged { seen, known, there } = merged;
    let counts = &mut facts.counts;
    counts.files_seen += u64::from(seen.kind == Kind::File);
    let policy = &engine.order.policy;
    let keep_mode = keeps_mode(engine);
    // A server that tells no hashes is not asked for each of a million files.
    let able = policy.proof != Proving::ServerHash || engine.order.source.capabilities().checksum;
    // Every few minutes would be too often: that is for the runs over the whole tree.
    let whole = engine.order.extent == Extent::Whole;
    let recheck = whole && able && policy.proof.rechecks(&seen.path);
    let (links, can_link) = (policy.links, engine.order.target.capabilities().links);
    let rules = Rules { existing: policy.existing, links, can_link, keep_mode, recheck, run: engine.order.run, shift };
    let step = decide(&seen, known.as_ref(), there.as_ref(), rules);
    if seen.kind == Kind::File && matches!(step, Step::Unchanged | Step::Do(Action::SetMode, _)) {
        counts.files_unchanged += 1;
        counts.files_adopted += known.as_ref().map_or(0, |k| u64::from(!k.proven));
        engine.progress.files_unchanged.fetch_add(1, Relaxed);
    }
    let (action, fault) = match step {
        Step::Unchanged | Step::DoneBefore | Step::DirThere => return None,
        Step::Do(action, fault) => (action, fault),
    };
    let state = match action {
        Action::Skip => ItemState::Skipped,
        Action::Refuse => ItemState::Failed,
        _ => ItemState::Planned,
    };
    match action {
        Action::Skip => {
            counts.entries_skipped += 1;
            counts.links_dangling += u64::from(
                fault.as_ref().is_some_and(|fault| seen.kind == Kind::Link && fault.kind == FaultKind::Missing),
            );
        }
        Action::Refuse => {
            engine.progress.files_failed.fetch_add(1, Relaxed);
        }
        Action::Copy | Action::Replace | Action::Adopt | Action::Recheck => {
            engine.progress.files_planned.fetch_add(1, Relaxed);
            engine.progress.bytes_planned.fetch_add(seen.version.size.unwrap_or(0), Relaxed);
        }
        Action::SetMode => counts.modes_set += 1,
        Action::Link => counts.links_made += 1,
        Action::Keep | Action::MakeDir | Action::Trash => {}
    }
    let ours = known.and_then(|known| known.link);
    Some(Decided { seen, action, state, fault, ours, trashed: None })
}

/// Tells the reader of a dry run.
async fn show(engine: &Engine, decided: &[Decided]) {
    let Some(reader) = engine.progress.plan_reader() else { return };
    for step in decided {
        let shown = PlannedStep {
            path: step.seen.path.clone(),
            action: step.action.as_str(),
            size: step.seen.version.size.filter(|_| step.seen.kind == Kind::File),
            why: why(step),
        };
        if reader.send(shown).await.is_err() {
            return;
        }
    }
}

fn why(step: &Decided) -> Option<String> {
    match (step.action, step.seen.mode) {
        (Action::SetMode, Some(mode)) => Some(format!("only its mode changed, to {:04o}", file_mode(mode))),
        _ => step.fault.as_ref().map(|fault| fault.message.clone()),
    }
}

/// Items that are planned, directories that are made, modes that are set. What is to be done here is noted before.
async fn carry_out(engine: &Engine, mut decided: Vec<Decided>) -> Result<(), Broken> {
    let is_here = |step: &Decided| matches!(step.action, Action::MakeDir | Action::Link | Action::SetMode);
    if decided.iter().any(is_here) {
        store(engine, &decided).await?;
        for step in decided.iter_mut().filter(|step| is_here(step)) {
            let done = engine.persist(|| async { Ok(do_here(engine, step).await) });
            match done.await? {
                Ok(trashed) => (step.state, step.trashed) = (ItemState::Published, trashed),
                Err(fault) => (step.state, step.fault) = (ItemState::Failed, Some(fault)),
            }
        }
    }
    store(engine, &decided).await
}

/// Makes a directory or link, or sets a mode. Returns what had to go for it.
async fn do_here(engine: &Engine, step: &Decided) -> Result<Option<Event>, Fault> {
    let (target, at) = (&engine.order.target, &step.seen.target);
    match (step.action, &step.seen.link) {
        (Action::SetMode, _) => target.set_attributes(at, None, step.seen.mode.map(file_mode)).await?,
        (Action::Link, Some(to)) => return links::make(engine, at, to, step.ours.as_deref()).await,
        _ => target.make_dir(at).await?,
    }
    Ok(None)
}

async fn store(engine: &Engine, decided: &[Decided]) -> Result<(), Broken> {
    let (db, job, run) = (&engine.order.db, engine.order.job, engine.order.run);
    let touched: BTreeSet<RelPath> = decided.iter().filter_map(|step| step.seen.target.parent()).collect();
    let at = engine.order.clock.now();
    let mut tx = db.write().await?;
    let items: Vec<_> = decided
        .iter()
        .map(|step| NewItem { seen: &step.seen, action: step.action, state: step.state, fault: step.fault.as_ref() })
        .collect();
    journal::plan_items(&mut tx, job, run, at, &items).await?;
    let mut made = Vec::new();
    for step in decided.iter().filter(|s| s.state == ItemState::Published) {
        let path = step.seen.target.clone();
        made.extend(step.trashed.clone());
        if step.action == Action::SetMode {
            made.push(Event::ModeSet { run, path });
        } else {
            let (row, event) = made_here(run, &step.seen.path, path, step.seen.link.clone());
            journal::remember(&mut tx, job, run, at, &row).await?;
            made.push(event);
        }
    }
    if !made.is_empty() {
        crate::audit::append_many(&mut tx, at, &engine.order.actor, &made).await?;
    }
    scan::touch(&mut tx, run, &touched.into_iter().collect::<Vec<_>>()).await?;
    tx.commit().await.map_err(crate::db::DbError::from)?;
    Ok(())
}

/// What is remembered of a directory, or of a link that points at `link`, and the audit log's word for it.
pub(super) fn made_here(run: RunId, path: &RelPath, target: RelPath, link: Option<Vec<u8>>) -> (FileRow, Event) {
    let is_link = link.is_some();
    let row = FileRow {
        path: path.clone(),
        target: target.clone(),
        kind: if is_link { Kind::Link } else { Kind::Dir },
        link,
        version: Fingerprint::default(),
        listed: Fingerprint::default(),
        digest: None,
        proven: true,
        proof: None,
        target_size: None,
        target_mtime: None,
    };
    let event = if is_link { Event::LinkMade { run, path: target } } else { Event::DirMade { run, path: target } };
    (row, event)
}
