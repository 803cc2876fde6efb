//! Puts a verified part under its name. What lies there and is not ours goes into the trash.

use std::sync::atomic::Ordering::Relaxed;

use jiff::Timestamp;

use super::copy::{self, Failure, at_target};
use super::engine::Engine;
use super::journal::{Attempt, Change, FileRow, Item};
use super::plan::{Kind, file_mode, nanos};
use super::replace;
use super::transfer::part_path;
use super::words::{Action, ItemState};
use crate::audit::Event;
use crate::model::{Digest, Entry, EntryKind, Fault, FaultKind, Fingerprint, Name, Phase, Proof, RelPath, RunId};
use crate::remote::{TRASH, holds};

/// Permission bits of files whose source tells none.
pub(super) const FILE_MODE: u32 = 0o644;

/// Permission bits that the source tells, where they are kept.
pub(super) fn mode(engine: &Engine, item: &Item) -> Option<u32> {
    item.mode.filter(|_| engine.order.policy.keep_mode).map(file_mode)
}

/// Publishes the part of `item`, which holds `size` bytes with `digest` of the source's `version`, and has its time and
/// permission bits when it is `stamped`.
pub(super) async fn publish(
    engine: &Engine,
    item: &mut Item,
    version: &Fingerprint,
    digest: Digest,
    size: u64,
    attempt: Attempt,
    stamped: bool,
) -> Result<(), Failure> {
    let target = &engine.order.target;
    let part = item.part.clone().ok_or_else(|| at_target(no_part()))?;
    let mode = mode(engine, item);
    if !stamped {
        target.set_attributes(&part, version.mtime, Some(mode.unwrap_or(FILE_MODE))).await.map_err(at_target)?;
    }
    // Whatever a look shows may be otherwise a moment later: every step either is done on what was seen, or
    // changes nothing and is followed by another look. Where nothing lay when the target was read, the rename looks.
    for turn in 0..replace::MOST_TURNS {
        let place = if turn == 0 && !item.replaces { Place::Free } else { look(engine, item, digest, size).await? };
        let (there, out) = match place {
            Place::Free => match target.rename(&part, &item.target).await {
                Err(taken) if taken.kind == FaultKind::Exists => continue,
                renamed => (renamed.map_err(at_target)?, None),
            },
            Place::Same => {
                target.set_attributes(&item.target, version.mtime, mode).await.map_err(at_target)?;
                target.remove_file(&part).await.map_err(at_target)?;
                (None, None)
            }
            Place::Taken => match replace::replace(engine, item, &part).await? {
                Some(replaced) => (replaced.there, Some(replaced.out)),
                None => continue,
            },
        };
        let there = arrived(engine, item, size, there).await?;
        if let Some(out) = out {
            replace::put_away(engine, item, &out).await?;
        }
        return note(engine, item, version, (digest, there), Some(attempt)).await;
    }
    Err(at_target(replace::contested()))
}

/// Takes up an item that was verified before the run was interrupted: it is under its name already, or
/// its part still is what was verified. False: neither, copy it again.
pub(super) async fn take_up(engine: &Engine, item: &mut Item, started: Timestamp) -> Result<bool, Failure> {
    let Some(digest) = item.digest else { return Ok(false) };
    if item.state == ItemState::Publishing {
        replace::settle(engine, item).await?;
    }
    let target = &engine.order.target;
    let source = engine.order.source.stat(&item.path).await.map_err(copy::at_source)?;
    let Some(version) = source.map(|entry| entry.fingerprint()) else { return Ok(false) };
    let size = item.confirmed;
    if !version.same_version(&Fingerprint { size: Some(size), ..item.listed.clone() }) {
        return Ok(false);
    }
    // The part is named after the exact version that was verified; the listing's time may be only a minute.
    if item.part.as_ref() != Some(&part_path(engine.order.job, &item.target, &version).map_err(at_target)?) {
        return Ok(false);
    }
    let as_long =
        |there: Option<crate::model::Entry>| there.is_some_and(|e| e.kind == EntryKind::File && e.size == Some(size));
    if let Some(part) = &item.part
        && as_long(target.stat(part).await.map_err(at_target)?)
        && holds(&**target, part, Some(digest)).await.map_err(at_target)?
    {
        let attempt = copy::attempt(engine, item, started, size, 0);
        publish(engine, item, &version, digest, size, attempt, false).await?;
        return Ok(true);
    }
    if as_long(target.stat(&item.target).await.map_err(at_target)?)
        && holds(&**target, &item.target, Some(digest)).await.map_err(at_target)?
    {
        let there = arrived(engine, item, size, None).await?;
        note(engine, item, &version, (digest, there), None).await?;
        return Ok(true);
    }
    Ok(false)
}

/// What lies in the place of a file.
enum Place {
    Free,
    /// The very same content, whoever put it there: only its time and mode are set.
    Same,
    /// Another version of our own, or somebody else's file.
    Taken,
}

async fn look(engine: &Engine, item: &Item, digest: Digest, size: u64) -> Result<Place, Failure> {
    let target = &engine.order.target;
    let Some(there) = target.stat(&item.target).await.map_err(at_target)? else { return Ok(Place::Free) };
    if there.kind != EntryKind::File {
        let message = "something that is not a file lies in the file's place in the target: move it away";
        return Err(at_target(Fault::new(Phase::Publish, FaultKind::Exists, message)));
    }
    // What may be the same is read; of our own the journal knows whether it may be.
    let ours = replace::our_own(engine, item, &there).await?;
    let may_equal = |known: Option<Digest>| known.is_some_and(|known| !known.differs(&digest));
    let may_be = there.size == Some(size) && ours.is_none_or(|(_, known)| may_equal(known));
    let same = may_be && holds(&**target, &item.target, Some(digest)).await.map_err(at_target)?;
    Ok(if same { Place::Same } else { Place::Taken })
}

/// The folder of a run in the trash.
pub(super) fn batch(run: RunId) -> Result<Name, Fault> {
    Name::new(format!("run-{run}")).map_err(bad_name)
}

/// Where the trash of a run keeps what lay at `place`.
pub(super) fn kept(run: RunId, place: &RelPath) -> Result<RelPath, Fault> {
    Ok(RelPath::new(TRASH).map_err(bad_name)?.join(&batch(run)?).concat(place))
}

fn bad_name(error: crate::model::NameError) -> Fault {
    Fault::new(Phase::Publish, FaultKind::BadName, error.to_string())
}

/// What lies under the item's name now: it has to be as long as what was verified.
async fn arrived(engine: &Engine, item: &Item, size: u64, there: Option<Entry>) -> Result<Fingerprint, Failure> {
    let there = match there {
        Some(there) => Some(there),
        None => engine.order.target.stat(&item.target).await.map_err(at_target)?,
    };
    let there = there.map(|entry| entry.fingerprint()).unwrap_or_default();
    if there.size != Some(size) {
        let message = "the published file does not have the size that was verified";
        return Err(at_target(Fault::new(Phase::Publish, FaultKind::Mismatch, message)));
    }
    Ok(there)
}

/// Of `digest`, as the target tells it: it is published.
async fn note(
    engine: &Engine,
    item: &Item,
    version: &Fingerprint,
    (digest, there): (Digest, Fingerprint),
    attempt: Option<Attempt>,
) -> Result<(), Failure> {
    let size = there.size.unwrap_or_default();
    // Verified by a start of this run that did not say how yet.
    let proof = item.proof.clone().unwrap_or(Proof::StreamHash);
    let (run, path) = (engine.order.run, item.target.clone());
    let events = vec![Event::FilePublished { run, path, size, digest, proof: Some(proof.clone()) }];
    let file = FileRow {
        path: item.path.clone(),
        target: item.target.clone(),
        kind: Kind::File,
        link: None,
        version: Fingerprint { size: Some(size), ..version.clone() },
        listed: item.listed.clone(),
        digest: Some(digest),
        proven: true,
        proof: Some(proof),
        target_size: there.size,
        target_mtime: nanos(&there),
    };
    let change = Change::Published { item: item.id, action: item.action(), attempt, file: Box::new(file), events };
    engine.journal.put(change).await?;
    engine.progress.files_done.fetch_add(1, Relaxed);
    engine.progress.bytes_done.fetch_add(size, Relaxed);
    Ok(())
}

fn no_part() -> Fault {
    Fault::new(Phase::Publish, FaultKind::Missing, "the part of the file is not known")
}

impl Item {
    /// Which of the two ways of moving a file this is.
    fn action(&self) -> Action {
        if self.replaces { Action::Replace } else { Action::Copy }
    }
}
