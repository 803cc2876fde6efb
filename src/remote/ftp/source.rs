//! Reading a file: REST directly before RETR (RFC 3659 section 5), the closing reply as evidence.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::active::Debt;
use super::ladder::Rung;
use super::pool::{Lease, Pool};
use super::reply::Reply;
use super::road::Road;
use super::transfer::{Data, FollowUp, Look, Order, end_data};
use crate::manners::Term;
use crate::model::{Entry, Fault, FaultKind, Name, Phase, Retry};
use crate::net;
use crate::reliability::{Direction, End, What};
use crate::remote::Source;

/// What is asked of the socket at once.
const CHUNK: usize = 128 << 10;
/// A file up to this size fits into the server's socket buffer: it is done with it before it could mind the commands
/// behind it.
const SMALL: u64 = 64 << 10;

/// So many sessions that were lost to something else are tried.
const MOST_SESSIONS: u32 = 3;

/// How long a data connection may be silent before what the server says meanwhile is listened to.
const SILENCE: Duration = Duration::from_secs(2);

/// How long the closing reply to a transfer that we broke off may take.
const STOP: Duration = Duration::from_secs(5);

/// A file being read.
pub struct FtpSource {
    lease: Option<Lease>,
    pool: Arc<Pool>,
    data: Option<Data>,
    path: Vec<u8>,
    name: Name,
    offset: u64,
    /// How long the file is said to be.
    size: Option<u64>,
    received: u64,
    buffer: BytesMut,
    started: Instant,
    ended: bool,
    /// TLS ended without close_notify: anybody could have cut it.
    cut: bool,
    /// What its bytes travel on.
    road: Option<Road>,
}

impl FtpSource {
    /// Asks for the file `name` at `path` from `offset` on; `size` is what is known of its length.
    ///
    /// # Errors
    /// The server's no, or a lost connection.
    pub async fn open(
        pool: Arc<Pool>,
        path: Vec<u8>,
        name: Name,
        offset: u64,
        size: Option<u64>,
    ) -> Result<Self, Fault> {
        let started = Instant::now();
        let (received, buffer, ended, cut) = (0, BytesMut::new(), false, false);
        let mut source = Self {
            lease: None,
            pool,
            data: None,
            path,
            name,
            offset,
            size,
            received,
            buffer,
            started,
            ended,
            cut,
            road: None,
        };
        let (mut lease, data) = source.begin().await?;
        source.road = Some(Road::new(&lease.session()?.control, &data.stream));
        if data.looked && data.before.is_none() {
            source.pool.shared.glance_fails.store(true, Ordering::Relaxed);
        }
        source.size = data.before.as_ref().and_then(|entry| entry.size).or(size);
        (source.lease, source.data) = (Some(lease), Some(data));
        Ok(source)
    }

    /// Starts the transfer; on another session when the first was lost to something that is none of this file.
    async fn begin(&self) -> Result<(Lease, Data), Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut lease = self.pool.lease_for_transfer().await?;
            let session = lease.session()?;
            let fault = match session.transfer(&self.pool.shared, self.order()).await {
                Ok(data) => return Ok((lease, data)),
                Err(fault) => fault,
            };
            let spent = session.spent;
            // An unused REST would poison the next transfer of this session.
            if self.offset == 0 {
                lease.settle(&fault);
            } else {
                lease.fail(&fault);
            }
            if !spent || tries >= MOST_SESSIONS {
                // No byte came, and it was an attempt at the file all the same.
                self.record(Some(&fault));
                return Err(fault);
            }
        }
    }

    fn order(&self) -> Order<'_> {
        let shared = &self.pool.shared;
        let small = self.offset == 0 && self.size.is_some_and(|size| size <= SMALL);
        let look = Some(Look { glance: shared.glance(), name: &self.name });
        let within = shared.deadlines().command;
        let filled = self.size.is_some_and(|size| size > 0);
        Order { rest: self.offset, look, small, filled, ..Order::plain(Phase::Open, "RETR", Some(&self.path), within) }
    }

    /// Waits for bytes. While none come the control connection is listened to: the word that the server gave up arrives
    /// also where its end of the data connection never does, because a reset on the way reached only one of the two.
    async fn hear(&mut self) -> Result<std::io::Result<usize>, Fault> {
        let shared = &self.pool.shared;
        let stall = shared.deadlines().stall;
        let within = if self.received == 0 { shared.first_byte(stall) } else { stall };
        let (Some(data), Some(lease)) = (self.data.as_mut(), self.lease.as_mut()) else {
            return Err(Fault::new(Phase::Transfer, FaultKind::Cancelled, "the transfer had failed already"));
        };
        let control = &mut lease.session()?.control;
        let end = tokio::time::Instant::now() + within;
        loop {
            let look = end.min(tokio::time::Instant::now() + SILENCE);
            if let Ok(read) = timeout_at(look, data.stream.read_buf(&mut self.buffer)).await {
                return Ok(read);
            }
            if look >= end {
                break;
            }
            let refusal = control.refusal(Phase::Transfer);
            // With commands behind the file a no may be about them, unless it can only be about a transfer.
            if refusal.is_some_and(|code| data.chained.is_none() || matches!(code, 421 | 426 | 451)) {
                let why = "the server gave the transfer up while no byte came";
                return Err(self.fail(Fault::new(Phase::Transfer, FaultKind::ClosedEarly, why)).await);
            }
        }
        if self.received == 0 {
            shared.nothing_came();
        }
        let why = format!("no byte came for {} s", within.as_secs());
        Err(self.fail(Fault::new(Phase::Transfer, FaultKind::Stalled, why)).await)
    }

    fn record(&self, fault: Option<&Fault>) {
        let (bytes, duration, end) = (self.received, self.started.elapsed(), End::by(fault));
        let detail = self.road.as_ref().map(|road| road.travelled(bytes)).unwrap_or_default();
        let what = What::Transfer { direction: Direction::Download, bytes, duration, end };
        self.pool.record(what, detail.ended(fault).file(self.pool.file(&self.path)));
    }

    /// The data connection broke: the server's reply says why ("426 …", "451 …"), if it comes.
    async fn fail(&mut self, broken: Fault) -> Fault {
        self.data = None;
        let mut fault = broken;
        if let Some(mut lease) = self.lease.take()
            && let Ok(session) = lease.session()
        {
            let broken = session.reason(fault, "reading the file").await;
            fault = broken.transfer;
            lease.settle(&Fault { phase: Phase::Finish, ..broken.session });
        }
        let fault = fault.bytes(self.received);
        self.record(Some(&fault));
        fault
    }

    fn ended_with(&self, verdict: Result<Option<Entry>, Fault>) -> Result<Option<Entry>, Fault> {
        let verdict = verdict.map_err(|fault| fault.bytes(self.received));
        self.record(verdict.as_ref().err());
        verdict
    }

    /// As many bytes came as the listing said, or it said nothing.
    fn is_whole(&self) -> bool {
        self.size.is_none_or(|size| self.offset.saturating_add(self.received) >= size)
    }

    /// The session may be used for the next file before the closing reply of this one is heard.
    async fn heard_later(
        self: Box<Self>,
        lease: Lease,
        early: Option<Reply>,
        follow: FollowUp,
    ) -> Result<Option<Entry>, Fault> {
        let (answer, heard) = oneshot::channel();
        let (id, path, name) = (self.pool.next_debt(), self.path.clone(), self.name.clone());
        let debt = Debt { id, path, name, early, follow, answer };
        let verdict = match self.pool.owe(lease, debt, heard).await {
            Ok(ending) => Ok(ending.after),
            Err(fault) if is_silence(&fault) => {
                tracing::info!(fault = %fault, "no closing reply after the data: checking the size instead");
                self.has_all().await.map(|()| None)
            }
            Err(fault) => Err(fault),
        };
        self.ended_with(verdict)
    }

    /// Without the closing reply, the size decides.
    async fn has_all(&self) -> Result<(), Fault> {
        let size = super::remote::size(&self.pool, &self.path).await?;
        let got = self.offset + self.received;
        match size {
            Some(size) if size == got => Ok(()),
            Some(size) => Err(Fault::new(
                Phase::Finish,
                FaultKind::ClosedEarly,
                format!("the transfer ended at byte {got} of {size} without a closing word"),
            )),
            None => Err(Fault::new(
                Phase::Finish,
                FaultKind::ClosedEarly,
                "the transfer ended without a closing word, and the server does not tell the size",
            )),
        }
    }
}

#[async_trait]
impl Source for FtpSource {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.ended {
            return Ok(None);
        }
        if self.data.is_none() {
            return Ok(None);
        }
        // One byte more than is left: growth shows, and the end of a small file comes with its bytes.
        let left =
            self.size.map_or(u64::MAX, |size| size.saturating_sub(self.offset + self.received).saturating_add(1));
        let wanted = usize::try_from(left).unwrap_or(CHUNK).clamp(512, CHUNK);
        // What is given out shares its memory with what comes next: many small reads cost no more than one.
        if self.buffer.capacity() < wanted.min(CHUNK / 4) {
            self.buffer.reserve(wanted);
        }
        match self.hear().await? {
            Ok(0) => {
                self.ended = true;
                Ok(None)
            }
            Ok(count) => {
                self.received += count as u64;
                Ok(Some(self.buffer.split().freeze()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                (self.ended, self.cut) = (true, true);
                Ok(None)
            }
            // Some servers say 226 for an empty file and never use the data connection.
            Err(_) if self.received == 0 && self.data.as_ref().is_some_and(|data| data.closing.is_some()) => {
                self.ended = true;
                Ok(None)
            }
            Err(error) => Err(self.fail(Fault::io(Phase::Transfer, "lost the data connection", &error)).await),
        }
    }

    fn is_off_the_road(&self) -> bool {
        let active = self.data.as_ref().and_then(|data| data.chained).is_some_and(|follow| follow.rung == Rung::Active);
        self.ended && active && self.is_whole()
    }

    fn opened(&self) -> Option<&Entry> {
        self.data.as_ref().and_then(|data| data.before.as_ref())
    }

    /// The data connection is closed in the middle; the server says 426 or something like it within a round trip, and
    /// the session is as good as before.
    async fn stop(mut self: Box<Self>) {
        let (Some(data), Some(mut lease)) = (self.data.take(), self.lease.take()) else { return };
        if data.chained.is_some() || data.closing.is_some() {
            return;
        }
        drop(data);
        let Ok(session) = lease.session() else { return };
        let heard = session.control.reply(Phase::Finish, STOP).await;
        self.record(None);
        match heard {
            Ok(reply) if reply.code != 421 && matches!(reply.class(), 2 | 4 | 5) => lease.give_back(),
            Ok(_) => {}
            Err(fault) => lease.fail(&fault),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<Option<Entry>, Fault> {
        let (Some(Data { mut stream, closing, chained, door, .. }), Some(mut lease)) =
            (self.data.take(), self.lease.take())
        else {
            return Err(Fault::new(Phase::Finish, FaultKind::Cancelled, "the transfer had failed already"));
        };
        if !self.ended {
            return Err(Fault::new(Phase::Finish, FaultKind::Cancelled, "the file was not read to its end"));
        }
        // In the clear there is nothing to say at the end: dropping it says as much.
        if stream.is_tls()
            && let Err(error) = end_data(&mut stream, Duration::from_secs(5)).await
        {
            tracing::trace!(error = %error, "ending the data connection");
        }
        drop(stream);
        if let Some(door) = door
            && net::comes_again(&door, lease.session()?.control.peer.ip())
        {
            let shared = &self.pool.shared;
            let message = "somebody else at the server's address connected to us, too: the bytes may be theirs";
            shared.lost(Rung::Active, message, Term::Month);
            let fault = Fault::new(Phase::Finish, FaultKind::Changed, message).retry(Retry::Now);
            lease.fail(&fault);
            return self.ended_with(Err(fault));
        }
        // Of a file that came short the server has something to say: whatever is asked behind it may come for nobody.
        if let Some(follow) = chained.filter(|follow| follow.rung == Rung::Active && self.is_whole()) {
            return self.heard_later(lease, closing, follow).await;
        }
        let heard = match lease.session() {
            Ok(session) => session.conclude(&self.pool.shared, &self.order(), closing, chained).await,
            Err(fault) => Err(fault),
        };
        let verdict = match heard {
            Ok(ending) => {
                if ending.in_step {
                    lease.give_back();
                }
                if self.cut { self.has_all().await.map(|()| ending.after) } else { Ok(ending.after) }
            }
            Err(fault) if is_silence(&fault) => {
                tracing::info!(fault = %fault, "no closing reply after the data: checking the size instead");
                lease.settle(&fault);
                self.has_all().await.map(|()| None)
            }
            Err(fault) => {
                lease.settle(&fault);
                Err(fault)
            }
        };
        self.ended_with(verdict)
    }
}

/// The server fell silent or went away; it did not say that something went wrong.
fn is_silence(fault: &Fault) -> bool {
    fault.evidence.code.is_none()
        && matches!(fault.kind, FaultKind::Timeout | FaultKind::Reset | FaultKind::ClosedEarly)
}
