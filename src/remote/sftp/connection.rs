//! One SSH connection with its SFTP channel: dialled, its key judged, logged in, greeted, and its limits known.
//!
//! One channel a connection: requests of any number of files share it. More channels would only give an OpenSSH
//! server more processes; where one connection is not enough, a second one brings a cipher and a TCP flow of its own.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use russh::client::{Handle, Msg, connect_stream};
use russh::{Channel as SshChannel, ChannelMsg, Disconnect};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::channel::{Channel, unwelcome};
use super::fault;
use super::host_key::{Judge, Negotiated, Trust, Witness};
use super::login::Login;
use super::road::Road;
use super::shared::Shared;
use super::window::SAFE_REQUEST;
use super::{HostKey, algorithms};
use crate::model::{Endpoint, Fault, FaultKind, Phase};
use crate::net::sftp::{Answer, Extension, MAX_DATA, Request};
use crate::net::{Secured, SshStream, Tally};
use crate::reliability::{Detail, End, What};

/// The shortest limit of a READ or WRITE that is obeyed; every server takes [`SAFE_REQUEST`].
const LEAST: usize = 4 << 10;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// What a server can do beyond version 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Features {
    /// `fsync@openssh.com`.
    pub(super) fsync: bool,
    /// `check-file`.
    pub(super) check_file: bool,
    /// `limits@openssh.com`.
    limits: bool,
    /// OpenSSH's own program or Causeway: RENAME never replaces, FSETSTAT sets times and permission bits, and requests
    /// are done in the order in which they come.
    pub(super) well_known: bool,
    /// Another Causeway: it keeps some names to itself.
    pub(super) causeway: bool,
}

/// What was learned when it was opened, for reports.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    /// How the server greets.
    pub(super) software: String,
    /// Names of the extensions that it has.
    pub(super) extensions: Vec<String>,
    pub(super) agreed: Option<Negotiated>,
    /// From looking up the name to the first answer.
    pub(super) setup: Duration,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) channel: Channel,
    pub(super) features: Features,
    pub(super) about: About,
    /// The longest READ and WRITE that the server takes.
    pub(super) max_read: usize,
    pub(super) max_write: usize,
    files: AtomicUsize,
    ssh: Session,
    closing: Arc<AtomicBool>,
    /// What is known of the TCP connection under it.
    pub(super) tally: Arc<Tally>,
}

struct Session(Handle<Judge>);

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

/// A file's place on a connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Connection>);

impl Seat {
    pub(super) fn take(connection: Arc<Connection>) -> Self {
        connection.files.fetch_add(1, Ordering::Relaxed);
        Self(connection)
    }
}

impl Deref for Seat {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.files.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The steps of getting in, each with the time it took.
struct Steps {
    phases: Vec<(Phase, Duration)>,
    last: Instant,
}

impl Steps {
    fn done(&mut self, phase: Phase) {
        let now = Instant::now();
        self.phases.push((phase, now.duration_since(self.last)));
        self.last = now;
    }
}

impl Connection {
    /// Opens one; the observation of it is recorded when it ends.
    ///
    /// # Errors
    /// The first thing that did not work.
    pub(super) async fn open(shared: &Arc<Shared>) -> Result<Arc<Self>, Fault> {
        let cut = CancellationToken::new();
        let guard = cut.clone().drop_guard();
        let (endpoint, deadlines) = (&shared.endpoint, shared.deadlines());
        let (road, phases) = Road::to(endpoint).await?;
        let mut steps = Steps { phases, last: Instant::now() };
        let tally = road.tally();
        let mut stream = SshStream::new(road, cut.clone()).counting(Arc::clone(&tally));
        let software = greeting(endpoint, &mut stream).await?;
        steps.done(Phase::Banner);
        let witness = Witness::default();
        let mut ssh = handshake(endpoint, shared.trust, stream, &witness).await?;
        steps.done(Phase::Tls);
        let login = Login::new(&mut ssh, endpoint).run();
        within(deadlines.command, Phase::Login, "the login", login).await.map_err(|fault| known(&witness, fault))?;
        steps.done(Phase::Login);
        let started = subsystem(&ssh);
        let channel = within(deadlines.command, Phase::Login, "opening the SFTP session", started)
            .await
            .map_err(|fault| known(&witness, fault))?;
        let channel = Channel::start(channel, witness.clone(), cut, &shared.ctx.tasks);
        let mut connection = Self::greet(shared, channel, (ssh, tally), &software).await?;
        steps.done(Phase::Command);
        connection.about.agreed = witness.negotiated();
        connection.about.setup = steps.phases.iter().map(|(_, took)| *took).sum();
        if let Some(agreed) = witness.negotiated() {
            connection.tally.secure(Secured::by(&agreed.kex));
            tracing::info!(
                endpoint = %endpoint, server = %software, kex = %agreed.kex, cipher = %agreed.cipher,
                "connected to an SFTP server"
            );
        }
        connection.watch(shared, steps.phases);
        // From now on the channel cuts it.
        guard.disarm();
        Ok(Arc::new(connection))
    }

    /// INIT and VERSION (section 4), then what the server takes at once.
    async fn greet(
        shared: &Shared,
        channel: Channel,
        (ssh, tally): (Handle<Judge>, Arc<Tally>),
        software: &str,
    ) -> Result<Self, Fault> {
        let deadline = shared.deadlines().command;
        let (version, extensions) = match channel.ask(Request::Init, deadline).await? {
            Answer::Version { version, extensions } => (version, extensions),
            other => return Err(unwelcome(Phase::Login, "greeting the SFTP server", &other)),
        };
        if version < 3 {
            let why = format!("the server speaks version {version} of SFTP: version 3 is needed");
            return Err(Fault::new(Phase::Login, FaultKind::Unsupported, why));
        }
        let features = Features::of(software, &extensions);
        let (mut max_read, mut max_write) = (SAFE_REQUEST, SAFE_REQUEST);
        if features.limits
            && let Answer::Extended(bytes) = channel.ask(Request::Extended(Extension::Limits), deadline).await?
            && let [_packet, read, write, ..] = Answer::numbers(bytes).as_slice()
        {
            (max_read, max_write) = (bounded(*read), bounded(*write));
        }
        let names = extensions.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        let about = About { software: software.to_owned(), extensions: names, ..About::default() };
        let (files, closing) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
        Ok(Self { channel, features, about, max_read, max_write, files, ssh: Session(ssh), closing, tally })
    }

    /// How many files are moved over it.
    pub(super) fn files(&self) -> usize {
        self.files.load(Ordering::Relaxed)
    }

    /// Records the connection when it ends.
    fn watch(&self, shared: &Arc<Shared>, phases: Vec<(Phase, Duration)>) {
        let (shared, channel, closing) = (Arc::clone(shared), self.channel.clone(), Arc::clone(&self.closing));
        let tally = Arc::clone(&self.tally);
        tally.look();
        let setup = phases.iter().map(|(_, took)| *took).sum();
        let ready = Instant::now();
        shared.clone().ctx.tasks.spawn("sftp connection", async move {
            channel.ended().await;
            let broken = channel.broken().filter(|_| !closing.load(Ordering::Relaxed));
            let end = End::by(broken);
            let what = What::Connection { setup: Some(setup), phases, held: ready.elapsed(), end };
            shared.record(what, Detail::of(&tally).ended(broken));
        });
    }

    /// Ends it in good order.
    pub(super) async fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        let goodbye = self.ssh.0.disconnect(Disconnect::ByApplication, "", "");
        let said = async {
            goodbye.await.map_err(|error| tracing::debug!(error = %error, "a goodbye was not taken")).ok();
            self.channel.ended().await;
        };
        if timeout(GOODBYE, said).await.is_err() {
            tracing::debug!("an SFTP server did not take our goodbye");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.channel.end(Fault::new(Phase::Close, FaultKind::Cancelled, "the connection was closed"));
    }
}

/// What a server must announce to be taken at its greeting's word. SSH tells who is at the door, not which program
/// speaks SFTP behind it. One with a RENAME that never replaces has another word for replacing, and links for it; the
/// last two tell the program itself (since 2013) from libraries that announce the others and replace all the same.
const WELL_KNOWN: [&str; 4] =
    ["posix-rename@openssh.com", "hardlink@openssh.com", "fstatvfs@openssh.com", "fsync@openssh.com"];

impl Features {
    fn of(software: &str, extensions: &[(Bytes, Bytes)]) -> Self {
        let has = |name: &str| extensions.iter().any(|(known, _)| known.as_ref() == name.as_bytes());
        let is = |name: &str| software.strip_prefix("SSH-2.0-").is_some_and(|rest| rest.starts_with(name));
        Self {
            fsync: has("fsync@openssh.com"),
            check_file: has("check-file"),
            limits: has("limits@openssh.com"),
            well_known: (is("OpenSSH") || is("Causeway")) && WELL_KNOWN.into_iter().all(has),
            causeway: is("Causeway"),
        }
    }
}

/// 0 is "no limit". Less than [`LEAST`] at a time would be a flood of requests.
fn bounded(limit: u64) -> usize {
    match usize::try_from(limit).unwrap_or(MAX_DATA) {
        0 => MAX_DATA,
        limit => limit.clamp(LEAST, MAX_DATA),
    }
}

/// The key that a server shows, without logging in.
pub(super) async fn host_key(endpoint: &Endpoint) -> Result<HostKey, Fault> {
    let cut = CancellationToken::new();
    let _guard = cut.clone().drop_guard();
    let (road, _) = Road::to(endpoint).await?;
    let mut stream = SshStream::new(road, cut);
    greeting(endpoint, &mut stream).await?;
    let witness = Witness::default();
    // It ends with a refusal, whatever the key is.
    let refused = handshake(endpoint, Trust::Nobody, stream, &witness).await.err();
    let none = || Fault::new(Phase::Tls, FaultKind::Protocol, "the server showed no host key");
    witness.key().ok_or_else(|| refused.unwrap_or_else(none))
}

/// What the server calls itself.
pub(super) async fn greeting<S: AsyncRead + Unpin>(
    endpoint: &Endpoint,
    stream: &mut SshStream<S>,
) -> Result<String, Fault> {
    let (host, deadline) = (&endpoint.host, endpoint.options.deadlines.banner);
    let heard = timeout(deadline, stream.greeting()).await.map_err(|_| {
        let why = format!("{host} says nothing within {} s: is it an SSH server?", deadline.as_secs());
        Fault::new(Phase::Banner, FaultKind::Timeout, why)
    })?;
    let said = heard.map_err(|e| Fault::io(Phase::Banner, &format!("lost {host} before its greeting"), &e))?;
    if said.starts_with("SSH-2.0-") || said.starts_with("SSH-1.99-") {
        return Ok(said);
    }
    let said = fault::plain(&said);
    let lower = said.to_lowercase();
    let kind = if lower.contains("maxstartups") || lower.contains("too many") || lower.contains("limit") {
        FaultKind::Limit
    } else {
        FaultKind::Protocol
    };
    Err(Fault::new(Phase::Banner, kind, format!("{host} does not greet as an SSH server: it says “{said}”")))
}

/// The key exchange: from then on the server is known to be the right one.
pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    endpoint: &Endpoint,
    trust: Trust,
    stream: SshStream<S>,
    witness: &Witness,
) -> Result<Handle<Judge>, Fault> {
    let (host, deadline) = (&endpoint.host, endpoint.options.deadlines.connect);
    let judge = Judge { trust, witness: witness.clone() };
    let what = format!("the SSH handshake with {host}");
    let connected = async {
        connect_stream(Arc::new(algorithms::config()), stream, judge)
            .await
            .map_err(|error| fault::of_ssh(Phase::Tls, &what, &error))
    };
    within(deadline, Phase::Tls, &what, connected)
        .await
        .map_err(|fault| witness.refusal(host, trust).unwrap_or_else(|| known(witness, fault)))
}

/// `subsystem` of RFC 4254, section 6.5.
async fn subsystem(ssh: &Handle<Judge>) -> Result<SshChannel<Msg>, Fault> {
    let lost = |error: &russh::Error| fault::of_ssh(Phase::Login, "opening the SFTP session", error);
    let mut channel = ssh.channel_open_session().await.map_err(|e| lost(&e))?;
    channel.request_subsystem(true, "sftp").await.map_err(|e| lost(&e))?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return Ok(channel),
            Some(ChannelMsg::Failure) => {
                let why = "the server has SSH but no SFTP for this user: it refuses the subsystem";
                return Err(Fault::new(Phase::Login, FaultKind::Unsupported, why));
            }
            Some(ChannelMsg::Close | ChannelMsg::Eof) | None => return Err(lost(&russh::Error::HUP)),
            Some(_) => {}
        }
    }
}

/// The reason that the SSH layer knows, in place of "the connection is gone".
fn known(witness: &Witness, fault: Fault) -> Fault {
    match witness.end() {
        Some(end) if fault.kind == FaultKind::ClosedEarly => Fault { phase: fault.phase, ..end },
        _ => fault,
    }
}

/// Waits for `work`, but not longer than `deadline`.
pub(super) async fn within<T>(
    deadline: Duration,
    phase: Phase,
    what: &str,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    timeout(deadline, work).await.unwrap_or_else(|_| {
        let why = format!("{what} took longer than {} s", deadline.as_secs());
        Err(Fault::new(phase, FaultKind::Timeout, why))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(software: &str, names: &[&'static str]) -> Features {
        let extensions: Vec<_> = names.iter().map(|name| (Bytes::from_static(name.as_bytes()), Bytes::new())).collect();
        Features::of(software, &extensions)
    }

    #[test]
    fn a_greeting_alone_says_nothing_about_the_program_behind_it() {
        let openssh = "SSH-2.0-OpenSSH_9.2p1 Debian-2";
        assert!(of(openssh, &WELL_KNOWN).well_known && of("SSH-2.0-Causeway_1", &WELL_KNOWN).well_known);
        assert!(!of("SSH-2.0-SFTPGo_2", &WELL_KNOWN).well_known);
        for left_out in WELL_KNOWN {
            let others: Vec<_> = WELL_KNOWN.into_iter().filter(|name| *name != left_out).collect();
            assert!(!of(openssh, &others).well_known, "without {left_out}");
        }
    }

    #[test]
    fn limits_are_obeyed_within_reason() {
        assert_eq!([0, 1, 32 << 10, u64::MAX].map(bounded), [MAX_DATA, LEAST, 32 << 10, MAX_DATA]);
    }
}
