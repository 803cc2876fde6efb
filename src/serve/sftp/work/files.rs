//! Opening, writing and closing files. An upload is a part until CLOSE.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use russh_sftp::protocol::OpenFlags;

use super::super::status;
use super::open::{Download, Listing, Open, lock};
use super::reach::Reach;
use super::upload::{Arriving, Base, Naming, Upload, kept};
use super::worker::{Worker, parse};
use crate::audit::Event;
use crate::model::{Access, Door, FaultKind, Phase, RelPath};
use crate::net::sftp::{Attributes, Reply};
use crate::reliability::{Direction, End};
use crate::tree::{PartFile, Replace, SetAttributes, Stat, View};

/// Uploads of one file at the same time, each into a part of its own; the last one closed stays.
const RIVALS: usize = 16;

/// How long what was kept may be somebody else's.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a umask of 022 leaves of a mode that a client asks for when it makes something.
pub(in super::super) const MASK: u32 = 0o755;

impl Worker {
    pub(super) fn open(&self, path: &[u8], flags: OpenFlags, attributes: &Attributes) -> io::Result<Reply> {
        self.handles.check_room()?;
        let path = Arc::new(parse(path)?);
        let since = Instant::now();
        let open = if flags.intersects(OpenFlags::WRITE | OpenFlags::APPEND) {
            Open::Upload(self.begin_upload(path, flags, attributes, since)?)
        } else {
            let file = self.context.view.open_read(&path)?;
            let transfer = self.context.open(&path, Direction::Download);
            Open::Download(Download { path, file, sent: AtomicU64::new(0), since, transfer })
        };
        let slot = self.handles.insert(open)?;
        Ok(Reply::Handle { slot })
    }

    fn begin_upload(
        &self,
        path: Arc<RelPath>,
        flags: OpenFlags,
        attributes: &Attributes,
        since: Instant,
    ) -> io::Result<Arc<Upload>> {
        let view = &self.context.view;
        let there = match view.stat(&path) {
            Ok(stat) => Some(stat),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let create = flags.contains(OpenFlags::CREATE);
        let exclusive = create && flags.contains(OpenFlags::EXCLUDE);
        if there.is_none() && !create && self.kept(&path).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        if exclusive && (there.is_some() || self.handles.upload_of(&path).is_some()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut part = fresh_part(view, &path)?;
        let (mut base, mut resumes) = (None, None);
        if !flags.contains(OpenFlags::TRUNCATE) && !exclusive {
            match &there {
                Some(there) => base = self.begin_with_old(&part, &path, there, create)?,
                None => resumes = self.adopt(&mut part, &path)?,
            }
        }
        if let (None, Some(mode)) = (&there, attributes.permissions) {
            part.set_attributes(SetAttributes { mode: Some(mode & MASK), ..SetAttributes::default() })?;
        }
        let transfer = self.context.open(&path, Direction::Upload);
        let name = Naming { path, exclusive, unlinked: false, over: false };
        let arriving = Arriving {
            part: Some(part),
            append: flags.contains(OpenFlags::APPEND),
            dirty: base.is_none() && resumes.is_none(),
            base,
            resumes,
            broken: None,
            reach: Reach::from(resumes.unwrap_or(0)),
            received: 0,
        };
        Ok(Upload::new(name, arriving, since, transfer))
    }

    /// The part begins as a copy of what is under the name.
    fn begin_with_old(&self, part: &PartFile, path: &RelPath, there: &Stat, create: bool) -> io::Result<Option<Base>> {
        let old = match self.context.view.open_read(path) {
            // A link to something that is not there yet.
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => return Ok(None),
            old => old?,
        };
        part.copy_from(&old)?;
        // Older than what is under the name, it is a story of the past.
        let kept = self.kept(path).filter(|kept| kept.ctime >= there.ctime).map(|_| kept(self.context.grant.id()));
        Ok(Some(Base { tag: old.opened().etag(), old, kept }))
    }

    /// The part goes on with what was kept. A connection that was just cut may still be busy with that.
    fn adopt(&self, part: &mut PartFile, path: &RelPath) -> io::Result<Option<u64>> {
        let until = Instant::now() + PATIENCE;
        loop {
            match part.adopt(&self.context.view, path, &kept(self.context.grant.id())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                adopted => return adopted,
            }
        }
    }

    /// What was kept of an upload of this account that was cut off.
    pub(super) fn kept(&self, path: &RelPath) -> Option<Stat> {
        if self.context.view.access() == Access::ReadOnly {
            return None;
        }
        self.context.view.kept_stat(path, &kept(self.context.grant.id())).ok().flatten()
    }

    pub(super) fn write(&self, handle: &[u8], offset: u64, data: &[u8]) -> io::Result<Reply> {
        let Some(open) = self.handles.get(handle) else { return Ok(status::bad_handle()) };
        let Open::Upload(upload) = &*open else { return Ok(status::failure("this handle was not opened to write")) };
        upload.write(&self.context.view, data, offset).map(|()| Reply::ok())
    }

    pub(super) fn close(&self, handle: &[u8], changes: &mut Vec<Event>) -> io::Result<Reply> {
        let Some(open) = self.handles.remove(handle) else { return Ok(status::bad_handle()) };
        match &*open {
            Open::Listing(_) => Ok(Reply::ok()),
            Open::Download(download) => {
                let sent = download.sent.load(Ordering::Relaxed);
                self.context.observe(&download.path, Direction::Download, sent, download.since, End::Clean);
                Ok(Reply::ok())
            }
            Open::Upload(upload) => self.finish(upload, changes),
        }
    }

    fn finish(&self, upload: &Upload, changes: &mut Vec<Event>) -> io::Result<Reply> {
        let Some((name, mut part)) = upload.take() else { return Ok(status::bad_handle()) };
        let arriving = lock(&upload.arriving);
        let path = Arc::clone(&name.path);
        let seen = |end| self.context.observe(&path, Direction::Upload, arriving.received, upload.since, end);
        if let Some(why) = &arriving.broken {
            seen(End::Failed(Phase::Transfer, FaultKind::Io));
            return Ok(status::failure(format!("the upload was not complete and was discarded: {why}")));
        }
        if let Some(length) = arriving.resumes.filter(|_| !name.unlinked) {
            part.keep(&self.context.view, &name.path, &kept(self.context.grant.id()), length)?;
            return Ok(status::failure(format!(
                "an upload of this file was cut off and nothing was added to the {length} bytes that are here: send \
                 the rest, or send it whole"
            )));
        }
        if name.unlinked || !arriving.dirty {
            return Ok(Reply::ok());
        }
        let published = match &arriving.base {
            None => part.publish(if name.exclusive { Replace::No } else { Replace::Yes }),
            Some(base) => publish_changed(&mut part, &base.tag),
        };
        seen(match &published {
            Ok(_) => End::Clean,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                End::Failed(Phase::Publish, FaultKind::DiskFull)
            }
            Err(_) => End::Failed(Phase::Publish, FaultKind::Io),
        });
        let size = published?.size;
        self.forget_kept(&name.path);
        let (account, path) = (self.context.account(), self.context.in_tree(&name.path));
        changes.push(Event::DoorUploaded { door: Door::Sftp, account, path, size });
        Ok(Reply::ok())
    }

    /// What was kept of an earlier try is of no more use. Returns whether there was anything.
    pub(super) fn forget_kept(&self, path: &RelPath) -> bool {
        match self.context.view.forget_kept(path, &kept(self.context.grant.id())) {
            Ok(there) => there,
            Err(error) => {
                tracing::debug!(error = %error, path = %path.display(), "what was kept of an upload stays");
                false
            }
        }
    }

    pub(super) fn fstat(&self, handle: &[u8]) -> io::Result<Reply> {
        let Some(open) = self.handles.get(handle) else { return Ok(status::bad_handle()) };
        let stat = match &*open {
            Open::Download(download) => download.file.stat()?,
            Open::Upload(upload) => match upload.stat()? {
                Some(stat) => stat,
                None => return Ok(status::bad_handle()),
            },
            Open::Listing(listing) => self.context.view.stat_follow(&listing.path)?,
        };
        Ok(Reply::Attributes((&stat).into()))
    }

    pub(super) fn fsetstat(
        &self,
        handle: &[u8],
        attributes: &Attributes,
        changes: &mut Vec<Event>,
    ) -> io::Result<Reply> {
        let Some(open) = self.handles.get(handle) else { return Ok(status::bad_handle()) };
        match &*open {
            Open::Upload(upload) => upload.set_attributes(attributes),
            Open::Download(Download { path, .. }) | Open::Listing(Listing { path, .. }) => {
                self.change(path, attributes, true, changes)
            }
        }
    }

    /// Makes what arrived so far durable.
    pub(super) fn fsync(&self, handle: &[u8]) -> io::Result<Reply> {
        match self.handles.get(handle).as_deref() {
            Some(Open::Upload(upload)) => match &lock(&upload.arriving).part {
                Some(part) => part.sync().map(|()| Reply::ok()),
                None => Ok(status::bad_handle()),
            },
            Some(Open::Download(_)) => Ok(Reply::ok()),
            Some(Open::Listing(_)) | None => Ok(status::bad_handle()),
        }
    }
}

/// Publishes a file that began as a copy of what was under the name, unless that has changed since:
/// the other writer's bytes are not in it.
fn publish_changed(part: &mut PartFile, base: &str) -> io::Result<Stat> {
    part.publish_if(Replace::Yes, |now| match now {
        Some(now) if now.etag() != base => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "somebody else changed the file since it was opened: theirs stays, open it again and write anew",
        )),
        _ => Ok(()),
    })
}

/// An empty part that vanishes unless it is published. Leftovers of a crash are used again.
pub(in super::super) fn fresh_part(view: &View, path: &RelPath) -> io::Result<PartFile> {
    if view.access() == Access::ReadOnly {
        return view.part(path, "sftp");
    }
    let mut busy = io::Error::from(io::ErrorKind::ResourceBusy);
    for rival in 0..RIVALS {
        match view.part(path, &format!("sftp-{rival}")) {
            Ok(mut part) => {
                part.ephemeral();
                part.truncate(0)?;
                return Ok(part);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => busy = error,
            Err(error) => return Err(error),
        }
    }
    Err(busy)
}
