//! What is done by name: looking, listing, making, moving, removing.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::super::{longname, status};
use super::files::MASK;
use super::open::{Listing, Open, Reading, lock};
use super::worker::{Worker, parse};
use crate::audit::Event;
use crate::model::{Door, RelPath};
use crate::net::sftp::{Attributes, MAX_NAME_BYTES, MAX_NAMES, Reply};
use crate::tree::{Replace, SetAttributes, Stat};

impl Worker {
    pub(super) fn stat(&self, path: &[u8]) -> io::Result<Reply> {
        let path = parse(path)?;
        self.told(&path, self.context.view.stat_follow(&path))
    }

    pub(super) fn lstat(&self, path: &[u8]) -> io::Result<Reply> {
        let path = parse(path)?;
        self.told(&path, self.context.view.stat(&path))
    }

    /// Whoever uploads sees what has arrived, and how far an upload came that was cut off; others do not.
    fn told(&self, path: &RelPath, there: io::Result<Stat>) -> io::Result<Reply> {
        let arriving = match self.handles.upload_of(path) {
            Some(upload) => upload.stat()?,
            None => None,
        };
        let stat = match (arriving, there) {
            (Some(arriving), _) => arriving,
            (None, Err(error)) if error.kind() == io::ErrorKind::NotFound => self.kept(path).ok_or(error)?,
            (None, there) => there?,
        };
        Ok(Reply::Attributes((&stat).into()))
    }

    pub(super) fn setstat(
        &self,
        path: &[u8],
        attributes: &Attributes,
        follow: bool,
        changes: &mut Vec<Event>,
    ) -> io::Result<Reply> {
        let path = parse(path)?;
        if let Some(upload) = self.handles.upload_of(&path) {
            return upload.set_attributes(attributes);
        }
        self.change(&path, attributes, follow, changes)
    }

    pub(super) fn change(
        &self,
        path: &RelPath,
        attributes: &Attributes,
        follow: bool,
        changes: &mut Vec<Event>,
    ) -> io::Result<Reply> {
        let view = &self.context.view;
        let change = attributes.change();
        if change.is_empty() {
            let stat = view.stat_follow(path)?;
            // Ownership is the server's affair; asking for what is there already is fine.
            return match attributes.owner {
                Some(owner) if owner != (stat.uid, stat.gid) => {
                    Err(io::Error::new(io::ErrorKind::PermissionDenied, "owner and group cannot be changed here"))
                }
                _ => Ok(Reply::ok()),
            };
        }
        if follow {
            view.set_attributes(path, change)?;
        } else if change.size.is_some() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a link has no length that could be set"));
        } else {
            view.set_link_attributes(path, change)?;
        }
        changes.push(self.context.attributes(path));
        Ok(Reply::ok())
    }

    pub(super) fn opendir(&self, path: &[u8]) -> io::Result<Reply> {
        self.handles.check_room()?;
        let path = parse(path)?;
        let reader = self.context.view.read_dir(&path)?;
        let reading = Mutex::new(Reading { reader, ahead: None, begun: false, ended: false });
        Ok(Reply::Handle { slot: self.handles.insert(Open::Listing(Listing { path: Arc::new(path), reading }))? })
    }

    pub(super) fn readdir(&self, handle: &[u8]) -> io::Result<Reply> {
        let Some(open) = self.handles.get(handle) else { return Ok(status::bad_handle()) };
        let Open::Listing(listing) = &*open else { return Ok(status::failure("this handle is not a directory")) };
        let listing = &mut *lock(&listing.reading);
        let now = self.context.clock.now();
        let mut lines = Vec::new();
        let mut bytes = 0;
        if !std::mem::replace(&mut listing.begun, true) {
            let stat = listing.reader.opened();
            for name in [&b"."[..], b".."] {
                let long = longname::line(name, stat, now);
                lines.push(Reply::line(Bytes::from_static(name), long, stat.into()));
            }
        }
        while lines.len() < MAX_NAMES && bytes < MAX_NAME_BYTES && !listing.ended {
            let entry = match listing.ahead.take().map(Ok).or_else(|| listing.reader.next()) {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => return Err(error),
                None => {
                    listing.ended = true;
                    break;
                }
            };
            let name = Bytes::copy_from_slice(entry.name.as_bytes());
            let long = longname::line(&name, &entry.stat, now);
            let size = name.len() + long.len() + 40;
            if bytes + size > MAX_NAME_BYTES {
                listing.ahead = Some(entry);
                break;
            }
            bytes += size;
            lines.push(Reply::line(name, long, (&entry.stat).into()));
        }
        Ok(if lines.is_empty() { status::eof() } else { Reply::Names(lines) })
    }

    pub(super) fn remove(&self, path: &[u8], changes: &mut Vec<Event>) -> io::Result<Reply> {
        let path = parse(path)?;
        let own = self.handles.upload_of(&path);
        if let Some(upload) = &own {
            upload.unlink();
        }
        let kept = self.forget_kept(&path);
        match self.context.view.remove_file(&path) {
            Err(error) if (own.is_some() || kept) && error.kind() == io::ErrorKind::NotFound => return Ok(Reply::ok()),
            done => done?,
        }
        changes.push(self.removed(&path));
        Ok(Reply::ok())
    }

    pub(super) fn rmdir(&self, path: &[u8], changes: &mut Vec<Event>) -> io::Result<Reply> {
        let path = parse(path)?;
        self.context.view.remove_dir(&path)?;
        changes.push(self.removed(&path));
        Ok(Reply::ok())
    }

    fn removed(&self, path: &RelPath) -> Event {
        let (account, path) = (self.context.account(), self.context.in_tree(path));
        Event::DoorRemoved { door: Door::Sftp, account, path }
    }

    pub(super) fn mkdir(&self, path: &[u8], attributes: &Attributes, changes: &mut Vec<Event>) -> io::Result<Reply> {
        let path = parse(path)?;
        self.context.view.make_dir(&path)?;
        let mode = attributes.permissions.map(|mode| mode & MASK).filter(|mode| *mode != MASK);
        if let Some(mode) = mode {
            self.context.view.set_attributes(&path, SetAttributes { mode: Some(mode), ..SetAttributes::default() })?;
        }
        let (account, path) = (self.context.account(), self.context.in_tree(&path));
        changes.push(Event::DoorDirMade { door: Door::Sftp, account, path });
        Ok(Reply::ok())
    }

    pub(super) fn rename(
        &self,
        from: &[u8],
        to: &[u8],
        replace: Replace,
        changes: &mut Vec<Event>,
    ) -> io::Result<Reply> {
        let (from, to) = (parse(from)?, Arc::new(parse(to)?));
        let arriving = self.handles.upload_of(&from);
        if let Some(upload) = &arriving
            && replace == Replace::No
            && self.handles.upload_of(&to).is_some_and(|other| !Arc::ptr_eq(&other, upload))
        {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // What is under the name goes at once; what arrives for it will appear under the new one.
        let moved = match self.context.view.rename(&from, &to, replace) {
            Err(error) if arriving.is_some() && error.kind() == io::ErrorKind::NotFound => false,
            done => done.map(|()| true)?,
        };
        if let Some(upload) = arriving {
            if !moved && replace == Replace::No && self.context.view.stat(&to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            upload.retarget(&self.context.view, &to, !moved && replace == Replace::No)?;
            upload.transfer.rename(self.context.in_tree(&to));
        }
        if moved {
            let account = self.context.account();
            let (from, to) = (self.context.in_tree(&from), self.context.in_tree(&to));
            changes.push(Event::DoorRenamed { door: Door::Sftp, account, from, to });
        }
        Ok(Reply::ok())
    }

    /// An absolute target names a place in the view; it is stored relative to the link, so that it leads
    /// to the same place for everybody.
    pub(super) fn symlink(&self, target: &[u8], path: &[u8], changes: &mut Vec<Event>) -> io::Result<Reply> {
        let path = parse(path)?;
        let target = match target.first() {
            Some(b'/') => {
                let mut relative = b"../".repeat(path.depth().saturating_sub(1));
                relative.extend_from_slice(parse(target)?.as_path().as_os_str().as_encoded_bytes());
                relative
            }
            _ => target.to_vec(),
        };
        self.context.view.symlink(&target, &path)?;
        changes.push(self.linked(&path));
        Ok(Reply::ok())
    }

    pub(super) fn hard_link(&self, from: &[u8], to: &[u8], changes: &mut Vec<Event>) -> io::Result<Reply> {
        let (from, to) = (parse(from)?, parse(to)?);
        self.context.view.hard_link(&from, &to)?;
        changes.push(self.linked(&to));
        Ok(Reply::ok())
    }

    fn linked(&self, path: &RelPath) -> Event {
        let (account, path) = (self.context.account(), self.context.in_tree(path));
        Event::DoorLinked { door: Door::Sftp, account, path }
    }

    /// Both ends of a copy.
    pub(super) fn two(&self, from: &[u8], to: &[u8]) -> Option<(Arc<Open>, Arc<Open>)> {
        Some((self.handles.get(from)?, self.handles.get(to)?))
    }
}
