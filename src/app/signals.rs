//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::task::Tasks;

/// The signals that ask a process to end.
#[derive(Debug)]
pub struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Signals {
    /// Listens from now on; until the first answer nothing is lost.
    #[must_use]
    pub fn listen() -> Self {
        let listen = |kind| match signal(kind) {
            Ok(listening) => Some(listening),
            Err(error) => {
                tracing::warn!(%error, "cannot listen for a signal; kill -9 still ends the program, and nothing is lost");
                None
            }
        };
        Self { interrupt: listen(SignalKind::interrupt()), terminate: listen(SignalKind::terminate()) }
    }

    /// Resolves at the next signal. Nothing is lost when it is dropped before.
    pub async fn next(&mut self) {
        tokio::select! {
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.terminate) => {}
        }
    }

    /// Cancels `stop` at the first signal.
    pub fn watch(tasks: &Tasks, stop: CancellationToken) {
        let mut signals = Self::listen();
        let group = tasks.clone();
        tasks.spawn("signals", async move {
            tokio::select! {
                () = signals.next() => stop.cancel(),
                () = group.stopped() => {}
            }
        });
    }
}

async fn one(listening: &mut Option<Signal>) {
    let heard = match listening {
        Some(listening) => listening.recv().await.is_some(),
        None => false,
    };
    if !heard {
        std::future::pending::<()>().await;
    }
}
