//! Data connections: how one is opened, what flies with it, and how it ends.
//!
//! One by one, a small file costs four round trips: EPSV, connect, RETR, closing reply. Where the
//! [`Ladder`](super::ladder::Ladder) allows it, the look at the file before it flies with RETR, and the look after it and the
//! question for the next data port fly when the data has ended: three round trips for all of it, two where the server
//! closes without waiting for us.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::fault;
use super::flight::Flight;
use super::glance::Glance;
use super::ladder::Rung;
use super::passive;
use super::reply::Reply;
use super::session::{EPSV_MISSES, Session, Shared};
use crate::manners::{Manner, Term};
use crate::model::{Entry, Fault, FaultKind, Name, Phase, Retry};
use crate::net::{self, Stream};

/// A server that says nothing for so long after the command may want the data handshake first.
const HANDSHAKE_FIRST: Duration = Duration::from_secs(3);
/// How long the reason for a broken data connection may take to arrive on the control connection.
const REASON: Duration = Duration::from_secs(2);

/// What a broken data connection was for.
#[derive(Debug)]
pub struct Broken {
    /// The transfer.
    pub transfer: Fault,
    /// The session, which is not used again: its control connection may stand all the same.
    pub session: Fault,
}

/// What is to be moved.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// For faults.
    pub phase: Phase,
    /// RETR, STOR, LIST …
    pub verb: &'a str,
    /// Its argument.
    pub arg: Option<&'a [u8]>,
    /// Where the file is gone on with (REST).
    pub rest: u64,
    /// How long the opening reply may take.
    pub within: Duration,
    /// Looked at before and after, when the ladder allows it.
    pub look: Option<Look<'a>>,
    /// So small that the server is done with it before it could mind what comes behind.
    pub small: bool,
    /// Known to hold something: for an empty file some servers open no data connection.
    pub filled: bool,
}

impl<'a> Order<'a> {
    /// From the start, and nothing with it.
    #[must_use]
    pub const fn plain(phase: Phase, verb: &'a str, arg: Option<&'a [u8]>, within: Duration) -> Self {
        Self { phase, verb, arg, rest: 0, within, look: None, small: false, filled: false }
    }

    pub(super) fn what(&self) -> String {
        let name = String::from_utf8_lossy(self.arg.unwrap_or_default());
        format!("{} {name}", self.verb).trim_end().to_owned()
    }
}

/// A look at the file that is moved.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// By which commands.
    pub glance: Glance,
    /// Its name in its folder.
    pub name: &'a Name,
}

/// An open data connection.
#[derive(Debug)]
pub struct Data {
    /// The bytes.
    pub stream: Stream,
    /// The closing reply, when the server said it before the data (early 226).
    pub closing: Option<Reply>,
    /// What the server said of the file just before.
    pub before: Option<Entry>,
    /// That was asked.
    pub looked: bool,
    /// What follows the transfer, when it was sent with it.
    pub chained: Option<FollowUp>,
    /// Where the server came in, when it did: nobody else may.
    pub door: Option<TcpListener>,
}

/// What was asked behind a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowUp {
    /// What the file is now.
    glance: Option<Glance>,
    /// Where the server listens next.
    ahead: bool,
    /// What allowed it.
    pub(super) rung: Rung,
}

/// How a transfer ended.
#[derive(Debug, Default)]
pub struct Ending {
    /// What the server says of the file now.
    pub after: Option<Entry>,
    /// The session answered in order; otherwise it must not be used again.
    pub in_step: bool,
}

impl Session {
    /// Starts a transfer.
    ///
    /// # Errors
    /// The server's no, or a lost connection.
    pub async fn transfer(&mut self, shared: &Shared, order: Order<'_>) -> Result<Data, Fault> {
        if let Some(data) = Box::pin(self.call_back(shared, &order)).await? {
            return Ok(data);
        }
        self.settle(shared).await?;
        let socket = self.open_data(shared, &order).await?;
        self.control.drain(order.phase)?;
        let mut look = order.look.filter(|_| may_look(shared));
        let (mut before, mut looked) = (None, false);
        let mut flight = Flight::default();
        if order.rest > 0 {
            // A file whose REST is refused must not come from its start: the answer is awaited before RETR.
            if let (Some(look), Some(path)) = (look, order.arg) {
                look.glance.add(&mut flight, path)?;
            }
            flight.add(order.phase, "REST", Some(order.rest.to_string().as_bytes()))?;
            self.control.launch(order.phase, &flight).await?;
            looked = look.is_some();
            before = self.hear(shared, look.take()).await?;
            let reply = self.control.answer(order.phase).await?;
            if reply.code != 350 && reply.class() != 2 {
                return Err(no_restart(shared, order.phase, order.rest, &reply));
            }
        }
        let chained;
        (flight, look, chained) = compose(shared, &order, look)?;
        // A refused transfer whose handshake was begun has also cost one of the few tickets of TLS 1.3.
        self.unsettled = chained.is_some() || self.tls.is_some() && shared.ladder.rung() > Rung::OneByOne;
        self.control.launch(order.phase, &flight).await?;
        if look.is_some() {
            looked = true;
            before = self.hear(shared, look).await?;
        }
        let (stream, closing) = self.opening(shared, socket, &order).await?;
        self.unsettled = chained.is_some();
        Ok(Data { stream, closing, before, looked, chained, door: None })
    }

    /// Hears the look before a transfer. Answers in another order than the questions: this session is of no use.
    pub(super) async fn hear(&mut self, shared: &Shared, look: Option<Look<'_>>) -> Result<Option<Entry>, Fault> {
        let Some(look) = look else { return Ok(None) };
        match look.glance.hear(&mut self.control, look.name).await {
            Err(fault) if fault.kind == FaultKind::Protocol => {
                shared.lost(Rung::Batches, &fault.message, Term::Month);
                Err(fault.retry(Retry::Now))
            }
            // "Not now" about the time: the transfer itself will tell.
            Err(fault) if fault.evidence.code.is_some_and(|code| code != 421) => Ok(None),
            heard => heard,
        }
    }

    /// The data ended: hears the closing reply, and what follows it.
    ///
    /// # Errors
    /// The server's no, or its silence.
    pub async fn conclude(
        &mut self,
        shared: &Shared,
        order: &Order<'_>,
        early: Option<Reply>,
        chained: Option<FollowUp>,
    ) -> Result<Ending, Fault> {
        let mut asked = chained;
        if asked.is_none() && shared.batches() {
            let mut flight = Flight::default();
            let follow_up = add_follow_up(shared, &mut flight, order, Rung::Batches)?;
            if flight.is_light() {
                asked = Some(follow_up);
                self.control.launch(Phase::Finish, &flight).await?;
            }
        }
        let closed = self.closing(early, &order.what()).await;
        let Some(asked) = asked else { return closed.map(|_| Ending { after: None, in_step: true }) };
        let rung = asked.rung;
        match closed {
            // The answer to a question that was asked behind: the closing reply did not come first.
            Ok(reply) if matches!(reply.code, 213 | 227 | 229) => {
                shared.lost(rung, "an answer overtook the closing reply", Term::Month);
                let message = "the transfer ended without a closing word";
                return Err(Fault::new(Phase::Finish, FaultKind::ClosedEarly, message));
            }
            Err(fault) if rung >= Rung::Chains && fault.evidence.code.is_some() => {
                // It may have been the file.
                shared.lost(rung, &fault.message, Term::Day);
                return Err(fault.retry(Retry::Now));
            }
            Err(fault) => {
                shared.broke_off(fault.evidence.code.is_some().then_some(fault.message.as_str()));
                return Err(fault);
            }
            Ok(_) => {
                shared.broke_off(None);
                if rung == Rung::Chains && shared.ladder.chained() {
                    shared.experience.won(Manner::Chains);
                }
            }
        }
        self.unsettled = false;
        Ok(self.follow_up(shared, order, asked, rung).await)
    }

    /// Hears what follows a transfer. Nothing that goes wrong here is about the file.
    async fn follow_up(&mut self, shared: &Shared, order: &Order<'_>, asked: FollowUp, rung: Rung) -> Ending {
        let mut after = None;
        if let (Some(glance), Some(look)) = (asked.glance, order.look) {
            match glance.hear(&mut self.control, look.name).await {
                Ok(seen) => after = seen,
                Err(fault) if fault.evidence.code.is_some() && fault.kind != FaultKind::Protocol => {}
                Err(fault) => {
                    if fault.kind == FaultKind::Protocol {
                        shared.lost(rung, &fault.message, Term::Month);
                    }
                    return Ending::default();
                }
            }
        }
        if !asked.ahead {
            return Ending { after, in_step: true };
        }
        match self.control.answer(Phase::DataConnect).await {
            Ok(reply) if reply.code == 421 => Ending { after, in_step: false },
            Ok(reply) => {
                self.ahead = self.address(shared, &reply);
                if reply.class() >= 4 && rung >= Rung::Chains {
                    shared.lost(rung, "a question behind a transfer was refused", Term::Month);
                }
                // Neither a yes with an address nor a no: whose answer is this?
                let in_step = self.ahead.is_some() || reply.class() >= 4;
                if !in_step {
                    shared.lost(rung, "the answer to EPSV names no port", Term::Month);
                }
                Ending { after, in_step }
            }
            Err(_) => Ending { after, in_step: false },
        }
    }

    /// TLS on the data connection, and the opening reply. Most servers handshake after that reply, some wait for it
    /// before; below the first batch a handshake for a transfer that is then refused is not risked, since it would
    /// waste one of the few tickets of TLS 1.3.
    async fn opening(
        &mut self,
        shared: &Shared,
        socket: TcpStream,
        order: &Order<'_>,
    ) -> Result<(Stream, Option<Reply>), Fault> {
        let (phase, what, within) = (order.phase, order.what(), order.within);
        let Some(tls) = self.tls.clone() else {
            let closing = opened(self.control.reply(phase, within).await?, phase, &what)?;
            return Ok((Stream::plain(socket), closing));
        };
        let handshake = self.control.deadlines.connect;
        if shared.ladder.rung() == Rung::OneByOne {
            match self.control.reply(phase, HANDSHAKE_FIRST.min(within)).await {
                Ok(reply) => {
                    let closing = opened(reply, phase, &what)?;
                    return match tls.connect(socket, handshake).await {
                        Ok(stream) => Ok((stream, closing)),
                        Err(fault) => Err(self.reason(about_data(shared, fault), &what).await.transfer),
                    };
                }
                Err(fault) if fault.kind == FaultKind::Timeout => {}
                Err(fault) => return Err(fault),
            }
        }
        // The server's no says more than the handshake that it broke off.
        let hears = Box::pin(async { opened(self.control.reply(phase, within).await?, phase, &what) });
        let shakes =
            Box::pin(async { tls.connect(socket, handshake).await.map_err(|fault| about_data(shared, fault)) });
        let (heard, shaken) = match select(hears, shakes).await {
            Either::Left((heard, shakes)) => (heard?, shakes.await),
            Either::Right((shaken, hears)) => (hears.await?, shaken),
        };
        match shaken {
            Ok(stream) => Ok((stream, heard)),
            Err(fault) => Err(self.reason(fault, &what).await.transfer),
        }
    }

    /// The data connection broke: why, if the server says so soon ("426 …", "552 quota", "522 session reuse
    /// required"). The session must not be used again.
    pub async fn reason(&mut self, broken: Fault, what: &str) -> Broken {
        match tokio::time::timeout(REASON, self.closing(None, what)).await {
            // "426 Connection closed" only repeats what was seen.
            Ok(Err(said)) if said.evidence.code.is_some_and(|code| code != 426) => {
                Broken { transfer: said.clone(), session: said }
            }
            Ok(Err(lost)) if lost.evidence.code.is_none() => Broken { transfer: broken, session: lost },
            // It goes on, and is closed by us: what broke was another connection.
            Ok(_) => {
                let why = "closed by us, because its data connection broke";
                Broken { transfer: broken, session: Fault::new(Phase::Transfer, FaultKind::Cancelled, why) }
            }
            Err(_) => Broken { session: broken.clone(), transfer: broken },
        }
    }

    /// Where the server listens: asked for ahead, or by EPSV, then PASV.
    async fn open_data(&mut self, shared: &Shared, order: &Order<'_>) -> Result<TcpStream, Fault> {
        let within = shared.deadlines().connect;
        if let Some(address) = self.ahead.take() {
            match net::connect(address, within, Phase::DataConnect, shared.way()).await {
                Ok(stream) => return Ok(stream),
                // It may have waited too long. A fresh one tells.
                Err(fault) => tracing::debug!(fault = %fault, "the data port that was asked for ahead is closed"),
            }
        }
        self.announce(shared, order).await?;
        let mut first = None;
        if passive_verb(shared) == "EPSV" {
            let mut reply = self.control.ask(Phase::DataConnect, "EPSV", None).await?;
            // A server in front of others has to know first what is asked for.
            let pret = shared.learned.get().is_some_and(|l| l.features.pret);
            if reply.class() == 5 && pret && !shared.wants_pret.swap(true, Ordering::Relaxed) {
                self.announce(shared, order).await?;
                reply = self.control.ask(Phase::DataConnect, "EPSV", None).await?;
            }
            match self.address(shared, &reply) {
                Some(address) => match net::connect(address, within, Phase::DataConnect, shared.way()).await {
                    Ok(stream) => return Ok(stream),
                    Err(fault) => first = Some(fault),
                },
                None if reply.class() == 4 => return Err(fault::of_reply(Phase::DataConnect, "EPSV", &reply)),
                None => first = Some(fault::of_reply(Phase::DataConnect, "EPSV", &reply)),
            }
        }
        if let (IpAddr::V6(_), Some(fault)) = (self.control.peer.ip().to_canonical(), &first) {
            return Err(fault.clone());
        }
        let reply = self.control.expect(Phase::DataConnect, "PASV", None).await?;
        let address = self.address(shared, &reply).ok_or_else(|| {
            let why = "the server's answer to PASV names no address";
            Fault::new(Phase::DataConnect, FaultKind::Protocol, why).reply(u32::from(reply.code), &reply.text())
        })?;
        let stream = net::connect(address, within, Phase::DataConnect, shared.way()).await?;
        if let Some(fault) = first {
            missed_epsv(shared, &fault);
        }
        Ok(stream)
    }

    /// PRET (drftpd), where the server cannot do without.
    async fn announce(&mut self, shared: &Shared, order: &Order<'_>) -> Result<(), Fault> {
        if shared.wants_pret.load(Ordering::Relaxed) {
            self.control.expect(order.phase, "PRET", Some(order.what().as_bytes())).await?;
        }
        Ok(())
    }

    /// Where the data connection goes: always to the control peer's address unless told otherwise.
    fn address(&self, shared: &Shared, reply: &Reply) -> Option<SocketAddr> {
        let peer = self.control.peer.ip().to_canonical();
        match reply.code {
            227 => {
                let told = passive::pasv_address(reply)?;
                let trusted = shared.endpoint.options.trust_pasv_address;
                Some(if trusted { told } else { SocketAddr::new(peer, told.port()) })
            }
            code if code / 100 == 2 => Some(SocketAddr::new(peer, passive::epsv_port(reply)?)),
            _ => None,
        }
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

/// What is sent to start a transfer: as much of it in one write as is allowed, and light enough. Says which look is in
/// it, and whether what follows is.
fn compose<'a>(
    shared: &Shared,
    order: &Order<'a>,
    look: Option<Look<'a>>,
) -> Result<(Flight, Option<Look<'a>>, Option<FollowUp>), Fault> {
    let chains = order.small && shared.ladder.rung() >= Rung::Chains;
    for (look, chains) in [(look, chains), (look, false)] {
        let mut flight = Flight::default();
        if let (Some(look), Some(path)) = (look, order.arg) {
            look.glance.add(&mut flight, path)?;
        }
        flight.add(order.phase, order.verb, order.arg)?;
        let chained = if chains { Some(add_follow_up(shared, &mut flight, order, Rung::Chains)?) } else { None };
        if flight.is_light() {
            return Ok((flight, look, chained));
        }
    }
    let mut alone = Flight::default();
    alone.add(order.phase, order.verb, order.arg)?;
    Ok((alone, None, None))
}

/// The look after the transfer, and the question for the next data port.
pub(super) fn add_follow_up(
    shared: &Shared,
    flight: &mut Flight,
    order: &Order<'_>,
    rung: Rung,
) -> Result<FollowUp, Fault> {
    let look = order.look.filter(|_| may_look(shared));
    if let (Some(look), Some(path)) = (look, order.arg) {
        look.glance.add(flight, path)?;
    }
    let ahead = rung < Rung::Active && asks_ahead(shared);
    if ahead {
        flight.add(Phase::DataConnect, passive_verb(shared), None)?;
    }
    Ok(FollowUp { glance: look.map(|look| look.glance), ahead, rung })
}

pub(super) fn may_look(shared: &Shared) -> bool {
    shared.batches() && !shared.glance_fails.load(Ordering::Relaxed)
}

/// Is the next data port asked for ahead? Not where a port that was asked for by EPSV did not open lately, nor where
/// the server must know first what is asked for.
fn asks_ahead(shared: &Shared) -> bool {
    let misses = shared.epsv_misses.load(Ordering::Relaxed);
    !shared.wants_pret.load(Ordering::Relaxed) && (misses == 0 || misses >= EPSV_MISSES)
}

fn passive_verb(shared: &Shared) -> &'static str {
    if shared.epsv_misses.load(Ordering::Relaxed) < EPSV_MISSES { "EPSV" } else { "PASV" }
}

/// PASV led where EPSV did not. A no is remembered at once; a port that did not open may have been one lost packet.
fn missed_epsv(shared: &Shared, fault: &Fault) {
    let step = if fault.evidence.code.is_some() { EPSV_MISSES } else { 1 };
    let before = shared.epsv_misses.fetch_add(step, Ordering::Relaxed);
    if before < EPSV_MISSES && before + step >= EPSV_MISSES {
        tracing::info!(endpoint = %shared.endpoint, "EPSV does not work here, PASV does: using PASV from now on");
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
fn about_data(shared: &Shared, fault: Fault) -> Fault {
    // A certificate is longer than a packet.
    if fault.kind == FaultKind::Timeout {
        shared.nothing_came();
    }
    let message = format!("data connection: {}", fault.message);
    Fault { phase: Phase::DataConnect, retry: Retry::Now, message, ..fault }
}

/// 1yz opens; a 2yz without one is the closing reply of an empty or already sent transfer.
pub(super) fn opened(reply: Reply, phase: Phase, what: &str) -> Result<Option<Reply>, Fault> {
    match reply.class() {
        1 => Ok(None),
        2 => Ok(Some(reply)),
        _ => Err(fault::of_reply(phase, what, &reply)),
    }
}
