//! The file system under `dav-server`: one [`View`](crate::tree::View) for one request.
//!
//! It knows which request it serves, and uses that to mend two habits of `dav-server`: an overwriting
//! MOVE or COPY deletes its destination first (we let a rename replace a file, and put a folder together
//! under a hidden name that changes places with the old one when it is whole: nothing is lost when it
//! fails, and there is no moment without a file), and LOCK of a free name opens a file without writing to it (we make
//! it, empty). It deletes a folder entry by entry: we show it none, and move the whole into the trash in one step.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use dav_server::davpath::DavPath;
use dav_server::fs::{
    DavDirEntry, DavFile, DavFileSystem, DavMetaData, DavProp, FsError, FsFuture, FsStream, OpenOptions, ReadDirMeta,
};
use futures_util::stream;
use http::StatusCode;

use super::fs_types::{DirItem, Made, Meta};
use super::properties::Properties;
use super::request::Intent;
use super::status::{Remark, fs_error};
use super::terms;
use crate::audit::Event;
use crate::drive::{Guest, Integrity, Unfinished, Upload};
use crate::model::{EntryKind, RelPath};
use crate::task;
use crate::tree::{DirReader, Fate, Replace, Stat, View};

/// Directory entries per trip to the file system.
const BATCH: usize = 256;

/// The file system of one request.
#[derive(Debug, Clone)]
pub(super) struct DavFs(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) guest: Guest,
    pub(super) properties: Properties,
    pub(super) intent: Intent,
    pub(super) remark: Remark,
}

fn rel(path: &DavPath) -> Result<RelPath, FsError> {
    RelPath::lenient(path.as_bytes()).map_err(|_| FsError::Forbidden)
}

impl DavFs {
    /// Runs file work off the async threads.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&View) -> io::Result<T> + Send + 'static,
    ) -> Result<T, FsError> {
        let view = self.0.guest.view.clone();
        match task::blocking(move || work(&view)).await {
            Ok(done) => done.map_err(|error| fs_error(&error)),
            Err(lost) => Err(fs_error(&io::Error::other(lost))),
        }
    }

    async fn stat(&self, path: RelPath, follow: bool) -> Result<Stat, FsError> {
        self.work(move |view| if follow { view.stat_follow(&path) } else { view.stat(&path) }).await
    }

    /// LOCK of a free name makes an empty file (RFC 4918, 7.3), and only if it still is free.
    async fn open(&self, path: RelPath, options: OpenOptions) -> Result<Box<dyn DavFile>, FsError> {
        if !options.write || !options.create || options.append || options.truncate {
            return Err(FsError::NotImplemented);
        }
        let guest = &self.0.guest;
        let upload = Upload::begin(guest, &path, Integrity::default())
            .await
            .map_err(|error| fs_error(&parent_missing(error)))?;
        let made = upload.finish(Some(0), None, Replace::No, terms::none()).await.map_err(|error| match error {
            Unfinished::Io(error) => fs_error(&error),
            Unfinished::Refused(_) | Unfinished::Mismatch(_) => FsError::Forbidden,
        })?;
        self.0.properties.removed(&guest.whole(&path)).await;
        Ok(Box::new(Made(made)))
    }

    async fn remove(&self, path: RelPath, dir: bool) -> Result<(), FsError> {
        let intent = &self.0.intent;
        if intent.is_doomed(&path) {
            // The rename will replace a file, and what is staged will take the place of anything else.
            // What came there after we looked stays.
            let replaced = intent.staged.is_some() || (!dir && intent.replaces(&path));
            return if replaced { Ok(()) } else { Err(FsError::Exists) };
        }
        let guest = &self.0.guest;
        if self.trashed().is_some_and(|whole| *whole == path) {
            let deleted = guest.books.trash.delete(guest, &path, terms::none()).await;
            deleted.map_err(|error| match error {
                Unfinished::Io(error) => fs_error(&error),
                Unfinished::Refused(_) | Unfinished::Mismatch(_) => FsError::Forbidden,
            })?;
            self.0.properties.removed(&guest.whole(&path)).await;
            return Ok(());
        }
        let at = path.clone();
        self.work(move |view| if dir { view.remove_dir(&at) } else { view.remove_file(&at) }).await?;
        let whole = guest.whole(&path);
        self.0.properties.removed(&whole).await;
        guest.record(Event::DoorRemoved { door: guest.door, account: guest.account.clone(), path: whole }).await;
        Ok(())
    }

    /// What a DELETE moves into the trash, as a whole.
    fn trashed(&self) -> Option<&RelPath> {
        self.0.intent.deleted.as_ref().filter(|_| self.0.guest.books.trash.keeps().is_some())
    }

    async fn transfer(&self, from: RelPath, to: RelPath, copy: bool) -> Result<(), FsError> {
        let replace = if self.0.intent.overwrite { Replace::Yes } else { Replace::No };
        let (source, target) = (from.clone(), to.clone());
        if let (Some(staged), Some(place)) = (&self.0.intent.staged, self.0.intent.staging(&to)) {
            let staged = Arc::clone(staged);
            self.work(move |view| {
                if copy {
                    return view.with_own_files().copy(&source, &place, Replace::No).map(drop);
                }
                // When the second step fails, `settle` puts back what the first one took.
                staged.take(&source, &target)?;
                staged.swap(&target)
            })
            .await?;
            if copy {
                return Ok(());
            }
        } else {
            self.work(move |view| {
                if copy {
                    view.copy(&source, &target, replace).map(drop)
                } else {
                    view.rename(&source, &target, replace)
                }
            })
            .await?;
        }
        let guest = &self.0.guest;
        let (from, to) = (guest.whole(&from), guest.whole(&to));
        self.0.properties.followed(&from, &to, copy.then_some(guest.account.as_str())).await;
        let (door, account) = (guest.door, guest.account.clone());
        let event = if copy {
            Event::DoorCopied { door, account, from, to }
        } else {
            Event::DoorRenamed { door, account, from, to }
        };
        guest.record(event).await;
        Ok(())
    }

    /// The end of a COPY or MOVE that was staged: the copy takes its place if all went `well`, and what is left under
    /// the hidden name goes.
    pub(super) async fn settle(&self, well: bool) -> Result<(), FsError> {
        let intent = &self.0.intent;
        let (Some(staged), Some((source, _)), Some(to)) = (&intent.staged, &intent.source, &intent.destination) else {
            return Ok(());
        };
        let (staged, target, place) = (Arc::clone(staged), to.clone(), well && intent.is_copy());
        if intent.is_copy() && !well {
            self.0.remark.make("nothing was copied: a folder is copied whole or not at all");
        }
        let replace = if intent.overwrite { Replace::Yes } else { Replace::No };
        let placed = self
            .work(move |_| {
                let placed = if place { staged.place(&target, replace) } else { Ok(()) };
                match staged.end() {
                    Ok(Fate::Removed) => {}
                    Ok(fate) => tracing::warn!(?fate, file.path = %target.display(), "a folder was not replaced"),
                    Err(error) => {
                        tracing::warn!(io.error = %error, file.path = %target.display(), "a replaced folder is left to the sweep");
                    }
                }
                placed
            })
            .await;
        if place && placed.is_ok() {
            let guest = &self.0.guest;
            let (from, to) = (guest.whole(source), guest.whole(to));
            self.0.properties.copied_whole(&from, &to, intent.deep, &guest.account).await;
            let (door, account) = (guest.door, guest.account.clone());
            guest.record(Event::DoorCopied { door, account, from, to }).await;
        }
        placed
    }

    async fn make_dir(&self, path: RelPath) -> Result<(), FsError> {
        // Only a COPY comes here, and it is put together elsewhere; or it has a folder already, for its properties.
        let staged = self.0.intent.staging(&path).ok_or(FsError::Exists)?;
        self.work(move |view| view.with_own_files().make_dir(&staged)).await
    }

    async fn list(&self, path: RelPath) -> Result<FsStream<Box<dyn DavDirEntry>>, FsError> {
        if self.0.intent.is_doomed(&path) || self.trashed().is_some() {
            return Ok(Box::pin(stream::empty()));
        }
        let at = path.clone();
        let reader = self.work(move |view| view.read_dir(&at)).await?;
        let cursor = Cursor { fs: self.clone(), path, reader: Some(reader), ready: VecDeque::new() };
        Ok(Box::pin(stream::unfold(cursor, |mut cursor| async move {
            let item = cursor.next().await?;
            Some((item, cursor))
        })))
    }
}

/// A file in the middle of the path is as good as a missing folder (409, not 404).
fn parent_missing(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotADirectory { io::Error::from(io::ErrorKind::NotFound) } else { error }
}

/// A directory that is being read in batches.
struct Cursor {
    fs: DavFs,
    path: RelPath,
    reader: Option<DirReader>,
    ready: VecDeque<Result<DirItem, FsError>>,
}

impl Cursor {
    async fn next(&mut self) -> Option<Result<Box<dyn DavDirEntry>, FsError>> {
        while self.ready.is_empty() {
            let mut reader = self.reader.take()?;
            let (path, copying) = (self.path.clone(), self.fs.0.intent.is_copy());
            let batch = self.fs.work(move |view| {
                let found: Vec<_> = reader.by_ref().take(BATCH).collect();
                let more = found.len() == BATCH;
                let kept = found.into_iter().filter(|entry| !copying || can_be_copied(view, &path, entry)).collect();
                Ok((more.then_some(reader), kept))
            });
            match batch.await {
                Err(error) => self.ready.push_back(Err(error)),
                Ok((reader, found)) => {
                    let found: Vec<io::Result<crate::tree::DirEntry>> = found;
                    self.reader = reader;
                    self.ready.extend(found.into_iter().map(|entry| match entry {
                        Ok(entry) => Ok(DirItem { name: entry.name, stat: entry.stat }),
                        Err(error) => Err(fs_error(&error)),
                    }));
                }
            }
        }
        let item = self.ready.pop_front()?;
        Some(item.map(|item| Box::new(item) as Box<dyn DavDirEntry>))
    }
}

/// A link to a folder could lead in a circle, and a pipe has no content.
fn can_be_copied(view: &View, folder: &RelPath, entry: &io::Result<crate::tree::DirEntry>) -> bool {
    let Ok(entry) = entry else { return true };
    match &entry.stat.kind {
        EntryKind::File | EntryKind::Dir => true,
        EntryKind::Symlink(_) => view.stat_follow(&folder.join(&entry.name)).is_ok_and(|stat| stat.is_file()),
        EntryKind::Special | EntryKind::Unknown => false,
    }
}

impl DavFileSystem for DavFs {
    fn open<'a>(&'a self, path: &'a DavPath, options: OpenOptions) -> FsFuture<'a, Box<dyn DavFile>> {
        Box::pin(async move { DavFs::open(self, rel(path)?, options).await })
    }

    fn read_dir<'a>(&'a self, path: &'a DavPath, _: ReadDirMeta) -> FsFuture<'a, FsStream<Box<dyn DavDirEntry>>> {
        Box::pin(async move { self.list(rel(path)?).await })
    }

    fn metadata<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, Box<dyn DavMetaData>> {
        Box::pin(async move { Ok(Box::new(Meta(self.stat(rel(path)?, true).await?)) as _) })
    }

    fn symlink_metadata<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, Box<dyn DavMetaData>> {
        Box::pin(async move { Ok(Box::new(Meta(self.stat(rel(path)?, false).await?)) as _) })
    }

    fn create_dir<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move { self.make_dir(rel(path)?).await })
    }

    fn remove_dir<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move { self.remove(rel(path)?, true).await })
    }

    fn remove_file<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move { self.remove(rel(path)?, false).await })
    }

    fn rename<'a>(&'a self, from: &'a DavPath, to: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move { self.transfer(rel(from)?, rel(to)?, false).await })
    }

    fn copy<'a>(&'a self, from: &'a DavPath, to: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move { self.transfer(rel(from)?, rel(to)?, true).await })
    }

    fn have_props<'a>(&'a self, _path: &'a DavPath) -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(std::future::ready(true))
    }

    fn patch_props<'a>(
        &'a self,
        path: &'a DavPath,
        patch: Vec<(bool, DavProp)>,
    ) -> FsFuture<'a, Vec<(StatusCode, DavProp)>> {
        Box::pin(async move { self.0.properties.patch(&self.0.guest, &rel(path)?, patch, &self.0.remark).await })
    }

    fn get_props<'a>(&'a self, path: &'a DavPath, _content: bool) -> FsFuture<'a, Vec<DavProp>> {
        Box::pin(async move { self.0.properties.of(&self.0.guest.whole(&rel(path)?)).await })
    }
}
