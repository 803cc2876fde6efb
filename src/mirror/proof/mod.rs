//! Proves content: of a file that was just moved, before it is published, and of one that looks unchanged, where the
//! policy does not want to believe its size and time.

mod policy;
pub mod store;

use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::Semaphore;

use super::copy::{Failure, at_source, at_target, blame};
use super::engine::{Broken, Engine};
use super::journal::{Change, Item};
use super::plan::file_mode;
use super::scan::store::Side;
use super::settle::Rest;
use super::transfer::{self, Moved};
use super::{MirrorError, Summary};
use crate::audit::Event;
use crate::model::{Algorithm, Checksum, Digest, Entry, Fault, FaultKind, Hasher, Phase, Proof, RelPath};
use crate::reliability::{End, What};
use crate::remote::digest_of;

pub use policy::{Proving, ProvingError};

/// Proves what was moved into the part of `item`, as the policy wants it. What does not agree is a fault: nothing of
/// it may be published.
pub(super) async fn prove(
    engine: &Engine,
    item: &Item,
    moved: &Moved,
    rest: Rest,
    lanes: &Semaphore,
) -> Result<Proof, Failure> {
    let policy = engine.order.policy.proof;
    if policy == Proving::ServerHash
        && let Some(told) = server_hash(engine, item, moved).await?
    {
        return Ok(Proof::ServerHash(told));
    }
    // No time would show that the file was written meanwhile; its content does.
    if rest == Rest::Untold || policy.reads_twice(&item.path) {
        return second_read(engine, item, moved, lanes).await.map(|()| Proof::SecondRead);
    }
    Ok(if policy == Proving::Size { Proof::Size } else { Proof::StreamHash })
}

/// Before the plan: lets a source that does not know by itself which hashes its server tells find out, so that it is not
/// asked for each of a million files in vain.
pub(super) async fn prepare(engine: &Engine) {
    if engine.order.policy.proof == Proving::ServerHash
        && let Err(fault) = engine.order.source.checksum(&RelPath::root(), Algorithm::ALL).await
    {
        tracing::debug!(fault = %fault, "the root has no hash");
    }
}

/// Reads the file a second time: was it the same all along?
async fn second_read(engine: &Engine, item: &Item, moved: &Moved, lanes: &Semaphore) -> Result<(), Failure> {
    let _lane = lanes.acquire().await.map_err(|_| Broken::Stopped)?;
    let again = transfer::source_digest(engine, &item.path, moved.digest.algorithm())
        .await
        .map_err(|fault| blame(moved, fault))?;
    if again == moved.digest {
        engine.order.source.observe(What::Check { bytes: moved.size, end: End::Clean });
        return Ok(());
    }
    let message = "the file changed in the source while it was read";
    Err(blame(moved, Fault::new(Phase::Verify, FaultKind::Changed, message)))
}

/// What the source's server says, when that is what arrived; none when it tells nothing.
async fn server_hash(engine: &Engine, item: &Item, moved: &Moved) -> Result<Option<Checksum>, Failure> {
    let told = engine.order.source.checksum(&item.path, Algorithm::ALL).await.map_err(|fault| blame(moved, fault))?;
    let Some(told) = told else { return Ok(None) };
    let part = item.part.clone().unwrap_or_default();
    let ours = own(engine, &part, moved.digest, told.algorithm()).await.map_err(at_target)?;
    let corrupt = End::Failed(Phase::Verify, FaultKind::Mismatch);
    let end = if ours == told { End::Clean } else { corrupt };
    engine.order.source.observe(What::Check { bytes: moved.size, end });
    if ours == told {
        return Ok(Some(told));
    }
    let algorithm = told.algorithm();
    let message =
        format!("the server says that its file's {algorithm} is {}, what arrived has {}", told.hex(), ours.hex());
    Err(blame(moved, Fault::new(Phase::Verify, FaultKind::Mismatch, message)))
}

/// The hash of our own file at `at`, whose `digest` is known. Any other is computed from what lies in the target.
async fn own(engine: &Engine, at: &RelPath, digest: Digest, algorithm: Algorithm) -> Result<Checksum, Fault> {
    if algorithm == digest.algorithm().into() {
        return Ok(digest.into());
    }
    let target = &engine.order.target;
    if let Some(sum) = target.checksum(at, &[algorithm]).await? {
        return Ok(sum);
    }
    let mut reader = target.read(at, 0, None).await?;
    let mut hasher = Hasher::new(algorithm);
    while let Some(bytes) = reader.next().await? {
        hasher.update(&bytes);
    }
    reader.finish().await?;
    hasher.finish().map_err(|error| Fault::new(Phase::Verify, FaultKind::Io, error.to_string()))
}

/// What a look at the content of a file showed whose size and time are unchanged.
#[derive(Debug)]
pub(super) enum Recheck {
    /// The policy or the server lets nobody look: the file keeps the proof that it had.
    Untouched,
    /// Both sides hold this content.
    Same(Digest, Proof),
    /// The content is another on one of the sides: it has to be copied.
    Other,
}

/// Looks at the content of a file whose size and time are those of the version that was published with `known`, on
/// both sides. The copy holds its lane to the source already: to wait for another here would be for ever.
pub(super) async fn recheck(engine: &Engine, item: &Item, known: Option<Digest>) -> Result<Recheck, Failure> {
    let policy = engine.order.policy.proof;
    if !policy.rechecks(&item.path) {
        return Ok(Recheck::Untouched);
    }
    let algorithm = known.map_or(engine.order.policy.digest, |known| known.algorithm());
    let expected = digest_of(&*engine.order.target, &item.target, algorithm).await.map_err(at_target)?;
    if known.is_some_and(|known| known != expected) {
        // Somebody's bytes lie there, not ours: they are not to be thrown away as an older version of ours.
        return other(engine, item, Side::Target).await;
    }
    let same = if policy == Proving::ServerHash {
        let told = engine.order.source.checksum(&item.path, Algorithm::ALL).await.map_err(at_source)?;
        let Some(told) = told else { return Ok(Recheck::Untouched) };
        let ours = own(engine, &item.target, expected, told.algorithm()).await.map_err(at_target)?;
        (ours == told).then_some(Proof::ServerHash(told))
    } else {
        let again = transfer::source_digest(engine, &item.path, algorithm).await.map_err(at_source)?;
        (again == expected).then_some(Proof::SecondRead)
    };
    match same {
        Some(proof) => Ok(Recheck::Same(expected, proof)),
        None => other(engine, item, Side::Source).await,
    }
}

/// After a look that showed nothing new: such a file is done with, but for the permission bits that the plan would
/// have set had it not wanted the look.
pub(super) async fn settle(engine: &Engine, item: &Item, there: &Entry) -> Result<Option<Event>, Failure> {
    engine.progress.files_done.fetch_add(1, Relaxed);
    engine.progress.bytes_done.fetch_add(there.size.unwrap_or_default(), Relaxed);
    let target = &engine.order.target;
    let wanted = engine.order.policy.keep_mode && target.capabilities().set_mode;
    let Some(mode) = item.mode.filter(|_| wanted).map(file_mode) else { return Ok(None) };
    if there.mode.is_none_or(|is| is & 0o777 == mode) {
        return Ok(None);
    }
    target.set_attributes(&item.target, None, Some(mode)).await.map_err(at_target)?;
    Ok(Some(Event::ModeSet { run: engine.order.run, path: item.target.clone() }))
}

async fn other(engine: &Engine, item: &Item, side: Side) -> Result<Recheck, Failure> {
    tracing::warn!(path = %item.path.display(), side = side.word(), "the content changed under the same size and time");
    let doubted = Change::Doubted { target: item.target.clone(), own: side == Side::Source };
    engine.journal.commit(doubted).await?;
    engine.journal.put(Change::Unseen { item: item.id }).await?;
    Ok(Recheck::Other)
}

/// Adds to the summary what was proven, and what the policy wanted and could not have.
pub(super) async fn sum_up(engine: &Engine, summary: &mut Summary) -> Result<(), MirrorError> {
    let (db, run, policy) = (&engine.order.db, engine.order.run, engine.order.policy.proof);
    let records = store::records(db, engine.order.job).await?;
    summary.counts.files_doubted = records.doubted;
    summary.records = Some(records);
    if engine.order.policy.dry_run {
        return Ok(());
    }
    summary.proofs = store::of_run(db, run).await?;
    let looked = store::rechecked(db, run).await?;
    (summary.counts.files_rechecked, summary.counts.files_unseen) = (looked.same, looked.other);
    if summary.counts.files_doubted > 0 {
        summary.notes.push(format!(
            "{} files that were published are not in the target any more, or not as they were published: manifests \
             leave them out until they are copied again",
            summary.counts.files_doubted
        ));
    }
    // Who wants no more than sizes gets no more said.
    summary.verified &= policy != Proving::Size;
    if looked.other > 0 {
        summary.notes.push(format!(
            "{} files had another content under an unchanged size and time, which {policy} found",
            looked.other
        ));
    }
    if policy == Proving::ServerHash {
        let untold = summary.proofs.get(&Proof::StreamHash.method()).copied().unwrap_or_default();
        if !engine.order.source.capabilities().checksum {
            summary.notes.push(
                "the source's server tells no hashes: files are proven by the digest of what arrived, and unchanged \
                 ones by size and time only"
                    .to_owned(),
            );
        } else if untold > 0 {
            let text = "files are proven by the digest of what arrived only: the server told no hash of them";
            summary.notes.push(format!("{untold} {text}"));
        }
    }
    Ok(())
}
