//! One conversation with the server, asked step by step so that each step can be told apart. It takes none of the short
//! cuts and none of the remedies of a copy: those are what is in question.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::bench::Bench;
use super::evidence::{Moved, Outcome, Way};
use crate::model::{Fault, FaultKind, Phase, Protocol};
use crate::net::{Probe, Stream, TlsClient};
use crate::remote::ftp::control::Control;
use crate::remote::ftp::reply::Reply;
use crate::remote::ftp::{fault, passive};

/// A server that says nothing for so long after the command may want the data handshake first.
const HANDSHAKE_FIRST: Duration = Duration::from_secs(3);
/// How long the reason for a broken data connection may take to arrive.
const REASON: Duration = Duration::from_secs(2);
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// A logged-in conversation.
#[derive(Debug)]
pub struct Talk {
    /// Commands and replies.
    pub control: Control,
    tls: Option<Arc<TlsClient>>,
    local: IpAddr,
}

/// What is to be moved.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// As people call it.
    pub what: &'a str,
    /// RETR, LIST …
    pub verb: &'a str,
    /// Its argument.
    pub arg: Option<&'a [u8]>,
    /// How many bytes are to come, where that is known.
    pub wanted: Option<u64>,
    /// No more is read.
    pub most: u64,
    /// The longest segment of the data connection.
    pub segment: Option<u32>,
    /// Bytes that are read at once.
    pub piece: usize,
    /// Rest between two of them.
    pub pause: Duration,
}

impl<'a> Load<'a> {
    /// A listing of the folder.
    #[must_use]
    pub const fn listing(verb: &'a str, most: u64) -> Self {
        let (what, piece, pause) = ("a listing", PIECE, Duration::ZERO);
        Self { what, verb, arg: None, wanted: None, most, segment: None, piece, pause }
    }

    /// A file, or its beginning.
    #[must_use]
    pub const fn file(what: &'a str, path: &'a [u8], size: u64, most: u64) -> Self {
        let (piece, pause) = (PIECE, Duration::ZERO);
        Self { what, verb: "RETR", arg: Some(path), wanted: Some(size), most, segment: None, piece, pause }
    }
}

/// A reply and how long it took.
pub fn told(asked: &Result<Reply, Fault>, took: Duration) -> Outcome {
    match asked {
        Ok(reply) if reply.class() < 4 => Outcome::well(took).saying(reply.code, &reply.text()),
        Ok(reply) => Outcome::of(&fault::of_reply(Phase::Command, "", reply), took),
        Err(fault) => Outcome::of(fault, took),
    }
}

/// The greeting: 120 means "wait" (RFC 959, section 5.4).
async fn greet(control: &mut Control) -> Result<Reply, Fault> {
    loop {
        let reply = control.reply(Phase::Banner, control.deadlines.banner).await?;
        match reply.class() {
            1 => {}
            2 => return Ok(reply),
            _ => return Err(fault::of_reply(Phase::Banner, "greeting", &reply)),
        }
    }
}

/// User and password; each is said once. What a refusal means is in the fault.
pub async fn log_in(bench: &Bench, control: &mut Control) -> Result<Reply, Fault> {
    let endpoint = &bench.endpoint;
    if let Some(password) = &endpoint.password {
        control.hush(password);
    }
    let (user, password) = match endpoint.user.as_str() {
        "" => ("anonymous", "anonymous@"),
        user => (user, endpoint.password.as_ref().map_or("", |password| password.expose())),
    };
    let mut reply = control.ask(Phase::Login, "USER", Some(user.as_bytes())).await?;
    if reply.code == 331 {
        reply = control.ask(Phase::Login, "PASS", Some(password.as_bytes())).await?;
    }
    if reply.class() == 2 { Ok(reply) } else { Err(fault::of_reply(Phase::Login, "login", &reply)) }
}

/// A connection on which the greeting has not been read.
pub async fn dial(bench: &Bench, how: Probe) -> Result<(TcpStream, SocketAddr), Fault> {
    let known = bench.known().address;
    let address = known.ok_or_else(|| Fault::new(Phase::Connect, FaultKind::Unreachable, "no address answers"))?;
    let how = Probe { segment: how.segment.or(bench.known().segment), ..how };
    Ok((bench.connect(Phase::Connect, address, how).await?, address))
}

impl Talk {
    /// Connects, secures and logs in, as the endpoint says.
    ///
    /// # Errors
    /// The first thing that did not work.
    pub async fn open(bench: &Bench, how: Probe) -> Result<Self, Fault> {
        let protocol = bench.endpoint.protocol;
        let (stream, peer) = dial(bench, how).await?;
        let local = stream.local_addr().map_err(|e| Fault::io(Phase::Connect, "lost the server", &e))?.ip();
        let deadlines = bench.deadlines();
        let tls = bench.tls.as_ref().map(TlsClient::fresh).transpose()?.map(Arc::new);
        let stream = match &tls {
            Some(tls) if protocol == Protocol::Ftps => tls.connect(stream, deadlines.connect).await?,
            _ => Stream::plain(stream),
        };
        let mut control = Control::new(stream, peer, deadlines);
        greet(&mut control).await?;
        if let Some(tls) = tls.as_ref().filter(|_| protocol == Protocol::FtpTls) {
            control.expect(Phase::Tls, "AUTH", Some(b"TLS")).await?;
            control = control.start_tls(tls).await?;
        }
        if tls.is_some() {
            control.expect(Phase::Tls, "PBSZ", Some(b"0")).await?;
            control.expect(Phase::Tls, "PROT", Some(b"P")).await?;
        }
        log_in(bench, &mut control).await?;
        control.expect(Phase::Command, "TYPE", Some(b"I")).await?;
        Ok(Self { control, tls, local })
    }

    /// Asks where the server listens. The address that it announces, where it does.
    ///
    /// # Errors
    /// The server's no, or an answer without a port.
    pub async fn ask_port(&mut self, way: Way) -> Result<SocketAddr, Fault> {
        let phase = Phase::DataConnect;
        let verb = if way == Way::Epsv { "EPSV" } else { "PASV" };
        let reply = self.control.expect(phase, verb, None).await?;
        let peer = self.control.peer.ip().to_canonical();
        let found = match way {
            Way::Epsv => passive::epsv_port(&reply).map(|port| SocketAddr::new(peer, port)),
            _ => passive::pasv_address(&reply),
        };
        found.ok_or_else(|| {
            let why = format!("the answer to {verb} names no port");
            Fault::new(phase, FaultKind::Protocol, why).reply(u32::from(reply.code), &reply.text())
        })
    }

    /// Where a data connection goes, of what was announced.
    #[must_use]
    pub fn target(&self, way: Way, announced: SocketAddr) -> SocketAddr {
        match way {
            Way::Announced => announced,
            _ => SocketAddr::new(self.control.peer.ip().to_canonical(), announced.port()),
        }
    }

    /// Has the server connect to us (EPRT, RFC 2428, section 2).
    ///
    /// # Errors
    /// The server's no, or no port here.
    pub async fn offer_port(&mut self) -> Result<TcpListener, Fault> {
        let ours = |e: std::io::Error| Fault::io(Phase::DataConnect, "no port to listen on", &e);
        let listener = TcpListener::bind(SocketAddr::new(self.local, 0)).await.map_err(ours)?;
        let port = listener.local_addr().map_err(ours)?.port();
        let ip = self.local.to_canonical();
        let argument = format!("|{}|{ip}|{port}|", if ip.is_ipv4() { 1 } else { 2 });
        self.control.expect(Phase::DataConnect, "EPRT", Some(argument.as_bytes())).await?;
        Ok(listener)
    }

    /// Moves bytes over a data connection of its own.
    pub async fn move_data(&mut self, bench: &Bench, way: Way, load: Load<'_>) -> Moved {
        self.move_and_keep(bench, way, load, &mut |_| {}).await
    }

    /// The same, and hands them on.
    pub async fn move_and_keep(
        &mut self,
        bench: &Bench,
        way: Way,
        load: Load<'_>,
        kept: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Moved {
        let begun = Instant::now();
        let mut moved = Moved {
            what: load.what.to_owned(),
            way,
            wanted: load.wanted.map(|wanted| wanted.min(load.most)),
            bytes: 0,
            segment: load.segment.or(bench.known().segment),
            resumed: None,
            farewell: None,
            outcome: Outcome::default(),
            closing: None,
        };
        match Box::pin(self.carry(bench, way, load, &mut moved, kept)).await {
            Ok(()) => moved.outcome.millis = super::evidence::millis(begun.elapsed()),
            Err(fault) => moved.outcome = Outcome::of(&fault, begun.elapsed()),
        }
        bench.spend(moved.bytes);
        moved
    }

    async fn carry(
        &mut self,
        bench: &Bench,
        way: Way,
        load: Load<'_>,
        moved: &mut Moved,
        kept: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<(), Fault> {
        let how = Probe { segment: moved.segment, ..Probe::default() };
        let (socket, listener) = if way == Way::Active {
            (None, Some(self.offer_port().await?))
        } else {
            let announced = self.ask_port(way).await?;
            let to = self.target(way, announced);
            (Some(bench.connect(Phase::DataConnect, to, how).await?), None)
        };
        self.control.send(Phase::Open, load.verb, load.arg).await?;
        let within = self.control.deadlines.connect;
        let socket = match (socket, listener) {
            (Some(socket), _) => socket,
            (None, Some(listener)) => match timeout(within, listener.accept()).await {
                Ok(Ok((socket, _))) => socket,
                Ok(Err(e)) => return Err(Fault::io(Phase::DataConnect, "the server's connection", &e)),
                Err(_) => {
                    let why = "the server's connection to us does not come";
                    return Err(Fault::new(Phase::DataConnect, FaultKind::Timeout, why));
                }
            },
            (None, None) => return Err(Fault::new(Phase::DataConnect, FaultKind::Io, "no data connection")),
        };
        let mut early = None;
        let mut stream = self.begin(socket, &mut early).await?;
        moved.resumed = stream.is_resumed();
        let ended = self.drain(&mut stream, load, moved, kept).await;
        let whole = *ended.as_ref().unwrap_or(&true);
        if whole {
            // Also after a broken end: what the server has to say about it is half of the evidence.
            let begun = Instant::now();
            let reply = match early {
                Some(reply) => Ok(reply),
                None if ended.is_err() => self.control.reply(Phase::Finish, REASON).await,
                None => self.control.reply(Phase::Finish, self.control.deadlines.closing).await,
            };
            moved.closing = Some(told(&reply, begun.elapsed()));
        }
        ended.map(|_| ())
    }

    /// TLS where it is spoken, and the opening reply. `early`: the closing reply, where it came instead.
    async fn begin(&mut self, socket: TcpStream, early: &mut Option<Reply>) -> Result<Stream, Fault> {
        let opened = |reply: Reply, early: &mut Option<Reply>| match reply.class() {
            1 => Ok(()),
            2 => {
                *early = Some(reply);
                Ok(())
            }
            _ => Err(fault::of_reply(Phase::Open, "the transfer", &reply)),
        };
        let command = self.control.deadlines.command;
        let Some(tls) = self.tls.clone() else {
            opened(self.control.reply(Phase::Open, command).await?, early)?;
            return Ok(Stream::plain(socket));
        };
        let within = self.control.deadlines.connect;
        match self.control.reply(Phase::Open, HANDSHAKE_FIRST).await {
            Ok(reply) => {
                opened(reply, early)?;
                match tls.connect(socket, within).await {
                    Ok(stream) => Ok(stream),
                    Err(broken) => match self.control.reply(Phase::Finish, HANDSHAKE_FIRST).await {
                        Ok(reply) if reply.class() >= 4 => Err(fault::of_reply(Phase::DataConnect, "data TLS", &reply)),
                        _ => Err(broken),
                    },
                }
            }
            Err(fault) if fault.kind == FaultKind::Timeout => {
                let stream = tls.connect(socket, within).await?;
                opened(self.control.reply(Phase::Open, command).await?, early)?;
                Ok(stream)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Reads to the end, or to `most` bytes. False: it was left before its end.
    async fn drain(
        &self,
        stream: &mut Stream,
        load: Load<'_>,
        moved: &mut Moved,
        kept: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<bool, Fault> {
        let mut buffer = vec![0; load.piece];
        let stall = self.control.deadlines.stall;
        loop {
            match timeout(stall, stream.read(&mut buffer)).await {
                Ok(Ok(0)) => {
                    moved.farewell = stream.is_tls().then_some(true);
                    break;
                }
                Ok(Ok(count)) => {
                    kept(buffer.get(..count).unwrap_or_default());
                    moved.bytes += count as u64;
                    if moved.bytes >= load.most && load.wanted.is_none_or(|wanted| wanted > load.most) {
                        return Ok(false);
                    }
                    if !load.pause.is_zero() {
                        sleep(load.pause).await;
                    }
                }
                Ok(Err(error)) if stream.is_tls() && error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    moved.farewell = Some(false);
                    break;
                }
                Ok(Err(error)) => return Err(Fault::io(Phase::Transfer, "lost the data connection", &error)),
                Err(_) => {
                    let why = format!("no byte came for {} s", stall.as_secs());
                    return Err(Fault::new(Phase::Transfer, FaultKind::Stalled, why).bytes(moved.bytes));
                }
            }
        }
        if let Ok(Err(error)) = timeout(stall, stream.shutdown()).await {
            tracing::debug!(%error, "a data connection did not end well");
        }
        Ok(true)
    }
}
