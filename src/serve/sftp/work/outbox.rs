//! Answers on their way to the client.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use russh::ChannelId;
use russh::server::Handle;
use tokio::sync::Notify;

use super::super::status;
use super::Direct;
use super::open::{Open, lock};
use crate::net::sftp::{MAX_DATA, Reply, data_header};
use crate::task;

/// The most bytes of finished answers that wait for a client who does not read.
const MAX_BYTES: usize = 16 << 20;
/// The most READ notes that wait; neighbours count as one.
const MAX_RUNS: usize = 65_536;
/// About as much is handed to the session at once.
const BATCH: usize = 256 << 10;

/// Consecutive READs of one handle with consecutive numbers: prefetching clients ask for a whole file at
/// once, and a note of them takes 48 bytes.
#[derive(Debug)]
struct Run {
    open: Arc<Open>,
    id: u32,
    count: u32,
    offset: u64,
    length: u32,
}

#[derive(Debug)]
enum Item {
    Ready(Bytes),
    Run(Run),
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    /// Nothing will be added; what is there still goes out.
    finished: bool,
    closed: bool,
    /// The sender has answers in its hands.
    sending: bool,
}

/// The answers of one channel.
#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
    ready: Notify,
    overflow: AtomicBool,
    left: AtomicBool,
}

impl Outbox {
    /// Adds a finished answer. Never waits.
    pub fn reply(&self, id: u32, reply: &Reply) {
        let mut packet = BytesMut::with_capacity(64);
        reply.write(id, &mut packet);
        self.add(packet.freeze());
    }

    fn add(&self, packet: Bytes) {
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        state.bytes += packet.len();
        if state.bytes > MAX_BYTES {
            self.overflow.store(true, Ordering::Relaxed);
        } else {
            state.items.push_back(Item::Ready(packet));
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Adds a note of a READ. Never waits.
    pub fn read(&self, id: u32, open: &Arc<Open>, offset: u64, length: u32) {
        let length = length.min(u32::try_from(MAX_DATA).unwrap_or(u32::MAX));
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        if let Some(Item::Run(run)) = state.items.back_mut()
            && run.joins(id, open, offset, length)
        {
            run.count += 1;
        } else if state.items.len() >= MAX_RUNS {
            self.overflow.store(true, Ordering::Relaxed);
        } else {
            state.items.push_back(Item::Run(Run { open: Arc::clone(open), id, count: 1, offset, length }));
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Reads what is in memory into an answer that is given at once, when nobody waits for the sender. Returns whether
    /// it did. Never waits.
    pub fn read_directly(&self, id: u32, open: &Arc<Open>, (offset, length): (u64, u32), direct: &mut Direct) -> bool {
        {
            let state = lock(&self.state);
            if state.sending || !state.items.is_empty() {
                return false;
            }
        }
        let one = Run { open: Arc::clone(open), id, count: 1, offset, length };
        let start = direct.out.len();
        let (mut out, body) = one.room(std::mem::take(&mut direct.out));
        let now = out.get_mut(body..).and_then(|buf| open.read_now(buf, offset));
        let read = now.is_some();
        match now {
            Some(got) => out = one.answer(out, start, body, got),
            None => out.truncate(start),
        }
        direct.out = out;
        read
    }

    /// Reads now, so that what is asked later about the same handle finds its order, and adds the answer. Blocks. From
    /// a client that does not read its answers it takes a note, as [`Outbox::read`] does: it must not fill our memory.
    pub fn read_in_order(&self, id: u32, open: &Arc<Open>, offset: u64, length: u32) {
        if lock(&self.state).bytes > MAX_BYTES / 2 {
            return self.read(id, open, offset, length);
        }
        let length = length.min(u32::try_from(MAX_DATA).unwrap_or(u32::MAX));
        let one = Run { open: Arc::clone(open), id, count: 1, offset, length };
        let (mut out, body) = one.room(BytesMut::new());
        let got = out.get_mut(body..).map_or(Ok(0), |buf| open.read_at(buf, offset));
        self.add(one.answer(out, 0, body, got).freeze());
    }

    /// Did the client ask for more than it reads, beyond all measure?
    #[must_use]
    pub fn overflown(&self) -> bool {
        self.overflow.load(Ordering::Relaxed)
    }

    /// Work was lost: the channel must end at its next request.
    pub fn spoil(&self) {
        self.overflow.store(true, Ordering::Relaxed);
    }

    /// The client has gone.
    pub fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// Has the client gone?
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Nothing more will be added.
    pub fn finish(&self) {
        lock(&self.state).finished = true;
        self.ready.notify_one();
    }

    /// Nothing more will be sent.
    pub fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.items.clear();
        drop(state);
        self.ready.notify_one();
    }

    /// The next answers, whole packets only; `None` when it was closed, or finished and all is sent.
    async fn batch(&self) -> Option<Bytes> {
        let mut out = BytesMut::new();
        loop {
            let (next, finished) = {
                let mut state = lock(&self.state);
                if state.closed {
                    return None;
                }
                let next = state.next();
                state.sending = next.is_some() || !out.is_empty();
                (next, state.finished)
            };
            match next {
                Some(Item::Ready(packet)) if out.is_empty() && packet.len() >= BATCH => return Some(packet),
                Some(Item::Ready(packet)) => out.extend_from_slice(&packet),
                Some(Item::Run(read)) => out = read.perform(out).await,
                None if !out.is_empty() => return Some(out.freeze()),
                None if finished => return None,
                None => self.ready.notified().await,
            }
            if out.len() >= BATCH {
                return Some(out.freeze());
            }
        }
    }
}

impl State {
    /// Takes one answer, or one READ off a run.
    fn next(&mut self) -> Option<Item> {
        if let Some(Item::Run(run)) = self.items.front_mut()
            && run.count > 1
        {
            let one = Run { open: Arc::clone(&run.open), count: 1, ..*run };
            run.id = run.id.wrapping_add(1);
            run.offset = run.offset.saturating_add(u64::from(run.length));
            run.count -= 1;
            return Some(Item::Run(one));
        }
        let item = self.items.pop_front();
        if let Some(Item::Ready(packet)) = &item {
            self.bytes = self.bytes.saturating_sub(packet.len());
        }
        if self.items.is_empty() {
            // An idle session holds no memory for what it once queued.
            self.items.shrink_to(16);
        }
        item
    }
}

impl Run {
    fn joins(&self, id: u32, open: &Arc<Open>, offset: u64, length: u32) -> bool {
        Arc::ptr_eq(&self.open, open)
            && self.length == length
            && self.count < u32::MAX
            && id == self.id.wrapping_add(self.count)
            && self.offset.checked_add(u64::from(length) * u64::from(self.count)) == Some(offset)
    }

    /// Appends a header and room for the bytes, which begins at the place returned.
    fn room(&self, mut out: BytesMut) -> (BytesMut, usize) {
        let start = out.len();
        let length = usize::try_from(self.length).unwrap_or(MAX_DATA);
        if out.capacity() - start < length + 13 {
            out.reserve((length + 13).max(if start == 0 { 0 } else { BATCH }));
        }
        out.extend_from_slice(&data_header(self.id, 0));
        let body = out.len();
        out.resize(body + length, 0);
        (out, body)
    }

    /// Makes an answer of the room in which so much was read.
    fn answer(&self, mut out: BytesMut, start: usize, body: usize, got: io::Result<usize>) -> BytesMut {
        match got {
            Err(error) => failed(out, start, self.id, &error),
            Ok(0) => {
                out.truncate(start);
                status::eof().write(self.id, &mut out);
                out
            }
            Ok(got) => {
                out.truncate(body + got);
                let header = data_header(self.id, u32::try_from(got).unwrap_or(0));
                if let Some(place) = out.get_mut(start..body) {
                    place.copy_from_slice(&header);
                }
                self.open.sent(got);
                out
            }
        }
    }

    /// Does one READ and appends its answer: from memory at once, from a disk on a blocking thread.
    async fn perform(self, out: BytesMut) -> BytesMut {
        let (start, offset) = (out.len(), self.offset);
        let (mut out, body) = self.room(out);
        let now = out.get_mut(body..).and_then(|buf| self.open.read_now(buf, offset));
        if let Some(got) = now {
            return self.answer(out, start, body, got);
        }
        let open = Arc::clone(&self.open);
        let work = move || {
            let got = out.get_mut(body..).map_or(Ok(0), |buf| open.read_at(buf, offset));
            (out, got)
        };
        match task::blocking(work).await {
            Ok((out, got)) => self.answer(out, start, body, got),
            Err(lost) => failed(BytesMut::new(), 0, self.id, &io::Error::other(lost)),
        }
    }
}

fn failed(mut out: BytesMut, start: usize, id: u32, error: &io::Error) -> BytesMut {
    out.truncate(start);
    status::of(error).write(id, &mut out);
    out
}

/// Hands answers to the session until one of the two ends. Waits while the client's window is closed; the
/// session takes nothing then, and requests still come in. At the end the channel is closed as a program
/// would: exit status, end of file, close; on a channel that is closed already these do nothing.
pub async fn send(outbox: Arc<Outbox>, handle: Handle, channel: ChannelId) {
    while let Some(batch) = outbox.batch().await {
        if handle.data(channel, batch).await.is_err() {
            break;
        }
    }
    outbox.close();
    let ended = handle.exit_status_request(channel, 0).await.is_ok()
        && handle.eof(channel).await.is_ok()
        && handle.close(channel).await.is_ok();
    tracing::trace!(ended, "an SFTP channel has sent its last answer");
}
