//! Writing a file: as many WRITEs on their way as the link bears, answered in any order. Only what is answered without
//! a gap counts, and where the server can make bytes durable, only what is durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use russh_sftp::protocol::OpenFlags;
use tokio::sync::OwnedSemaphorePermit;

use super::channel::{Asked, Channel, Expect as _, Handle};
use super::connection::Seat;
use super::remote::within_phase;
use super::shared::Shared;
use super::source::stalled;
use super::window::Window;
use crate::model::{Fault, FaultKind, Mtime, Phase};
use crate::net::sftp::{Answer, Attributes, Extension, KIND, REGULAR, Request};
use crate::reliability::{Detail, Direction, End, What};
use crate::remote::Sink;

/// After so many bytes what was written is made durable, and counts as confirmed,
const SYNC_EVERY: u64 = 32 << 20;
/// and after so long, too: on a slow link a lost connection costs seconds, not [`SYNC_EVERY`] of each file.
const SYNC_AFTER: Duration = Duration::from_secs(2);
/// So long bytes are gathered for a request of full length.
const GATHER: Duration = Duration::from_secs(1);

/// Bytes on their way, up to `end`.
struct Sent {
    end: u64,
    length: usize,
    asked: Asked,
    _room: Option<OwnedSemaphorePermit>,
}

/// A file being written.
pub(super) struct SftpSink {
    shared: Arc<Shared>,
    connection: Seat,
    path: Bytes,
    what: String,
    handle: Option<Handle>,
    /// What the file is to have once it is finished: its time and mode.
    stamp: Attributes,
    window: Window,
    gathered: BytesMut,
    sent: VecDeque<Sent>,
    began: u64,
    /// Where the next request writes.
    next: u64,
    /// Up to here every request was answered.
    arrived: u64,
    /// Up to here everything is durable.
    durable: u64,
    /// What is being made durable, up to where.
    syncing: Option<(u64, Asked)>,
    synced_at: Instant,
    sent_at: Instant,
    started: Instant,
}

impl SftpSink {
    /// Opens `path` cut to `offset`; a new file gets `mode`.
    pub(super) async fn open(
        shared: Arc<Shared>,
        connection: Seat,
        path: Bytes,
        what: String,
        (offset, mode): (u64, u32),
    ) -> Result<Self, Fault> {
        let started = Instant::now();
        let (channel, within) = (&connection.channel, shared.deadlines().command);
        let opening = Opening { channel, path: path.clone(), what: &what, within };
        let opened = if offset == 0 { opening.anew(mode).await } else { opening.go_on(offset).await };
        let handle = Some(opened.map_err(|fault| within_phase(Phase::Open, fault))?);
        let window = Window::new(shared.window.load(Ordering::Relaxed), connection.max_write, started);
        Ok(Self {
            shared,
            connection,
            path,
            what,
            handle,
            stamp: Attributes::default(),
            window,
            gathered: BytesMut::new(),
            sent: VecDeque::new(),
            began: offset,
            next: offset,
            arrived: offset,
            durable: offset,
            syncing: None,
            synced_at: started,
            sent_at: started,
            started,
        })
    }

    fn within(&self) -> Duration {
        self.shared.deadlines().stall
    }

    fn on_its_way(&self) -> usize {
        self.sent.iter().map(|sent| sent.length).sum()
    }

    /// Puts one request on its way as soon as there is room for it.
    async fn send(&mut self, data: Bytes) -> Result<(), Fault> {
        let length = data.len();
        let room = loop {
            self.harvest()?;
            if self.sent.is_empty() {
                break self.shared.room(length);
            }
            if self.on_its_way() + length > self.window.size() {
                self.wait_for_first(true).await?;
                continue;
            }
            match self.shared.room(length) {
                Some(room) => break Some(room),
                None => self.wait_for_first(false).await?,
            }
        };
        let handle = self.handle.as_ref().map(Handle::id).ok_or_else(over)?;
        let asked = self.connection.channel.send(Request::Write { handle, offset: self.next, data }, self.within());
        let asked = asked.await?;
        self.next += length as u64;
        self.sent.push_back(Sent { end: self.next, length, asked, _room: room });
        self.sent_at = Instant::now();
        self.sync().await
    }

    /// Takes the answers that are there already.
    fn harvest(&mut self) -> Result<(), Fault> {
        while let Some(first) = self.sent.front_mut() {
            let Some(answer) = first.asked.taken() else { break };
            let Some(first) = self.sent.pop_front() else { break };
            self.arrive(first.end, first.length, answer?, false)?;
        }
        if let Some((end, asked)) = &mut self.syncing
            && let Some(answer) = asked.taken()
        {
            let end = *end;
            self.syncing = None;
            answer?.done(Phase::Transfer, &self.what)?;
            self.durable = end;
        }
        Ok(())
    }

    async fn wait_for_first(&mut self, full: bool) -> Result<(), Fault> {
        let Some(Sent { end, length, asked, _room }) = self.sent.pop_front() else { return Ok(()) };
        let answer = asked.wait(self.within()).await?;
        self.arrive(end, length, answer, full)
    }

    fn arrive(&mut self, end: u64, length: usize, answer: Answer, full: bool) -> Result<(), Fault> {
        answer.done(Phase::Transfer, &self.what)?;
        self.arrived = end;
        self.window.confirmed(length, full, Instant::now());
        Ok(())
    }

    /// Asks for what has arrived to be made durable, beside what goes on arriving.
    async fn sync(&mut self) -> Result<(), Fault> {
        let fresh = self.arrived - self.durable;
        let due = fresh >= SYNC_EVERY || fresh > 0 && self.synced_at.elapsed() >= SYNC_AFTER;
        if !self.connection.features.fsync || self.syncing.is_some() || !due {
            return Ok(());
        }
        let handle = self.handle.as_ref().map(Handle::id).ok_or_else(over)?;
        let request = Request::Extended(Extension::Fsync { handle });
        self.syncing = Some((self.arrived, self.connection.channel.send(request, self.within()).await?));
        self.synced_at = Instant::now();
        Ok(())
    }

    async fn take(&mut self, mut data: Bytes) -> Result<(), Fault> {
        let request = self.window.request();
        if !self.gathered.is_empty() {
            let missing = request.saturating_sub(self.gathered.len()).min(data.len());
            self.gathered.extend_from_slice(&data.split_to(missing));
            if self.gathered.len() < request && self.sent_at.elapsed() < GATHER {
                return Ok(());
            }
            let full = self.gathered.split().freeze();
            self.send(full).await?;
        }
        while data.len() >= request {
            self.send(data.split_to(request)).await?;
        }
        self.gathered.extend_from_slice(&data);
        self.harvest()
    }

    /// The rest, and every answer.
    async fn flush(&mut self) -> Result<(), Fault> {
        if !self.gathered.is_empty() {
            let rest = self.gathered.split().freeze();
            self.send(rest).await?;
        }
        while !self.sent.is_empty() {
            self.wait_for_first(false).await?;
        }
        if let Some((_, asked)) = self.syncing.take() {
            asked.wait(self.within()).await?.done(Phase::Transfer, &self.what)?;
        }
        Ok(())
    }

    /// FSETSTAT, FSYNC, FSTAT and CLOSE in one flight; the length is what the server says.
    async fn conclude(&mut self) -> Result<u64, Fault> {
        let within = self.shared.deadlines().closing;
        let handle = self.handle.take().ok_or_else(over)?;
        let (id, channel) = (handle.id(), &self.connection.channel);
        let stamped = match self.stamp == Attributes::default() {
            true => None,
            false => {
                let request = Request::Fsetstat { handle: id.clone(), attributes: self.stamp };
                Some(channel.send(request, within).await?)
            }
        };
        let synced = match self.connection.features.fsync {
            true => Some(channel.send(Request::Extended(Extension::Fsync { handle: id.clone() }), within).await?),
            false => None,
        };
        let looked = channel.send(Request::Fstat { handle: id }, within).await?;
        let closed = channel.send(handle.close(), within).await?;
        let stamped = match stamped {
            Some(stamped) => stamped.wait(within).await?.done(Phase::Finish, &self.what),
            None => Ok(()),
        };
        if let Some(synced) = synced {
            synced.wait(within).await?.done(Phase::Finish, &self.what)?;
        }
        let there = looked.wait(within).await?.attributes(Phase::Finish, &self.what)?;
        closed.wait(within).await?.done(Phase::Finish, &self.what)?;
        match stamped {
            Err(fault) if fault.kind == FaultKind::Unsupported && self.stamp.permissions.is_some() => {
                self.stamp_time(within).await?;
            }
            stamped => stamped?,
        }
        match there.size {
            Some(size) if size != self.next => {
                let why = format!("{}: {} bytes were written, the server has {size}", self.what, self.next);
                Err(Fault::new(Phase::Finish, FaultKind::Mismatch, why))
            }
            _ => Ok(self.next),
        }
    }

    /// The server has no permission bits after all: from now on only the time is set.
    async fn stamp_time(&self, within: Duration) -> Result<(), Fault> {
        self.shared.modeless.store(true, Ordering::Relaxed);
        let attributes = Attributes { times: self.stamp.times, ..Attributes::default() };
        if attributes == Attributes::default() {
            return Ok(());
        }
        let request = Request::Setstat { path: self.path.clone(), attributes };
        self.connection.channel.ask(request, within).await?.done(Phase::Finish, &self.what)
    }

    fn record(&self, fault: Option<&Fault>) {
        self.shared.window.store(self.window.size(), Ordering::Relaxed);
        let (bytes, duration, end) = (self.arrived - self.began, self.started.elapsed(), End::by(fault));
        let what = What::Transfer { direction: Direction::Upload, bytes, duration, end };
        self.connection.tally.carried(bytes, 0);
        self.shared.record(what, Detail::on(&self.connection.tally).ended(fault).file(self.shared.file(&self.path)));
    }

    fn fail(&mut self, phase: Phase, fault: Fault) -> Fault {
        let fault = stalled(within_phase(phase, fault)).bytes(self.arrived - self.began);
        self.record(Some(&fault));
        self.handle = None;
        fault
    }
}

fn over() -> Fault {
    Fault::new(Phase::Transfer, FaultKind::Cancelled, "the transfer had failed already")
}

/// Opening a file to write. No link is followed: nothing is cut before it is known what lies there.
struct Opening<'a> {
    channel: &'a Channel,
    path: Bytes,
    what: &'a str,
    within: Duration,
}

impl Opening<'_> {
    /// Empty, whether it was there or not.
    async fn anew(&self, mode: u32) -> Result<Handle, Fault> {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
        let attributes = Attributes { permissions: Some(mode), ..Attributes::default() };
        let request = Request::Open { path: self.path.clone(), flags, attributes };
        let refused = match self.channel.ask(request, self.within).await?.opened(Phase::Open, self.what) {
            Ok(handle) => return Ok(self.channel.handle(handle)),
            Err(fault) => fault,
        };
        match self.channel.ask(Request::Lstat { path: self.path.clone() }, self.within).await? {
            Answer::Attributes(there) => {
                self.check(&there)?;
                let handle = self.open().await?;
                self.cut(&handle, 0).await?;
                Ok(handle)
            }
            _ => Err(refused),
        }
    }

    /// Cut to `offset`, which it must have.
    async fn go_on(&self, offset: u64) -> Result<Handle, Fault> {
        let looked = self.channel.send(Request::Lstat { path: self.path.clone() }, self.within).await?;
        let opened = self.open().await;
        let there = looked.wait(self.within).await?.attributes(Phase::Open, self.what)?;
        self.check(&there)?;
        let handle = opened?;
        match there.size {
            Some(size) if size == offset => {}
            Some(size) if size > offset => self.cut(&handle, offset).await?,
            _ => {
                let why =
                    format!("{}: the file there is shorter than the {offset} bytes that were confirmed", self.what);
                return Err(Fault::new(Phase::Open, FaultKind::Mismatch, why));
            }
        }
        Ok(handle)
    }

    fn check(&self, there: &Attributes) -> Result<(), Fault> {
        if there.permissions.is_none_or(|mode| matches!(mode & KIND, REGULAR | 0)) {
            return Ok(());
        }
        let why = format!("{}: something that is no regular file lies there", self.what);
        Err(Fault::new(Phase::Open, FaultKind::Exists, why))
    }

    async fn open(&self) -> Result<Handle, Fault> {
        let (flags, attributes) = (OpenFlags::WRITE, Attributes::default());
        let request = Request::Open { path: self.path.clone(), flags, attributes };
        let handle = self.channel.ask(request, self.within).await?.opened(Phase::Open, self.what)?;
        Ok(self.channel.handle(handle))
    }

    async fn cut(&self, handle: &Handle, size: u64) -> Result<(), Fault> {
        let attributes = Attributes { size: Some(size), ..Attributes::default() };
        let request = Request::Fsetstat { handle: handle.id(), attributes };
        self.channel.ask(request, self.within).await?.done(Phase::Open, self.what)
    }
}

#[async_trait]
impl Sink for SftpSink {
    async fn write(&mut self, data: Bytes) -> Result<(), Fault> {
        if self.handle.is_none() {
            return Err(over());
        }
        match self.take(data).await {
            Err(fault) => Err(self.fail(Phase::Transfer, fault)),
            done => done,
        }
    }

    /// Where nothing can be made durable, what has arrived counts: whoever goes on from there reads it back first, as a
    /// server that was switched off in between may have lost it.
    fn confirmed(&self) -> u64 {
        if self.connection.features.fsync { self.durable } else { self.arrived }
    }

    /// Where the server is known to set both, as far as it has them. Elsewhere it is done by the path.
    fn stamp(&mut self, mtime: Option<Mtime>, mode: Option<u32>) -> bool {
        let able = self.connection.features.well_known;
        if able {
            let times = mtime.map(|mtime| Attributes::seconds(mtime.at)).map(|at| (at, at));
            let kept = !self.shared.modeless.load(Ordering::Relaxed);
            let permissions = mode.map(|mode| mode & 0o7777).filter(|_| kept);
            self.stamp = Attributes { permissions, times, ..Attributes::default() };
        }
        able
    }

    async fn finish(mut self: Box<Self>) -> Result<u64, Fault> {
        if self.handle.is_none() {
            return Err(over());
        }
        if let Err(fault) = self.flush().await {
            return Err(self.fail(Phase::Transfer, fault));
        }
        match self.conclude().await {
            Ok(length) => {
                self.record(None);
                Ok(length)
            }
            Err(fault) => Err(self.fail(Phase::Finish, fault)),
        }
    }
}
