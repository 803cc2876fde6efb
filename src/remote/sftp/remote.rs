//! The endpoint as a [`Remote`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::channel::{Expect as _, unwelcome};
use super::connection::Connection;
use super::entry::entry;
use super::lister::{SftpLister, link_target};
use super::names::Names;
use super::pool::Pool;
use super::sink::SftpSink;
use super::source::SftpSource;
use crate::model::{Algorithm, Checksum, Digest, Entry, EntryKind, Fault, FaultKind, Mtime, Name, Phase, RelPath};
use crate::net::sftp::{Answer, Attributes, Extension, HASHES, Request, Sums};
use crate::reliability::{Detail, What};
use crate::remote::{Capabilities, Lister, Remote, Samples, Sink, Source, Traits};

/// Of a new file that is not one of our parts, until it gets its own,
const NEW_MODE: u32 = 0o644;
/// and of a part: nobody reads it before it is verified.
const PART_MODE: u32 = 0o600;
/// Of a new folder.
const DIR_MODE: u32 = 0o755;
/// Files at once that one connection carries well.
const FILES: usize = 16;

/// An open SFTP endpoint.
#[derive(Debug)]
pub(super) struct SftpRemote {
    pool: Arc<Pool>,
    names: Names,
}

/// The same fault, in the phase that it belongs to: a channel that breaks does not know what it was used for.
pub(super) fn within_phase(phase: Phase, fault: Fault) -> Fault {
    if fault.phase == Phase::Command { Fault { phase, ..fault } } else { fault }
}

impl SftpRemote {
    /// Logs in once and looks for the root, making it where `create` says so.
    pub(super) async fn start(pool: Arc<Pool>, create: bool) -> Result<Self, Fault> {
        let connection = pool.connection().await?;
        let within = pool.shared.deadlines().command;
        let home = Request::Realpath { path: Bytes::from_static(b".") };
        let home = match connection.channel.ask(home, within).await? {
            Answer::Names(names) => names.into_iter().next().map(|line| line.name).unwrap_or_default(),
            other => return Err(unwelcome(Phase::Command, "asking for the login folder", &other)),
        };
        let names = Names::new(&pool.shared.endpoint.root, &home, connection.features.causeway);
        let remote = Self { pool, names };
        remote.root(&connection, create).await?;
        Ok(remote)
    }

    /// The root must be a folder; a link to one will do.
    async fn root(&self, connection: &Connection, create: bool) -> Result<(), Fault> {
        let what = format!("the folder {} (of the endpoint)", self.pool.shared.endpoint);
        let (within, root) = (self.within(), self.names.absolute(&RelPath::root()));
        let look = || connection.channel.ask(Request::Stat { path: root.clone() }, within);
        let mut there = look().await?.attributes(Phase::Open, &what);
        if create && matches!(&there, Err(fault) if fault.kind == FaultKind::Missing) {
            let attributes = Attributes { permissions: Some(DIR_MODE), ..Attributes::default() };
            for path in self.names.ladder() {
                // Those that are there already say no; the last look tells.
                connection.channel.ask(Request::Mkdir { path, attributes }, within).await?;
            }
            there = look().await?.attributes(Phase::Open, &what);
        }
        match Name::new("root").map(|name| entry(name, &there.clone().unwrap_or_default()).kind) {
            Ok(EntryKind::Dir | EntryKind::Unknown) => there.map(drop),
            _ => Err(Fault::new(Phase::Open, FaultKind::Unsupported, format!("{what} is no folder"))),
        }
    }

    fn within(&self) -> Duration {
        self.pool.shared.deadlines().command
    }

    async fn ask(&self, phase: Phase, request: Request) -> Result<Answer, Fault> {
        let connection = self.pool.connection().await?;
        connection.channel.ask(request, self.within()).await.map_err(|fault| within_phase(phase, fault))
    }

    async fn order(&self, phase: Phase, what: &str, request: Request) -> Result<(), Fault> {
        self.ask(phase, request).await?.done(phase, what)
    }

    /// What lies at `path`; `None` when the server says that nothing does.
    async fn look(&self, path: &RelPath, name: Name) -> Result<Option<Entry>, Fault> {
        let at = self.names.absolute(path);
        let what = format!("looking at {}", path.display());
        // The root may be a link to where it is.
        let request =
            if path.is_root() { Request::Stat { path: at.clone() } } else { Request::Lstat { path: at.clone() } };
        let mut there = match self.ask(Phase::Command, request).await?.attributes(Phase::Command, &what) {
            Ok(attributes) => entry(name, &attributes),
            Err(fault) if fault.kind == FaultKind::Missing => return Ok(None),
            Err(fault) => return Err(fault),
        };
        if matches!(there.kind, EntryKind::Symlink(_)) {
            let answer = self.ask(Phase::Command, Request::Readlink { path: at }).await?;
            there.kind = EntryKind::Symlink(link_target(answer));
        }
        Ok(Some(there))
    }

    /// RENAME failed: because of what lies at one of the two names?
    async fn why_not(&self, from: &RelPath, to: &RelPath, fault: Fault) -> Fault {
        if fault.evidence.code.is_none() || fault.kind == FaultKind::Exists {
            return fault;
        }
        match (self.stat(to).await, self.stat(from).await) {
            (Ok(Some(_)), _) => taken(to),
            (_, Ok(None)) => Fault { kind: FaultKind::Missing, retry: FaultKind::Missing.usual_retry(), ..fault },
            _ => fault,
        }
    }
}

fn taken(at: &RelPath) -> Fault {
    Fault::new(Phase::Publish, FaultKind::Exists, format!("{} is there already", at.display()))
}

#[async_trait]
impl Remote for SftpRemote {
    fn observe(&self, what: What) {
        self.pool.shared.record(what, Detail::default());
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            resume_read: true,
            read_tells: true,
            reads_ahead: true,
            resume_write: true,
            write: true,
            set_mtime: true,
            set_mode: !self.pool.shared.modeless.load(Ordering::Relaxed),
            digest: self.pool.offers_digest(),
            checksum: self.pool.offers_digest(),
            exchange: false,
            links: self.pool.is_well_known(),
            parallel: u16::try_from(self.pool.limit() * FILES).unwrap_or(u16::MAX),
        }
    }

    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        let connection = self.pool.connection().await?;
        let what = format!("listing {}", if dir.is_root() { "the root".into() } else { dir.display() });
        let (at, within) = (self.names.absolute(dir), self.pool.shared.deadlines().listing);
        Ok(Box::new(SftpLister::open(connection, self.names.clone(), at, what, within).await?))
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        match path.name().map_or_else(|| Name::new("root"), Ok) {
            Ok(name) => self.look(path, name).await,
            Err(error) => Err(Fault::new(Phase::Command, FaultKind::BadName, error.to_string())),
        }
    }

    fn root(&self) -> Option<Vec<u8>> {
        Some(self.names.absolute(&RelPath::root()).to_vec())
    }

    async fn read(&self, path: &RelPath, offset: u64, _size: Option<u64>) -> Result<Box<dyn Source>, Fault> {
        let name = path.name().ok_or_else(no_file)?;
        let connection = self.pool.connection_for_file().await?;
        let shared = Arc::clone(&self.pool.shared);
        Ok(Box::new(SftpSource::open(shared, connection, self.names.absolute(path), name, offset).await?))
    }

    async fn write(&self, path: &RelPath, offset: u64) -> Result<Box<dyn Sink>, Fault> {
        let name = path.name().ok_or_else(no_file)?;
        let connection = self.pool.connection_for_file().await?;
        let (shared, at) = (Arc::clone(&self.pool.shared), self.names.absolute(path));
        let mode = if name.is_reserved() { PART_MODE } else { NEW_MODE };
        let what = format!("writing {}", path.display());
        Ok(Box::new(SftpSink::open(shared, connection, at, what, (offset, mode)).await?))
    }

    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault> {
        let sum = self.checksum(path, &[Algorithm::Sha256]).await?;
        Ok(sum.and_then(|sum| Digest::try_from(&sum).ok()))
    }

    /// `check-file-name` of draft-ietf-secsh-filexfer-extensions-00; OpenSSH does not have it.
    async fn checksum(&self, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
        let connection = self.pool.connection().await?;
        let name = |of: &Algorithm| HASHES.iter().find(|(algorithm, _)| algorithm == of).map(|(_, name)| *name);
        let names: Vec<_> = wanted.iter().filter_map(name).collect();
        if !connection.features.check_file || names.is_empty() {
            return Ok(None);
        }
        let algorithms = Bytes::from(names.join(","));
        let path = self.names.absolute(path);
        let request = Extension::CheckName { path, sums: Sums { algorithms, offset: 0, length: 0, block: 0 } };
        // Reading a large file takes its time.
        let within = self.pool.shared.deadlines().listing;
        match connection.channel.ask(Request::Extended(request), within).await? {
            Answer::Extended(bytes) => Ok(Answer::checksum(bytes).ok().and_then(|(name, digest)| {
                let algorithm = Algorithm::of(str::from_utf8(&name).ok()?).filter(|told| wanted.contains(told))?;
                Checksum::new(algorithm, &digest).ok()
            })),
            other => match unwelcome(Phase::Verify, "asking for a digest", &other) {
                fault if fault.kind == FaultKind::Missing => Err(fault),
                // It may have other algorithms only, or refuse this file: then the content is read.
                _ => Ok(None),
            },
        }
    }

    /// Version 3 sets both times at once: the access time becomes the modification time.
    async fn set_attributes(&self, path: &RelPath, mtime: Option<Mtime>, mode: Option<u32>) -> Result<(), Fault> {
        let what = format!("setting time and mode of {}", path.display());
        let times = mtime.map(|mtime| Attributes::seconds(mtime.at)).map(|at| (at, at));
        let permissions = mode.map(|mode| mode & 0o7777).filter(|_| self.capabilities().set_mode);
        let at = self.names.absolute(path);
        let set = |permissions, times| {
            let attributes = Attributes { permissions, times, ..Attributes::default() };
            Request::Setstat { path: at.clone(), attributes }
        };
        if permissions.is_none() && times.is_none() {
            return Ok(());
        }
        match self.order(Phase::Publish, &what, set(permissions, times)).await {
            Err(fault) if fault.kind == FaultKind::Unsupported && permissions.is_some() => {
                self.pool.shared.modeless.store(true, Ordering::Relaxed);
                match times {
                    Some(_) => self.order(Phase::Publish, &what, set(None, times)).await,
                    None => Ok(()),
                }
            }
            done => done,
        }
    }

    /// SSH_FXP_RENAME (section 6.5) must fail when the name is taken, and OpenSSH and Causeway do that in one step
    /// (they link, then unlink). Of other servers some replace: there the look before it is all that can be done.
    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<Option<Entry>, Fault> {
        let connection = self.pool.connection().await?;
        let (well_known, within) = (connection.features.well_known, self.within());
        if !well_known && self.stat(to).await?.is_some() {
            return Err(taken(to));
        }
        let what = format!("renaming {} to {}", from.display(), to.display());
        let request = Request::Rename { from: self.names.absolute(from), to: self.names.absolute(to) };
        let look = Request::Lstat { path: self.names.absolute(to) };
        let done = async {
            let renamed = connection.channel.send(request, within).await?;
            // Where the order holds, the look flies along.
            let looked = if well_known { Some(connection.channel.send(look, within).await?) } else { None };
            renamed.wait(within).await?.done(Phase::Publish, &what)?;
            Ok(match looked {
                Some(looked) => looked.wait(within).await?.attributes(Phase::Publish, &what).ok(),
                None => None,
            })
        };
        match done.await.map_err(|fault| within_phase(Phase::Publish, fault)) {
            Err(fault) => Err(self.why_not(from, to, fault).await),
            Ok(there) => Ok(to.name().zip(there).map(|(name, there)| entry(name, &there))),
        }
    }

    async fn remove_file(&self, path: &RelPath) -> Result<(), Fault> {
        let what = format!("removing {}", path.display());
        self.order(Phase::Command, &what, Request::Remove { path: self.names.absolute(path) }).await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<(), Fault> {
        let what = format!("removing the folder {}", path.display());
        self.order(Phase::Command, &what, Request::Rmdir { path: self.names.absolute(path) }).await
    }

    /// Which of the two paths of SSH_FXP_SYMLINK comes first is certain with OpenSSH and Causeway only: the draft
    /// (section 6.10) and OpenSSH disagree, and a server that reads them the other way would make another link.
    async fn make_link(&self, path: &RelPath, target: &[u8]) -> Result<(), Fault> {
        let what = format!("making the link {}", path.display());
        if !self.capabilities().links {
            let why = format!("{what}: no link is made on a server of this kind, since servers disagree about how");
            return Err(Fault::new(Phase::Publish, FaultKind::Unsupported, why));
        }
        let request = Request::Symlink { target: Bytes::copy_from_slice(target), path: self.names.absolute(path) };
        match self.order(Phase::Publish, &what, request).await {
            // Version 3 has no word for "it is there already".
            Err(fault) if fault.evidence.code.is_some() && self.stat(path).await?.is_some() => Err(taken(path)),
            done => done,
        }
    }

    async fn make_dir(&self, path: &RelPath) -> Result<(), Fault> {
        let what = format!("making the folder {}", path.display());
        let attributes = Attributes { permissions: Some(DIR_MODE), ..Attributes::default() };
        let request = Request::Mkdir { path: self.names.absolute(path), attributes };
        let Err(fault) = self.order(Phase::Command, &what, request).await else { return Ok(()) };
        if fault.evidence.code.is_none() || fault.kind == FaultKind::Missing {
            return Err(fault);
        }
        // Version 3 has no word for "it is there already".
        match self.stat(path).await? {
            Some(there) if there.kind == EntryKind::Dir => Ok(()),
            Some(_) => Err(taken(path)),
            None => Err(fault),
        }
    }

    async fn traits(&self, _samples: &Samples) -> Traits {
        let root = RelPath::root();
        super::inspect::traits(&self.pool, || self.stat(&root)).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

fn no_file() -> Fault {
    Fault::new(Phase::Open, FaultKind::Unsupported, "the root of an endpoint is no file")
}
