//! Binding, watching over connections, draining.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use russh::Disconnect;
use russh::server::{Config, Handle, run_stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::auth::Caller;
use super::handler::{Connection, Seen};
use super::host_keys::{self, HostKey, HostKeyError};
use super::porch::Porch;
use super::work::observation;
use super::{Settings, algorithms};
use crate::account::Accounts;
use crate::audit::AuditLog;
use crate::model::{Clock, FaultKind, Phase};
use crate::net::{Counters, OpenedBy, Place, Secured, SshStream, Tally, tune};
use crate::presence::{Presence, Stay};
use crate::reliability::{Detail, End, Recorder, What};
use crate::task::{self, Lanes, Spot, Tasks};
use crate::tree::Tree;

/// How often the accounts are looked at again.
const LOOK: Duration = Duration::from_secs(5);

/// The most of a client's list of algorithms that is logged, in characters.
const MAX_TOLD: usize = 500;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why the door cannot open.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// No host keys.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// Another program has the port.
    #[error("{0} is in use by another program: stop it, or choose another port with `listen` in [sftp]")]
    InUse(SocketAddr),
    /// Ports below 1024 need a privilege.
    #[error("{0} needs a privilege this user does not have: choose a port above 1023, or grant CAP_NET_BIND_SERVICE")]
    Privilege(SocketAddr),
    /// The address is not one of this machine.
    #[error("{0} is not an address of this machine: use 0.0.0.0 or [::] for all")]
    Address(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}")]
    Other(SocketAddr, #[source] io::Error),
}

/// At least so many threads: a disk that lets one wait lets its connections wait, not all.
const THREADS: usize = 4;

/// What the door serves, and who hears of it.
#[derive(Debug, Clone)]
pub struct Door {
    /// The files.
    pub tree: Arc<Tree>,
    /// Who may come in.
    pub accounts: Accounts,
    /// The operation log.
    pub audit: AuditLog,
    /// The observations.
    pub recorder: Recorder,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is here.
    pub presence: Presence,
    /// Who is refused is counted here.
    pub counters: Counters,
}

/// A bound door that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    config: Arc<Config>,
    settings: Settings,
    host_keys: Vec<HostKey>,
}

impl Listener {
    /// The address with the port that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host keys, to print and to show.
    #[must_use]
    pub fn host_keys(&self) -> &[HostKey] {
        &self.host_keys
    }
}

/// Reads or makes the host keys (in `data/ssh`) and takes the port.
///
/// # Errors
/// [`ListenError`] in a sentence that says what to do.
pub async fn bind(settings: &Settings, data: &Path) -> Result<Listener, ListenError> {
    let folder = data.join("ssh");
    let keys = task::blocking(move || host_keys::load(&folder))
        .await
        .map_err(|lost| ListenError::Other(settings.listen, io::Error::other(lost)))??;
    let host_keys = host_keys::shown(&keys);
    let socket = TcpListener::bind(settings.listen).await.map_err(|error| refused(settings.listen, error))?;
    let address = socket.local_addr().map_err(|error| refused(settings.listen, error))?;
    let config = Arc::new(algorithms::config(settings, keys));
    Ok(Listener { socket, address, config, settings: settings.clone(), host_keys })
}

fn refused(address: SocketAddr, error: io::Error) -> ListenError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::PermissionDenied => ListenError::Privilege(address),
        io::ErrorKind::AddrNotAvailable => ListenError::Address(address),
        _ => ListenError::Other(address, error),
    }
}

/// Accepts until `tasks` stop, then lets open files end for the grace of the settings. Returns at once;
/// `tasks` knows the accepting task and every connection.
///
/// The door has threads of its own, on which a request may be done on the spot; a connection stays on one of them.
///
/// # Errors
/// When the system has no more threads.
pub fn serve(listener: Listener, door: Door, tasks: &Tasks) -> io::Result<()> {
    let Listener { socket, config, settings, .. } = listener;
    let inner = tasks.child();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).max(THREADS);
    let lanes = Lanes::start("sftp", threads, &inner, tasks)?;
    let porch = Porch::new((config, settings), Arc::new(door), inner.clone(), lanes);
    // Not on one of them: who comes in does not wait for a disk either.
    inner.spawn("sftp door", porch.accept(socket));
    Ok(())
}

/// Tells when a login that held may hold no longer. One look for everybody: thousands of idle connections cost nothing.
pub(super) async fn watch_logins(accounts: Accounts, tell: watch::Sender<String>, tasks: Tasks) {
    loop {
        tokio::select! {
            () = tasks.stopped() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        match accounts.logins().await {
            Ok(now) => {
                tell.send_if_modified(|known| {
                    let changed = *known != now;
                    *known = now;
                    changed
                });
            }
            Err(error) => tracing::warn!(error = %error, "the accounts could not be looked up"),
        }
    }
}

/// One connection, watched from outside.
pub(super) struct Visit {
    pub(super) logins: watch::Receiver<String>,
    pub(super) door: Arc<Door>,
    pub(super) config: Arc<Config>,
    pub(super) settings: Settings,
    pub(super) spot: Arc<Spot>,
    pub(super) tasks: Tasks,
    pub(super) peer: SocketAddr,
    /// Is it worth an observation?
    pub(super) measured: bool,
    pub(super) seen: Arc<Seen>,
}

impl Visit {
    pub(super) async fn run(self, socket: std::net::TcpStream, place: Place) {
        let socket = match TcpStream::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::warn!(%error, net.peer = %self.peer, "a connection cannot be taken over"),
        };
        let cut = CancellationToken::new();
        // Whatever happens above, the socket does not outlive this task.
        let _guard = cut.clone().drop_guard();
        tune(&socket, OpenedBy::Them);
        let tally = Tally::of(&socket);
        let end = self.watch(socket, (place.clone(), Arc::clone(&tally)), cut).await;
        let setup = self.seen.setup();
        let end = match setup {
            Some(_) => end,
            None => self.seen.caller.lock().unwrap_or_else(PoisonError::into_inner).ended(end),
        };
        let held = setup.map_or(Duration::ZERO, |setup| self.seen.accepted.elapsed().saturating_sub(setup));
        let phases = setup.map(|setup| vec![(Phase::Login, setup)]).unwrap_or_default();
        if self.measured {
            if let Some(agreed) = self.seen.agreed.get() {
                tally.secure(Secured::by(&agreed.kex));
            }
            // Which files went over it is known by each of them.
            let detail = Detail { payload: None, wire: None, ..Detail::of(&tally) };
            let what = What::Connection { setup, phases, held, end };
            self.door.recorder.record(observation(&*self.door.clock, what, detail));
        }
        tracing::debug!(net.peer = %self.peer, held = ?held, end = ?end, "an SFTP connection ended");
    }

    async fn watch(&self, socket: TcpStream, (place, tally): (Place, Arc<Tally>), cut: CancellationToken) -> End {
        let deadline = self.seen.accepted + Duration::from_secs(self.settings.login_seconds);
        let handler = Connection::new(
            (Arc::clone(&self.door), Arc::clone(&self.spot), self.settings.per_account),
            self.tasks.clone(),
            self.peer,
            Arc::clone(&self.seen),
            place,
        );
        let starting = run_stream(
            Arc::clone(&self.config),
            SshStream::new(socket, cut.clone()).telling(Arc::clone(&self.seen.agreed)).counting(tally),
            handler,
        );
        let mut running = tokio::select! {
            started = tokio::time::timeout_at(deadline.into(), starting) => match started {
                Ok(Ok(running)) => running,
                Ok(Err(error)) => return self.classify(&error),
                Err(_) => return End::Failed(Phase::Banner, FaultKind::Timeout),
            },
            () = self.tasks.stopped() => return End::StillOpen,
        };
        let handle = running.handle();
        tokio::select! {
            ended = &mut running => return self.ended(ended),
            () = self.seen.entered.notified() => {}
            () = tokio::time::sleep_until(deadline.into()) => {
                cut.cancel();
                return End::Failed(Phase::Login, FaultKind::Timeout);
            }
            () = self.tasks.stopped() => return End::StillOpen,
        }
        // It stays until this function is left.
        let stay = self.seen.stay.lock().unwrap_or_else(PoisonError::into_inner).take();
        tokio::select! {
            ended = &mut running => return self.ended(ended),
            () = self.tasks.stopped() => {}
            () = self.revoked() => {
                goodbye(&handle, running, "your account was changed: log in again").await;
                return End::Clean;
            }
            () = shown_out(stay.as_ref()) => {
                goodbye(&handle, running, "this connection was ended on the dashboard").await;
                return End::Clean;
            }
        }
        let grace = Instant::now() + Duration::from_secs(self.settings.grace_seconds);
        // The answer to the last CLOSE is on its way when nothing is open: it gets one look more.
        let mut looks = 0;
        while looks < 2 && Instant::now() < grace {
            tokio::select! {
                ended = &mut running => return self.ended(ended),
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
            looks = if self.seen.moving.now() == 0 { looks + 1 } else { 0 };
        }
        goodbye(&handle, running, "the service is being stopped, come back in a moment").await;
        End::StillOpen
    }

    /// Resolves when the account was removed, switched off or changed: an open connection is no way
    /// around that.
    async fn revoked(&self) {
        let grant = self.seen.grant.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(grant) = grant else { return std::future::pending().await };
        let mut logins = self.logins.clone();
        loop {
            match self.door.accounts.is_current(&grant).await {
                Ok(false) => return,
                // The sender lives as long as the door.
                Ok(true) if logins.changed().await.is_err() => return std::future::pending().await,
                Ok(true) => {}
                // Nobody will say it again: it is asked again.
                Err(error) => {
                    tracing::warn!(error = %error, "an account could not be looked up");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    fn ended(&self, result: Result<(), russh::Error>) -> End {
        match result {
            Ok(()) if self.seen.offended.load(Ordering::Relaxed) => End::Failed(Phase::Command, FaultKind::Protocol),
            Ok(()) => End::Clean,
            Err(error) => {
                self.tell(&error);
                self.classify(&error)
            }
        }
    }

    /// Says what an old client, or a broken one, would have needed.
    fn tell(&self, error: &russh::Error) {
        if let russh::Error::NoCommonAlgo { kind, theirs, .. } = error {
            // It speaks SSH, and it is we who have nothing for it.
            *self.seen.caller.lock().unwrap_or_else(PoisonError::into_inner) = Caller::Expected;
            let offered: String = theirs.join(",").chars().take(MAX_TOLD).collect();
            tracing::info!(net.peer = %self.peer, ssh.missing = ?kind, ssh.offered = ?offered, "an SFTP client has no algorithm in common with us");
        }
    }

    /// How a connection failed. A client that hangs up with no file open has only left without a word.
    fn classify(&self, error: &russh::Error) -> End {
        let phase = match (self.seen.setup(), self.seen.moving.now()) {
            (None, _) => Phase::Login,
            (Some(_), 0) => Phase::Command,
            (Some(_), _) => Phase::Transfer,
        };
        let kind = match error {
            russh::Error::IO(error) => match error.kind() {
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => FaultKind::Reset,
                io::ErrorKind::UnexpectedEof => FaultKind::ClosedEarly,
                io::ErrorKind::TimedOut => FaultKind::Timeout,
                _ => FaultKind::Io,
            },
            russh::Error::Disconnect | russh::Error::HUP => FaultKind::ClosedEarly,
            russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout | russh::Error::ConnectionTimeout => {
                FaultKind::Timeout
            }
            _ => FaultKind::Protocol,
        };
        match (phase, kind) {
            (Phase::Command, FaultKind::ClosedEarly) => End::Clean,
            _ => End::Failed(phase, kind),
        }
    }
}

async fn shown_out(stay: Option<&Stay>) {
    match stay {
        Some(stay) => stay.shown_out().await,
        None => std::future::pending().await,
    }
}

async fn goodbye(handle: &Handle, running: impl Future<Output = Result<(), russh::Error>>, reason: &str) {
    let told = async {
        if handle.disconnect(Disconnect::ByApplication, reason.to_owned(), "en".to_owned()).await.is_ok() {
            drop(running.await);
        }
    };
    if tokio::time::timeout(GOODBYE, told).await.is_err() {
        tracing::debug!("an SFTP client did not take the goodbye");
    }
}
