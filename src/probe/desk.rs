//! Comparison sets in a serving process: made by a person, visited round by round, off at the press of a button.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answers::answer;
use super::{Changes, Host, Set, SetError, Spent, StoredRound, Told, order, round, store};
use crate::audit::{self, Actor, Event};
use crate::db::{Db, DbError};
use crate::model::{Endpoint, EndpointId, Fault, FaultKind, Phase, RelPath, SetId};
use crate::reliability::ROUNDS_DAYS;
use crate::remote::Context;

/// Sets of one house.
const MOST_SETS: usize = 50;
/// How long the loop sleeps when nothing is due: another process may have changed the sets.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Rounds that one step of the sweep forgets.
const PRUNE: u32 = 1_000;
/// How often old rounds are forgotten.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Knows the endpoints of the house, with their passwords.
#[async_trait]
pub trait Endpoints: Send + Sync + 'static {
    /// One of them, to be opened; or a sentence that says why not.
    async fn unsealed(&self, id: EndpointId) -> Result<Endpoint, String>;
}

/// Why a set was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It makes no sense.
    #[error(transparent)]
    Set(#[from] SetError),
    /// There is one.
    #[error("there is a comparison of that name already")]
    NameTaken,
    /// An endpoint that is gone.
    #[error("one of the endpoints is not there any more")]
    NoEndpoint,
    /// There are enough.
    #[error("there are {MOST_SETS} comparisons already: remove one that is not needed any more")]
    TooMany,
    /// The store.
    #[error(transparent)]
    Db(DbError),
}

impl From<DbError> for ProbeError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Exists(_) => Self::NameTaken,
            DbError::Reference => Self::NoEndpoint,
            other => Self::Db(other),
        }
    }
}

impl From<sqlx::Error> for ProbeError {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

/// What the loop is at.
#[derive(Default)]
struct Now {
    /// When the next round of each set begins.
    due: BTreeMap<SetId, Instant>,
    /// The set whose round is on its way, and how to end it.
    running: Option<(SetId, CancellationToken)>,
    /// Why the last round of a set did not begin.
    put_off: BTreeMap<SetId, String>,
    pruned: Option<Timestamp>,
}

/// All comparison sets. Clones share them.
#[derive(Clone)]
pub struct Probes {
    db: Db,
    context: Context,
    endpoints: Arc<dyn Endpoints>,
    now: Arc<Mutex<Now>>,
    changed: Arc<Notify>,
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probes")
    }
}

impl Probes {
    /// Those in `db`. No round begins before [`Probes::start`].
    #[must_use]
    pub fn new(db: Db, context: Context, endpoints: Arc<dyn Endpoints>) -> Self {
        Self { db, context, endpoints, now: Arc::default(), changed: Arc::default() }
    }

    /// Rounds begin when they are due, until the house stops.
    pub fn start(&self) {
        let (probes, stop) = (self.clone(), self.context.tasks.token());
        self.context.tasks.spawn("probes", async move {
            loop {
                let wake = match probes.turn(&stop).await {
                    Ok(wake) => wake,
                    Err(error) => {
                        tracing::warn!(%error, "the rounds of probes could not go on");
                        Instant::now() + LONGEST_SLEEP
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = probes.changed.notified() => {}
                    () = tokio::time::sleep_until(wake) => {}
                }
            }
        });
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the rounds that are due; says when the next one is.
    async fn turn(&self, stop: &CancellationToken) -> Result<Instant, DbError> {
        self.prune().await?;
        let sets = store::all(self.db.read()).await?;
        self.plan(&sets);
        for set in &sets {
            let is_due = self.now().due.get(&set.id).is_some_and(|due| *due <= Instant::now());
            if is_due && !stop.is_cancelled() {
                self.now().due.insert(set.id, Instant::now() + varied(set.every));
                self.visit(set, stop).await?;
            }
        }
        self.plan(&store::all(self.db.read()).await?);
        let next = self.now().due.values().min().copied();
        Ok(next.unwrap_or_else(|| Instant::now() + LONGEST_SLEEP).min(Instant::now() + LONGEST_SLEEP))
    }

    /// Every set that is on has a time for its next round. One that is off keeps the time only that was asked for.
    fn plan(&self, sets: &[Set]) {
        let mut now = self.now();
        let due = std::mem::take(&mut now.due);
        let kept = |set: &Set| {
            let known = due.get(&set.id).copied();
            let first = || Instant::now() + varied(set.every).min(Duration::from_secs(60));
            let asked = || known.filter(|due| *due <= Instant::now());
            let next = if set.on { Some(known.unwrap_or_else(first)) } else { asked() };
            next.map(|next| (set.id, next))
        };
        now.due = sets.iter().filter_map(kept).collect();
    }

    async fn visit(&self, set: &Set, stop: &CancellationToken) -> Result<(), DbError> {
        // From here on a button that switches it off ends this round.
        let end = stop.child_token();
        self.now().running = Some((set.id, end.clone()));
        let visited = Box::pin(self.visit_until(set, &end)).await;
        self.now().running = None;
        visited
    }

    async fn visit_until(&self, set: &Set, end: &CancellationToken) -> Result<(), DbError> {
        let bytes = match self.room(set).await? {
            Ok(bytes) => bytes,
            Err(why) => {
                self.now().put_off.insert(set.id, why);
                return Ok(());
            }
        };
        self.now().put_off.remove(&set.id);
        let mut hosts = Vec::new();
        for member in &set.members {
            let endpoint = self.endpoints.unsealed(member.endpoint).await;
            let endpoint = endpoint.map_err(|said| Fault::new(Phase::Resolve, FaultKind::Unsupported, said));
            hosts.push(Host { endpoint, left: store::left(self.db.read(), member.endpoint).await? });
        }
        let order = match order(hosts.len()) {
            Ok(order) => order,
            Err(error) => {
                self.now().put_off.insert(set.id, error.to_string());
                return Ok(());
            }
        };
        let seen = Box::pin(round((&hosts, &order), (&set.work, bytes), &self.context, end)).await;
        if seen.visits.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.write().await?;
        // Somebody may have removed the set meanwhile.
        match store::keep(&mut tx, set, &seen).await {
            Ok(_) => Ok(tx.commit().await?),
            Err(DbError::Reference) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The bytes that a round of it may move now; or why none may begin.
    async fn room(&self, set: &Set) -> Result<Result<u64, String>, DbError> {
        if set.members.len() < 2 {
            return Ok(Err("fewer than two of its endpoints are left".to_owned()));
        }
        let hour = self.context.clock.now().saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
        let spent = store::spent(self.db.read(), set.id, hour).await?;
        let least = Spent { logins: u32::try_from(set.members.len()).unwrap_or(u32::MAX), bytes: 0 };
        let usual = store::usual(self.db.read(), set.id).await?.unwrap_or(least);
        Ok(if set.budget.allows(spent, usual) {
            Ok(set.budget.bytes.saturating_sub(spent.bytes))
        } else if set.budget.allows(Spent::default(), usual) {
            let Spent { logins, bytes } = spent;
            Err(format!("the budget of the hour is used up: {logins} logins and {} MiB", bytes >> 20))
        } else {
            let Spent { logins, bytes } = usual;
            Err(format!(
                "a round takes about {logins} logins and {} MiB, more than the budget of an hour: choose smaller files or a \
                 larger budget",
                bytes >> 20
            ))
        })
    }

    async fn prune(&self) -> Result<(), DbError> {
        let now = self.context.clock.now();
        if self.now().pruned.is_some_and(|last| now.duration_since(last) < PRUNE_EVERY) {
            return Ok(());
        }
        self.now().pruned = Some(now);
        let before = now.saturating_sub(SignedDuration::from_hours(24 * ROUNDS_DAYS)).unwrap_or(Timestamp::MIN);
        while store::prune(&mut *self.db.statement().await?, before, PRUNE).await? > 0 {}
        Ok(())
    }

    /// All sets, by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self) -> Result<Vec<Set>, DbError> {
        store::all(self.db.read()).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`DbError::Missing`]; the store's.
    pub async fn get(&self, id: SetId) -> Result<Set, DbError> {
        self.list().await?.into_iter().find(|set| set.id == id).ok_or(DbError::Missing)
    }

    /// Makes a set; its first round begins within a minute.
    ///
    /// # Errors
    /// [`ProbeError`].
    pub async fn make(&self, actor: &Actor, set: &Changes) -> Result<SetId, ProbeError> {
        let name = set.checked()?;
        if self.list().await?.len() >= MOST_SETS {
            return Err(ProbeError::TooMany);
        }
        let now = self.context.clock.now();
        let mut tx = self.db.write().await?;
        let id = store::make(&mut tx, set, name, now).await?;
        let event = Event::ComparisonMade { set: id, name: name.to_owned(), endpoints: set.members.clone() };
        audit::append(&mut tx, now, actor, &event).await?;
        tx.commit().await?;
        self.changed.notify_one();
        Ok(id)
    }

    /// Changes a set.
    ///
    /// # Errors
    /// [`ProbeError`]; [`DbError::Missing`] in it.
    pub async fn change(&self, actor: &Actor, id: SetId, set: &Changes) -> Result<(), ProbeError> {
        let name = set.checked()?;
        let now = self.context.clock.now();
        let mut tx = self.db.write().await?;
        if !store::change(&mut tx, id, (set, name), now).await? {
            return Err(DbError::Missing.into());
        }
        let event = Event::ComparisonChanged { set: id, name: name.to_owned(), on: set.on };
        audit::append(&mut tx, now, actor, &event).await?;
        tx.commit().await?;
        self.again(id);
        Ok(())
    }

    /// Lets rounds begin by themselves, or lets none begin and ends the one that is on its way.
    ///
    /// # Errors
    /// [`DbError::Missing`]; the store's.
    pub async fn switch(&self, actor: &Actor, id: SetId, on: bool) -> Result<(), DbError> {
        let set = self.get(id).await?;
        let now = self.context.clock.now();
        let mut tx = self.db.write().await?;
        if !store::switch(&mut tx, id, on).await? {
            return Err(DbError::Missing);
        }
        audit::append(&mut tx, now, actor, &Event::ComparisonChanged { set: id, name: set.name, on }).await?;
        tx.commit().await?;
        self.again(id);
        Ok(())
    }

    /// Removes a set and all that its rounds saw.
    ///
    /// # Errors
    /// [`DbError::Missing`]; the store's.
    pub async fn remove(&self, actor: &Actor, id: SetId) -> Result<(), DbError> {
        let set = self.get(id).await?;
        let now = self.context.clock.now();
        let mut tx = self.db.write().await?;
        if !store::remove(&mut tx, id).await? {
            return Err(DbError::Missing);
        }
        audit::append(&mut tx, now, actor, &Event::ComparisonRemoved { set: id, name: set.name }).await?;
        tx.commit().await?;
        self.again(id);
        Ok(())
    }

    /// It is not as it was: its round ends, and the next one is planned anew.
    fn again(&self, id: SetId) {
        {
            let mut now = self.now();
            now.due.remove(&id);
            now.put_off.remove(&id);
            if let Some((_, end)) = now.running.as_ref().filter(|(running, _)| *running == id) {
                end.cancel();
            }
        }
        self.changed.notify_one();
    }

    /// A round of the set begins now, whether or not it is on; its budget holds all the same.
    ///
    /// # Errors
    /// [`DbError::Missing`]; the store's.
    pub async fn visit_now(&self, id: SetId) -> Result<(), DbError> {
        self.get(id).await?;
        self.now().due.insert(id, Instant::now());
        self.changed.notify_one();
        Ok(())
    }

    /// Is a round of it on its way?
    #[must_use]
    pub fn is_running(&self, id: SetId) -> bool {
        self.now().running.as_ref().is_some_and(|(running, _)| *running == id)
    }

    /// Why its last round did not begin, if it did not.
    #[must_use]
    pub fn put_off(&self, id: SetId) -> Option<String> {
        self.now().put_off.get(&id).cloned()
    }

    /// The last rounds of a set, the newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn last(&self, id: SetId, most: u32) -> Result<Vec<StoredRound>, DbError> {
        store::last(self.db.read(), id, most).await
    }

    /// What the rounds of a set in `from..to` say of its members, and the pairs behind it.
    ///
    /// # Errors
    /// The store's.
    pub async fn findings(&self, set: &Set, window: (Timestamp, Timestamp)) -> Result<Vec<Told>, DbError> {
        answer(&self.db, set, window).await
    }

    /// Files that visits could not remove from an endpoint.
    ///
    /// # Errors
    /// The store's.
    pub async fn left(&self, endpoint: EndpointId) -> Result<Vec<RelPath>, DbError> {
        store::left(self.db.read(), endpoint).await
    }
}

/// About `every`, by chance up to a tenth more or less: rounds must not fall on the beat of something else.
fn varied(every: Duration) -> Duration {
    let mut byte = [0; 2];
    if crate::random::fill(&mut byte).is_err() {
        return every;
    }
    every.mul_f64(0.9 + 0.2 * f64::from(u16::from_le_bytes(byte)) / f64::from(u16::MAX))
}
