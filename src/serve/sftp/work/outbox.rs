//! Answers on their way to the client.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::super::status;
use super::Direct;
use super::filling::{Buffers, Filling};
use super::open::{Open, lock};
use crate::net::sftp::{MAX_DATA, Reply, data_header};
use crate::task;

/// The most bytes of finished answers that wait for a client who does not read.
const MAX_BYTES: usize = 16 << 20;
/// The most READ notes that wait; neighbours count as one.
const MAX_RUNS: usize = 65_536;
/// Bytes before the content in a DATA packet.
const HEADER: usize = 13;
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
        one.append(&mut direct.out, Open::read_now)
    }

    /// Reads now, so that what is asked later about the same handle finds its order, and adds the answer. Blocks. From
    /// a client that does not read its answers it takes a note, as [`Outbox::read`] does: it must not fill our memory.
    pub fn read_in_order(&self, id: u32, open: &Arc<Open>, offset: u64, length: u32) {
        if lock(&self.state).bytes > MAX_BYTES / 2 {
            return self.read(id, open, offset, length);
        }
        let length = length.min(u32::try_from(MAX_DATA).unwrap_or(u32::MAX));
        let one = Run { open: Arc::clone(open), id, count: 1, offset, length };
        let mut out = Filling::default();
        one.append(&mut out, |open, buf, offset| Some(open.read_at(buf, offset)));
        self.add(out.into_bytes());
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
    async fn batch(&self, buffers: &mut Buffers) -> Option<Bytes> {
        loop {
            let taken = {
                let mut state = lock(&self.state);
                if state.closed {
                    return None;
                }
                let taken = state.take();
                state.sending = !taken.is_empty();
                if taken.is_empty() && state.finished {
                    return None;
                }
                taken
            };
            if !taken.is_empty() {
                let filled = fill(taken, buffers).await;
                if filled.is_none() {
                    self.spoil();
                }
                return filled;
            }
            buffers.rest(self.ready.notified()).await;
        }
    }
}

/// Makes packets of answers: from memory at once. From the first READ on that waits for a disk, all the rest is one
/// blocking thread's. `None` when that was lost.
async fn fill(mut items: VecDeque<Item>, buffers: &mut Buffers) -> Option<Bytes> {
    if let [Item::Ready(_)] = items.make_contiguous()
        && let Some(Item::Ready(only)) = items.pop_front()
    {
        return Some(only);
    }
    let mut out = buffers.take(items.iter().map(Item::most).sum());
    while let Some(item) = items.front() {
        if !item.append(&mut out, Open::read_now) {
            break;
        }
        items.pop_front();
    }
    if !items.is_empty() {
        let read = |open: &Open, buf: &mut [u8], offset| Some(open.read_at(buf, offset));
        let work = move || {
            for item in items {
                item.append(&mut out, read);
            }
            out
        };
        out = task::blocking(work).await.ok()?;
    }
    Some(buffers.give(out))
}

impl State {
    /// Takes about as much as is handed to the session at once.
    fn take(&mut self) -> VecDeque<Item> {
        let (mut taken, mut bytes) = (VecDeque::new(), 0);
        while bytes < BATCH
            && let Some(item) = self.next()
        {
            bytes += item.most();
            taken.push_back(item);
        }
        taken
    }

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

    /// As long as the answer to its first READ will be at most.
    fn most(&self) -> usize {
        HEADER + self.open.room(self.offset, usize::try_from(self.length).unwrap_or(MAX_DATA))
    }

    /// Appends the answer to its first READ. False when `read` has none now; then nothing is appended.
    fn append(&self, out: &mut Filling, read: impl Fn(&Open, &mut [u8], u64) -> Option<io::Result<usize>>) -> bool {
        let room = out.room(self.most());
        let Some((header, body)) = room.split_at_mut_checked(HEADER) else { return false };
        match read(&self.open, body, self.offset) {
            None => return false,
            Some(Ok(0)) => out.reply(self.id, &status::eof()),
            Some(Err(error)) => out.reply(self.id, &status::of(&error)),
            Some(Ok(got)) => {
                header.copy_from_slice(&data_header(self.id, u32::try_from(got).unwrap_or(0)));
                out.keep(HEADER + got);
                self.open.sent(got);
            }
        }
        true
    }
}

impl Item {
    /// As long it will be at most.
    fn most(&self) -> usize {
        match self {
            Self::Ready(packet) => packet.len(),
            Self::Run(run) => run.most(),
        }
    }

    /// As [`Run::append`].
    fn append(&self, out: &mut Filling, read: impl Fn(&Open, &mut [u8], u64) -> Option<io::Result<usize>>) -> bool {
        match self {
            Self::Ready(packet) => {
                out.extend(packet);
                true
            }
            Self::Run(run) => run.append(out, read),
        }
    }
}

/// The way to the client.
pub trait Wire: Send + 'static {
    /// Sends whole packets; waits as long as the client takes nothing. False when there is no client any more.
    fn send(&mut self, packets: Bytes) -> impl Future<Output = bool> + Send;

    /// Everything is sent. False when there is no client any more.
    fn end(&mut self) -> impl Future<Output = bool> + Send;
}

/// Sends answers until one of the two ends. Requests still come in while the client takes none of them.
pub async fn send(outbox: Arc<Outbox>, mut wire: impl Wire) {
    let mut buffers = Buffers::default();
    while let Some(batch) = outbox.batch(&mut buffers).await {
        if !wire.send(batch).await {
            break;
        }
    }
    outbox.close();
    let ended = wire.end().await;
    tracing::trace!(ended, "an SFTP channel has sent its last answer");
}
