//! Puts a verified part in the place of something else. Both change places in one step, and only then is looked at
//! what came out: our own older version goes, anybody else's bytes go into the trash. What came there a moment
//! before is no exception, and no reader ever finds the place empty. A target that cannot do that in one step is served
//! by [`make_room`].
//!
//! The journal knows before: when the process dies in between, the next start [`settle`]s it before anything else
//! is done with the part's name.

use super::copy::{Failure, at_target};
use super::engine::{Broken, Engine};
use super::journal::{self, Change, Item};
use super::plan::Known;
use super::publish::{batch, kept};
use super::words::ItemState;
use crate::audit::Event;
use crate::model::{Digest, Entry, EntryKind, Fault, FaultKind, Phase, RelPath, RunId};
use crate::remote::digest_of;

/// Lets the part of `item` take its place. False: it has not, and the place is free now.
pub(super) async fn replace(engine: &Engine, item: &mut Item, part: &RelPath) -> Result<bool, Failure> {
    let target = &engine.order.target;
    // Until the new version is noted nobody knows which of both lies there.
    engine.journal.put(Change::Doubted { target: item.target.clone(), own: true }).await?;
    engine.journal.commit(Change::Replacing { item: item.id }).await?;
    item.state = ItemState::Publishing;
    let event = match target.exchange(part, &item.target).await {
        Ok(()) => put_away(engine, item, part).await?,
        Err(fault) if fault.kind == FaultKind::Missing => return Ok(false),
        Err(fault) if fault.kind == FaultKind::Unsupported => {
            let event = make_room(engine, item).await?;
            note(engine, item, event).await?;
            return Ok(false);
        }
        Err(fault) => return Err(at_target(fault)),
    };
    if event.is_some() {
        note(engine, item, event).await?;
    }
    Ok(true)
}

/// Where two files cannot change places: whatever lies there moves into the trash in one step, and only there it is
/// looked at what it was. Our own older version then goes for good. For a moment nothing is in the place.
async fn make_room(engine: &Engine, item: &Item) -> Result<Option<Event>, Failure> {
    let target = &engine.order.target;
    let batch = batch(item.run).map_err(at_target)?;
    let kept = match target.trash(&item.target, &item.target, &batch).await {
        Err(fault) if fault.kind == FaultKind::Missing => return Ok(None),
        kept => kept.map_err(at_target)?,
    };
    if let Some(out) = target.stat(&kept).await.map_err(at_target)?
        && our_own(engine, item, &out).await?.is_some()
    {
        target.remove_file(&kept).await.map_err(at_target)?;
        return Ok(None);
    }
    Ok(Some(trashed(item.run, item.target.clone())))
}

/// Finishes what an earlier try or start began: whatever lies under the part's name and is not what was verified
/// came out of the item's place.
pub(super) async fn settle(engine: &Engine, item: &mut Item) -> Result<(), Failure> {
    let part = item.part.clone().unwrap_or_default();
    let event = match look(engine, item, &part).await.map_err(at_target)? {
        Out::Other => put_away(engine, item, &part).await?,
        out => gone_unsaid(engine, item, &out).await.map_err(at_target)?,
    };
    note(engine, item, event).await
}

/// [`settle`] for all that earlier starts of this job's runs left behind. It ends the run when it cannot be done:
/// somebody's only copy may lie under a name that copying would use again.
pub(super) async fn settle_all(engine: &Engine) -> Result<(), Broken> {
    for item in journal::publishing(&engine.order.db, engine.order.job).await? {
        let settled = engine.persist(|| async {
            match settle(engine, &mut item.clone()).await {
                // Only copying waits for a file to come to rest.
                Ok(()) | Err(Failure::Unsettled(_)) => Ok(Ok(())),
                Err(Failure::Fault { fault, .. }) => Ok(Err(fault)),
                Err(Failure::Broken(broken)) => Err(broken),
            }
        });
        settled.await?.map_err(Broken::GaveUp)?;
    }
    Ok(())
}

/// What lies under the part's name.
enum Out {
    Nothing,
    /// What was verified: the places were not changed.
    Part,
    Other,
}

async fn look(engine: &Engine, item: &Item, part: &RelPath) -> Result<Out, Fault> {
    let target = &engine.order.target;
    let Some(there) = target.stat(part).await? else { return Ok(Out::Nothing) };
    let may_be = there.kind == EntryKind::File && there.size == Some(item.confirmed);
    let same = may_be && item.digest.is_some() && Some(digest_of(&**target, part).await?) == item.digest;
    Ok(if same { Out::Part } else { Out::Other })
}

/// Removes our own older version; moves anything else into the trash, which the audit log has to know.
async fn put_away(engine: &Engine, item: &Item, at: &RelPath) -> Result<Option<Event>, Failure> {
    let target = &engine.order.target;
    let Some(out) = target.stat(at).await.map_err(at_target)? else { return Ok(None) };
    if our_own(engine, item, &out).await?.is_some() {
        target.remove_file(at).await.map_err(at_target)?;
        return Ok(None);
    }
    let batch = batch(item.run).map_err(at_target)?;
    target.trash(at, &item.target, &batch).await.map_err(at_target)?;
    Ok(Some(trashed(item.run, item.target.clone())))
}

/// What this job published there, when it is that, as it was published.
pub(super) async fn our_own(
    engine: &Engine,
    item: &Item,
    there: &Entry,
) -> Result<Option<(Known, Option<Digest>)>, Broken> {
    let known = journal::file_known(&engine.order.db, engine.order.job, &item.path, &item.target).await?;
    let is = |known: &Known| there.kind == EntryKind::File && known.proven && known.is_there(&there.fingerprint());
    Ok(known.filter(|(known, _)| is(known)))
}

/// Was something moved into the trash by a process that could not say so any more?
async fn gone_unsaid(engine: &Engine, item: &Item, out: &Out) -> Result<Option<Event>, Fault> {
    let target = &engine.order.target;
    // With the part still under its own name only an empty place shows it.
    if matches!(out, Out::Part) && target.stat(&item.target).await?.is_some() {
        return Ok(None);
    }
    Ok(target.stat(&kept(item.run, &item.target)?).await?.map(|_| trashed(item.run, item.target.clone())))
}

async fn note(engine: &Engine, item: &mut Item, event: Option<Event>) -> Result<(), Failure> {
    engine.journal.commit(Change::PutAway { item: item.id, event }).await?;
    item.state = ItemState::Verified;
    Ok(())
}

/// For the audit log: what lay at `path` in the target is in the trash of `run`.
pub(super) fn trashed(run: RunId, path: RelPath) -> Event {
    Event::FileTrashed { run, path, batch: format!("run-{run}") }
}

/// How often the place is looked at again before it is left for later.
pub(super) const MOST_TURNS: usize = 5;

/// Somebody else writes in the file's place faster than it can be taken.
pub(super) fn contested() -> Fault {
    let message = "somebody else writes in the file's place all the time: it is tried again later";
    Fault::new(Phase::Publish, FaultKind::Changed, message)
}
