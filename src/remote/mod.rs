//! Where files live, seen through one narrow interface.
//!
//! A [`Remote`] is an open endpoint. It never retries and never guesses: every failure is a
//! [`Fault`], every doubt about a listing is said. Engines stand above it, layers (metered, limited,
//! timed) wrap it, and one contract suite (`remote::contract`) runs against every implementation.

mod abroad;
mod capabilities;
pub mod contract;
mod dav;
pub mod faces;
pub mod folds;
pub mod ftp;
pub mod layer;
mod listing;
pub mod local;
pub mod memory;
mod open;
mod sftp;
mod traits;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::{
    Algorithm, Checksum, Digest, DigestAlgorithm, Entry, Fault, FaultKind, Hasher, Mtime, Name, NameError, Phase,
    RelPath, ServerZone, display_bytes,
};
use crate::reliability::What;

pub use capabilities::Capabilities;
pub use listing::{Completeness, Doubt, Reading};
use open::place;
pub use open::{Context, can_read, can_write, open, open_or_create, open_or_imagine};
pub use sftp::{HostKey, host_key, jump_host, same_pin};
pub use traits::{Connections, DotFiles, Encryption, Proven, Sample, Samples, Skill, Traits, micros};
pub use trust::trust;

/// The folder at the root of a target that keeps what was replaced or removed, one folder per batch.
pub const TRASH: &[u8] = b".causeway-trash";

/// An open endpoint. All paths are relative to the endpoint's root.
#[async_trait]
pub trait Remote: Send + Sync + 'static {
    /// What this remote can do, as far as it is known now.
    fn capabilities(&self) -> Capabilities;

    /// Starts reading the directory `dir`. Entries stream: a directory of a million names costs
    /// bounded memory.
    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault>;

    /// Opens so many connections ahead, as far as that can be done: whoever is about to ask for much at once need not
    /// wait for their logins then. What goes wrong shows when they are needed.
    async fn warm(&self, _connections: u16) {}

    /// Starts reading several directories in one conversation, which costs less than one each. `None` where that is
    /// not known to show as much as [`Remote::list`] does.
    async fn list_together(&self, dirs: &[RelPath]) -> Result<Option<Box<dyn Together>>, Fault> {
        let _one_by_one = dirs;
        Ok(None)
    }

    /// What `path` is now; `None` when it is certain that nothing is there. Never follows a link at
    /// the last component.
    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault>;

    /// What each of `names` in the directory `dir` is; those that are certainly not there are left out. Unlike
    /// [`Remote::stat`] it never takes a link for what it leads to, and says of a link where it points, if anything
    /// tells.
    async fn look_up(&self, dir: &RelPath, names: &BTreeSet<Name>) -> Result<BTreeMap<Name, Entry>, Fault> {
        let mut found = BTreeMap::new();
        for name in names {
            found.extend(self.stat(&dir.join(name)).await?.map(|entry| (name.clone(), entry)));
        }
        Ok(found)
    }

    /// The absolute path of the root, as links on the other side would name it; `None` where nobody knows.
    fn root(&self) -> Option<Vec<u8>> {
        None
    }

    /// The zone by whose clock the times of listings are read; `None` where none has to be known, because what is spoken
    /// tells instants.
    fn listing_zone(&self) -> Option<ServerZone> {
        None
    }

    /// From now on they are read by a clock of this zone.
    fn set_listing_zone(&self, zone: &ServerZone) {
        let _times_are_instants = zone;
    }

    /// Starts reading the file `path` at byte `offset`. `size` is what is known of its length: requests are fitted
    /// to it, it is no promise.
    async fn read(&self, path: &RelPath, offset: u64, size: Option<u64>) -> Result<Box<dyn Source>, Fault>;

    /// Starts writing the file `path` at byte `offset`. Offset 0 creates it or cuts it to nothing; any
    /// other offset cuts an existing file to that length first and fails when it is shorter.
    async fn write(&self, path: &RelPath, offset: u64) -> Result<Box<dyn Sink>, Fault>;

    /// As [`Remote::write`] from the start, told what is known of the file that will come: a protocol that has to say
    /// such things before the first byte says them then. They are no promise.
    async fn write_new(&self, path: &RelPath, coming: Coming) -> Result<Box<dyn Sink>, Fault> {
        let _of_no_use = coming;
        self.write(path, 0).await
    }

    /// SHA-256 of the content, when the other side can tell without sending the file; `None` when it
    /// cannot.
    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault>;

    /// The first of `wanted` that the other side can tell of the content without sending the file; `None` when it
    /// can tell none of them, which costs nothing where that is known beforehand.
    async fn checksum(&self, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
        if !wanted.contains(&Algorithm::Sha256) {
            return Ok(None);
        }
        Ok(self.digest(path).await?.map(Checksum::from))
    }

    /// Writes down what was observed of this endpoint by somebody above it, such as a comparison of contents.
    fn observe(&self, what: What) {
        tracing::trace!(?what, "nobody counts what is observed here");
    }

    /// Sets modification time and permission bits of a file or directory, each when given. What the
    /// other side cannot keep is said by [`Capabilities`], not by a fault.
    async fn set_attributes(&self, path: &RelPath, mtime: Option<Mtime>, mode: Option<u32>) -> Result<(), Fault>;

    /// Moves `from` to `to`, where nothing may lie: a name that is taken is [`FaultKind::Exists`], and both stay
    /// as they are. Says what lies at `to` now, where that comes at no cost.
    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<Option<Entry>, Fault>;

    /// Lets what lies at `one` and at `other` change places in one step: nobody ever sees either name without a
    /// file, and nothing is lost whatever came there a moment ago. [`FaultKind::Missing`] when one of them is
    /// not there, [`FaultKind::Unsupported`] where it cannot be done; nothing has moved then.
    async fn exchange(&self, one: &RelPath, other: &RelPath) -> Result<(), Fault> {
        let what = format!("{} and {} cannot change places in one step here", one.display(), other.display());
        Err(Fault::new(Phase::Publish, FaultKind::Unsupported, what))
    }

    /// Removes a file or link.
    async fn remove_file(&self, path: &RelPath) -> Result<(), Fault>;

    /// Removes an empty directory.
    async fn remove_dir(&self, path: &RelPath) -> Result<(), Fault>;

    /// Makes the symbolic link `path` that points at `target`, in these very bytes. A name that is taken is
    /// [`FaultKind::Exists`]; where [`Capabilities::links`] says no it is [`FaultKind::Unsupported`].
    async fn make_link(&self, path: &RelPath, target: &[u8]) -> Result<(), Fault> {
        let what = format!("{} cannot be a link to {}: there are none here", path.display(), display_bytes(target));
        Err(Fault::new(Phase::Publish, FaultKind::Unsupported, what))
    }

    /// Makes a directory; its parent must be there. A directory that is there already is fine.
    async fn make_dir(&self, path: &RelPath) -> Result<(), Fault>;

    /// Moves a file or directory into the trash of this root, to the path `of` (its own, or the one that it had)
    /// below `.causeway-trash/<batch>/`. Returns where it is now. Never replaces anything that lies there.
    async fn trash(&self, path: &RelPath, of: &RelPath, batch: &Name) -> Result<RelPath, Fault> {
        trash_by_rename(self, path, of, batch).await
    }

    /// Makes the names in the directory `dir` survive a power cut, where the other side can.
    async fn sync_dir(&self, dir: &RelPath) -> Result<(), Fault> {
        let _names_are_the_other_sides_care = dir;
        Ok(())
    }

    /// What is known about the other side, and what can be learned by asking politely: nothing is changed, no limit is
    /// provoked. What cannot be asked is left open.
    async fn traits(&self, samples: &Samples) -> Traits {
        let _nothing_to_ask = samples;
        Traits::default()
    }

    /// Ends every connection in good order.
    async fn close(&self);
}

/// What is known beforehand of a file that will be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coming {
    /// Bytes.
    pub size: Option<u64>,
    /// The modification time that it will be given.
    pub mtime: Option<Mtime>,
}

/// The digest of the content of `path`: told by the other side where it can, read back where it cannot.
///
/// # Errors
/// As [`Remote::digest`], [`Remote::checksum`] and [`Remote::read`]; [`FaultKind::Missing`] when nothing is there.
pub async fn digest_of(remote: &dyn Remote, path: &RelPath, algorithm: DigestAlgorithm) -> Result<Digest, Fault> {
    let told = match algorithm {
        DigestAlgorithm::Sha256 => remote.digest(path).await?,
        other => remote.checksum(path, &[other.into()]).await?.and_then(|sum| Digest::try_from(&sum).ok()),
    };
    match told.filter(|told| told.algorithm() == algorithm) {
        Some(digest) => Ok(digest),
        None => read_digest(remote, path, algorithm).await,
    }
}

/// Does `path` hold the content of `digest`? Nobody knows that of what has none.
///
/// # Errors
/// As [`digest_of`].
pub async fn holds(remote: &dyn Remote, path: &RelPath, digest: Option<Digest>) -> Result<bool, Fault> {
    match digest {
        Some(digest) => Ok(digest_of(remote, path, digest.algorithm()).await? == digest),
        None => Ok(false),
    }
}

/// The digest of what `path` gives out now.
///
/// # Errors
/// As [`Remote::read`].
pub async fn read_digest(remote: &dyn Remote, path: &RelPath, algorithm: DigestAlgorithm) -> Result<Digest, Fault> {
    let mut reader = remote.read(path, 0, None).await?;
    let mut hash = Hasher::of_digest(algorithm);
    while let Some(bytes) = reader.next().await? {
        hash.update(&bytes);
    }
    reader.finish().await?;
    Digest::try_from(hash).map_err(|error| Fault::new(Phase::Verify, FaultKind::Io, error.to_string()))
}

/// How many times a name may come into one trash batch.
const MAX_TRASH_COPIES: u32 = 1000;

/// The trash of a remote that has no better way: make the folders, then rename to a free name.
async fn trash_by_rename<R: Remote + ?Sized>(
    remote: &R,
    path: &RelPath,
    of: &RelPath,
    batch: &Name,
) -> Result<RelPath, Fault> {
    let bad = |error: NameError| Fault::new(Phase::Publish, FaultKind::BadName, error.to_string());
    let mut folder = RelPath::new(TRASH).map_err(bad)?;
    remote.make_dir(&folder).await?;
    folder = folder.join(batch);
    remote.make_dir(&folder).await?;
    for name in of.parent().unwrap_or_default().names() {
        folder = folder.join(&name);
        remote.make_dir(&folder).await?;
    }
    let name = of.name().ok_or(NameError::Empty).map_err(bad)?;
    for copy in 0..MAX_TRASH_COPIES {
        let free = if copy == 0 {
            folder.join(&name)
        } else {
            let mut bytes = name.as_bytes().to_vec();
            bytes.truncate(240);
            bytes.extend_from_slice(format!(".{copy}").as_bytes());
            folder.join(&Name::new(bytes).map_err(bad)?)
        };
        match remote.rename(path, &free).await {
            Err(taken) if taken.kind == FaultKind::Exists => {}
            moved => return moved.map(|_| free),
        }
    }
    Err(Fault::new(Phase::Publish, FaultKind::Exists, "the trash holds too many files of this name: empty it"))
}

/// A directory being read. Dropping it abandons the listing.
#[async_trait]
pub trait Lister: Send {
    /// The next batch of entries in the order of the listing; `None` at the end. `.` and `..` are
    /// never among them.
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault>;

    /// How what came since the last call was written, in the order of the listing, where it comes as text that had
    /// to be understood; its [`Reading::Entries`] count the entries that [`Lister::next`] gave out. Nothing is lost
    /// by not asking.
    fn readings(&mut self) -> Vec<Reading> {
        Vec::new()
    }

    /// After the end: was that everything? In FTP the end of the data connection is not success; the
    /// closing reply, unparsed lines and round numbers decide.
    async fn finish(self: Box<Self>) -> Result<Completeness, Fault>;
}

/// Several directories being read, one after the other in the order they were asked for. Dropping it abandons what is
/// left of them.
#[async_trait]
pub trait Together: Send {
    /// What comes next; `None` behind the last directory.
    async fn next(&mut self) -> Result<Option<Step>, Fault>;
}

/// A step in reading several directories.
#[derive(Debug)]
pub enum Step {
    /// Entries of the directory whose turn it is.
    Entries(Vec<Entry>),
    /// That was all of it; the next directory follows.
    Whole(Completeness),
    /// It could not be read this way, whatever came of it; the next directory follows. [`Remote::list`] tells more.
    Unclear,
}

/// A file being read. Dropping it abandons the transfer.
#[async_trait]
pub trait Source: Send {
    /// The next bytes, never empty; `None` at the end of the data, which is not yet success.
    async fn next(&mut self) -> Result<Option<Bytes>, Fault>;

    /// What the other side said of the file just before it gave it out, where that came at no cost. Otherwise it
    /// has to be asked.
    fn opened(&self) -> Option<&Entry> {
        None
    }

    /// All bytes are here, and the connection that brought them may bring others already: [`Source::finish`] only waits for
    /// words.
    fn is_off_the_road(&self) -> bool {
        false
    }

    /// Enough was read: ends the transfer in good order where that is cheaper than dropping it.
    async fn stop(self: Box<Self>) {}

    /// After the end: the other side's closing word, and what it says of the file now, where that came at no cost.
    async fn finish(self: Box<Self>) -> Result<Option<Entry>, Fault>;
}

/// A file being written. Dropping it without [`Sink::finish`] leaves what was confirmed.
#[async_trait]
pub trait Sink: Send {
    /// Takes bytes. May return before they are safe; see [`Sink::confirmed`].
    async fn write(&mut self, data: Bytes) -> Result<(), Fault>;

    /// The length up to which everything is known to have arrived, without a hole.
    fn confirmed(&self) -> u64;

    /// Asks that the file has this modification time and these permission bits, each when given, once it is finished.
    /// False: they have to be set by its path, see [`Remote::set_attributes`].
    fn stamp(&mut self, mtime: Option<Mtime>, mode: Option<u32>) -> bool {
        let _by_path = (mtime, mode);
        false
    }

    /// All bytes are written: makes them durable where the other side can, and returns the length.
    async fn finish(self: Box<Self>) -> Result<u64, Fault>;
}
