//! Puts a verified part under its name. What lies there and is not ours goes into the trash first.

use std::sync::atomic::Ordering::Relaxed;

use jiff::Timestamp;

use super::copy::{self, Failure, at_target};
use super::engine::Engine;
use super::journal::{self, Attempt, Change, FileRow, Item};
use super::plan::nanos;
use super::words::Action;
use crate::audit::Event;
use crate::model::{Digest, EntryKind, Fault, FaultKind, Fingerprint, Name, Phase, RunId};

/// Permission bits of files whose source tells none.
const FILE_MODE: u32 = 0o644;
/// The owner can always read and write what was mirrored; set-user-id and the like are never carried over.
const OWNER: u32 = 0o600;
const MODE_MASK: u32 = 0o777;

/// Publishes the part of `item`, which holds `size` bytes with `digest` of the source's `version`.
pub(super) async fn publish(
    engine: &Engine,
    item: &Item,
    version: &Fingerprint,
    digest: Digest,
    size: u64,
    attempt: Attempt,
) -> Result<(), Failure> {
    let target = &engine.order.target;
    let part = item.part.clone().ok_or_else(|| at_target(no_part()))?;
    let mut events = Vec::new();
    let same_is_there = make_room(engine, item, digest, size, &mut events).await?;
    let mode = item.mode.filter(|_| engine.order.policy.keep_mode).map_or(FILE_MODE, |m| (m & MODE_MASK) | OWNER);
    if same_is_there {
        target.set_attributes(&item.target, version.mtime, None).await.map_err(at_target)?;
        target.remove_file(&part).await.map_err(at_target)?;
    } else {
        target.set_attributes(&part, version.mtime, Some(mode)).await.map_err(at_target)?;
        target.rename(&part, &item.target).await.map_err(at_target)?;
    }
    note(engine, item, version, digest, size, Some(attempt), events).await
}

/// Takes up an item that was verified before the run was interrupted: it is under its name already, or
/// its part still is what was verified. False: neither, copy it again.
pub(super) async fn take_up(engine: &Engine, item: &Item, started: Timestamp) -> Result<bool, Failure> {
    let Some(digest) = item.digest else { return Ok(false) };
    let target = &engine.order.target;
    let source = engine.order.source.stat(&item.path).await.map_err(copy::at_source)?;
    let Some(version) = source.map(|entry| entry.fingerprint()) else { return Ok(false) };
    let size = item.confirmed;
    if !version.same_version(&Fingerprint { size: Some(size), ..item.listed.clone() }) {
        return Ok(false);
    }
    let holds =
        |there: Option<crate::model::Entry>| there.is_some_and(|e| e.kind == EntryKind::File && e.size == Some(size));
    if let Some(part) = &item.part
        && holds(target.stat(part).await.map_err(at_target)?)
        && target.digest(part).await.map_err(at_target)? == Some(digest)
    {
        let attempt = copy::attempt(engine, item, started, size, 0);
        publish(engine, item, &version, digest, size, attempt).await?;
        return Ok(true);
    }
    if holds(target.stat(&item.target).await.map_err(at_target)?)
        && target.digest(&item.target).await.map_err(at_target)? == Some(digest)
    {
        note(engine, item, &version, digest, size, None, Vec::new()).await?;
        return Ok(true);
    }
    Ok(false)
}

/// Looks at the place of the file. Returns whether the very same content lies there already.
async fn make_room(
    engine: &Engine,
    item: &Item,
    digest: Digest,
    size: u64,
    events: &mut Vec<Event>,
) -> Result<bool, Failure> {
    let target = &engine.order.target;
    let Some(there) = target.stat(&item.target).await.map_err(at_target)? else { return Ok(false) };
    if there.kind != EntryKind::File {
        let message = "something that is not a file lies in the file's place in the target: move it away";
        return Err(at_target(Fault::new(Phase::Publish, FaultKind::Exists, message)));
    }
    let known = journal::file_known(&engine.order.db, engine.order.job, &item.path, &item.target).await?;
    if known.is_some_and(|(known, _)| known.proven && known.is_there(&there.fingerprint())) {
        // Our own older version: the rename replaces it.
        return Ok(false);
    }
    if there.size == Some(size) && target.digest(&item.target).await.map_err(at_target)? == Some(digest) {
        return Ok(true);
    }
    let batch = batch(engine.order.run).map_err(at_target)?;
    target.trash(&item.target, &batch).await.map_err(at_target)?;
    let run = engine.order.run;
    events.push(Event::FileTrashed { run, path: item.target.clone(), batch: batch.display().into_owned() });
    Ok(false)
}

/// The folder of a run in the trash.
pub(super) fn batch(run: RunId) -> Result<Name, Fault> {
    Name::new(format!("run-{run}")).map_err(bad_name)
}

pub(super) fn bad_name(error: crate::model::NameError) -> Fault {
    Fault::new(Phase::Publish, FaultKind::BadName, error.to_string())
}

async fn note(
    engine: &Engine,
    item: &Item,
    version: &Fingerprint,
    digest: Digest,
    size: u64,
    attempt: Option<Attempt>,
    mut events: Vec<Event>,
) -> Result<(), Failure> {
    let there = engine.order.target.stat(&item.target).await.map_err(at_target)?.map(|entry| entry.fingerprint());
    let there = there.unwrap_or_default();
    if there.size != Some(size) {
        let message = "the published file does not have the size that was verified";
        return Err(at_target(Fault::new(Phase::Publish, FaultKind::Mismatch, message)));
    }
    events.push(Event::FilePublished { run: engine.order.run, path: item.target.clone(), size, sha256: digest });
    let file = FileRow {
        path: item.path.clone(),
        target: item.target.clone(),
        is_dir: false,
        version: Fingerprint { size: Some(size), ..version.clone() },
        listed: item.listed.clone(),
        digest: Some(digest),
        proven: true,
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
