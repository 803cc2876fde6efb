//! The connections of one endpoint: some for HTTP/1.1, of which each carries one request at a time; one or two for
//! HTTP/2, which carry any number.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::{http1, http2};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::{Sender, Sent};
use super::shared::Shared;
use crate::model::{Fault, FaultKind, Phase};
use crate::reliability::{Detail, What};

/// Connections with HTTP/1.1, unless somebody chose the number,
const MOST_SINGLE: u16 = 16;
/// and with HTTP/2.
const MOST_SHARED: u16 = 2;
/// Requests that one HTTP/2 connection carries well.
const STREAMS: usize = 32;
/// So long a connection without a request is believed to be open, where the server does not say how long it keeps it.
const KEPT: Duration = Duration::from_secs(20);
/// An answer that was read to its end leaves its connection ready at once.
const READY: Duration = Duration::from_secs(1);

/// Hands out connections.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) shared: Arc<Shared>,
    state: Mutex<State>,
    /// HTTP/1.1 requests at a time.
    room: Arc<Semaphore>,
    /// One dials at a time, as long as one connection may be enough for all.
    dialling: tokio::sync::Mutex<()>,
    /// The server speaks HTTP/2.
    multiplexed: AtomicBool,
    /// The server was reached.
    known: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Idle>,
    streams: Vec<Streams>,
    closed: bool,
}

/// A connection with HTTP/1.1 that waits for its next request.
#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<Sent>,
    until: Instant,
}

/// A connection with HTTP/2; whoever uses it holds a clone of `users`.
#[derive(Debug)]
struct Streams {
    sender: http2::SendRequest<Sent>,
    users: Arc<()>,
}

/// The right to make one request.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) sender: Sender,
    /// Nothing was asked over it before.
    pub(super) fresh: bool,
    pool: Arc<Pool>,
    kept: Duration,
    _permit: Option<OwnedSemaphorePermit>,
    _user: Option<Arc<()>>,
}

impl Lease {
    /// The server keeps a connection without requests so long.
    pub(super) fn keeps(&mut self, long: Duration) {
        // It may close in the very moment in which we ask.
        self.kept = long.saturating_sub(Duration::from_secs(1));
    }

    /// The answer was read to its end: the connection is as good as before.
    pub(super) fn give_back(self) {
        let Self { sender, pool, kept, .. } = self;
        if let Sender::One(sender) = sender
            && !sender.is_closed()
        {
            let mut state = pool.lock();
            if !state.closed {
                state.idle.push(Idle { sender, until: Instant::now() + kept });
            }
        }
    }
}

impl Pool {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        let chosen = shared.endpoint.options.connections;
        Arc::new(Self {
            room: Arc::new(Semaphore::new(usize::from(chosen.unwrap_or(MOST_SINGLE).max(1)))),
            shared,
            state: Mutex::default(),
            dialling: tokio::sync::Mutex::default(),
            multiplexed: AtomicBool::new(false),
            known: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn most(&self, unasked: u16) -> usize {
        usize::from(self.shared.endpoint.options.connections.unwrap_or(unasked).max(1))
    }

    /// Do requests share a connection, as HTTP/2 has it?
    pub(super) fn is_shared(&self) -> bool {
        self.multiplexed.load(Ordering::Relaxed)
    }

    /// How many requests may usefully run side by side.
    pub(super) fn width(&self) -> usize {
        if self.is_shared() { self.most(MOST_SHARED) * STREAMS } else { self.most(MOST_SINGLE) }
    }

    /// A connection for one request; `fresh`: one over which nothing was asked yet.
    ///
    /// # Errors
    /// What dialling failed of.
    pub(super) async fn lease(self: &Arc<Self>, fresh: bool) -> Result<Lease, Fault> {
        if !fresh && let Some(lease) = self.stream() {
            return Ok(lease);
        }
        let single = self.known.load(Ordering::Relaxed) && !self.is_shared();
        if single {
            let permit = self.permit().await?;
            while let Some(mut sender) = self.idle(fresh) {
                // Only hyper knows when it is done with the answer before.
                if let Ok(Ok(())) = timeout(READY, sender.ready()).await {
                    return Ok(self.leased(Sender::One(sender), false, Some(permit), None));
                }
            }
            return Ok(self.leased(Box::pin(self.dial()).await?, true, Some(permit), None));
        }
        let _turn = self.dialling.lock().await;
        // Somebody else may have dialled meanwhile.
        if !fresh && let Some(lease) = self.stream() {
            return Ok(lease);
        }
        match Box::pin(self.dial()).await? {
            Sender::Many(sender) => {
                let users = Arc::new(());
                let user = Arc::clone(&users);
                self.lock().streams.push(Streams { sender: sender.clone(), users });
                Ok(self.leased(Sender::Many(sender), true, None, Some(user)))
            }
            sender @ Sender::One(_) => Ok(self.leased(sender, true, Some(self.permit().await?), None)),
        }
    }

    /// Lets go of all of them. What is under way ends first.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        *state = State { closed: true, ..State::default() };
    }

    fn leased(
        self: &Arc<Self>,
        sender: Sender,
        fresh: bool,
        permit: Option<OwnedSemaphorePermit>,
        user: Option<Arc<()>>,
    ) -> Lease {
        Lease { sender, fresh, pool: Arc::clone(self), kept: KEPT, _permit: permit, _user: user }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let closed = |_| Fault::new(Phase::Connect, FaultKind::Cancelled, "the endpoint was closed");
        Arc::clone(&self.room).acquire_owned().await.map_err(closed)
    }

    /// A place on the least busy connection with HTTP/2, unless another one should be opened.
    fn stream(self: &Arc<Self>) -> Option<Lease> {
        let most = self.most(MOST_SHARED);
        let mut state = self.lock();
        state.streams.retain(|one| !one.sender.is_closed());
        let may_grow = state.streams.len() < most;
        let least = state.streams.iter().min_by_key(|one| Arc::strong_count(&one.users))?;
        if may_grow && Arc::strong_count(&least.users) > STREAMS {
            return None;
        }
        let (sender, user) = (Sender::Many(least.sender.clone()), Arc::clone(&least.users));
        drop(state);
        Some(self.leased(sender, false, None, Some(user)))
    }

    /// The connection with HTTP/1.1 that was used last, when it is likely to be open still.
    fn idle(&self, fresh: bool) -> Option<http1::SendRequest<Sent>> {
        let now = Instant::now();
        let mut state = self.lock();
        state.idle.retain(|one| one.until > now && !one.sender.is_closed());
        if fresh {
            // One was closed under a request: the others of its age are doubtful as well.
            state.idle.clear();
        }
        state.idle.pop().map(|one| one.sender)
    }

    async fn dial(&self) -> Result<Sender, Fault> {
        match Sender::open(&self.shared).await {
            Ok(sender) => {
                self.multiplexed.store(matches!(sender, Sender::Many(_)), Ordering::Relaxed);
                self.known.store(true, Ordering::Relaxed);
                Ok(sender)
            }
            Err(fault) => {
                self.shared.record(What::never_ready(&fault), Detail::failed(&fault));
                Err(fault)
            }
        }
    }
}
