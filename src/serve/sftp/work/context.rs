//! What every request of a session needs.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::listener::Door;
use crate::account::Grant;
use crate::audit::{AuditLog, Event};
use crate::model::{Clock, Door as Entrance, FaultKind, Phase, Protocol, RelPath};
use crate::presence::{Moving, Transfer};
use crate::reliability::{Detail, Direction, End, FileId, Observation, Recorder, Role, What};
use crate::task::{DiskUse, Spot};
use crate::tree::View;

/// Who works here, on what, and who hears of it.
#[derive(Debug, Clone)]
pub struct Context {
    /// The proof of the login.
    pub grant: Grant,
    /// What may be seen.
    pub view: View,
    /// The operation log.
    pub audit: AuditLog,
    /// The observations.
    pub recorder: Recorder,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// To write the log from blocking threads.
    pub runtime: tokio::runtime::Handle,
    /// Open files; a shutdown waits for none.
    pub moving: Moving,
    /// Who may work on the spot.
    pub spot: Arc<Spot>,
}

impl Context {
    /// Opens the account's view; makes its home folder when it is missing.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn begin(door: &Door, grant: Grant, moving: Moving, spot: Arc<Spot>) -> io::Result<Self> {
        let (tree, own) = (Arc::clone(&door.tree), grant.clone());
        let view = spot.run(DiskUse::Light, move || own.view(&tree)).await.map_err(io::Error::other)??;
        Ok(Self {
            grant,
            view,
            audit: door.audit.clone(),
            recorder: door.recorder.clone(),
            clock: Arc::clone(&door.clock),
            runtime: tokio::runtime::Handle::current(),
            moving,
            spot,
        })
    }

    /// Writes down changes that were made, before the client hears of them.
    pub async fn record(&self, changes: &[Event]) {
        for change in changes {
            if let Err(error) = self.audit.record(&self.grant.actor(), change).await {
                let account = self.grant.name();
                tracing::error!(error = %error, account, "a change could not be written to the audit log");
            }
        }
    }

    /// As [`Context::record`], for blocking threads.
    pub fn log(&self, changes: &[Event]) {
        if !changes.is_empty() {
            self.runtime.block_on(self.record(changes));
        }
    }

    /// The account's name, for events.
    #[must_use]
    pub fn account(&self) -> String {
        self.grant.name().to_owned()
    }

    /// The path as the audit log names it.
    #[must_use]
    pub fn in_tree(&self, path: &RelPath) -> RelPath {
        self.grant.in_tree(path)
    }

    /// A change of attributes.
    #[must_use]
    pub fn attributes(&self, path: &RelPath) -> Event {
        let (account, path) = (self.account(), self.in_tree(path));
        Event::DoorAttributes { door: Entrance::Sftp, account, path }
    }

    /// Opens a file, which a shutdown waits for.
    #[must_use]
    pub fn open(&self, path: &RelPath, direction: Direction) -> Transfer {
        self.moving.begin(self.in_tree(path), direction, self.clock.now())
    }

    /// Begins to move a file by a command.
    #[must_use]
    pub fn moved(&self, path: &RelPath, direction: Direction) -> Moved {
        let end = End::Failed(Phase::Transfer, FaultKind::ClosedEarly);
        let transfer = self.open(path, direction);
        Moved { context: self.clone(), path: path.clone(), transfer, direction, since: Instant::now(), bytes: 0, end }
    }

    /// Measures one transfer. Opening a file and moving nothing is none.
    pub fn observe(&self, path: &RelPath, direction: Direction, bytes: u64, since: Instant, end: End) {
        if bytes == 0 {
            return;
        }
        self.recorder.record(observation(
            &*self.clock,
            What::Transfer { direction, bytes, duration: since.elapsed().max(Duration::from_micros(1)), end },
            Detail {
                encrypted: Some(true),
                file: Some(FileId::of(PLACE, self.in_tree(path).as_bytes())),
                ..Detail::default()
            },
        ));
    }
}

/// A file that is moved by a command. What became of it is recorded when this is dropped, also when the client left and
/// nobody came to the end.
#[derive(Debug)]
pub struct Moved {
    context: Context,
    path: RelPath,
    transfer: Transfer,
    direction: Direction,
    since: Instant,
    bytes: u64,
    /// How it ended; broken off unless something else is said.
    pub end: End,
}

impl Moved {
    /// So many bytes until now.
    pub fn set(&mut self, bytes: u64) {
        self.transfer.add(bytes.saturating_sub(self.bytes));
        self.bytes = bytes;
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        self.context.observe(&self.path, self.direction, self.bytes, self.since, self.end);
    }
}

/// An observation of this door.
pub(crate) fn observation(clock: &dyn Clock, what: What, detail: Detail) -> Observation {
    let (at, endpoint) = (clock.now(), PLACE.to_owned());
    Observation { at, protocol: Protocol::Sftp, role: Role::Door, endpoint, what, detail }
}

/// As observations name this door.
const PLACE: &str = "sftp door";
