//! Somebody who came in over HTTP, and what is written down about it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Junk, Packing, Trash};
use crate::audit::{Actor, AuditLog, Event};
use crate::digests::Digests;
use crate::model::{Clock, Door, FaultKind, Phase, Protocol, RelPath};
use crate::reliability::{Detail, Direction, End, FileId, Observation, Recorder, Role, What};
use crate::task::{Spot, Tasks};
use crate::tree::View;

/// As observations name the doors over HTTPS.
const PLACE: &str = "dav";

/// Where doors write down what happened.
#[derive(Debug, Clone)]
pub struct Books {
    /// Operations, for proof.
    pub audit: AuditLog,
    /// Measurements, for statistics.
    pub recorder: Recorder,
    /// Checksums of what is in the tree.
    pub digests: Digests,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Bytes of the largest upload that is taken.
    pub max_upload: u64,
    /// What is done with what systems leave beside files.
    pub junk: Junk,
    /// Where what is deleted goes.
    pub trash: Trash,
    /// Places for archives.
    pub packing: Packing,
    /// What must come to its end, whether or not the client still waits for it.
    pub tasks: Tasks,
    /// Who may look at the tree without a thread for it.
    pub spot: Arc<Spot>,
}

impl Books {
    /// A connection that ended: how long it took to be `setup`, how long it was `held`, how it came to its `end`.
    pub fn connection_ended(&self, setup: Duration, held: Duration, end: End, detail: Detail) {
        self.note(What::Connection { setup: Some(setup), phases: vec![(Phase::Tls, setup)], held, end }, detail);
    }

    fn note(&self, what: What, detail: Detail) {
        // One family of doors over HTTPS: the statistics compare FTP, SFTP and WebDAV.
        let (at, protocol, endpoint) = (self.clock.now(), Protocol::Davs, PLACE.to_owned());
        self.recorder.record(Observation { at, protocol, role: Role::Door, endpoint, what, detail });
    }
}

/// A signed-in client and what it may see and do.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Name of the account.
    pub account: String,
    /// Who the log says it was: the account, or whoever has a link of its.
    pub actor: Actor,
    /// Its part of the tree, with its rights.
    pub view: View,
    /// Through which door it came.
    pub door: Door,
    /// From where.
    pub peer: SocketAddr,
    /// Where to write down what it does.
    pub books: Books,
}

impl Guest {
    /// Writes an operation into the log. The operation has happened: when the log refuses, that is
    /// said to the operator, not to the client.
    pub async fn record(&self, event: Event) {
        if let Err(error) = self.books.audit.record(&self.actor, &event).await {
            tracing::error!(db.error = %error, audit.event = ?event, "an operation is missing from the log");
        }
    }

    /// `path` of the view as the log knows it: from the root of the tree.
    #[must_use]
    pub fn whole(&self, path: &RelPath) -> RelPath {
        self.view.prefix().concat(path)
    }

    /// Starts measuring one transfer of the file at `path` of the view.
    #[must_use]
    pub fn measure(&self, path: &RelPath, direction: Direction) -> Meter {
        let file = FileId::of(PLACE, self.whole(path).as_bytes());
        Meter { books: self.books.clone(), file, direction, bytes: 0, started: Instant::now(), end: None }
    }
}

/// Measures one transfer, and records it when it is dropped. One that nobody ended was left by the
/// client.
#[derive(Debug)]
pub struct Meter {
    books: Books,
    file: FileId,
    direction: Direction,
    bytes: u64,
    started: Instant,
    end: Option<End>,
}

impl Meter {
    /// More payload bytes.
    pub fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// It went as planned.
    pub fn clean(&mut self) {
        self.end = Some(End::Clean);
    }

    /// It failed.
    pub fn failed(&mut self, kind: FaultKind) {
        self.end = Some(End::Failed(Phase::Transfer, kind));
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let end = self.end.unwrap_or(End::Failed(Phase::Transfer, FaultKind::ClosedEarly));
        let what =
            What::Transfer { direction: self.direction, bytes: self.bytes, duration: self.started.elapsed(), end };
        let detail = Detail { encrypted: Some(true), file: Some(self.file), ..Detail::default() };
        self.books.note(what, detail);
    }
}
