//! The connections of one endpoint. One carries many files; another is opened when all are busy, and never more than
//! the server bears.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::{Connection, Seat};
use super::shared::Shared;
use crate::model::{Fault, FaultKind};
use crate::reliability::{Detail, What};
use crate::remote::Connections;

/// More connections take somebody who chose the number: one carries many files, and costs the server a process.
const MOST_UNASKED: u16 = 4;
/// A connection with so many requests on their way is busy,
const BUSY: usize = 16;
/// and so is one with so many files.
const CROWDED: usize = 8;
/// After a limit was met, one connection more is tried again so much later.
const RAISE_AFTER: Duration = Duration::from_secs(300);

/// Hands out connections.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) shared: Arc<Shared>,
    state: Mutex<State>,
    /// One dials at a time.
    dialling: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    open: Vec<Arc<Connection>>,
    limit: usize,
    lowered: Option<Instant>,
    growing: bool,
    closed: bool,
    /// A wrong password is never sent twice: some servers lock the account.
    refused: Option<Fault>,
}

/// How many connections the endpoint may have at all.
fn most(shared: &Shared) -> usize {
    usize::from(shared.endpoint.options.connections.unwrap_or(MOST_UNASKED).max(1))
}

impl Pool {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        let limit = most(&shared);
        let state = State { open: Vec::new(), limit, lowered: None, growing: false, closed: false, refused: None };
        Arc::new(Self { shared, state: Mutex::new(state), dialling: tokio::sync::Mutex::new(()) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections may be open.
    pub(super) fn limit(&self) -> usize {
        self.lock().limit
    }

    /// What was learned about how many connections the server bears.
    pub(super) fn connections(&self) -> Connections {
        let state = self.lock();
        let number = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let limit = state.lowered.map(|_| number(state.limit));
        Connections { most: number(state.open.len()), limit, refusals: Vec::new() }
    }

    /// Does the server tell digests?
    pub(super) fn offers_digest(&self) -> bool {
        self.lock().open.first().is_some_and(|connection| connection.features.check_file)
    }

    /// Is it a server whose ways are known: OpenSSH or Causeway?
    pub(super) fn is_well_known(&self) -> bool {
        self.lock().open.first().is_some_and(|connection| connection.features.well_known)
    }

    /// A connection for a question: the least busy one.
    ///
    /// # Errors
    /// What the first connection failed of.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, Fault> {
        if let Some(open) = self.least_busy()? {
            return Ok(open);
        }
        let _turn = self.dialling.lock().await;
        // Somebody else may have dialled meanwhile.
        match self.least_busy()? {
            Some(open) => Ok(open),
            None => self.dial().await.inspect_err(|fault| {
                if fault.kind == FaultKind::Auth {
                    self.lock().refused = Some(fault.clone());
                }
            }),
        }
    }

    /// A place on a connection for moving a file. When all are busy, one more is opened beside it, for the next file.
    ///
    /// # Errors
    /// As [`Pool::connection`].
    pub(super) async fn connection_for_file(self: &Arc<Self>) -> Result<Seat, Fault> {
        let seat = Seat::take(self.connection().await?);
        if (seat.channel.load() >= BUSY || seat.files() > CROWDED) && self.may_grow() {
            let pool = Arc::clone(self);
            self.shared.ctx.tasks.spawn("one more sftp connection", async move {
                let _turn = pool.dialling.lock().await;
                let dialled = Box::pin(pool.dial()).await;
                let mut state = pool.lock();
                state.growing = false;
                if let Err(fault) = dialled {
                    let (open, shown) = (state.open.len(), &pool.shared.endpoint);
                    state.limit = open.max(1);
                    state.lowered = Some(Instant::now());
                    tracing::info!(endpoint = %shown, limit = open, fault = %fault, "no more connections than these");
                }
            });
        }
        Ok(seat)
    }

    /// Ends all of them in good order.
    pub(super) async fn close(&self) {
        let open = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.open)
        };
        futures_util::future::join_all(open.iter().map(|connection| connection.close())).await;
    }

    fn least_busy(&self) -> Result<Option<Arc<Connection>>, Fault> {
        let mut state = self.lock();
        if let Some(refused) = &state.refused {
            return Err(refused.clone());
        }
        state.open.retain(|connection| connection.channel.broken().is_none());
        Ok(state.open.iter().min_by_key(|connection| (connection.files(), connection.channel.load())).cloned())
    }

    fn may_grow(&self) -> bool {
        let mut state = self.lock();
        let most = most(&self.shared);
        if state.limit < most && state.lowered.is_some_and(|at| at.elapsed() > RAISE_AFTER) {
            state.limit += 1;
            state.lowered = Some(Instant::now());
        }
        !state.growing && state.open.len() < state.limit && {
            state.growing = true;
            true
        }
    }

    async fn dial(&self) -> Result<Arc<Connection>, Fault> {
        match Box::pin(Connection::open(&self.shared)).await {
            Ok(connection) => {
                let mut state = self.lock();
                // One that comes late ends with its last user.
                if !state.closed {
                    state.open.push(Arc::clone(&connection));
                }
                drop(state);
                Ok(connection)
            }
            Err(fault) => {
                self.shared.record(What::never_ready(&fault), Detail::failed(&fault));
                Err(fault)
            }
        }
    }
}
