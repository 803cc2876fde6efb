//! The endpoint as a [`Remote`].

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use http::header::SERVER;

use super::digests;
use super::entry::text;
use super::exchange::damaged;
use super::lister::DavLister;
use super::multistatus::Known;
use super::names::Names;
use super::pool::Pool;
use super::probe;
use super::server::{ENTRY, Server, shown, taken};
use super::sink::DavSink;
use super::source::DavSource;
use crate::model::{Algorithm, Checksum, Digest, Entry, EntryKind, Fault, FaultKind, Mtime, Name, Phase, RelPath};
use crate::reliability::{Detail, What};
use crate::remote::{Capabilities, Coming, Lister, Remote, Sink, Source};

/// Folders that are looked into for a file that shows which hashes the server tells.
const MOST_FOLDERS: usize = 8;

/// An open WebDAV endpoint.
#[derive(Debug)]
pub(super) struct DavRemote {
    server: Arc<Server>,
}

impl DavRemote {
    /// Logs in where that is wanted and looks for the root. A target's root is made, and what the server keeps is
    /// tried out in it.
    pub(super) async fn start(pool: Arc<Pool>, target: bool) -> Result<Self, Fault> {
        let root = pool.shared.endpoint.root.clone();
        let server = Server { pool: Arc::clone(&pool), names: Names::new(&root, false) };
        let what = format!("the folder {}", pool.shared.endpoint);
        let folder = server.names.folder(&RelPath::root());
        let mut answer = server.propfind(folder.clone(), ENTRY, &what).await?;
        let causeway = text(&answer.headers, &SERVER).is_some_and(|name| name.starts_with("Causeway"));
        if target && matches!(answer.status, 404 | 409 | 410) {
            answer.body.drain().await;
            for step in server.names.ladder() {
                // Those that are there already say no; the last look tells.
                if let Err(fault) = server.make_folder(step, &RelPath::root()).await {
                    tracing::debug!(fault = %fault, "a folder above the root was not made");
                }
            }
            answer = server.propfind(folder, ENTRY, &what).await?;
        }
        let mut responses = answer.multistatus().await.map_err(|fault| Fault { phase: Phase::Open, ..fault })?;
        while let Some(found) = responses.next().await.map_err(|damage| damaged(Phase::Open, &what, damage))? {
            if found.get(Known::Kind) == Some("") {
                return Err(Fault::new(Phase::Open, FaultKind::Unsupported, format!("{what} is no folder")));
            }
        }
        let server = Arc::new(Server { pool, names: Names::new(&root, causeway) });
        if target {
            probe::run(&server).await?;
        }
        Ok(Self { server })
    }

    /// Some file near the root, to try something on.
    async fn any_file(&self) -> Result<Option<RelPath>, Fault> {
        let mut folders = std::collections::VecDeque::from([RelPath::root()]);
        let mut looked = 0;
        while let Some(folder) = folders.pop_front() {
            looked += 1;
            if looked > MOST_FOLDERS {
                break;
            }
            let mut lister = DavLister::open(&self.server, &folder).await?;
            for entry in lister.next().await?.unwrap_or_default() {
                match entry.kind {
                    EntryKind::File => return Ok(Some(folder.join(&entry.name))),
                    EntryKind::Dir if folders.len() < MOST_FOLDERS => folders.push_back(folder.join(&entry.name)),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// Removes a folder that is empty. DELETE takes all that is in it along, and somebody may be putting something there
    /// at this moment: so it is moved out of everybody's way first, and looked at again.
    async fn remove_empty(&self, path: &RelPath) -> Result<(), Fault> {
        let name = path.name().ok_or_else(|| no_file("removed"))?;
        self.is_empty(path).await?;
        let mut aside = b".causeway-gone-".to_vec();
        aside.extend_from_slice(name.as_bytes());
        aside.truncate(255);
        let aside =
            Name::new(aside).map_err(|error| Fault::new(Phase::Command, FaultKind::BadName, error.to_string()))?;
        let aside = path.parent().unwrap_or_default().join(&aside);
        self.server.rename(path, &aside, true).await?;
        match self.is_empty(&aside).await {
            Ok(()) => self.server.delete(&aside, true).await,
            Err(not_empty) => {
                self.server.rename(&aside, path, true).await?;
                Err(not_empty)
            }
        }
    }

    async fn is_empty(&self, path: &RelPath) -> Result<(), Fault> {
        let mut lister: Box<dyn Lister> = Box::new(DavLister::open(&self.server, path).await?);
        if lister.next().await?.is_some() || !lister.finish().await?.is_proven() {
            let why = format!("the folder {} is not empty", shown(path));
            return Err(Fault::new(Phase::Command, FaultKind::Exists, why));
        }
        Ok(())
    }
}

#[async_trait]
impl Remote for DavRemote {
    fn observe(&self, what: What) {
        self.server.pool.shared.record(what, Detail::default());
    }

    fn capabilities(&self) -> Capabilities {
        let learned = self.server.learned();
        Capabilities {
            resume_read: !learned.no_ranges.load(Relaxed),
            read_tells: true,
            // The pieces of a file would share the one connection.
            reads_ahead: self.server.pool.is_shared(),
            resume_write: false,
            write: true,
            set_mtime: learned.time_property().is_some(),
            set_mode: false,
            digest: learned.tells_sha256.load(Relaxed),
            checksum: learned.tells_checksums.load(Relaxed),
            exchange: false,
            links: false,
            parallel: u16::try_from(self.server.pool.width()).unwrap_or(u16::MAX),
        }
    }

    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        Ok(Box::new(DavLister::open(&self.server, dir).await?))
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        self.server.stat(path).await
    }

    async fn read(&self, path: &RelPath, offset: u64, _size: Option<u64>) -> Result<Box<dyn Source>, Fault> {
        let name = path.name().ok_or_else(|| no_file("read"))?;
        Ok(Box::new(DavSource::open(Arc::clone(&self.server), path, name, offset).await?))
    }

    async fn write(&self, path: &RelPath, offset: u64) -> Result<Box<dyn Sink>, Fault> {
        if offset > 0 {
            let why = "WebDAV cannot go on with an upload: it begins again";
            return Err(Fault::new(Phase::Open, FaultKind::Unsupported, why));
        }
        self.write_new(path, Coming::default()).await
    }

    async fn write_new(&self, path: &RelPath, coming: Coming) -> Result<Box<dyn Sink>, Fault> {
        if path.is_root() {
            return Err(no_file("written"));
        }
        Ok(Box::new(DavSink::new(Arc::clone(&self.server), path, coming)))
    }

    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault> {
        let told = digests::of(&self.server, path, &[Algorithm::Sha256]).await?;
        Ok(told.and_then(|told| Digest::try_from(&told).ok()))
    }

    /// Of the root: finds out on some file what the server tells.
    async fn checksum(&self, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
        if !path.is_root() {
            return digests::of(&self.server, path, wanted).await;
        }
        if let Some(file) = self.any_file().await? {
            digests::of(&self.server, &file, wanted).await?;
        }
        Ok(None)
    }

    async fn set_attributes(&self, path: &RelPath, mtime: Option<Mtime>, _mode: Option<u32>) -> Result<(), Fault> {
        match mtime.zip(self.server.learned().time_property()) {
            Some((mtime, property)) => self.server.set_time(path, (property, mtime), path.is_root()).await,
            None => Ok(()),
        }
    }

    /// MOVE with `Overwrite: F`. Of servers some replace all the same: there the look before it is all that can be done.
    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<Option<Entry>, Fault> {
        if !self.server.learned().move_is_safe.load(Relaxed) && self.stat(to).await?.is_some() {
            return Err(taken(to));
        }
        self.server.rename(from, to, false).await.map(|()| None)
    }

    async fn remove_file(&self, path: &RelPath) -> Result<(), Fault> {
        // DELETE of a folder would take all that is in it along.
        match self.stat(path).await? {
            Some(there) if there.kind == EntryKind::Dir => {
                let why = format!("{} is a folder", path.display());
                Err(Fault::new(Phase::Command, FaultKind::Unsupported, why))
            }
            Some(_) => self.server.delete(path, false).await,
            None => Err(Fault::new(Phase::Command, FaultKind::Missing, format!("{} is not there", path.display()))),
        }
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<(), Fault> {
        self.remove_empty(path).await
    }

    async fn make_dir(&self, path: &RelPath) -> Result<(), Fault> {
        let Err(fault) = self.server.make_folder(self.server.names.folder(path), path).await else { return Ok(()) };
        // 405 is "it is there already" (RFC 4918, section 9.3.1), and some servers say other things.
        if fault.evidence.code.is_none() || matches!(fault.kind, FaultKind::Auth | FaultKind::Limit) {
            return Err(fault);
        }
        match self.stat(path).await? {
            Some(there) if there.kind == EntryKind::Dir => Ok(()),
            Some(_) => Err(taken(path)),
            None => Err(fault),
        }
    }

    async fn close(&self) {
        self.server.pool.close();
    }
}

fn no_file(verb: &str) -> Fault {
    Fault::new(Phase::Open, FaultKind::Unsupported, format!("the root of an endpoint cannot be {verb}"))
}
