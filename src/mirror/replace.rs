//! Puts a verified part in the place of something else. Both change places in one step, and only then is looked at
//! what came out: our own older version goes, anybody else's bytes go into the trash. What came there a moment
//! before is no exception, and no reader ever finds the place empty. A target that cannot do that in one step is served
//! by [`take_turns`].
//!
//! Whatever was in the place goes only when the part is there, as long as it was verified. The journal knows before:
//! when the process dies in between, the next start [`settle`]s it before anything else is done with the part's name.
//! Where the place is empty then, what was in it goes back.

use super::copy::{Failure, at_target};
use super::engine::{Broken, Engine};
use super::journal::{self, Change, Item};
use super::plan::Known;
use super::publish::{batch, kept};
use super::words::ItemState;
use crate::audit::Event;
use crate::model::{Digest, Entry, EntryKind, Fault, FaultKind, Name, Phase, RelPath, RunId};
use crate::remote::{Remote, holds};

/// The part is in its place; nobody has looked yet at what was there.
#[derive(Debug)]
pub(super) struct Replaced {
    /// Where what was there lies now.
    pub out: RelPath,
    /// What lies in the place, where that came at no cost.
    pub there: Option<Entry>,
}

/// Lets the part of `item` take its place. None: it has not, the place has to be looked at again.
pub(super) async fn replace(engine: &Engine, item: &mut Item, part: &RelPath) -> Result<Option<Replaced>, Failure> {
    // Until the new version is noted nobody knows which of both lies there.
    engine.journal.put(Change::Doubted { target: item.target.clone(), own: true }).await?;
    engine.journal.commit(Change::Replacing { item: item.id }).await?;
    item.state = ItemState::Publishing;
    match engine.order.target.exchange(part, &item.target).await {
        Ok(()) => Ok(Some(Replaced { out: part.clone(), there: None })),
        Err(fault) if fault.kind == FaultKind::Missing => Ok(None),
        Err(fault) if fault.kind == FaultKind::Unsupported => take_turns(engine, item, part).await,
        Err(fault) => Err(at_target(fault)),
    }
}

/// Where two files cannot change places: whatever lies there steps aside, the part takes the place. For a moment nothing
/// is in it.
async fn take_turns(engine: &Engine, item: &mut Item, part: &RelPath) -> Result<Option<Replaced>, Failure> {
    let target = &engine.order.target;
    let aside = aside(part).map_err(at_target)?;
    match target.rename(&item.target, &aside).await {
        Err(fault) if fault.kind == FaultKind::Missing => return Ok(None),
        Err(fault) if fault.kind == FaultKind::Exists => {
            // Something stands aside still.
            settle(engine, item).await?;
            return Ok(None);
        }
        stepped => stepped.map_err(at_target)?,
    };
    match target.rename(part, &item.target).await {
        Ok(there) => Ok(Some(Replaced { out: aside, there })),
        Err(fault) if fault.kind == FaultKind::Exists => {
            // Somebody else was faster: theirs lies where the older one was.
            let event = sort_out(engine, item, &aside).await?;
            note(engine, item, event).await?;
            Ok(None)
        }
        Err(fault) => {
            match put_back(&**target, item, &aside).await {
                Ok(true) => note(engine, item, None).await?,
                // It was renamed and the answer got lost, or nothing works any more: the next look settles it.
                Ok(false) => {}
                Err(also) => tracing::info!(path = %item.target.display(), fault = %also, "could not be put back yet"),
            }
            Err(at_target(fault))
        }
    }
}

/// Where whatever lies in a file's place steps aside for `part`.
pub(super) fn aside(part: &RelPath) -> Result<RelPath, Fault> {
    let bad = |error: crate::model::NameError| Fault::new(Phase::Publish, FaultKind::BadName, error.to_string());
    let name = part.name().map(|name| [name.as_bytes(), b"-old"].concat()).unwrap_or_default();
    Ok(part.parent().unwrap_or_default().join(&Name::new(name).map_err(bad)?))
}

/// What came out of the item's place and lies at `at` goes back, unless something lies in the place. False: it does.
pub(super) async fn put_back(target: &dyn Remote, item: &Item, at: &RelPath) -> Result<bool, Fault> {
    match target.rename(at, &item.target).await {
        Err(fault) if fault.kind == FaultKind::Exists => Ok(false),
        renamed => renamed.map(|_| true),
    }
}

/// The part has taken its place, and it was looked at: what was there before goes.
pub(super) async fn put_away(engine: &Engine, item: &mut Item, out: &RelPath) -> Result<(), Failure> {
    match sort_out(engine, item, out).await? {
        None => Ok(()),
        event => note(engine, item, event).await,
    }
}

/// Finishes or undoes what an earlier try or start began: whatever lies under the part's name and is not what was
/// verified came out of the item's place, and so did what stands aside.
pub(super) async fn settle(engine: &Engine, item: &mut Item) -> Result<(), Failure> {
    let part = item.part.clone().unwrap_or_default();
    let aside = aside(&part).map_err(at_target)?;
    let event = match look(engine, item, &part).await.map_err(at_target)? {
        Out::Other => back_or_away(engine, item, &part).await?,
        _ if engine.order.target.stat(&aside).await.map_err(at_target)?.is_some() => {
            back_or_away(engine, item, &aside).await?
        }
        out => gone_unsaid(engine, item, &out).await.map_err(at_target)?,
    };
    note(engine, item, event).await
}

/// What lies at `out` goes back into the item's place where that is empty. Our own older version goes for good only
/// when the place holds as much as was verified.
async fn back_or_away(engine: &Engine, item: &Item, out: &RelPath) -> Result<Option<Event>, Failure> {
    let target = &engine.order.target;
    if put_back(&**target, item, out).await.map_err(at_target)? {
        return Ok(None);
    }
    let there = target.stat(&item.target).await.map_err(at_target)?;
    if there.is_some_and(|there| there.kind == EntryKind::File && there.size == Some(item.confirmed)) {
        sort_out(engine, item, out).await
    } else {
        trash(engine, item, out).await.map(Some)
    }
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
    let same = may_be && holds(&**target, part, item.digest).await?;
    Ok(if same { Out::Part } else { Out::Other })
}

/// Removes our own older version; moves anything else into the trash, which the audit log has to know.
async fn sort_out(engine: &Engine, item: &Item, at: &RelPath) -> Result<Option<Event>, Failure> {
    let target = &engine.order.target;
    let Some(out) = target.stat(at).await.map_err(at_target)? else { return Ok(None) };
    if our_own(engine, item, &out).await?.is_some() {
        target.remove_file(at).await.map_err(at_target)?;
        return Ok(None);
    }
    trash(engine, item, at).await.map(Some)
}

async fn trash(engine: &Engine, item: &Item, at: &RelPath) -> Result<Event, Failure> {
    let batch = batch(item.run).map_err(at_target)?;
    engine.order.target.trash(at, &item.target, &batch).await.map_err(at_target)?;
    Ok(trashed(item.run, item.target.clone()))
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
