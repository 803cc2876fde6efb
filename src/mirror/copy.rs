//! One file, in named steps: look at the source, move the bytes into a part, look at the source again,
//! note the digest, publish.
//!
//! A file that changes while it is read is never published. A part is gone on with only from where it was
//! confirmed, after its last bytes were read from the source again and compared.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::engine::{Broken, Engine};
use super::journal::{self, Attempt, Change, FileRow, Item};
use super::marks::Prefix;
use super::plan::{self, Kind, Known, nanos};
use super::proof::{self, Recheck};
use super::scan::store::Side;
use super::settle::{self, Clocks, Rest};
use super::transfer::{self, Moved};
use super::words::{Action, ItemState};
use super::{Existing, publish, uploads};
use crate::audit::Event;
use crate::model::{Digest, Entry, EntryKind, Fault, FaultKind, Fingerprint, Phase, Precision, Proof};
use crate::remote::Source;

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The run as a whole ends.
    Broken(Broken),
    /// The file may still be written: nothing was tried, and so long it has to rest first.
    Unsettled(Duration),
    /// This try failed.
    Fault {
        /// Who is to blame.
        side: Side,
        fault: Fault,
        /// Where reading had begun.
        from: u64,
        /// Bytes moved.
        bytes: u64,
    },
}

impl Failure {
    fn is_of(&self, kinds: &[FaultKind]) -> bool {
        matches!(self, Self::Fault { fault, .. } if kinds.contains(&fault.kind))
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<crate::db::DbError> for Failure {
    fn from(error: crate::db::DbError) -> Self {
        Self::Broken(error.into())
    }
}

/// For `map_err`: a fault of the source before any byte moved.
pub(super) fn at_source(fault: Fault) -> Failure {
    Failure::Fault { side: Side::Source, fault, from: 0, bytes: 0 }
}

/// For `map_err`: a fault of the target.
pub(super) fn at_target(fault: Fault) -> Failure {
    Failure::Fault { side: Side::Target, fault, from: 0, bytes: 0 }
}

/// Brings one file to the target. `item` is kept up to date with what is confirmed.
pub(super) async fn copy(engine: &Engine, item: &mut Item, lanes: &Arc<Semaphore>) -> Result<(), Failure> {
    let started = engine.order.clock.now();
    if matches!(item.state, ItemState::Verified | ItemState::Publishing) {
        if publish::take_up(engine, item, started).await? {
            return Ok(());
        }
        // What is left is not what was verified: none of it is gone on with.
        forget_progress(engine, item).await?;
    }
    let lane = lanes.acquire().await.map_err(|_| Broken::Stopped)?;
    engine.check_stop()?;
    // Where the target had nothing, nothing can be kept: no need to ask.
    let known = if item.replaces {
        journal::file_known(&engine.order.db, engine.order.job, &item.path, &item.target).await?
    } else {
        None
    };
    let looked = Instant::now();
    let (before, open) = version(engine, item, known.is_some()).await?;
    if open.is_none() && item.replaces && keep(engine, item, &before, known).await? {
        return Ok(());
    }
    let rest = rest(engine, item, &before).await?;
    if let Rest::Wait(pause) = rest {
        return Err(Failure::Unsettled(pause));
    }
    let ticket = engine.progress.show(&item.path, before.size);
    let moved = match transfer::transfer(engine, item, &before, &ticket, (lane, lanes), open).await {
        Err(failure) => {
            item.undivided |= failure.is_of(&[FaultKind::Changed, FaultKind::Mismatch]);
            learn(engine, item, &failure, looked).await?;
            return Err(failure);
        }
        Ok(moved) => moved,
    };
    let compared = match still_the_same(engine, item, &before, &moved).await {
        Ok(version) => proof::prove(engine, item, &moved, rest, lanes).await.map(|proof| (version, proof)),
        Err(failure) => Err(failure),
    };
    let (version, proof) = match compared {
        Ok(proven) => proven,
        Err(failure) if failure.is_of(&[FaultKind::Changed, FaultKind::Mismatch]) => {
            // What arrived may be of two versions: nothing of it is gone on with.
            forget_progress(engine, item).await?;
            learn(engine, item, &failure, looked).await?;
            return Err(failure);
        }
        Err(failure) => {
            // The source could not be asked. All bytes are here; the next try compares their end and asks again.
            let confirmed = Some(Prefix { length: moved.size, digest: moved.digest });
            engine.journal.put(Change::Confirmed { item: item.id, confirmed }).await?;
            item.digest = Some(moved.digest);
            return Err(failure);
        }
    };
    engine.check_stop()?;
    let change = Change::Verified { item: item.id, digest: moved.digest, size: moved.size, proof: proof.clone() };
    engine.journal.commit(change).await?;
    item.state = ItemState::Verified;
    let attempt = attempt(engine, item, started, moved.from, moved.size - moved.from);
    (item.digest, item.proof) = (Some(moved.digest), Some(proof));
    let stamped = moved.stamped == Some(version.mtime);
    publish::publish(engine, item, &version, moved.digest, moved.size, attempt, stamped).await
}

/// A file that changes while it is read is written to: other files of its folder may be uploaded as slowly.
async fn learn(engine: &Engine, item: &Item, failure: &Failure, looked: Instant) -> Result<(), Failure> {
    match failure {
        Failure::Fault { side: Side::Source, .. } if failure.is_of(&[FaultKind::Changed]) => {
            Ok(uploads::learn(engine, &item.path, looked.elapsed()).await?)
        }
        _ => Ok(()),
    }
}

/// The next try begins at the start.
async fn forget_progress(engine: &Engine, item: &mut Item) -> Result<(), Failure> {
    (item.confirmed, item.digest) = (0, None);
    Ok(engine.journal.put(Change::Confirmed { item: item.id, confirmed: None }).await?)
}

/// This try, as the journal keeps it when it worked.
pub(super) fn attempt(engine: &Engine, item: &Item, started: Timestamp, from: u64, bytes: u64) -> Attempt {
    Attempt { number: item.attempts + 1, started, ended: engine.order.clock.now(), from, bytes }
}

/// The version to copy, to the second at least where the source can tell, and the file itself when it was opened to
/// learn that.
async fn version(engine: &Engine, item: &Item, known: bool) -> Result<(Fingerprint, Option<Box<dyn Source>>), Failure> {
    let exact = item.listed.mtime.is_some_and(|m| m.precision <= Precision::Second) && item.listed.size.is_some();
    // A file that this job published is asked for again: the listing may be wrong about its time zone.
    let believed = exact && !known && item.attempts == 0;
    if will_be_read(engine, item, known) {
        let source = engine.order.source.read(&item.path, 0, item.listed.size).await.map_err(at_source)?;
        let seen = source.opened().filter(|entry| entry.kind == EntryKind::File).map(|entry| seen(item, entry));
        let version = match seen {
            Some(version) => version,
            None if believed => item.listed.clone(),
            None => {
                // A look may need the very connection that the source holds.
                drop(source);
                return Ok((look(engine, item).await?, None));
            }
        };
        return Ok((version, Some(source)));
    }
    if believed {
        return Ok((item.listed.clone(), None));
    }
    Ok((look(engine, item).await?, None))
}

/// Is it clear before any look that the file will be read from its start? Then it is opened at once: a source that
/// tells its version with it saves the question.
fn will_be_read(engine: &Engine, item: &Item, known: bool) -> bool {
    let policy = &engine.order.policy;
    let kept = item.replaces && (known || policy.existing != Existing::Prove);
    let clocks = clocks(engine);
    let quiet = engine.uploads.quiet(&item.path, &item.listed, clocks).time;
    item.confirmed == 0
        && !kept
        && engine.order.source.capabilities().read_tells
        && settle::rest(&item.listed, Duration::ZERO, clocks, policy.settle_seconds, quiet) == Rest::Settled
}

fn clocks(engine: &Engine) -> Clocks {
    let newest = engine.scanned.get().and_then(|scanned| scanned.newest);
    Clocks { now: engine.order.clock.now(), newest }
}

/// Where the source tells no time of a single file, the listing's stands.
fn seen(item: &Item, entry: &Entry) -> Fingerprint {
    let now = entry.fingerprint();
    Fingerprint { mtime: now.mtime.or(item.listed.mtime), ..now }
}

/// What the source says now.
async fn look(engine: &Engine, item: &Item) -> Result<Fingerprint, Failure> {
    let found = engine.order.source.stat(&item.path).await.map_err(at_source)?;
    let gone = "the file is gone from the source since it was listed";
    let found = found.ok_or_else(|| at_source(Fault::new(Phase::Verify, FaultKind::Missing, gone)))?;
    Ok(seen(item, &found))
}

/// Is nothing to be moved after all? So it is when the exact time shows the version that was published and
/// the target still holds it, or when the policy believes what lies in the target.
async fn keep(
    engine: &Engine,
    item: &Item,
    before: &Fingerprint,
    known: Option<(Known, Option<Digest>)>,
) -> Result<bool, Failure> {
    let policy = &engine.order.policy;
    if known.is_none() && policy.existing == Existing::Prove {
        return Ok(false);
    }
    let there = engine.order.target.stat(&item.target).await.map_err(at_target)?;
    let Some(entry) = there.filter(|entry| entry.kind == EntryKind::File) else {
        doubt(engine, item).await?;
        return Ok(false);
    };
    let (there, mut events) = (entry.fingerprint(), Vec::new());
    let (action, digest, proven, proof) = match &known {
        Some((known, digest)) => {
            if !known.is_there(&there) {
                doubt(engine, item).await?;
                return Ok(false);
            }
            if !plan::surely_same(before, &known.version, known.at) || known.has_to_be_read(policy.existing) {
                return Ok(false);
            }
            match proof::recheck(engine, item, *digest).await? {
                Recheck::Other => return Ok(false),
                Recheck::Same(digest, proof) => {
                    events.extend(proof::settle(engine, item, &entry).await?);
                    (Action::Keep, Some(digest), true, Some(proof))
                }
                Recheck::Untouched if known.proven => (Action::Keep, *digest, true, None),
                Recheck::Untouched => (Action::Adopt, *digest, false, None),
            }
        }
        None if before.mtime.is_some() && there.mtime.is_some() && before.same_version(&there) => {
            // What is believed is at least pinned down: later changes in the target will be seen.
            let digest = engine.order.target.digest(&item.target).await.map_err(at_target)?;
            (Action::Adopt, digest, false, Some(Proof::Believed))
        }
        None => return Ok(false),
    };
    let file = FileRow {
        path: item.path.clone(),
        target: item.target.clone(),
        kind: Kind::File,
        link: None,
        version: before.clone(),
        listed: item.listed.clone(),
        digest,
        proven,
        proof,
        target_size: there.size,
        target_mtime: nanos(&there),
    };
    let (run, path, size) = (engine.order.run, item.target.clone(), there.size.unwrap_or_default());
    events.extend((action == Action::Adopt).then_some(Event::FileAdopted { run, path, size }));
    let change = Change::Published { item: item.id, action, attempt: None, file: Box::new(file), events };
    engine.journal.put(change).await?;
    engine.progress.files_unchanged.fetch_add(1, Relaxed);
    Ok(true)
}

/// What the job published in the item's place is not there any more.
async fn doubt(engine: &Engine, item: &Item) -> Result<(), Broken> {
    engine.journal.put(Change::Doubted { target: item.target.clone(), own: false }).await
}

/// May the file be read now? A version counts as seen since the listing, since an earlier try looked at it, or, where there
/// are signs of an upload, since an earlier run did.
async fn rest(engine: &Engine, item: &mut Item, before: &Fingerprint) -> Result<Rest, Failure> {
    let now = Instant::now();
    let scanned = engine.scanned.get();
    let listed = scanned.filter(|_| item.listed == *before).map(|scanned| scanned.at);
    let looked = match item.seen.take() {
        Some((version, since)) if version == *before => Some(since),
        Some((version, since)) => {
            uploads::changed(engine, &item.path, &version, before, now - since).await?;
            None
        }
        None => None,
    };
    let since = looked.or(listed).unwrap_or(now);
    item.seen = Some((before.clone(), since));
    let (clocks, settle) = (clocks(engine), engine.order.policy.settle_seconds);
    let judge = |seen, quiet| settle::rest(before, seen, clocks, settle, quiet);
    let quiet = engine.uploads.quiet(&item.path, before, clocks);
    let rest = judge(now - since, quiet.time);
    if quiet.time.is_zero() || !matches!(rest, Rest::Wait(_)) {
        return Ok(rest);
    }
    let earlier = uploads::before(engine, &item.path, before, quiet).await?;
    let quiet = if earlier.enough { Duration::ZERO } else { quiet.time };
    Ok(judge(earlier.seen.max(now - since), quiet))
}

/// A fault of the source after the bytes had moved.
pub(super) const fn blame(moved: &Moved, fault: Fault) -> Failure {
    Failure::Fault { side: Side::Source, fault, from: moved.from, bytes: moved.size - moved.from }
}

/// Looks at the source again: only a version that was there before and after is a version.
async fn still_the_same(
    engine: &Engine,
    item: &Item,
    before: &Fingerprint,
    moved: &Moved,
) -> Result<Fingerprint, Failure> {
    let blame = |fault| blame(moved, fault);
    let changed = |message: &str| Fault::new(Phase::Verify, FaultKind::Changed, message);
    let after = match &moved.after {
        Some(told) => Some(told.clone()),
        None => engine.order.source.stat(&item.path).await.map_err(blame)?,
    };
    let Some(after) = after.map(|entry| entry.fingerprint()) else {
        return Err(blame(changed("the file vanished from the source while it was read")));
    };
    let sizes = [before.size, after.size].into_iter().flatten().collect::<Vec<_>>();
    let same_time = match (before.mtime, after.mtime) {
        (Some(before), Some(after)) => before.agrees(&after),
        _ => true,
    };
    let same_unique = match (&before.unique, &after.unique) {
        (Some(before), Some(after)) => before == after,
        _ => true,
    };
    if !same_time || !same_unique || sizes.windows(2).any(|pair| pair.first() != pair.last()) {
        return Err(blame(changed("the file changed in the source while it was read")));
    }
    if sizes.iter().any(|size| *size != moved.size) {
        let told = sizes.first().copied().unwrap_or_default();
        let message = format!("{} bytes arrived, but the source says that the file has {told}", moved.size);
        return Err(blame(Fault::new(Phase::Verify, FaultKind::Mismatch, message).bytes(moved.size)));
    }
    // The more exact of both is remembered.
    let exact = match (before.mtime, after.mtime) {
        (Some(b), Some(a)) if b.precision <= a.precision => Some(b),
        (b, a) => a.or(b),
    };
    Ok(Fingerprint { size: Some(moved.size), mtime: exact, unique: after.unique.or_else(|| before.unique.clone()) })
}
