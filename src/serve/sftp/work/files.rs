//! Opening, writing and closing files. An upload is a part until CLOSE.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use russh_sftp::protocol::OpenFlags;

use super::super::status;
use super::open::{Download, Open, Upload, lock};
use super::worker::{Worker, parse};
use crate::audit::Event;
use crate::model::{Access, Door, FaultKind, Phase, RelPath};
use crate::net::sftp::{Attributes, Reply};
use crate::reliability::{Direction, End};
use crate::tree::{PartFile, Replace, SetAttributes, Stat, View};

/// Uploads of one file at the same time, each into a part of its own; the last one closed stays.
const RIVALS: usize = 16;

/// What a umask of 022 leaves of a mode that a client asks for when it makes something.
pub(in super::super) const MASK: u32 = 0o755;

impl Worker {
    pub(super) fn open(&mut self, path: &[u8], flags: OpenFlags, attributes: &Attributes) -> io::Result<Reply> {
        self.handles.check_room()?;
        let path = parse(path)?;
        let since = Instant::now();
        let open = if flags.intersects(OpenFlags::WRITE | OpenFlags::APPEND) {
            Open::Upload(Mutex::new(self.begin_upload(path, flags, attributes, since)?))
        } else {
            let file = self.context.view.open_read(&path)?;
            Open::Download(Download { path, file, sent: AtomicU64::new(0), since })
        };
        self.context.activity.begin();
        Ok(Reply::Handle { slot: self.handles.insert(open) })
    }

    fn begin_upload(
        &self,
        path: RelPath,
        flags: OpenFlags,
        attributes: &Attributes,
        since: Instant,
    ) -> io::Result<Upload> {
        let view = &self.context.view;
        let there = match view.stat(&path) {
            Ok(stat) => Some(stat),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let create = flags.contains(OpenFlags::CREATE);
        let exclusive = create && flags.contains(OpenFlags::EXCLUDE);
        if there.is_none() && !create {
            return Err(io::ErrorKind::NotFound.into());
        }
        if exclusive && (there.is_some() || self.handles.upload_of(&path).is_some()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut part = fresh_part(view, &path)?;
        let mut keep = there.is_some();
        let mut base = None;
        if flags.contains(OpenFlags::TRUNCATE) {
            keep = false;
        } else if keep {
            match view.open_read(&path) {
                Ok(old) => {
                    part.copy_from(&old)?;
                    base = Some(old.opened().etag());
                }
                // A link to something that is not there yet.
                Err(error) if create && error.kind() == io::ErrorKind::NotFound => keep = false,
                Err(error) => return Err(error),
            }
        }
        if let (None, Some(mode)) = (&there, attributes.permissions) {
            part.set_attributes(SetAttributes { mode: Some(mode & MASK), ..SetAttributes::default() })?;
        }
        Ok(Upload {
            path,
            part: Some(part),
            append: flags.contains(OpenFlags::APPEND),
            base,
            exclusive,
            dirty: !keep,
            unlinked: false,
            broken: None,
            received: 0,
            since,
        })
    }

    pub(super) fn write(&mut self, handle: &[u8], offset: u64, data: &[u8]) -> io::Result<Reply> {
        let Some(open) = self.handles.get(handle) else { return Ok(status::bad_handle()) };
        let Open::Upload(upload) = &**open else { return Ok(status::failure("this handle was not opened to write")) };
        let upload = &mut *lock(upload);
        let Some(part) = &upload.part else { return Ok(status::bad_handle()) };
        let offset = if upload.append { part.len()? } else { offset };
        match part.write_at(data, offset) {
            Ok(()) => {
                upload.dirty = true;
                upload.received += u64::try_from(data.len()).unwrap_or(0);
                Ok(Reply::ok())
            }
            Err(error) => {
                let answer = status::of(&error);
                upload.broken = Some(error.to_string());
                tracing::warn!(error = %error, path = %upload.path.display(), "an upload could not be written");
                Ok(answer)
            }
        }
    }

    pub(super) fn close(&mut self, handle: &[u8]) -> io::Result<Reply> {
        let Some(open) = self.handles.remove(handle) else { return Ok(status::bad_handle()) };
        match &*open {
            Open::Listing(_) => Ok(Reply::ok()),
            Open::Download(download) => {
                self.context.activity.end();
                let sent = download.sent.load(Ordering::Relaxed);
                self.context.observe(Direction::Download, sent, download.since, End::Clean);
                Ok(Reply::ok())
            }
            Open::Upload(upload) => {
                let done = self.finish(&mut lock(upload));
                self.context.activity.end();
                done
            }
        }
    }

    fn finish(&self, upload: &mut Upload) -> io::Result<Reply> {
        let Some(mut part) = upload.part.take() else { return Ok(status::bad_handle()) };
        if let Some(why) = &upload.broken {
            let end = End::Failed(Phase::Transfer, FaultKind::Io);
            self.context.observe(Direction::Upload, upload.received, upload.since, end);
            return Ok(status::failure(format!("the upload was not complete and was discarded: {why}")));
        }
        if upload.unlinked || !upload.dirty {
            return Ok(Reply::ok());
        }
        let replace = if upload.exclusive { Replace::No } else { Replace::Yes };
        let published = match &upload.base {
            None => part.publish(replace),
            Some(base) => publish_changed(&mut part, base),
        };
        let end = match &published {
            Ok(_) => End::Clean,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                End::Failed(Phase::Publish, FaultKind::DiskFull)
            }
            Err(_) => End::Failed(Phase::Publish, FaultKind::Io),
        };
        self.context.observe(Direction::Upload, upload.received, upload.since, end);
        let size = published?.size;
        let (account, path) = (self.context.account(), self.context.in_tree(&upload.path));
        self.context.log(&Event::DoorUploaded { door: Door::Sftp, account, path, size });
        Ok(Reply::ok())
    }

    pub(super) fn fstat(&self, handle: &[u8]) -> io::Result<Reply> {
        let Some(open) = self.handles.get(handle) else { return Ok(status::bad_handle()) };
        let stat = match &**open {
            Open::Download(download) => download.file.stat()?,
            Open::Upload(upload) => match &lock(upload).part {
                Some(part) => part.stat()?,
                None => return Ok(status::bad_handle()),
            },
            Open::Listing(listing) => self.context.view.stat_follow(&lock(listing).path)?,
        };
        Ok(Reply::Attributes((&stat).into()))
    }

    pub(super) fn fsetstat(&self, handle: &[u8], attributes: &Attributes) -> io::Result<Reply> {
        let Some(open) = self.handles.get(handle) else { return Ok(status::bad_handle()) };
        let path = match &**open {
            Open::Upload(upload) => return change_upload(&mut lock(upload), attributes),
            Open::Download(download) => download.path.clone(),
            Open::Listing(listing) => lock(listing).path.clone(),
        };
        self.change(&path, attributes, true)
    }

    /// Makes what arrived so far durable.
    pub(super) fn fsync(&self, handle: &[u8]) -> io::Result<Reply> {
        match self.handles.get(handle).map(Arc::clone).as_deref() {
            Some(Open::Upload(upload)) => match &lock(upload).part {
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

/// Sets attributes of a file that is still arriving.
pub(super) fn change_upload(upload: &mut Upload, attributes: &Attributes) -> io::Result<Reply> {
    let Some(part) = &mut upload.part else { return Ok(status::bad_handle()) };
    part.set_attributes(attributes.change())?;
    upload.dirty = true;
    Ok(Reply::ok())
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
