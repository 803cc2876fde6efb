//! The requests of one channel, done in order on blocking threads.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::open::lock;
use super::worker::Worker;
use super::{Context, Outbox};
use crate::net::sftp::{Packet, Request};
use crate::task::{self, Tasks};

/// Bytes of requests that wait for a disk. When they are used up the session loop waits, and with it the
/// client's connection: that is the back-pressure for uploads.
const BUDGET: usize = 4 << 20;

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<(Packet, OwnedSemaphorePermit)>,
    running: bool,
    closing: bool,
}

/// One channel's queue and the worker behind it.
#[derive(Debug)]
pub struct Lane {
    queue: Mutex<Queue>,
    worker: Mutex<Worker>,
    budget: Arc<Semaphore>,
    outbox: Arc<Outbox>,
    tasks: Tasks,
}

impl Lane {
    /// An empty lane.
    #[must_use]
    pub fn new(context: Context, outbox: Arc<Outbox>, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            worker: Mutex::new(Worker::new(context, Arc::clone(&outbox))),
            budget: Arc::new(Semaphore::new(BUDGET)),
            outbox,
            tasks,
        })
    }

    /// Queues a request. Waits when too much is queued, for file work only.
    pub async fn submit(self: &Arc<Self>, packet: Packet) {
        if self.read_at_once(&packet) {
            return;
        }
        let cost = u32::try_from(packet.cost().min(BUDGET)).unwrap_or(u32::MAX);
        // Closed only when work was lost; the channel ends then.
        let Ok(permit) = Arc::clone(&self.budget).acquire_many_owned(cost).await else { return };
        let mut queue = lock(&self.queue);
        queue.jobs.push_back((packet, permit));
        let start = !std::mem::replace(&mut queue.running, true);
        drop(queue);
        if start {
            self.start();
        }
    }

    /// No more requests will come: what is queued is done, then every handle is dropped and unfinished
    /// uploads vanish.
    pub fn close(self: &Arc<Self>) {
        let mut queue = lock(&self.queue);
        if std::mem::replace(&mut queue.closing, true) {
            return;
        }
        let start = !std::mem::replace(&mut queue.running, true);
        drop(queue);
        if start {
            self.start();
        }
    }

    /// Nobody waits for answers any more: as [`Lane::close`], and what takes long is given up.
    pub fn leave(self: &Arc<Self>) {
        self.outbox.leave();
        self.close();
    }

    /// A READ only looks its handle up, so it needs no thread when nothing is before it.
    fn read_at_once(&self, packet: &Packet) -> bool {
        let Request::Read { handle, offset, length } = &packet.request else { return false };
        if lock(&self.queue).running {
            return false;
        }
        let Ok(worker) = self.worker.try_lock() else { return false };
        let Some(open) = worker.handle(handle) else { return false };
        self.outbox.read(packet.id, open, *offset, *length);
        true
    }

    fn start(self: &Arc<Self>) {
        let lane = Arc::clone(self);
        let (outbox, budget) = (Arc::clone(&self.outbox), Arc::clone(&self.budget));
        self.tasks.spawn("sftp file work", async move {
            if let Err(lost) = task::blocking(move || lane.drain()).await {
                tracing::error!(error = %lost, "sftp file work was lost");
                // Nobody waits for work that will not be done.
                outbox.spoil();
                budget.close();
            }
        });
    }

    fn drain(&self) {
        let mut worker = lock(&self.worker);
        loop {
            let (packet, permit) = {
                let mut queue = lock(&self.queue);
                match queue.jobs.pop_front() {
                    Some(job) => job,
                    None if queue.closing => break,
                    None => {
                        queue.running = false;
                        return;
                    }
                }
            };
            worker.perform(packet);
            drop(permit);
        }
        worker.abandon();
        self.outbox.finish();
    }
}
