//! The only place that spawns. Every task has a name, belongs to a group, hears when to stop, and is
//! waited for.

mod lanes;
mod spot;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub use lanes::Lanes;
pub use spot::{DiskUse, Spot, Watched};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A group of tasks that stop together. Clones share the group; children stop with their parent, but
/// can also be stopped alone.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A group that stops when this one does.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { tracker: TaskTracker::new(), stop: self.stop.child_token() }
    }

    /// Starts `work` under `name` (shown in logs when it ends badly).
    pub fn spawn<F>(&self, name: &'static str, work: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tracing::trace!(task.name = name, "task started");
        self.tracker.spawn(work)
    }

    /// Something that is no task and is waited for as one, until this is dropped: work on a blocking thread that nobody
    /// awaits.
    #[must_use]
    pub fn busy(&self) -> Busy {
        Busy(self.tracker.token())
    }

    /// Waits until nothing of the group is under way. Whoever waits knows that nothing more will be begun.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Resolves when the group was told to stop. Hand it to `tokio::select!`.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Was the group told to stop?
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The token itself, for code that passes it on.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells the group to stop, without waiting.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Tells the group to stop and waits up to `grace` for it. Returns whether all ended in time.
    pub async fn drain(&self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait()).await.is_ok()
    }
}

/// Keeps a group of tasks from being over.
#[derive(Debug)]
pub struct Busy(#[expect(dead_code, reason = "held, not read")] TaskTrackerToken);

/// What hyper wants to run beside a connection: the streams of HTTP/2.
impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, work: F) {
        self.spawn("http stream", work);
    }
}

/// The blocking work did not return: it panicked, or the runtime is going down.
#[derive(Debug, thiserror::Error)]
#[error("the blocking work was lost: {0}")]
pub struct Lost(tokio::task::JoinError);

/// Work off the async threads, under way from the moment it was made: it may be awaited later. Dropping it does not
/// stop the work.
#[derive(Debug)]
#[must_use = "the work's result is heard by awaiting it"]
pub struct Blocking<T>(JoinHandle<T>);

impl<T> Future for Blocking<T> {
    type Output = Result<T, Lost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(Lost)
    }
}

/// Begins file work off the async threads. The pool behind it is bounded by the runtime's builder.
///
/// # Errors
/// Awaited: [`Lost`] when `work` panicked.
#[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
pub fn blocking<T, F>(work: F) -> Blocking<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Blocking(tokio::task::spawn_blocking(work))
}
