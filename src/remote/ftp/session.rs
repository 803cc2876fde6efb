//! One logged-in control connection and the data connections it opens.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::control::Control;
use super::fault;
use super::features::{Features, pwd_path};
use super::passive;
use super::reply::Reply;
use crate::model::{Deadlines, Endpoint, Fault, FaultKind, Phase, Protocol, Retry};
use crate::net::{self, Stream, TlsClient};
use crate::remote::Context;

/// A server that says nothing for so long after the command may want the data handshake first.
const HANDSHAKE_FIRST: Duration = Duration::from_secs(3);

/// So often EPSV may lead nowhere before PASV is used from the start.
const EPSV_MISSES: u8 = 3;
/// How long the reason for a broken data connection may take to arrive on the control connection.
const REASON: Duration = Duration::from_secs(2);

/// What all sessions of an endpoint share, and what was learned about the server.
#[derive(Debug)]
pub struct Shared {
    /// Where.
    pub endpoint: Endpoint,
    /// The house.
    pub ctx: Context,
    /// Trust; every session takes a fresh session store from it.
    pub tls: Option<TlsClient>,
    /// From the first login.
    pub learned: OnceLock<Learned>,
    /// REST does not work here.
    pub rest_fails: AtomicBool,
    /// How often EPSV did not work where PASV did.
    pub epsv_misses: AtomicU8,
    /// `LIST -a` of a folder with files showed no `.` and `..`.
    pub dotless: AtomicBool,
    /// Which listing command works: see `lister`.
    pub style: AtomicU8,
}

impl Shared {
    /// How long to wait.
    #[must_use]
    pub fn deadlines(&self) -> Deadlines {
        self.endpoint.options.deadlines
    }
}

/// What the first login told.
#[derive(Debug)]
pub struct Learned {
    /// FEAT.
    pub features: Features,
    /// The folder after login; `None` when PWD made no sense.
    pub home: Option<Vec<u8>>,
    /// The greeting.
    pub greeting: String,
}

/// A session between two operations, or in one.
#[derive(Debug)]
pub struct Session {
    /// The control connection.
    pub control: Control,
    tls: Option<TlsClient>,
    /// Where the server thinks we are, when that is known.
    pub cwd: Option<Vec<u8>>,
    /// When it was opened.
    pub opened: Instant,
    /// When it was last put back.
    pub rested: Instant,
    /// How long its set-up took, by phase.
    pub phases: Vec<(Phase, Duration)>,
}

/// An open data connection.
#[derive(Debug)]
pub struct Data {
    /// The bytes.
    pub stream: Stream,
    /// The closing reply, when the server said it before the data (early 226).
    pub closing: Option<Reply>,
}

impl Session {
    /// Connects, secures, logs in.
    ///
    /// # Errors
    /// The first thing that did not work.
    pub async fn open(shared: &Shared) -> Result<Self, Fault> {
        let endpoint = &shared.endpoint;
        let deadlines = shared.deadlines();
        let dialled = net::dial(&endpoint.host, endpoint.port, deadlines.connect).await?;
        let mut phases = dialled.phases;
        let tls = shared.tls.as_ref().map(TlsClient::fresh).transpose()?;
        let mut clock = Instant::now();
        let mut lap = |phases: &mut Vec<(Phase, Duration)>, phase| {
            phases.push((phase, clock.elapsed()));
            clock = Instant::now();
        };
        let stream = match (&tls, endpoint.protocol) {
            (Some(tls), Protocol::Ftps) => {
                let stream = tls.connect(dialled.stream, deadlines.connect).await?;
                lap(&mut phases, Phase::Tls);
                stream
            }
            _ => Stream::plain(dialled.stream),
        };
        let mut control = Control::new(stream, dialled.peer, deadlines);
        let greeting = greet(&mut control).await?;
        lap(&mut phases, Phase::Banner);
        if let Some(tls) = tls.as_ref().filter(|_| endpoint.protocol == Protocol::FtpTls) {
            control.expect(Phase::Tls, "AUTH", Some(b"TLS")).await?;
            control = control.start_tls(tls).await?;
        }
        if tls.is_some() {
            control.expect(Phase::Tls, "PBSZ", Some(b"0")).await?;
            control.expect(Phase::Tls, "PROT", Some(b"P")).await?;
            lap(&mut phases, Phase::Tls);
        }
        log_in(&mut control, endpoint).await?;
        lap(&mut phases, Phase::Login);
        prepare(&mut control, shared, greeting).await?;
        lap(&mut phases, Phase::Command);
        let home = shared.learned.get().and_then(|l| l.home.clone());
        let now = Instant::now();
        Ok(Self { control, tls, cwd: home, opened: now, rested: now, phases })
    }

    /// Goes to a directory, given as the server knows it.
    ///
    /// # Errors
    /// The honest 550 that a listing would hide.
    pub async fn go(&mut self, dir: &[u8]) -> Result<(), Fault> {
        if self.cwd.as_deref() == Some(dir) {
            return Ok(());
        }
        self.cwd = None;
        self.control.expect(Phase::List, "CWD", Some(dir)).await?;
        self.cwd = Some(dir.to_vec());
        Ok(())
    }

    /// Starts a transfer: data connection, REST, the command, and TLS on the data connection while the
    /// opening reply is awaited (some servers want the handshake first, most after).
    ///
    /// # Errors
    /// The server's no, or a lost connection.
    pub async fn transfer(
        &mut self,
        shared: &Shared,
        phase: Phase,
        verb: &str,
        arg: Option<&[u8]>,
        rest: u64,
        within: Duration,
    ) -> Result<Data, Fault> {
        if shared.learned.get().is_some_and(|l| l.features.pret) {
            let told = [verb.as_bytes(), arg.map_or(&b""[..], |_| b" "), arg.unwrap_or_default()].concat();
            self.control.expect(phase, "PRET", Some(&told)).await?;
        }
        let socket = self.open_data(shared).await?;
        if rest > 0 {
            let reply = self.control.ask(phase, "REST", Some(rest.to_string().as_bytes())).await?;
            if reply.code != 350 && reply.class() != 2 {
                return Err(no_restart(shared, phase, rest, &reply));
            }
        }
        self.control.drain(phase)?;
        self.control.send(phase, verb, arg).await?;
        let what = format!("{verb} {}", String::from_utf8_lossy(arg.unwrap_or_default()));
        self.opening(socket, phase, what.trim_end(), within).await
    }

    async fn opening(&mut self, socket: TcpStream, phase: Phase, what: &str, within: Duration) -> Result<Data, Fault> {
        let Some(tls) = &self.tls else {
            let reply = self.control.reply(phase, within).await?;
            let closing = opened(reply, phase, what)?;
            return Ok(Data { stream: Stream::plain(socket), closing });
        };
        // Most servers handshake after the opening reply, some wait for it before. And a handshake for a
        // transfer that is then refused would waste one of the few tickets of TLS 1.3.
        let early = match self.control.reply(phase, HANDSHAKE_FIRST.min(within)).await {
            Ok(reply) => Some(opened(reply, phase, what)?),
            Err(fault) if fault.kind == FaultKind::Timeout => None,
            Err(fault) => return Err(fault),
        };
        let handshake = self.control.deadlines.connect;
        if let Some(closing) = early {
            return match tls.connect(socket, handshake).await {
                Ok(stream) => Ok(Data { stream, closing }),
                Err(fault) => Err(self.reason(about_data(fault), what).await),
            };
        }
        let hears = async { opened(self.control.reply(phase, within).await?, phase, what) };
        let shakes = async { tls.connect(socket, handshake).await.map_err(about_data) };
        let (stream, closing) = tokio::try_join!(shakes, hears)?;
        Ok(Data { stream, closing })
    }

    /// The data connection broke: why, if the server says so soon ("426 …", "552 quota", "522 session reuse
    /// required"). The session must not be used again.
    pub async fn reason(&mut self, broken: Fault, what: &str) -> Fault {
        match tokio::time::timeout(REASON, self.closing(None, what)).await {
            // "426 Connection closed" only repeats what was seen.
            Ok(Err(said)) if said.evidence.code.is_some_and(|code| code != 426) => said,
            _ => broken,
        }
    }

    /// EPSV, then PASV; always to the control peer's address unless told otherwise.
    async fn open_data(&mut self, shared: &Shared) -> Result<TcpStream, Fault> {
        let within = shared.deadlines().connect;
        let peer = self.control.peer.ip().to_canonical();
        let mut first = None;
        if shared.epsv_misses.load(Ordering::Relaxed) < EPSV_MISSES {
            let reply = self.control.ask(Phase::DataConnect, "EPSV", None).await?;
            match passive::epsv_port(&reply).filter(|_| reply.class() == 2) {
                Some(port) => match net::connect(SocketAddr::new(peer, port), within, Phase::DataConnect).await {
                    Ok(stream) => return Ok(stream),
                    Err(fault) => first = Some(fault),
                },
                None if reply.class() == 4 => return Err(fault::of_reply(Phase::DataConnect, "EPSV", &reply)),
                None => first = Some(fault::of_reply(Phase::DataConnect, "EPSV", &reply)),
            }
        }
        if let (IpAddr::V6(_), Some(fault)) = (peer, &first) {
            return Err(fault.clone());
        }
        let reply = self.control.expect(Phase::DataConnect, "PASV", None).await?;
        let told = passive::pasv_address(&reply).ok_or_else(|| {
            let why = "the server's answer to PASV names no address";
            Fault::new(Phase::DataConnect, FaultKind::Protocol, why).reply(u32::from(reply.code), &reply.text())
        })?;
        let target = if shared.endpoint.options.trust_pasv_address { told } else { SocketAddr::new(peer, told.port()) };
        let stream = net::connect(target, within, Phase::DataConnect).await?;
        let Some(fault) = first else { return Ok(stream) };
        // A no is remembered at once; a port that did not open may have been one lost packet.
        let step = if fault.evidence.code.is_some() { EPSV_MISSES } else { 1 };
        let before = shared.epsv_misses.fetch_add(step, Ordering::Relaxed);
        if before < EPSV_MISSES && before + step >= EPSV_MISSES {
            tracing::info!(endpoint = %shared.endpoint, "EPSV does not work here, PASV does: using PASV from now on");
        }
        Ok(stream)
    }

    /// Waits for the closing reply of a transfer whose data ended.
    ///
    /// # Errors
    /// The server's no, or its silence.
    pub async fn closing(&mut self, early: Option<Reply>, what: &str) -> Result<Reply, Fault> {
        let reply = match early {
            Some(reply) => reply,
            None => self.control.reply(Phase::Finish, self.control.deadlines.closing).await?,
        };
        if reply.class() == 2 { Ok(reply) } else { Err(fault::of_reply(Phase::Finish, what, &reply)) }
    }
}

/// Ends a data connection in good order: close_notify out, their farewell (and its TLS tickets) in.
pub async fn end_data(stream: &mut Stream, within: Duration) -> std::io::Result<()> {
    tokio::time::timeout(within, stream.shutdown()).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// A server that knows no REST is not asked again; from the start the file can still be had.
fn no_restart(shared: &Shared, phase: Phase, rest: u64, reply: &Reply) -> Fault {
    let fault = fault::of_reply(phase, &format!("cannot go on at byte {rest}"), reply);
    if !matches!(reply.code, 500..=504) {
        return fault;
    }
    if !shared.rest_fails.swap(true, Ordering::Relaxed) {
        tracing::info!(endpoint = %shared.endpoint, "REST does not work here: broken transfers begin anew");
    }
    fault.retry(Retry::Now)
}

/// A data connection's trouble is that of one transfer; the next try takes a fresh session.
fn about_data(fault: Fault) -> Fault {
    let message = format!("data connection: {}", fault.message);
    Fault { phase: Phase::DataConnect, retry: Retry::Now, message, ..fault }
}

/// 1yz opens; a 2yz without one is the closing reply of an empty or already sent transfer.
fn opened(reply: Reply, phase: Phase, what: &str) -> Result<Option<Reply>, Fault> {
    match reply.class() {
        1 => Ok(None),
        2 => Ok(Some(reply)),
        _ => Err(fault::of_reply(phase, what, &reply)),
    }
}

/// 120 means "wait", 220 "go on" (RFC 959 section 5.4).
async fn greet(control: &mut Control) -> Result<String, Fault> {
    for _ in 0..5 {
        let reply = control.reply(Phase::Banner, control.deadlines.banner).await?;
        match reply.class() {
            1 => {}
            2 => return Ok(reply.text()),
            _ => return Err(fault::of_reply(Phase::Banner, "greeting", &reply)),
        }
    }
    Err(Fault::new(Phase::Banner, FaultKind::Protocol, "the server greets without end"))
}

/// USER, PASS (RFC 959 section 5.4); 230 and 232 after USER need no password, 202 after PASS is fine.
async fn log_in(control: &mut Control, endpoint: &Endpoint) -> Result<(), Fault> {
    let (user, password) = match endpoint.user.as_str() {
        "" => ("anonymous", "anonymous@"),
        user => (user, endpoint.password.as_ref().map_or("", |p| p.expose())),
    };
    if let Some(password) = &endpoint.password {
        control.hush(password);
    }
    let reply = control.ask(Phase::Login, "USER", Some(user.as_bytes())).await?;
    let reply = match reply.code {
        331 => control.ask(Phase::Login, "PASS", Some(password.as_bytes())).await?,
        _ => reply,
    };
    let who = format!("cannot log in as '{user}'");
    match reply.class() {
        2 => Ok(()),
        3 if reply.code == 332 => Err(Fault::new(
            Phase::Login,
            FaultKind::Auth,
            format!(
                "{who}: the server wants an account name (ACCT) besides user and password, which cannot be given yet"
            ),
        )
        .reply(332, &reply.text())),
        _ => Err(fault::of_reply(Phase::Login, &who, &reply)),
    }
}

/// FEAT and PWD once per endpoint, TYPE I once per session.
async fn prepare(control: &mut Control, shared: &Shared, greeting: String) -> Result<(), Fault> {
    if shared.learned.get().is_none() {
        let features = Features::of(&control.ask(Phase::Command, "FEAT", None).await?);
        let pwd = control.ask(Phase::Command, "PWD", None).await?;
        let home = (pwd.class() == 2).then(|| pwd_path(&pwd)).flatten();
        // Another session may have been faster; both learned the same.
        shared.learned.get_or_init(|| Learned { features, home, greeting });
    }
    if shared.learned.get().is_some_and(|l| l.features.utf8) && shared.endpoint.options.charset.is_none() {
        control.ask(Phase::Command, "OPTS", Some(b"UTF8 ON")).await?;
    }
    control.expect(Phase::Command, "TYPE", Some(b"I")).await?;
    Ok(())
}
