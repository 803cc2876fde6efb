//! Who keeps count of what a connection brings.

use std::sync::{Arc, Mutex, PoisonError};

use h3::error::Code;
use h3::quic::StreamErrorIncoming;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::transport::Later;
use crate::net::{Counters, Refusal};
use crate::serve::http::calm::Allowance;

/// Clones share the count.
#[derive(Clone)]
pub(super) struct Guard(Arc<Inner>);

struct Inner {
    allowance: Mutex<Allowance>,
    /// Rung when too much came that brings nothing.
    alarm: Arc<Notify>,
    counters: Counters,
    /// Of the request that was accepted last: resolves when it is taken back or its answer was received.
    gone: Mutex<Option<Later<()>>>,
}

impl Guard {
    pub(super) fn new(alarm: Arc<Notify>, counters: Counters) -> Self {
        let allowance = Mutex::new(Allowance::new(Instant::now()));
        Self(Arc::new(Inner { allowance, alarm, counters, gone: Mutex::default() }))
    }

    /// May one more thing come that brings nothing? If not, the alarm is rung.
    pub(super) fn allows(&self) -> bool {
        let allowed = self.0.allowance.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if !allowed {
            self.0.alarm.notify_one();
        }
        allowed
    }

    /// Keeps what tells that the request is gone that was accepted last,
    pub(super) fn watch(&self, gone: Later<()>) {
        *self.0.gone.lock().unwrap_or_else(PoisonError::into_inner) = Some(gone);
    }

    /// and gives it.
    pub(super) fn gone(&self) -> Option<Later<()>> {
        self.0.gone.lock().unwrap_or_else(PoisonError::into_inner).take()
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
