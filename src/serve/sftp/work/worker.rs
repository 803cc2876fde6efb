//! Doing requests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::super::dialect::Dialect;
use super::super::status;
use super::open::{Handles, Open, lock};
use super::upload::Upload;
use super::{Context, Outbox};
use crate::audit::Event;
use crate::model::{FaultKind, Phase, RelPath};
use crate::net::sftp::{Packet, Reply, Request};
use crate::reliability::{Direction, End};
use crate::tree::Replace;

/// A request that was done.
#[derive(Debug)]
pub struct Done {
    pub id: u32,
    /// None when it is on its way already.
    pub answer: Option<Reply>,
    /// To be written down before anybody hears of them.
    pub changes: Vec<Event>,
    /// What it closed. A stop waits for it until the answer is on its way.
    _closed: Option<Arc<Open>>,
}

/// One channel's state.
#[derive(Debug)]
pub struct Worker {
    pub context: Context,
    pub(super) handles: Handles,
    pub(super) dialect: Dialect,
    outbox: Arc<Outbox>,
}

impl Worker {
    pub fn new(context: Context, dialect: Dialect, outbox: Arc<Outbox>) -> Self {
        Self { context, handles: Handles::default(), dialect, outbox }
    }

    pub fn handles(&self) -> &Handles {
        &self.handles
    }

    /// Has the client gone, so that nobody waits for an answer?
    pub(super) fn is_left(&self) -> bool {
        self.outbox.is_left()
    }

    /// Does one request. Its answer may be sent when the changes are written down.
    pub fn perform(&self, packet: Packet) -> Done {
        let mut changes = Vec::new();
        let closed = match &packet.request {
            Request::Close { handle } => self.handles.get(handle),
            _ => None,
        };
        let answer = match packet.request {
            Request::Read { handle, offset, length } => self.read(packet.id, &handle, offset, length),
            request => Some(self.answer(request, &mut changes).unwrap_or_else(|error| status::of(&error))),
        };
        Done { id: packet.id, answer, changes, _closed: closed }
    }

    /// A READ finds its own way into the outbox.
    fn read(&self, id: u32, handle: &[u8], offset: u64, length: u32) -> Option<Reply> {
        match self.handles.get(handle) {
            // It changes, and may be closed before the answer is sent.
            Some(open) if matches!(*open, Open::Upload(_)) => self.outbox.read_in_order(id, &open, offset, length),
            Some(open) => self.outbox.read(id, &open, offset, length),
            None => return Some(status::bad_handle()),
        }
        None
    }

    fn answer(&self, request: Request, changes: &mut Vec<Event>) -> io::Result<Reply> {
        match request {
            Request::Init => Ok(Reply::Version),
            Request::Open { path, flags, attributes } => self.open(&path, flags, &attributes),
            Request::Close { handle } => self.close(&handle, changes),
            Request::Write { handle, offset, data } => self.write(&handle, offset, &data),
            Request::Lstat { path } => self.lstat(&path),
            Request::Stat { path } => self.stat(&path),
            Request::Fstat { handle } => self.fstat(&handle),
            Request::Setstat { path, attributes } => self.setstat(&path, &attributes, true, changes),
            Request::Fsetstat { handle, attributes } => self.fsetstat(&handle, &attributes, changes),
            Request::Opendir { path } => self.opendir(&path),
            Request::Readdir { handle } => self.readdir(&handle),
            Request::Remove { path } => self.remove(&path, changes),
            Request::Mkdir { path, attributes } => self.mkdir(&path, &attributes, changes),
            Request::Rmdir { path } => self.rmdir(&path, changes),
            Request::Realpath { path } => Ok(Reply::path(absolute(&parse(&path)?))),
            Request::Rename { from, to } => self.rename(&from, &to, Replace::No, changes),
            Request::Readlink { path } => Ok(Reply::path(Bytes::from(self.context.view.read_link(&parse(&path)?)?))),
            Request::Symlink { target, path } => self.symlink(&target, &path, changes),
            Request::Extended(extension) => self.extended(extension, changes),
            Request::Unknown(kind) => Ok(status::unsupported(&format!("request type {kind}"))),
            // Done before.
            Request::Read { .. } => Ok(status::bad_handle()),
        }
    }

    /// The channel ended: what was moving is counted as broken off, and of unfinished uploads stays what can be gone
    /// on with.
    pub fn abandon(&self) {
        let broken = End::Failed(Phase::Transfer, FaultKind::ClosedEarly);
        for open in self.handles.drain() {
            match &*open {
                Open::Upload(upload) => {
                    let received = lock(&upload.arriving).received;
                    self.context.observe(&upload.path(), Direction::Upload, received, upload.since, broken);
                    self.cut(upload);
                }
                Open::Download(download) => {
                    let sent = download.sent.load(Ordering::Relaxed);
                    let end = if sent >= download.file.len() { End::Clean } else { broken };
                    self.context.observe(&download.path, Direction::Download, sent, download.since, end);
                }
                Open::Listing(_) => {}
            }
        }
    }

    fn cut(&self, upload: &Upload) {
        let path = upload.path();
        let (account, path) = (self.context.grant.name(), path.display());
        match upload.cut(&self.context.view, self.context.grant.id()) {
            Ok(0) => tracing::info!(account, %path, "an upload broke off and was discarded"),
            Ok(kept) => {
                tracing::info!(account, %path, transfer.kept = kept, "an upload broke off: it can be gone on with");
            }
            Err(error) => tracing::warn!(account, %path, %error, "an upload broke off and could not be kept"),
        }
    }
}

/// A path as a client writes it: absolute or not, it starts at the home.
pub(super) fn parse(path: &[u8]) -> io::Result<RelPath> {
    RelPath::lenient(path).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// The same, as it is told to clients.
pub(super) fn absolute(path: &RelPath) -> Bytes {
    let mut bytes = vec![b'/'];
    bytes.extend_from_slice(path.as_bytes());
    bytes.into()
}
