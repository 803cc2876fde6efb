//! The requests of one channel: those that have nothing to do with each other side by side, the others in order, on the
//! spot or on blocking threads.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use russh_sftp::protocol::OpenFlags;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::dialect::Dialect;
use super::claim::Claim;
use super::open::{Open, lock};
use super::worker::Worker;
use super::{Context, Direct, Outbox};
use crate::net::sftp::{Extension, Packet, Request};
use crate::task::{self, Busy, DiskUse, Tasks};

/// Bytes of requests that wait for a disk. When they are used up the session loop waits, and with it the
/// client's connection: that is the back-pressure for uploads.
const BUDGET: usize = 4 << 20;

/// Requests that wait at a time: what a new one must wait for is looked up among them.
const MOST: usize = 512;

/// Threads of one channel.
const HANDS: usize = 8;

/// A disk that keeps a request for longer than this keeps only that one.
const SLOW: Duration = Duration::from_millis(1);

#[derive(Debug)]
struct Job {
    packet: Packet,
    claim: Claim,
    /// Room in the budget, given back when it is dropped.
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Running {
    number: u64,
    claim: Claim,
    /// It is known to take its time.
    long: bool,
    since: Instant,
}

#[derive(Debug, Default)]
struct Queue {
    /// In the order in which they came, with the number of unfinished ones that each must wait for.
    waiting: VecDeque<(usize, Job)>,
    /// These wait for nothing but a hand.
    ready: VecDeque<Job>,
    running: Vec<Running>,
    number: u64,
    /// Threads at work or on their way to it.
    hands: usize,
    closing: bool,
}

impl Queue {
    /// What is not finished; of those that must keep their order, the earlier ones first.
    fn unfinished(&self) -> impl Iterator<Item = &Claim> {
        let running = self.running.iter().map(|one| &one.claim);
        let ready = self.ready.iter().map(|job| &job.claim);
        running.chain(ready).chain(self.waiting.iter().map(|(_, job)| &job.claim))
    }

    /// How many unfinished requests one with `claim` must wait for.
    fn before(&self, claim: &Claim) -> usize {
        self.unfinished().filter(|other| claim.conflicts(other)).count()
    }

    fn add(&mut self, packet: Packet, claim: Claim, room: OwnedSemaphorePermit) {
        let claim = claim.behind(self.unfinished());
        let before = self.before(&claim);
        let job = Job { packet, claim, _room: room };
        match before {
            0 => self.ready.push_back(job),
            _ => self.waiting.push_back((before, job)),
        }
    }

    fn take(&mut self) -> Option<(u64, Job)> {
        let job = self.ready.pop_front()?;
        self.number += 1;
        let (claim, long) = (job.claim.clone(), takes_long(&job.packet.request));
        self.running.push(Running { number: self.number, claim, long, since: Instant::now() });
        Some((self.number, job))
    }

    /// `number` was done: what waited only for it is ready.
    fn done(&mut self, number: u64) {
        let Some(at) = self.running.iter().position(|one| one.number == number) else { return };
        let claim = self.running.swap_remove(at).claim;
        for (before, _) in self.waiting.iter_mut().filter(|(_, job)| job.claim.conflicts(&claim)) {
            *before -= 1;
        }
        let mut at = 0;
        while let Some((before, _)) = self.waiting.get(at) {
            if *before > 0 {
                at += 1;
            } else if let Some((_, job)) = self.waiting.remove(at) {
                self.ready.push_back(job);
            }
        }
    }

    /// Counts one more hand, if what is ready wants one: one hand is enough for what is done in no time.
    fn call(&mut self) -> bool {
        let held = |one: &Running| one.long || one.since.elapsed() >= SLOW;
        let called = self.hands < HANDS
            && self.hands == self.running.len()
            && !self.ready.is_empty()
            && self.running.iter().all(held);
        self.hands += usize::from(called);
        called
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty() && self.running.is_empty()
    }
}

/// Is it known to wait for a disk, or to read or write a whole file?
fn takes_long(request: &Request) -> bool {
    use Extension as E;
    // An upload that goes on with what is there begins as a copy of it.
    if let Request::Open { flags, .. } = request {
        return flags.intersects(OpenFlags::WRITE | OpenFlags::APPEND) && !flags.contains(OpenFlags::TRUNCATE);
    }
    // As long as a copy of the file.
    if let Request::Setstat { attributes, .. } | Request::Fsetstat { attributes, .. } = request {
        return attributes.size.is_some();
    }
    matches!(
        request,
        Request::Close { .. }
            | Request::Extended(E::Fsync { .. } | E::CopyData { .. } | E::CheckName { .. } | E::CheckHandle { .. })
    )
}

/// One channel's queue and the worker behind it.
#[derive(Debug)]
pub struct Lane {
    queue: Mutex<Queue>,
    worker: Worker,
    budget: Arc<Semaphore>,
    outbox: Arc<Outbox>,
    tasks: Tasks,
}

impl Lane {
    /// An empty lane.
    #[must_use]
    pub fn new((context, dialect): (Context, Dialect), outbox: Arc<Outbox>, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            worker: Worker::new(context, dialect, Arc::clone(&outbox)),
            budget: Arc::new(Semaphore::new(BUDGET)),
            outbox,
            tasks,
        })
    }

    /// Does a request on the spot, or queues it. Waits when too much is queued, for file work only.
    pub async fn submit(self: &Arc<Self>, packet: Packet, direct: &mut Direct) {
        if self.read_at_once(&packet, direct) {
            return;
        }
        let Some(packet) = self.try_at_once(packet, direct).await else { return };
        let cost = packet.cost().clamp(BUDGET / MOST, BUDGET);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        // Closed only when work was lost; the channel ends then.
        let Ok(room) = Arc::clone(&self.budget).acquire_many_owned(cost).await else { return };
        let called = {
            // What a handle stands for must not change between the two.
            let mut queue = lock(&self.queue);
            let claim = Claim::of(&packet.request, self.worker.handles());
            queue.add(packet, claim, room);
            queue.call()
        };
        if called {
            self.start();
        }
    }

    /// No more requests will come: what is queued is done, then every handle is dropped, and of unfinished uploads
    /// stays what can be gone on with.
    pub fn close(self: &Arc<Self>) {
        let mut queue = lock(&self.queue);
        let ends = !std::mem::replace(&mut queue.closing, true) && queue.hands == 0;
        queue.hands += usize::from(ends);
        drop(queue);
        if ends {
            self.start();
        }
    }

    /// Nobody waits for answers any more: as [`Lane::close`], and what takes long is given up.
    pub fn leave(self: &Arc<Self>) {
        self.outbox.leave();
        self.close();
    }

    /// A READ of a file that does not change only looks its handle up, so it needs no thread when nothing is before it.
    fn read_at_once(&self, packet: &Packet, direct: &mut Direct) -> bool {
        let Request::Read { handle, offset, length } = &packet.request else { return false };
        if lock(&self.queue).before(&Claim::of(&packet.request, self.worker.handles())) > 0 {
            return false;
        }
        let Some(open) = self.worker.handles().get(handle).filter(|open| !matches!(**open, Open::Upload(_))) else {
            return false;
        };
        if !direct.takes(*length) || !self.outbox.read_directly(packet.id, &open, (*offset, *length), direct) {
            self.outbox.read(packet.id, &open, *offset, *length);
        }
        true
    }

    /// Does a request on the spot, when nothing else is under way and it is known to be done in no time; else gives it
    /// back.
    async fn try_at_once(&self, packet: Packet, direct: &mut Direct) -> Option<Packet> {
        if self.worker.context.view.is_limited() {
            // The home may have to be counted first.
            return Some(packet);
        }
        let kind = match &packet.request {
            Request::Close { handle } => match self.worker.handles().get(handle).as_deref() {
                Some(Open::Upload(upload)) if upload.is_small() => DiskUse::Durable,
                Some(Open::Upload(_)) => return Some(packet),
                Some(Open::Download(_) | Open::Listing(_)) | None => DiskUse::Light,
            },
            request if takes_long(request) => return Some(packet),
            _ => DiskUse::Light,
        };
        if lock(&self.queue).hands > 0 {
            return Some(packet);
        }
        let Some(watched) = self.worker.context.spot.begin(kind) else { return Some(packet) };
        let done = self.worker.perform(packet);
        drop(watched);
        self.worker.context.record(&done.changes).await;
        if let Some(answer) = &done.answer
            && !direct.reply(done.id, answer)
        {
            self.outbox.reply(done.id, answer);
        }
        None
    }

    /// Lends the hand that was counted.
    fn start(self: &Arc<Self>) {
        let watch = Watch { lane: Arc::clone(self), _busy: self.tasks.busy() };
        // Nobody waits for it but the group of tasks.
        drop(task::blocking(move || watch.lane.work()));
    }

    /// What one hand does until nothing is ready. The last one to go closes the channel, when it is to be closed.
    fn work(self: &Arc<Self>) {
        let mut done = None;
        loop {
            let (job, called) = {
                let mut queue = lock(&self.queue);
                if let Some(number) = done.take() {
                    queue.done(number);
                }
                let job = queue.take();
                if job.is_none() {
                    queue.hands -= 1;
                    if !(queue.closing && queue.hands == 0 && queue.is_empty()) {
                        return;
                    }
                }
                (job, queue.call())
            };
            if called {
                self.start();
            }
            let Some((number, job)) = job else { break };
            let work = self.worker.perform(job.packet);
            self.worker.context.log(&work.changes);
            if let Some(answer) = &work.answer {
                self.outbox.reply(work.id, answer);
            }
            done = Some(number);
        }
        self.worker.abandon();
        self.outbox.finish();
    }
}

/// Sees to it that a hand that panics does not leave anybody waiting for what will not be done.
struct Watch {
    lane: Arc<Lane>,
    _busy: Busy,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("sftp file work was lost");
            self.lane.outbox.spoil();
            self.lane.budget.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::open::Handles;
    use super::*;

    /// Requests on a few names and handles, finished in any order: what touches the same is done in the order in
    /// which it came, and everything is done.
    #[test]
    fn what_belongs_together_keeps_its_order() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (handles, budget) = (Handles::default(), Arc::new(Semaphore::new(MOST)));
        let mut queue = Queue::default();
        let (mut came, mut under_way, mut finished, mut together) = (Vec::new(), Vec::new(), 0, 0);
        while finished < 3000 {
            if came.len() < 3000 && random(2) == 0 {
                let name = Bytes::copy_from_slice(&[b'a' + random(4) as u8]);
                let request = match random(3) {
                    0 => Request::Lstat { path: name },
                    1 => Request::Remove { path: name },
                    _ => Request::Fstat { handle: Bytes::copy_from_slice(&[0, 0, 0, random(3) as u8]) },
                };
                let claim = Claim::of(&request, &handles);
                let id = came.len() as u32;
                let room = Arc::clone(&budget).try_acquire_owned();
                let Ok(room) = room else { continue };
                came.push((claim.clone(), false));
                queue.add(Packet { id, request }, claim, room);
            } else if random(2) == 0 {
                let Some((number, job)) = queue.take() else { continue };
                let at = job.packet.id as usize;
                for (earlier, done) in &came[..at] {
                    assert!(*done || !earlier.conflicts(&came[at].0), "{at} is too early");
                }
                under_way.push((number, at));
                together = together.max(under_way.len());
            } else if !under_way.is_empty() {
                let (number, at) = under_way.swap_remove(random(under_way.len() as u64) as usize);
                came[at].1 = true;
                queue.done(number);
                finished += 1;
            }
        }
        assert!(queue.is_empty() && together > 3, "{together}");
    }
}
