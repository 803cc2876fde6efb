//! The connections of one endpoint: reused while sound, never more than the server bears.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::active::Debt;
use super::session::{Session, Shared};
use super::transfer::Ending;
use crate::model::{Fault, FaultKind, Phase};
use crate::reliability::{Detail, End, FileId, What};
use crate::remote::Connections;
use crate::remote::place;

/// Older rests are not trusted: many servers and NATs end a session after five minutes.
const MAX_REST: Duration = Duration::from_secs(120);
/// After such a rest a NOOP asks whether the session still lives.
const ASK_AFTER: Duration = Duration::from_secs(15);
/// After a limit was met, one connection more is tried again so much later.
const RAISE_AFTER: Duration = Duration::from_secs(300);

/// More connections take somebody who chose the number.
const MOST_UNASKED: u16 = 32;

/// So many log in at once when nobody chose the number of connections.
const STORM: usize = 6;

/// Hands out sessions.
#[derive(Debug)]
pub struct Pool {
    /// What all sessions share.
    pub shared: Shared,
    state: Mutex<State>,
    freed: Notify,
    debts: AtomicU64,
}

#[derive(Debug)]
struct State {
    idle: Vec<Session>,
    open: usize,
    limit: usize,
    lowered: Option<Instant>,
    /// Of the open ones, those that are not logged in yet.
    entering: usize,
    commands_waiting: usize,
    /// A wrong password is never sent twice: some servers lock the account.
    refused: Option<Fault>,
    /// So many were logged in at once.
    peak: usize,
    /// What the server said when it had enough, the first few.
    enough: Vec<String>,
}

/// So many of its refusals are kept.
const REFUSALS: usize = 3;

impl State {
    /// The server said "too many": from now on one less than are open.
    fn lower(&mut self) {
        self.limit = self.limit.min(self.open.saturating_sub(1)).max(1);
        self.lowered = Some(Instant::now());
    }
}

/// How many connections the endpoint may have at all.
fn most(shared: &Shared) -> usize {
    usize::from(shared.endpoint.options.connections.unwrap_or(MOST_UNASKED).max(1))
}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Command,
    Transfer,
}

/// Somebody who is counted as long as this lives.
struct Counted<'a> {
    pool: &'a Pool,
    among: fn(&mut State) -> &mut usize,
}

impl<'a> Counted<'a> {
    fn new(pool: &'a Pool, among: fn(&mut State) -> &mut usize) -> Self {
        *among(&mut pool.lock()) += 1;
        Self { pool, among }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *(self.among)(&mut self.pool.lock()) -= 1;
        // Somebody may have stood back for it.
        self.pool.freed.notify_waiters();
    }
}

enum Next {
    Reuse(Box<Session>, Slot),
    Connect(Slot),
    Wait,
}

/// One of the connections that may be open; gives its place back when dropped.
#[derive(Debug)]
struct Slot(Arc<Pool>);

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.open = state.open.saturating_sub(1);
        drop(state);
        self.0.freed.notify_waiters();
    }
}

/// A session in use. Unless it is [given back](Lease::give_back) it is closed: a session with any doubt
/// is never reused.
#[derive(Debug)]
pub struct Lease {
    session: Option<Box<Session>>,
    slot: Option<Slot>,
    /// What it was lost to.
    broken: Option<Fault>,
}

impl Pool {
    /// No connection yet.
    #[must_use]
    pub fn new(shared: Shared) -> Arc<Self> {
        let limit = most(&shared);
        let (idle, enough) = (Vec::new(), Vec::new());
        let (lowered, refused) = (None, None);
        let state = State { idle, open: 0, limit, lowered, entering: 0, commands_waiting: 0, refused, peak: 0, enough };
        Arc::new(Self { shared, state: Mutex::new(state), freed: Notify::new(), debts: AtomicU64::new(0) })
    }

    /// How many connections may be open now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.lock().limit
    }

    /// What was learned about how many connections the server bears.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let state = self.lock();
        let number = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let limit = state.lowered.map(|_| number(state.limit));
        Connections { most: number(state.peak), limit, refusals: state.enough.clone() }
    }

    /// A session for a command or a listing: a rested one, a new one, or the next that is given back. It comes
    /// before transfers that wait, too: what a file needs when its bytes are there must not queue behind the
    /// next file. There is no deadline: a transfer may rightly hold a session for hours. So nobody waits here who holds
    /// a session already: what keeps the sessions busy must come to its end without us.
    ///
    /// # Errors
    /// What the new connection failed of.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, Fault> {
        self.take(Use::Command).await
    }

    /// A session for moving a file.
    ///
    /// # Errors
    /// As [`Pool::lease`].
    pub async fn lease_for_transfer(self: &Arc<Self>) -> Result<Lease, Fault> {
        self.take(Use::Transfer).await
    }

    /// Opens sessions ahead until `wanted` are open, as far as the server bears and wants them; they rest until they are
    /// needed.
    pub async fn warm(self: &Arc<Self>, wanted: usize) {
        let opened = self.room(wanted).into_iter().map(|slot| async move {
            if let Ok(Some(lease)) = self.connect(slot).await {
                lease.give_back();
            }
        });
        futures_util::future::join_all(opened).await;
    }

    /// Places for more sessions, until `wanted` are open; none at a server that turned somebody away.
    fn room(self: &Arc<Self>, wanted: usize) -> Vec<Slot> {
        let mut state = self.lock();
        if state.refused.is_some() || state.lowered.is_some() {
            return Vec::new();
        }
        let more = wanted.min(state.limit).saturating_sub(state.open);
        let more = more.min(self.most_entering().saturating_sub(state.entering));
        state.open += more;
        (0..more).map(|_| Slot(Arc::clone(self))).collect()
    }

    async fn take(self: &Arc<Self>, what: Use) -> Result<Lease, Fault> {
        let _waits = (what == Use::Command).then(|| Counted::new(self, |state| &mut state.commands_waiting));
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.next(what)? {
                Next::Reuse(session, slot) => {
                    if let Some(lease) = self.wake(session, slot, what).await {
                        return Ok(lease);
                    }
                }
                Next::Connect(slot) => {
                    if let Some(lease) = self.connect(slot).await? {
                        return Ok(lease);
                    }
                }
                Next::Wait => freed.await,
            }
        }
    }

    /// Ends the resting sessions, all at once: one after the other each would cost a round trip.
    pub async fn close(&self) {
        let idle = {
            let mut state = self.lock();
            let idle = std::mem::take(&mut state.idle);
            state.open = state.open.saturating_sub(idle.len());
            idle
        };
        let farewells = idle.into_iter().map(|session| {
            self.observe(&session, None);
            session.control.quit()
        });
        futures_util::future::join_all(farewells).await;
        self.freed.notify_waiters();
    }

    /// A server that nobody vouched for is not stormed.
    fn most_entering(&self) -> usize {
        if self.shared.endpoint.options.connections.is_some() { usize::MAX } else { STORM }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(self: &Arc<Self>, what: Use) -> Result<Next, Fault> {
        let mut state = self.lock();
        if let Some(refused) = &state.refused {
            return Err(refused.clone());
        }
        // Commands that have no session yet go first, as long as some session is busy and comes back.
        if what == Use::Transfer && state.commands_waiting > 0 && state.open >= state.limit {
            return Ok(Next::Wait);
        }
        if let Some(session) = state.idle.pop() {
            return Ok(Next::Reuse(Box::new(session), Slot(Arc::clone(self))));
        }
        let most = most(&self.shared);
        if state.limit < most && state.lowered.is_some_and(|at| at.elapsed() > RAISE_AFTER) {
            state.limit += 1;
            state.lowered = Some(Instant::now());
        }
        if state.open < state.limit && state.entering < self.most_entering() {
            state.open += 1;
            return Ok(Next::Connect(Slot(Arc::clone(self))));
        }
        Ok(Next::Wait)
    }

    /// Is the rested session still good? If not it is dropped without a word: nothing was lost with it.
    async fn wake(self: &Arc<Self>, mut session: Box<Session>, slot: Slot, what: Use) -> Option<Lease> {
        let rested = session.rested.elapsed();
        if rested > self.shared.rest.map_or(MAX_REST, |rest| rest.min(MAX_REST))
            || session.segments != self.shared.segments()
        {
            self.observe(&session, None);
            session.control.quit().await;
            return None;
        }
        let mut found = match (session.debt.is_some(), what) {
            // It flies with what is owed.
            (true, Use::Transfer) if rested <= ASK_AFTER => Ok(()),
            (true, _) => session.settle(&self.shared).await,
            (false, _) => session.control.drain(Phase::Command),
        };
        if found.is_ok() && session.debt.is_none() && rested > ASK_AFTER {
            found = session.control.ask(Phase::Command, "NOOP", None).await.map(drop);
        }
        match found {
            Ok(()) => Some(Lease { session: Some(session), slot: Some(slot), broken: None }),
            Err(fault) => {
                self.observe(&session, Some(&fault));
                None
            }
        }
    }

    /// A new session, or `None` when the server bears no more than are open already.
    async fn connect(self: &Arc<Self>, slot: Slot) -> Result<Option<Lease>, Fault> {
        let _enters = Counted::new(self, |state| &mut state.entering);
        let fault = match Box::pin(Session::open(&self.shared)).await {
            Ok(session) => {
                let mut state = self.lock();
                // Those that are still on their way in are not counted: they may be turned away.
                state.peak = state.peak.max((state.open + 1).saturating_sub(state.entering));
                drop(state);
                return Ok(Some(Lease { session: Some(Box::new(session)), slot: Some(slot), broken: None }));
            }
            Err(fault) => fault,
        };
        self.record(What::never_ready(&fault), Detail::failed(&fault));
        let learned = self.learn(&fault);
        // The place is given back before waiting, or we would wait for ourselves.
        drop(slot);
        if learned {
            tokio::time::sleep(Duration::from_millis(100)).await;
            return Ok(None);
        }
        Err(fault)
    }

    /// Draws the lesson of a failure. True: others are open, so wait for one of them.
    fn learn(&self, fault: &Fault) -> bool {
        let mut state = self.lock();
        match fault.kind {
            FaultKind::Auth => state.refused = Some(fault.clone()),
            FaultKind::Limit => {
                let others = state.open > 1;
                state.lower();
                if state.enough.len() < REFUSALS {
                    let said = fault.evidence.reply.clone().unwrap_or_else(|| fault.message.clone());
                    state.enough.push(said);
                }
                tracing::info!(endpoint = %self.shared.endpoint, limit = state.limit, "the server bears no more connections");
                return others;
            }
            // Some say it by silence, or hang up on whoever is one too many. Whether the server is gone altogether shows
            // by the connections that there are.
            FaultKind::Reset | FaultKind::ClosedEarly | FaultKind::Timeout
                if matches!(fault.phase, Phase::Connect | Phase::Banner) && state.open > state.entering =>
            {
                state.lower();
                tracing::info!(endpoint = %self.shared.endpoint, limit = state.limit, "a connection more was not answered");
                return true;
            }
            _ => {}
        }
        false
    }

    /// Records something about this endpoint.
    pub fn record(&self, what: What, detail: Detail) {
        self.shared.ctx.record(&self.shared.endpoint, what, detail);
    }

    /// Which file, for observations.
    pub fn file(&self, path: &[u8]) -> FileId {
        FileId::of(&place(&self.shared.endpoint), path)
    }

    fn observe(&self, session: &Session, fault: Option<&Fault>) {
        let setup = session.phases.iter().map(|(_, took)| *took).sum();
        let held = session.opened.elapsed();
        let what = What::Connection { setup: Some(setup), phases: session.phases.clone(), held, end: End::by(fault) };
        self.record(what, Detail::of(&session.control.tally()).ended(fault));
    }
}

/// How long somebody may take who has the next file for a session, before the words about the last one are heard without.
const NEXT: Duration = Duration::from_millis(2);

impl Pool {
    /// The number of the next debt.
    pub fn next_debt(&self) -> u64 {
        self.debts.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets others use the session of `lease` while it owes words about a file; returns them when they were heard. Dropped,
    /// whoever comes next hears them for nobody.
    ///
    /// # Errors
    /// What the server said, or how it fell silent.
    pub async fn owe(
        self: &Arc<Self>,
        mut lease: Lease,
        debt: Debt,
        mut answer: oneshot::Receiver<Result<Ending, Fault>>,
    ) -> Result<Ending, Fault> {
        let id = debt.id;
        lease.session()?.debt = Some(debt);
        lease.give_back();
        if let Ok(heard) = tokio::time::timeout(NEXT, &mut answer).await {
            return heard.unwrap_or_else(|_| Err(lost_words()));
        }
        if let Some(mut lease) = self.reclaim(id) {
            match lease.session()?.settle(&self.shared).await {
                Ok(()) => lease.give_back(),
                Err(fault) => lease.fail(&fault),
            }
        }
        answer.await.unwrap_or_else(|_| Err(lost_words()))
    }

    /// The session that owes `id`, while nobody uses it.
    fn reclaim(self: &Arc<Self>, id: u64) -> Option<Lease> {
        let mut state = self.lock();
        let place = state.idle.iter().position(|session| session.debt.as_ref().is_some_and(|debt| debt.id == id))?;
        let session = Box::new(state.idle.swap_remove(place));
        drop(state);
        Some(Lease { session: Some(session), slot: Some(Slot(Arc::clone(self))), broken: None })
    }
}

/// The session went away with them.
fn lost_words() -> Fault {
    Fault::new(Phase::Finish, FaultKind::ClosedEarly, "the connection was lost before the closing reply")
}

impl Lease {
    /// The session.
    ///
    /// # Errors
    /// Never in practice: only a lease that was given back has none.
    pub fn session(&mut self) -> Result<&mut Session, Fault> {
        self.session
            .as_deref_mut()
            .ok_or_else(|| Fault::new(Phase::Command, FaultKind::Cancelled, "this connection was given back"))
    }

    /// It is in good order: the next may have it.
    pub fn give_back(mut self) {
        if let (Some(mut session), Some(slot)) = (self.session.take(), self.slot.take()) {
            session.rested = Instant::now();
            let pool = Arc::clone(&slot.0);
            pool.lock().idle.push(*session);
            // The place stays taken: the connection is still open.
            let mut state = pool.lock();
            state.open += 1;
            drop(state);
            drop(slot);
        }
    }

    /// An operation failed in the middle of a conversation: the session is closed.
    pub fn fail(mut self, fault: &Fault) {
        self.broken = Some(fault.clone());
        if let Some(slot) = self.slot.as_ref().filter(|_| fault.kind == FaultKind::Limit) {
            slot.0.learn(fault);
        }
    }

    /// An operation failed: a plain "no" leaves the session in order, unless it is in the middle of something; everything
    /// else does not.
    pub fn settle(self, fault: &Fault) {
        let plain_no =
            fault.evidence.code.is_some_and(|code| (400..600).contains(&code) && !matches!(code, 421 | 425 | 426))
                && !matches!(fault.kind, FaultKind::Limit | FaultKind::Tls | FaultKind::ClosedEarly)
                && fault.phase != Phase::Finish;
        let at_rest = self.session.as_ref().is_some_and(|session| !session.unsettled);
        if at_rest && (plain_no || fault.kind == FaultKind::BadName) {
            self.give_back();
        } else {
            self.fail(fault);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (Some(session), Some(slot)) = (self.session.take(), &self.slot) {
            slot.0.observe(&session, self.broken.as_ref());
        }
    }
}
