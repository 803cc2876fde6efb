//! What all connections of one endpoint share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::host_key::Trust;
use crate::model::{Deadlines, Endpoint};
use crate::reliability::{Detail, FileId, What};
use crate::remote::{Context, place};

/// Bytes of all files together that may be on their way beyond the first request of each, in [`UNIT`]s.
const BUDGET: usize = (64 << 20) / UNIT;
const UNIT: usize = 1 << 10;

/// The endpoint, and what was learned about it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) ctx: Context,
    pub(super) trust: Trust,
    /// The window that the last file found.
    pub(super) window: AtomicUsize,
    /// The server cannot set permission bits.
    pub(super) modeless: AtomicBool,
    budget: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new(endpoint: Endpoint, ctx: Context, trust: Trust) -> Arc<Self> {
        let (window, modeless) = (AtomicUsize::new(0), AtomicBool::new(false));
        let budget = Arc::new(Semaphore::new(BUDGET));
        Arc::new(Self { endpoint, ctx, trust, window, modeless, budget })
    }

    pub(super) fn deadlines(&self) -> Deadlines {
        self.endpoint.options.deadlines
    }

    /// Room for `bytes` more on their way; `None` when all of it is taken.
    pub(super) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        Arc::clone(&self.budget).try_acquire_many_owned(units).ok()
    }

    /// Records something about this endpoint.
    pub(super) fn record(&self, what: What, detail: Detail) {
        self.ctx.record(&self.endpoint, what, detail);
    }

    /// Which file, for observations.
    pub(super) fn file(&self, path: &[u8]) -> FileId {
        FileId::of(&place(&self.endpoint), path)
    }
}
