//! The bench on which one endpoint lies: what is known of it so far, and what may still be asked.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Order;
use super::capture::Capture;
use super::evidence::{Fact, Outcome, Seen, Way};
use super::step::Step;
use crate::manners::Manners;
use crate::model::{Clock, Deadlines, Endpoint, Fault, FaultKind, Phase, Protocol, RelPath};
use crate::net::{Probe, TlsClient, probe};
use crate::reliability::Recorder;
use crate::remote::{self, Context, Remote};
use crate::task::Tasks;

/// How long connections may take to end.
const GOODBYE: Duration = Duration::from_secs(3);
/// A lost first packet is sent again after a second (RFC 6298, section 2.1); a connection that took so long may have lost one.
pub(super) const AGAIN: Duration = Duration::from_millis(950);
/// How long the name of the server may take before the first packet is looked at.
const LOOK_UP: Duration = Duration::from_secs(5);

/// What may be asked of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all, the control and the data ones.
    pub connections: u32,
    /// Logged-in connections at once.
    pub at_once: u16,
    /// Bytes of files and listings.
    pub bytes: u64,
    /// No step begins after so long.
    pub time: Duration,
    /// The longest time that a connection is left idle.
    pub hold: Duration,
    /// Leave out what takes minutes.
    pub quick: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 200,
            at_once: 10,
            bytes: 64 << 20,
            time: Duration::from_secs(900),
            hold: Duration::from_secs(120),
            quick: false,
        }
    }
}

/// What was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Spent {
    /// Connections that were tried.
    pub connections: u32,
    /// Bytes that came over data connections.
    pub bytes: u64,
}

/// How far a diagnosis is. Written by it, read by whoever watches.
#[derive(Debug, Default)]
pub struct Progress(Mutex<(Option<Step>, Vec<Seen>)>);

impl Progress {
    /// What it is doing.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        self.lock().0
    }

    /// All that was seen, but for the first `known`.
    #[must_use]
    pub fn since(&self, known: usize) -> Vec<Seen> {
        self.lock().1.get(known..).unwrap_or_default().to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, (Option<Step>, Vec<Seen>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What later steps build upon.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The address that answers.
    pub address: Option<SocketAddr>,
    /// Logging in works.
    pub enters: bool,
    /// A password was refused: it is not tried again.
    pub barred: bool,
    /// The ways to a data connection that work, best first.
    pub ways: Vec<Way>,
    /// Files with their sizes, as paths to ask for.
    pub files: Vec<(Vec<u8>, u64)>,
    /// Large answers do not come through, and do with segments of this length.
    pub segment: Option<u32>,
    /// So many connections at once it bore, when it refused one more.
    pub limit: Option<u16>,
}

#[derive(Debug, Default)]
struct State {
    known: Known,
    spent: Spent,
}

/// One endpoint being looked at.
#[derive(Debug)]
pub struct Bench {
    /// Where.
    pub endpoint: Endpoint,
    /// Trust, where TLS is spoken.
    pub tls: Option<TlsClient>,
    /// What may be asked.
    pub limits: Limits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
    begun: Instant,
    state: Mutex<State>,
    remote: Mutex<Far>,
    tasks: Tasks,
    /// Where something may be written, below the endpoint's folder.
    pub upload: Option<RelPath>,
    /// Where headers of packets are kept.
    pub captures: Option<PathBuf>,
    capture: Mutex<Option<Result<Capture, String>>>,
}

/// The endpoint as a copy sees it, once it is open.
#[derive(Default)]
struct Far(Option<Arc<dyn Remote>>);

impl std::fmt::Debug for Far {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Far")
    }
}

/// Begins to look at the headers of packets, if the name leads somewhere.
async fn capture(endpoint: &Endpoint, clock: &Arc<dyn Clock>) -> Option<Result<Capture, String>> {
    let looked = timeout(LOOK_UP, tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port))).await;
    let addresses: Vec<_> = looked.ok()?.ok()?.map(|address| address.ip()).collect();
    let begun = Capture::start(addresses, endpoint.port, Arc::clone(clock));
    Some(begun.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => "headers of packets are seen with CAP_NET_RAW only".to_owned(),
        _ => format!("headers of packets cannot be seen: {error}"),
    }))
}

impl Bench {
    /// Nothing asked yet.
    ///
    /// # Errors
    /// When the settings about certificates make no sense.
    pub async fn new(order: &Order, progress: Arc<Progress>) -> Result<Self, Fault> {
        let endpoint = &order.endpoint;
        let tls = match endpoint.protocol {
            Protocol::FtpTls | Protocol::Ftps | Protocol::Davs => {
                Some(TlsClient::new(&endpoint.host, &remote::trust(endpoint).await?)?)
            }
            _ => None,
        };
        let state = Mutex::default();
        let (limits, clock) = (order.limits, Arc::clone(&order.clock));
        let (captures, upload) = (order.captures.clone(), order.upload.clone());
        let capture = Mutex::new(if captures.is_some() { capture(endpoint, &clock).await } else { None });
        let (endpoint, begun, remote, tasks) = (endpoint.clone(), Instant::now(), Mutex::default(), Tasks::new());
        Ok(Self { endpoint, tls, limits, clock, progress, begun, state, remote, tasks, upload, captures, capture })
    }

    /// The capture of headers, which its caller ends; why there is none; `None` where none is wanted.
    pub(super) fn end_capture(&self) -> Option<Result<Capture, String>> {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The waits of a diagnosis: shorter than those of a copy, since waiting is what it does all day.
    #[must_use]
    pub fn deadlines(&self) -> Deadlines {
        let given = self.endpoint.options.deadlines;
        Deadlines {
            connect: given.connect.min(Duration::from_secs(5)),
            banner: given.banner.min(Duration::from_secs(12)),
            command: given.command.min(Duration::from_secs(10)),
            stall: given.stall.min(Duration::from_secs(6)),
            closing: given.closing.min(Duration::from_secs(8)),
            listing: given.listing.min(Duration::from_secs(60)),
        }
    }

    /// A new step begins.
    pub fn enter(&self, step: Step) {
        self.progress.lock().0 = Some(step);
    }

    /// Keeps what was seen; says under which number.
    pub fn see(&self, against: impl Into<String>, fact: Fact) -> usize {
        let at = (self.begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        let mut progress = self.progress.lock();
        let step = progress.0.unwrap_or(Step::Names);
        let id = progress.1.len() + 1;
        progress.1.push(Seen { id, step, at, against: against.into(), fact });
        id
    }

    /// A step does without.
    pub fn leave_out(&self, why: impl Into<String>) {
        self.see(self.server(), Fact::LeftOut { why: why.into() });
    }

    /// Host and port, as evidence names them.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{}:{}", self.endpoint.host, self.endpoint.port)
    }

    /// All that was seen.
    #[must_use]
    pub fn evidence(&self) -> Vec<Seen> {
        self.progress.since(0)
    }

    /// What is known.
    #[must_use]
    pub fn known(&self) -> Known {
        self.state().known.clone()
    }

    /// A path of the endpoint, from the root of the server on.
    #[must_use]
    pub fn below(&self, path: &[u8]) -> Vec<u8> {
        let mut whole = self.endpoint.root.clone();
        if !whole.is_empty() && !whole.ends_with(b"/") {
            whole.push(b'/');
        }
        whole.extend(path);
        whole
    }

    /// Adds to what is known.
    pub fn learn(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.state().known);
    }

    /// What was spent.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.state().spent
    }

    /// Bytes came.
    pub fn spend(&self, bytes: u64) {
        let mut state = self.state();
        state.spent.bytes = state.spent.bytes.saturating_add(bytes);
    }

    /// So many bytes may still come.
    #[must_use]
    pub fn bytes_left(&self) -> u64 {
        self.limits.bytes.saturating_sub(self.state().spent.bytes)
    }

    /// So many connections may still be opened.
    #[must_use]
    pub fn connections_left(&self) -> u32 {
        self.limits.connections.saturating_sub(self.state().spent.connections)
    }

    /// A connection is opened by somebody else.
    pub fn spend_connection(&self) {
        let mut state = self.state();
        state.spent.connections = state.spent.connections.saturating_add(1);
    }

    /// For clients of a copy's own: what they see is evidence here and counts nowhere else.
    #[must_use]
    pub fn context(&self) -> Context {
        let (recorder, manners) = (Recorder::discard(), Manners::forgetful());
        Context { recorder, manners, clock: Arc::clone(&self.clock), tasks: self.tasks.child() }
    }

    /// The endpoint, over one connection, with deadlines that are not longer than a diagnosis waits.
    #[must_use]
    pub fn alone(&self) -> Endpoint {
        let mut endpoint = self.endpoint.clone();
        endpoint.options.connections = Some(1);
        endpoint.options.deadlines = self.deadlines();
        endpoint
    }

    /// Later steps use it.
    pub fn keep(&self, remote: Arc<dyn Remote>) {
        self.remote.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(remote);
    }

    /// What an earlier step opened.
    #[must_use]
    pub fn kept(&self) -> Option<Arc<dyn Remote>> {
        self.remote.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Ends in good order what an earlier step opened.
    pub async fn let_go(&self) {
        let remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner).0.take();
        if let Some(remote) = remote {
            remote.close().await;
        }
    }

    /// The same with all that is under way.
    pub async fn close(&self) {
        self.let_go().await;
        self.tasks.drain(GOODBYE).await;
    }

    /// Since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Opens a TCP connection, if the budget has one left.
    ///
    /// # Errors
    /// A fault of `phase`; [`FaultKind::Cancelled`] when the budget is used up.
    pub async fn connect(&self, phase: Phase, to: SocketAddr, how: Probe) -> Result<TcpStream, Fault> {
        self.connect_within(phase, to, how, self.deadlines().connect).await
    }

    /// As [`Bench::connect`], with a deadline of its own.
    ///
    /// # Errors
    /// As [`Bench::connect`].
    pub async fn connect_within(
        &self,
        phase: Phase,
        to: SocketAddr,
        how: Probe,
        within: Duration,
    ) -> Result<TcpStream, Fault> {
        {
            let mut state = self.state();
            if state.spent.connections >= self.limits.connections {
                let why = format!("the budget of {} connections is used up", self.limits.connections);
                return Err(Fault::new(phase, FaultKind::Cancelled, why));
            }
            state.spent.connections += 1;
        }
        let begun = Instant::now();
        let opened = probe(to, within, how).await;
        let took = begun.elapsed();
        // The step about connections writes down every one of its own, and a hop is no way to the server yet.
        if how.hops.is_none() && self.progress.step() != Some(Step::Connect) {
            self.note(phase, to, &opened, took);
        }
        opened.map_err(|error| Fault::io(phase, &format!("cannot connect to {to}"), &error))
    }

    /// Connections of all steps tell of packets that were lost; those to the greeting port also of a server that went away.
    fn note(&self, phase: Phase, to: SocketAddr, opened: &io::Result<TcpStream>, took: Duration) {
        let outcome = match opened {
            Ok(_) if took >= AGAIN => Outcome::well(took),
            Err(error) if phase == Phase::Connect && FaultKind::of_io(error) == FaultKind::Refused => {
                Outcome::of_io(error, took)
            }
            _ => return,
        };
        self.see(to.to_string(), Fact::Connected { outcome });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
