//! The endpoint as a [`Remote`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use jiff::tz::TimeZone;

use super::fault;
use super::hashes::Hashes;
use super::lister::{FtpLister, Style};
use super::looks::{Asked, Looks};
use super::pool::{Lease, Pool};
use super::reply::Reply;
use super::sink::FtpSink;
use super::source::FtpSource;
use super::status::Directories;
use crate::model::{
    Algorithm, Checksum, Digest, Entry, EntryKind, Fault, FaultKind, Mtime, Name, Phase, RelPath, Retry, ServerZone,
};
use crate::reliability::{Detail, What};
use crate::remote::{Capabilities, Lister, Remote, Samples, Sink, Source, Together, Traits};

/// An open FTP endpoint.
#[derive(Debug)]
pub struct FtpRemote {
    pub(super) pool: Arc<Pool>,
    /// The endpoint's root as the server knows it, without a slash at its end.
    base: Vec<u8>,
    looks: Looks,
    hashes: OnceLock<Hashes>,
}

impl FtpRemote {
    /// Logs in once and goes to the root.
    ///
    /// # Errors
    /// The first thing that did not work.
    pub async fn start(pool: Arc<Pool>) -> Result<Self, Fault> {
        let mut lease = pool.lease().await?;
        let home = pool.shared.learned.get().and_then(|l| l.home.clone()).unwrap_or_else(|| b"/".to_vec());
        let root = trimmed(&pool.shared.endpoint.root);
        let base = match root {
            root if root.first() == Some(&b'/') => root.to_vec(),
            b"" if pool.shared.endpoint.root.first() == Some(&b'/') => Vec::new(),
            b"" => trimmed(&home).to_vec(),
            root => [trimmed(&home), b"/", root].concat(),
        };
        let remote = Self { pool, base, looks: Looks::default(), hashes: OnceLock::new() };
        let folder = remote.absolute(&RelPath::root());
        let went = lease.session()?.go(&folder).await;
        match went {
            Ok(()) => lease.give_back(),
            Err(mut fault) => {
                lease.settle(&fault);
                fault.message = format!("{} (the folder of the endpoint)", fault.message);
                return Err(fault);
            }
        }
        Ok(remote)
    }

    /// How the server knows `path`.
    pub(super) fn absolute(&self, path: &RelPath) -> Vec<u8> {
        match (self.base.is_empty(), path.is_root()) {
            (true, true) => b"/".to_vec(),
            (false, true) => self.base.clone(),
            _ => [&self.base, &b"/"[..], path.as_bytes()].concat(),
        }
    }

    /// One command on a session of its own.
    async fn ask(&self, phase: Phase, verb: &str, arg: &[u8]) -> Result<Reply, Fault> {
        ask(&self.pool, phase, verb, Some(arg)).await
    }

    async fn expect(&self, phase: Phase, verb: &str, path: &RelPath) -> Result<(), Fault> {
        let reply = self.ask(phase, verb, &self.absolute(path)).await?;
        if reply.class() == 2 {
            Ok(())
        } else {
            Err(fault::of_reply(phase, &format!("{verb} {}", path.display()), &reply))
        }
    }

    /// vsftpd sets times by MDTM with a time before the name.
    fn sets_by_mdtm(&self) -> bool {
        self.pool.shared.learned.get().is_some_and(|l| l.greeting.to_ascii_lowercase().contains("vsftpd"))
    }

    /// Known from the first login on.
    fn hashes(&self) -> &Hashes {
        let features = self.pool.shared.learned.get().map(|l| l.features).unwrap_or_default();
        self.hashes.get_or_init(|| Hashes::of(features))
    }

    fn sets_by_mfmt(&self) -> bool {
        self.pool.shared.learned.get().is_some_and(|l| l.features.mfmt)
    }

    /// One glance: type, size and time in one round trip where commands may fly together. What it does not show is
    /// looked up in the listing of its folder, which may know better.
    async fn glance(&self, path: &RelPath, name: &Name) -> Result<Option<Entry>, Fault> {
        let shared = &self.pool.shared;
        let glance = shared.glance();
        let mut lease = self.pool.lease().await?;
        let seen = glance.ask(&mut lease.session()?.control, &self.absolute(path), name, shared.batches()).await;
        match seen {
            Ok(seen) => {
                lease.give_back();
                match seen {
                    Some(entry) => Ok(Some(entry)),
                    None => self.stat_otherwise(path, name).await,
                }
            }
            Err(fault) => {
                lease.settle(&fault);
                Err(fault)
            }
        }
    }

    /// No file by its size. Where listings are bare names, only going there tells a directory.
    async fn stat_otherwise(&self, path: &RelPath, name: &Name) -> Result<Option<Entry>, Fault> {
        if self.pool.shared.style.load(Ordering::Relaxed) < Style::Names.step() {
            return self.stat_by_listing(path, name).await;
        }
        let mut lease = self.pool.lease().await?;
        match lease.session()?.go(&self.absolute(path)).await {
            Ok(()) => {
                lease.give_back();
                let kind = EntryKind::Dir;
                Ok(Some(Entry { name: name.clone(), kind, size: None, mtime: None, mode: None, unique: None }))
            }
            Err(fault) => {
                let no = fault.evidence.code == Some(550);
                lease.settle(&fault);
                if no { self.stat_by_listing(path, name).await } else { Err(fault) }
            }
        }
    }

    /// The only proof that something is missing: a complete listing of its folder without it. One listing
    /// answers all who wait for it: see [`Looks`].
    async fn stat_by_listing(&self, path: &RelPath, name: &Name) -> Result<Option<Entry>, Fault> {
        let parent = path.parent().unwrap_or_default();
        self.looks.at(&parent, name, |all| self.answer_all(&parent, all)).await
    }

    async fn answer_all(&self, folder: &RelPath, all: Vec<Asked>) {
        let names = all.iter().map(|asked| asked.name.clone()).collect();
        let found = self.find(folder, &names, Style::Mlsd).await;
        for asked in all {
            let seen = match &found {
                Err(fault) => Err(fault.clone()),
                Ok((entries, whole)) => match entries.get(&asked.name) {
                    None if !whole => Err(cannot_tell(&folder.join(&asked.name))),
                    entry => Ok(entry.cloned()),
                },
            };
            asked.answer(seen);
        }
    }

    /// Those of `names` that the folder has, and whether the others are missing for certain. Listed in the best way
    /// from `first` on.
    async fn find(
        &self,
        folder: &RelPath,
        names: &BTreeSet<Name>,
        first: Style,
    ) -> Result<(BTreeMap<Name, Entry>, bool), Fault> {
        let mut found = BTreeMap::new();
        let mut lister = match FtpLister::open(Arc::clone(&self.pool), &self.absolute(folder), first).await {
            Ok(lister) => Box::new(lister),
            // Servers say the same 550 to a folder that is missing and to one that is closed: look one higher.
            Err(fault) if fault.evidence.code == Some(550) && !folder.is_root() => {
                return match Box::pin(self.stat(folder)).await? {
                    Some(entry) if entry.kind == EntryKind::Dir => Err(fault),
                    _ => Ok((found, true)),
                };
            }
            Err(fault) => return Err(fault),
        };
        while let Some(batch) = lister.next().await? {
            for entry in batch.into_iter().filter(|entry| names.contains(&entry.name)) {
                found.entry(entry.name.clone()).or_insert(entry);
            }
        }
        let completeness = lister.finish().await?;
        Ok((found, completeness.is_proven()))
    }

    async fn set_mtime(&self, path: &RelPath, mtime: Mtime) -> Result<(), Fault> {
        let verb = match (self.sets_by_mfmt(), self.sets_by_mdtm()) {
            (true, _) => "MFMT",
            (false, true) => "MDTM",
            _ => return Ok(()),
        };
        let face = mtime.at.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S ").to_string();
        let arg = [face.as_bytes(), &self.absolute(path)].concat();
        let reply = self.ask(Phase::Command, verb, &arg).await?;
        if reply.class() == 2 {
            Ok(())
        } else {
            Err(fault::of_reply(Phase::Command, &format!("setting the time of {}", path.display()), &reply))
        }
    }

    async fn set_mode(&self, path: &RelPath, mode: u32) -> Result<(), Fault> {
        let arg = [format!("CHMOD {:o} ", mode & 0o7777).as_bytes(), &self.absolute(path)].concat();
        let reply = self.ask(Phase::Command, "SITE", &arg).await?;
        match reply.code {
            // Not every server has permission bits: that is what capabilities say.
            200..=299 | 500..=504 => Ok(()),
            _ => Err(fault::of_reply(Phase::Command, &format!("setting the mode of {}", path.display()), &reply)),
        }
    }
}

#[async_trait]
impl Remote for FtpRemote {
    fn observe(&self, what: What) {
        self.pool.record(what, Detail::default());
    }

    fn capabilities(&self) -> Capabilities {
        let features = self.pool.shared.learned.get().map(|l| l.features).unwrap_or_default();
        Capabilities {
            resume_read: !self.pool.shared.rest_fails.load(Ordering::Relaxed),
            reads_ahead: false,
            // REST before STOR leaves what is behind the offset on vsftpd, and FTP has no command that cuts.
            resume_write: false,
            write: true,
            set_mtime: features.mfmt || self.sets_by_mdtm(),
            set_mode: false,
            digest: self.hashes().tells(Algorithm::Sha256),
            checksum: self.hashes().any(),
            exchange: false,
            links: false,
            read_tells: self.pool.shared.batches() && !self.pool.shared.glance_fails.load(Ordering::Relaxed),
            parallel: u16::try_from(self.pool.limit()).unwrap_or(u16::MAX),
        }
    }

    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        Ok(Box::new(Box::pin(FtpLister::open(Arc::clone(&self.pool), &self.absolute(dir), Style::Mlsd)).await?))
    }

    async fn warm(&self, connections: u16) {
        self.pool.warm(usize::from(connections)).await;
    }

    async fn list_together(&self, dirs: &[RelPath]) -> Result<Option<Box<dyn Together>>, Fault> {
        let shared = &self.pool.shared;
        if dirs.len() < 2 || !shared.batches() || !shared.status.is_given() {
            return Ok(None);
        }
        let dirs = dirs.iter().map(|dir| self.absolute(dir)).collect();
        Ok(Some(Box::new(Directories::open(Arc::clone(&self.pool), dirs).await?)))
    }

    /// On servers without MLST a link to a file is reported as the file: SIZE follows links.
    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        let Some(name) = path.name() else {
            return Err(Fault::new(Phase::Command, FaultKind::Unsupported, "the root of an endpoint has no entry"));
        };
        name.check_wire().map_err(|e| Fault::new(Phase::Command, FaultKind::BadName, e.to_string()))?;
        Box::pin(self.glance(path, &name)).await
    }

    /// By LIST, which shows links as links, and where they point. MLSD and MLST often tell neither, SIZE and MDTM
    /// follow.
    async fn look_up(&self, dir: &RelPath, names: &BTreeSet<Name>) -> Result<BTreeMap<Name, Entry>, Fault> {
        let (found, whole) = Box::pin(self.find(dir, names, Style::ListAll)).await?;
        match names.iter().find(|name| !whole && !found.contains_key(*name)) {
            Some(untold) => Err(cannot_tell(&dir.join(untold))),
            None => Ok(found),
        }
    }

    fn root(&self) -> Option<Vec<u8>> {
        Some(self.absolute(&RelPath::root())).filter(|root| root.first() == Some(&b'/'))
    }

    fn listing_zone(&self) -> Option<ServerZone> {
        Some(self.pool.shared.zone())
    }

    fn set_listing_zone(&self, zone: &ServerZone) {
        self.pool.shared.set_zone(zone.clone());
    }

    async fn read(&self, path: &RelPath, offset: u64, size: Option<u64>) -> Result<Box<dyn Source>, Fault> {
        let name = path.name().ok_or_else(|| {
            Fault::new(Phase::Open, FaultKind::Unsupported, "the root of an endpoint cannot be read as a file")
        })?;
        match Box::pin(FtpSource::open(Arc::clone(&self.pool), self.absolute(path), name, offset, size)).await {
            Ok(source) => Ok(Box::new(source)),
            // A 550 may mean missing or forbidden: the listing of the folder knows.
            Err(fault) if fault.evidence.code == Some(550) && fault.kind == FaultKind::Permission => {
                match self.stat(path).await {
                    Ok(None) => Err(Fault { kind: FaultKind::Missing, ..fault }),
                    _ => Err(fault),
                }
            }
            Err(fault) => Err(fault),
        }
    }

    async fn write(&self, path: &RelPath, offset: u64) -> Result<Box<dyn Sink>, Fault> {
        Ok(Box::new(Box::pin(FtpSink::open(Arc::clone(&self.pool), self.absolute(path), offset)).await?))
    }

    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault> {
        let told = self.checksum(path, &[Algorithm::Sha256]).await?;
        Ok(told.and_then(|sum| Digest::try_from(&sum).ok()))
    }

    async fn checksum(&self, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
        if !self.hashes().any() {
            return Ok(None);
        }
        let lease = self.pool.lease().await?;
        Box::pin(self.hashes().ask(lease, wanted, &self.absolute(path))).await
    }

    async fn set_attributes(&self, path: &RelPath, mtime: Option<Mtime>, mode: Option<u32>) -> Result<(), Fault> {
        if let Some(mode) = mode {
            self.set_mode(path, mode).await?;
        }
        if let Some(mtime) = mtime {
            self.set_mtime(path, mtime).await?;
        }
        Ok(())
    }

    /// RNTO (RFC 959 section 4.1.3) replaces what lies there on most servers and cannot be told not to: the look
    /// before it is all that can be done, and a file that appears in between is lost.
    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<Option<Entry>, Fault> {
        if self.stat(to).await?.is_some() {
            return Err(Fault::new(Phase::Publish, FaultKind::Exists, format!("{} is there already", to.display())));
        }
        let what = format!("renaming {} to {}", from.display(), to.display());
        let mut lease = self.pool.lease().await?;
        let session = lease.session()?;
        let done = async {
            let reply = session.control.ask(Phase::Publish, "RNFR", Some(&self.absolute(from))).await?;
            if reply.code != 350 {
                return Err(fault::of_reply(Phase::Publish, &what, &reply));
            }
            let reply = session.control.ask(Phase::Publish, "RNTO", Some(&self.absolute(to))).await?;
            if reply.class() == 2 { Ok(()) } else { Err(fault::of_reply(Phase::Publish, &what, &reply)) }
        };
        match done.await {
            Ok(()) => {
                lease.give_back();
                Ok(None)
            }
            Err(fault) => {
                lease.settle(&fault);
                Err(fault)
            }
        }
    }

    async fn remove_file(&self, path: &RelPath) -> Result<(), Fault> {
        self.expect(Phase::Command, "DELE", path).await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<(), Fault> {
        self.expect(Phase::Command, "RMD", path).await
    }

    async fn make_dir(&self, path: &RelPath) -> Result<(), Fault> {
        let Err(fault) = self.expect(Phase::Command, "MKD", path).await else { return Ok(()) };
        if fault.evidence.code.is_none() {
            return Err(fault);
        }
        // Servers word "it is there already" in many ways; going there tells.
        let mut lease = self.pool.lease().await?;
        match lease.session()?.go(&self.absolute(path)).await {
            Ok(()) => {
                lease.give_back();
                Ok(())
            }
            Err(no) => {
                lease.settle(&no);
                Err(fault)
            }
        }
    }

    async fn traits(&self, samples: &Samples) -> Traits {
        Box::pin(super::inspect::traits(self, samples)).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// A question whose answer, if it is one, has the code `good`. Any other 2yz belongs to another command:
/// the session is out of step, and nothing that it says may be believed.
async fn ask_for(pool: &Arc<Pool>, verb: &str, arg: &[u8], good: u16) -> Result<Reply, Fault> {
    let mut lease = pool.lease().await?;
    match lease.session()?.control.ask(Phase::Command, verb, Some(arg)).await {
        Ok(reply) if reply.class() == 2 && reply.code != good => {
            let why = format!("the server answers {verb} with {}, which belongs to another command", reply.code);
            let fault = Fault::new(Phase::Command, FaultKind::Protocol, why);
            let fault = fault.retry(Retry::Now).reply(u32::from(reply.code), &reply.text());
            lease.settle(&fault);
            Err(fault)
        }
        heard => heed(lease, heard),
    }
}

/// One command on a session of its own.
pub(super) async fn ask(pool: &Arc<Pool>, phase: Phase, verb: &str, arg: Option<&[u8]>) -> Result<Reply, Fault> {
    let mut lease = pool.lease().await?;
    let heard = lease.session()?.control.ask(phase, verb, arg).await;
    heed(lease, heard)
}

fn heed(lease: Lease, heard: Result<Reply, Fault>) -> Result<Reply, Fault> {
    match heard {
        Ok(reply) => {
            if reply.code != 421 {
                lease.give_back();
            }
            Ok(reply)
        }
        Err(fault) => {
            lease.settle(&fault);
            Err(fault)
        }
    }
}

/// SIZE (RFC 3659 section 4); `None` when the server does not tell.
///
/// # Errors
/// When the connection is lost.
pub async fn size(pool: &Arc<Pool>, path: &[u8]) -> Result<Option<u64>, Fault> {
    let reply = ask_for(pool, "SIZE", path, 213).await?;
    if reply.code == 421 {
        return Err(fault::of_reply(Phase::Command, "asking for the size", &reply));
    }
    Ok((reply.class() == 2).then(|| reply.last_text().trim().parse().ok()).flatten())
}

fn cannot_tell(path: &RelPath) -> Fault {
    let why = format!("cannot tell whether {} is there: the listing of its folder may be incomplete", path.display());
    Fault::new(Phase::Command, FaultKind::Incomplete, why)
}

fn trimmed(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(shorter) = path.strip_suffix(b"/") {
        path = shorter;
    }
    path
}
