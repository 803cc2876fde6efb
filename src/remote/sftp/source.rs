//! Reading a file: as many READs on their way as the link bears, handed on in the order of the file.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use russh_sftp::protocol::OpenFlags;
use tokio::sync::OwnedSemaphorePermit;

use super::channel::{Asked, Expect as _, Handle};
use super::connection::{Connection, Seat};
use super::entry::entry;
use super::remote::within_phase;
use super::shared::Shared;
use super::window::{SAFE_REQUEST, Window};
use crate::model::{Entry, EntryKind, Fault, FaultKind, Name, Phase};
use crate::net::sftp::{Answer, Attributes, Request};
use crate::reliability::{Detail, Direction, End, What};
use crate::remote::Source;

/// A stretch of the file that was asked for.
struct Wanted {
    offset: u64,
    length: usize,
    asked: Asked,
    _room: Option<OwnedSemaphorePermit>,
}

/// A file being read.
pub(super) struct SftpSource {
    shared: Arc<Shared>,
    connection: Seat,
    path: Bytes,
    name: Name,
    what: String,
    handle: Option<Handle>,
    /// What the server said of it in the same breath as it opened it.
    opened: Entry,
    window: Window,
    wanted: VecDeque<Wanted>,
    /// Where the next request begins.
    next: u64,
    received: u64,
    ended: bool,
    started: Instant,
}

impl SftpSource {
    /// Looks at the name and opens it in one flight: what is no regular file is not read, and no link is followed.
    pub(super) async fn open(
        shared: Arc<Shared>,
        connection: Seat,
        path: Bytes,
        name: Name,
        offset: u64,
    ) -> Result<Self, Fault> {
        let started = Instant::now();
        let what = format!("reading {}", name.display());
        let (opened, handle) = look_and_open(&shared, &connection, &path, &name, &what)
            .await
            .map_err(|fault| within_phase(Phase::Open, fault))?;
        let window = Window::new(shared.window.load(Ordering::Relaxed), connection.max_read, started);
        let handle = Some(handle);
        let (wanted, received, ended) = (VecDeque::new(), 0, false);
        Ok(Self {
            shared,
            connection,
            path,
            name,
            what,
            handle,
            opened,
            window,
            wanted,
            next: offset,
            received,
            ended,
            started,
        })
    }

    fn on_its_way(&self) -> usize {
        self.wanted.iter().map(|wanted| wanted.length).sum()
    }

    /// How long the next request is; 0 = none yet. Behind the end that the server told, one request looks whether
    /// that is the end.
    fn step(&self) -> usize {
        let end = self.opened.size.unwrap_or(u64::MAX);
        let request = self.window.request();
        match end.checked_sub(self.next) {
            Some(left) if left > 0 => usize::try_from(left).unwrap_or(request).min(request),
            Some(_) => SAFE_REQUEST,
            None if self.wanted.is_empty() => SAFE_REQUEST,
            None => 0,
        }
    }

    /// Asks for more until the window is full. True: it is.
    async fn ask_ahead(&mut self) -> Result<bool, Fault> {
        let mut on_its_way = self.on_its_way();
        loop {
            let step = self.step();
            if step == 0 {
                return Ok(false);
            }
            if on_its_way > 0 && on_its_way + step > self.window.size() {
                return Ok(true);
            }
            let room = self.shared.room(step);
            if room.is_none() && on_its_way > 0 {
                return Ok(false);
            }
            let wanted = self.ask(self.next, step, room).await?;
            self.wanted.push_back(wanted);
            self.next += u64::try_from(step).unwrap_or_default();
            on_its_way += step;
        }
    }

    async fn ask(&self, offset: u64, length: usize, room: Option<OwnedSemaphorePermit>) -> Result<Wanted, Fault> {
        let handle = self.handle.as_ref().map(Handle::id).ok_or_else(over)?;
        let request = Request::Read { handle, offset, length: u32::try_from(length).unwrap_or(u32::MAX) };
        let asked = self.connection.channel.send(request, self.shared.deadlines().stall).await?;
        Ok(Wanted { offset, length, asked, _room: room })
    }

    async fn step_on(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let full = self.ask_ahead().await?;
        let Some(Wanted { offset, length, asked, _room }) = self.wanted.pop_front() else { return Err(over()) };
        let answer = asked.wait(self.shared.deadlines().stall).await?;
        let Some(data) = answer.data(Phase::Transfer, &self.what)? else {
            self.ended = true;
            self.wanted.clear();
            return Ok(None);
        };
        if data.is_empty() || data.len() > length {
            let why = format!("{}: {length} bytes were asked for and {} came", self.what, data.len());
            return Err(Fault::new(Phase::Transfer, FaultKind::Protocol, why));
        }
        if data.len() < length {
            // A server may give less than was asked for: the rest is asked for again, before what follows.
            let rest = self.ask(offset + data.len() as u64, length - data.len(), None).await?;
            self.wanted.push_front(rest);
        }
        self.received += data.len() as u64;
        self.window.confirmed(data.len(), full, Instant::now());
        Ok(Some(data))
    }

    fn record(&self, fault: Option<&Fault>) {
        self.shared.window.store(self.window.size(), Ordering::Relaxed);
        let (bytes, duration, end) = (self.received, self.started.elapsed(), End::by(fault));
        let what = What::Transfer { direction: Direction::Download, bytes, duration, end };
        self.connection.tally.carried(bytes, 0);
        self.shared.record(what, Detail::on(&self.connection.tally).ended(fault).file(self.shared.file(&self.path)));
    }

    fn fail(&mut self, fault: Fault) -> Fault {
        let fault = stalled(within_phase(Phase::Transfer, fault)).bytes(self.received);
        if self.handle.take().is_some() {
            self.record(Some(&fault));
        }
        fault
    }
}

/// Silence while bytes should move.
pub(super) fn stalled(fault: Fault) -> Fault {
    match fault.kind {
        FaultKind::Timeout if fault.phase == Phase::Transfer => Fault { kind: FaultKind::Stalled, ..fault },
        _ => fault,
    }
}

fn over() -> Fault {
    Fault::new(Phase::Transfer, FaultKind::Cancelled, "the transfer had failed already")
}

async fn look_and_open(
    shared: &Shared,
    connection: &Connection,
    path: &Bytes,
    name: &Name,
    what: &str,
) -> Result<(Entry, Handle), Fault> {
    let (channel, within) = (&connection.channel, shared.deadlines().command);
    let looked = channel.send(Request::Lstat { path: path.clone() }, within).await?;
    let (flags, attributes) = (OpenFlags::READ, Attributes::default());
    let opened = channel.send(Request::Open { path: path.clone(), flags, attributes }, within).await?;
    let (looked, opened) = (looked.wait(within).await?, opened.wait(within).await?);
    let handle = opened.opened(Phase::Open, what).map(|id| channel.handle(id));
    let there = entry(name.clone(), &looked.attributes(Phase::Open, what)?);
    match there.kind {
        EntryKind::File | EntryKind::Unknown => Ok((there, handle?)),
        EntryKind::Dir | EntryKind::Symlink(_) | EntryKind::Special => {
            let why = format!("{what}: it is no regular file");
            Err(Fault::new(Phase::Open, FaultKind::Unsupported, why))
        }
    }
}

#[async_trait]
impl Source for SftpSource {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        match self.step_on().await {
            Err(fault) => Err(self.fail(fault)),
            step => step,
        }
    }

    fn opened(&self) -> Option<&Entry> {
        Some(&self.opened)
    }

    /// Another look at the name, in one flight with the closing: a file that was replaced meanwhile shows.
    async fn finish(mut self: Box<Self>) -> Result<Option<Entry>, Fault> {
        let handle = self.handle.take().ok_or_else(over)?;
        if !self.ended {
            return Err(Fault::new(Phase::Finish, FaultKind::Cancelled, "the file was not read to its end"));
        }
        let within = self.shared.deadlines().closing;
        let channel = &self.connection.channel;
        let ending = async {
            let looked = channel.send(Request::Lstat { path: self.path.clone() }, within).await?;
            let closed = channel.send(handle.close(), within).await?;
            let after = looked.wait(within).await?;
            closed.wait(within).await?.done(Phase::Finish, &self.what)?;
            match after {
                Answer::Attributes(attributes) => Ok(Some(entry(self.name.clone(), &attributes))),
                // Whoever asks again hears why.
                _ => Ok(None),
            }
        };
        let verdict = ending.await.map_err(|fault| within_phase(Phase::Finish, fault).bytes(self.received));
        self.record(verdict.as_ref().err());
        verdict
    }
}
