//! A folder of this machine, through `tree::View`: raw byte names, nothing leaves the folder.

mod durable;
mod fault;
mod hands;
mod list;
mod read;
mod write;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use self::hands::{Hands, heard};
use super::{Capabilities, Encryption, Lister, Remote, Samples, Sink, Source, Traits};
use crate::model::{
    Algorithm, Checksum, Digest, Endpoint, Entry, EntryKind, Fault, Hasher, Mtime, Name, Phase, RelPath, Scope,
};
use crate::task;
use crate::tree::{FileReader, PartFile, Replace, SetAttributes, Tree, View, file};

/// Bytes per read from the disk.
const CHUNK: usize = 256 * 1024;
/// Made and removed again to see whether a target may be written.
const PROBE: &[u8] = b".causeway-part-probe";

/// A folder of this machine.
#[derive(Debug, Clone)]
pub struct Local {
    view: View,
    hands: Hands,
    syncs: Arc<durable::Syncs>,
}

/// Opens the folder of a local endpoint, making it first when `create` says so.
pub(super) async fn open(endpoint: &Endpoint, create: bool) -> Result<Arc<dyn Remote>, Fault> {
    let root = endpoint.root.clone();
    let what = format!("the folder {endpoint} cannot be {}", if create { "written" } else { "opened" });
    let translate = |error: &io::Error| fault::of(Phase::Open, &what, error);
    let view = Hands::default()
        .run(Phase::Open, translate, move || {
            let path = Path::new(OsStr::from_bytes(&root));
            if create {
                file::ensure_dir(path, false)?;
            }
            let view = Tree::open(path)?.view(&Scope::whole())?;
            if create {
                check_writable(&view.with_own_files())?;
            }
            Ok(view)
        })
        .await?;
    Ok(Arc::new(Local::new(&view)))
}

/// A target where nothing may be written is said at once, instead of once for each file of the source. A full
/// disk is not: it may be that nothing has to be written.
fn check_writable(view: &View) -> io::Result<()> {
    let path = RelPath::new(PROBE).map_err(io::Error::other)?;
    match view.part_in_place(&path).and_then(PartFile::discard) {
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
            Err(error)
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Local {
    /// What `view` shows, as a remote.
    #[must_use]
    pub fn new(view: &View) -> Self {
        Self { view: view.with_own_files(), hands: Hands::default(), syncs: Arc::default() }
    }

    /// Runs file work for one path off the async threads and translates what goes wrong.
    async fn on<T: Send + 'static>(
        &self,
        phase: Phase,
        path: &RelPath,
        work: impl FnOnce(&View, &RelPath) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let (view, owned) = (self.view.clone(), path.clone());
        self.hands.run(phase, |error| fault::at(phase, path, error), move || work(&view, &owned)).await
    }
}

#[async_trait]
impl Remote for Local {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            resume_read: true,
            reads_ahead: false,
            resume_write: true,
            write: self.view.access() == crate::model::Access::ReadWrite,
            set_mtime: true,
            set_mode: true,
            digest: true,
            checksum: true,
            exchange: true,
            links: true,
            read_tells: false,
            parallel: 16,
        }
    }

    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        let reader = self.on(Phase::List, dir, View::read_dir).await?;
        Ok(Box::new(list::LocalLister::new(dir, reader, self.hands.clone())))
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<crate::model::Entry>, Fault> {
        let Some(name) = path.name() else {
            // The root has no name; it is there as long as it can be looked at.
            let stat = self.on(Phase::Command, path, View::stat).await?;
            return Ok(Name::new(b"root").ok().map(|name| stat.entry(name)));
        };
        let found = self
            .on(Phase::Command, path, |view, path| match view.stat(path) {
                Ok(stat) => Ok(Some(stat)),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    Ok(None)
                }
                Err(error) => Err(error),
            })
            .await?;
        Ok(found.map(|stat| stat.entry(name)))
    }

    fn root(&self) -> Option<Vec<u8>> {
        let at = self.view.location();
        at.is_absolute().then(|| at.as_os_str().as_bytes().to_vec())
    }

    async fn read(&self, path: &RelPath, offset: u64, _size: Option<u64>) -> Result<Box<dyn Source>, Fault> {
        let reader = self.on(Phase::Open, path, View::open_read).await?;
        Ok(Box::new(read::LocalSource::new(path, reader, offset, self.hands.clone())))
    }

    async fn write(&self, path: &RelPath, offset: u64) -> Result<Box<dyn Sink>, Fault> {
        let place = if offset == 0 {
            write::Part::Unopened(self.view.clone())
        } else {
            let opened = self.on(Phase::Open, path, move |view, path| write::open(view, path, offset));
            write::Part::Open(opened.await?)
        };
        Ok(Box::new(write::LocalSink::new(path, place, offset, (self.hands.clone(), Arc::clone(&self.syncs)))))
    }

    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault> {
        let sum = self.checksum(path, &[Algorithm::Sha256]).await?;
        Ok(sum.and_then(|sum| Digest::try_from(&sum).ok()))
    }

    async fn checksum(&self, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
        let Some(algorithm) = wanted.first().copied() else { return Ok(None) };
        let reader = self.on(Phase::Verify, path, View::open_read).await?;
        // It takes minutes for a large file: nobody else waits for that.
        let sum = task::blocking(move || checksum(&reader, algorithm));
        heard(Phase::Verify, |error| fault::at(Phase::Verify, path, error), sum).await.map(Some)
    }

    async fn set_attributes(&self, path: &RelPath, mtime: Option<Mtime>, mode: Option<u32>) -> Result<(), Fault> {
        let change = SetAttributes { mode, mtime: mtime.map(|m| m.at), ..SetAttributes::default() };
        self.on(Phase::Publish, path, move |view, path| view.set_attributes(path, change)).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<Option<Entry>, Fault> {
        let from = from.clone();
        let stat = self.on(Phase::Publish, to, move |view, to| view.rename_and_look(&from, to, Replace::No)).await?;
        Ok(to.name().zip(stat).map(|(name, stat)| stat.entry(name)))
    }

    async fn exchange(&self, one: &RelPath, other: &RelPath) -> Result<(), Fault> {
        let one = one.clone();
        self.on(Phase::Publish, other, move |view, other| view.exchange(&one, other)).await
    }

    async fn sync_dir(&self, dir: &RelPath) -> Result<(), Fault> {
        self.on(Phase::Publish, dir, View::sync_dir).await
    }

    async fn remove_file(&self, path: &RelPath) -> Result<(), Fault> {
        self.on(Phase::Command, path, View::remove_file).await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<(), Fault> {
        self.on(Phase::Command, path, View::remove_dir).await
    }

    async fn make_link(&self, path: &RelPath, target: &[u8]) -> Result<(), Fault> {
        let target = target.to_vec();
        self.on(Phase::Publish, path, move |view, path| view.symlink(&target, path)).await
    }

    async fn make_dir(&self, path: &RelPath) -> Result<(), Fault> {
        self.on(Phase::Command, path, |view, path| match view.make_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match view.stat(path)?.kind {
                EntryKind::Dir => Ok(()),
                _ => Err(error),
            },
            done => done,
        })
        .await
    }

    async fn trash(&self, path: &RelPath, of: &RelPath, batch: &Name) -> Result<RelPath, Fault> {
        let (of, batch) = (of.clone(), batch.display().into_owned());
        self.on(Phase::Publish, path, move |view, path| view.trash(path, &of, &batch)).await
    }

    async fn traits(&self, _samples: &Samples) -> Traits {
        Traits {
            encryption: Encryption::Needless,
            round_trips_small: Some(0.0),
            round_trips_large: Some(0.0),
            ..Traits::default()
        }
    }

    async fn close(&self) {}
}

fn checksum(reader: &FileReader, algorithm: Algorithm) -> io::Result<Checksum> {
    let mut hash = Hasher::new(algorithm);
    let mut buffer = vec![0; CHUNK];
    let mut at = 0_u64;
    loop {
        let got = reader.read_at(&mut buffer, at)?;
        if got == 0 {
            return hash.finish().map_err(io::Error::other);
        }
        hash.update(buffer.get(..got).unwrap_or_default());
        at += u64::try_from(got).unwrap_or(u64::MAX);
    }
}
