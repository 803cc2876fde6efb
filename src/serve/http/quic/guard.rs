//! Who keeps count of what a connection brings.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use h3::error::Code;
use h3::quic::StreamErrorIncoming;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::transport::Later;
use crate::net::{Counters, Refusal};
use crate::serve::http::calm::Allowance;
use crate::task::Tasks;

/// Bytes of frames of which the rest is still to come, over all streams of a connection.
const WAITING: usize = 2 << 20;
/// Requests that one connection may take back or leave without a head, however slowly: the library remembers each of them as long as it lasts.
const TAKEN_BACK: u32 = 10_000;
/// Bytes of a stream that nobody reads: some clients say there which answers they take back.
const UNREAD: usize = 64 * 1024;

/// Clones share the count.
#[derive(Clone)]
pub(super) struct Guard(Arc<Inner>);

struct Inner {
    allowance: Mutex<Allowance>,
    /// Rung when too much came that brings nothing.
    alarm: Arc<Notify>,
    /// Bytes that wait for the rest of their frame.
    waiting: AtomicUsize,
    taken_back: AtomicU32,
    counters: Counters,
    tasks: Tasks,
    /// Of the request that was accepted last: resolves when it is taken back or its answer was received.
    gone: Mutex<Option<Later<()>>>,
}

impl Guard {
    pub(super) fn new(alarm: Arc<Notify>, counters: Counters, tasks: Tasks) -> Self {
        let allowance = Mutex::new(Allowance::new(Instant::now()));
        let (waiting, taken_back, gone) = (AtomicUsize::new(0), AtomicU32::new(0), Mutex::default());
        Self(Arc::new(Inner { allowance, alarm, waiting, taken_back, counters, tasks, gone }))
    }

    /// May one more thing come that brings nothing? If not, the alarm is rung.
    pub(super) fn allows(&self) -> bool {
        let allowed = self.0.allowance.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if !allowed {
            self.0.alarm.notify_one();
        }
        allowed
    }

    /// A request was taken back, or its head did not come. Is it time that the connection ends?
    pub(super) fn is_worn_out(&self) -> bool {
        // Rapid reset (CVE-2023-44487): that is a flood.
        self.allows();
        self.0.taken_back.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= TAKEN_BACK
    }

    /// Of one stream `now` bytes wait for the rest of their frame, and `before` did. May they? Who has less than before is
    /// not refused for what others hold.
    pub(super) fn holds(&self, before: usize, now: usize) -> bool {
        self.0.waiting.fetch_sub(before, Ordering::Relaxed);
        let all = self.0.waiting.fetch_add(now, Ordering::Relaxed).saturating_add(now);
        now <= before || all <= WAITING
    }

    /// Keeps what tells that the request is gone that was accepted last,
    pub(super) fn watch(&self, gone: Later<()>) {
        *self.0.gone.lock().unwrap_or_else(PoisonError::into_inner) = Some(gone);
    }

    /// and gives it.
    pub(super) fn gone(&self) -> Option<Later<()>> {
        self.0.gone.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Reads a stream to its end that nobody else reads, so that it fills no window. Too much of it is a flood.
    pub(super) fn discard(&self, mut stream: quinn::RecvStream) {
        let guard = self.clone();
        self.0.tasks.spawn("http3-unread", async move {
            let mut borne = UNREAD;
            while let Ok(Some(chunk)) = stream.read_chunk(UNREAD, true).await {
                let Some(left) = borne.checked_sub(chunk.bytes.len()) else { return guard.0.alarm.notify_one() };
                borne = left;
            }
        });
    }

    /// Counts what is refused; the alarm counts a flood. What the stream ends with.
    pub(super) fn refuse(&self, why: Refusal) -> StreamErrorIncoming {
        match why {
            Refusal::Flood => self.0.alarm.notify_one(),
            other => self.0.counters.refused(other),
        }
        StreamErrorIncoming::StreamTerminated { error_code: Code::H3_EXCESSIVE_LOAD.value() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_on_all_streams_together_is_bounded() {
        let guard = Guard::new(Arc::default(), Counters::default(), Tasks::new());
        assert!(guard.holds(0, WAITING - 10) && guard.holds(0, 10));
        assert!(!guard.holds(0, 1));
        assert!(!guard.holds(10, 11), "one more on a stream that had ten");
        assert!(guard.holds(11, 0), "what came whole does not wait");
        assert!(!guard.holds(1, 12) && guard.holds(12, 10));
    }

    #[test]
    fn a_head_that_is_whole_passes_however_much_others_hold() {
        let guard = Guard::new(Arc::default(), Counters::default(), Tasks::new());
        assert!(guard.holds(0, WAITING - 3) && guard.holds(0, 3));
        assert!(!guard.holds(0, 20), "too much, and counted until its stream is gone");
        assert!(guard.holds(3, 0));
    }

    #[test]
    fn a_connection_ends_that_takes_back_too_much_however_slowly() {
        let guard = Guard::new(Arc::default(), Counters::default(), Tasks::new());
        assert!((1..TAKEN_BACK).all(|_| !guard.is_worn_out()));
        assert!(guard.is_worn_out() && guard.is_worn_out());
    }
}
