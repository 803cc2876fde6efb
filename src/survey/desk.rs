//! Surveys in a serving process: started by a person, seen while they run, kept when they are over.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Limits, Order, Progress, Report, Snapshot, run, store};
use crate::audit::Actor;
use crate::db::{Db, DbError};
use crate::model::{Endpoint, EndpointId, SurveyId};
use crate::remote::{self, Context};

/// More at once would no longer be polite to anybody.
const AT_ONCE: usize = 2;

/// How a survey stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It reads.
    Running,
    /// Its report is about everything.
    Whole,
    /// Its report is about a part.
    Partial,
    /// There is no report.
    Failed,
    /// Its process went away.
    Lost,
}

impl State {
    const ALL: [Self; 5] = [Self::Running, Self::Whole, Self::Partial, Self::Failed, Self::Lost];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Whole => "whole",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A survey as it is kept, without its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub id: SurveyId,
    /// What was surveyed.
    pub endpoint: EndpointId,
    /// Its address then, without a password.
    pub url: String,
    /// Who started it.
    pub by: String,
    /// How it stands.
    pub state: State,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why it failed, or in a line what it found.
    pub said: Option<String>,
}

/// How one ended.
pub(super) struct Ended {
    pub(super) state: State,
    pub(super) said: String,
    pub(super) report: Option<Report>,
}

/// Why none was started.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The store.
    #[error(transparent)]
    Db(#[from] DbError),
    /// One of this endpoint runs already.
    #[error("this server is being surveyed already")]
    Runs(SurveyId),
    /// Too many run.
    #[error("{AT_ONCE} surveys run already: wait until one is over")]
    TooMany,
}

struct Live {
    endpoint: EndpointId,
    progress: Arc<Progress>,
    stop: CancellationToken,
}

/// All surveys of this process. Clones share them.
#[derive(Clone)]
pub struct Surveys {
    db: Db,
    context: Context,
    running: Arc<Mutex<BTreeMap<SurveyId, Live>>>,
}

impl fmt::Debug for Surveys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surveys")
    }
}

impl Surveys {
    /// None runs yet; those that ran in a process that is gone are lost.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(db: Db, context: Context) -> Result<Self, DbError> {
        store::lose_running(&db, context.clock.now()).await?;
        Ok(Self { db, context, running: Arc::default() })
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<SurveyId, Live>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a survey of `endpoint`, with its password, which is stored as `id`.
    ///
    /// # Errors
    /// [`SurveyError`].
    pub async fn start(
        &self,
        actor: &Actor,
        id: EndpointId,
        mut endpoint: Endpoint,
        limits: Limits,
    ) -> Result<SurveyId, SurveyError> {
        self.has_room(id)?;
        let most = endpoint.options.connections.unwrap_or(limits.connections);
        let limits = Limits { connections: limits.connections.min(most).max(1), ..limits };
        endpoint.options.connections = Some(limits.connections);
        let survey = store::begin(&self.db, (actor, self.context.clock.now()), id, &endpoint.url()).await?;
        let (progress, stop) = (Arc::new(Progress::default()), self.context.tasks.token().child_token());
        let live = Live { endpoint: id, progress: Arc::clone(&progress), stop: stop.clone() };
        self.running().insert(survey, live);
        let desk = self.clone();
        self.context.tasks.spawn("survey", async move {
            let ended = Box::pin(desk.work(endpoint, limits, &progress, &stop)).await;
            if let Err(error) = store::end(&desk.db, survey, desk.context.clock.now(), &ended).await {
                tracing::error!(%error, survey = %survey, "a survey could not be stored");
            }
            desk.running().remove(&survey);
        });
        Ok(survey)
    }

    fn has_room(&self, endpoint: EndpointId) -> Result<(), SurveyError> {
        let running = self.running();
        if let Some((id, _)) = running.iter().find(|(_, live)| live.endpoint == endpoint) {
            return Err(SurveyError::Runs(*id));
        }
        if running.len() >= AT_ONCE { Err(SurveyError::TooMany) } else { Ok(()) }
    }

    async fn work(&self, endpoint: Endpoint, limits: Limits, progress: &Progress, stop: &CancellationToken) -> Ended {
        let remote = match remote::open(&endpoint, &self.context).await {
            Ok(remote) => remote,
            Err(fault) => return Ended { state: State::Failed, said: fault.to_string(), report: None },
        };
        let clock = Arc::clone(&self.context.clock);
        let order = Order { remote: Arc::clone(&remote), endpoint, clock, limits };
        let report = run(&order, progress, stop).await;
        remote.close().await;
        let said = format!("{} files in {} folders", report.census.files, report.census.folders);
        let state = if report.whole { State::Whole } else { State::Partial };
        Ended { state, said, report: Some(report) }
    }

    /// The last ones, the newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, most: u32) -> Result<Vec<Stored>, DbError> {
        store::last(self.db.read(), most).await
    }

    /// One, with its report when there is one.
    ///
    /// # Errors
    /// [`DbError::Missing`]; the store's.
    pub async fn get(&self, id: SurveyId) -> Result<(Stored, Option<Report>), DbError> {
        let (stored, text) = store::one(self.db.read(), id).await?;
        Ok((stored, text.as_deref().map(store::report).transpose()?))
    }

    /// How far a survey of this process is; none when it is over.
    #[must_use]
    pub fn live(&self, id: SurveyId) -> Option<Snapshot> {
        self.running().get(&id).map(|live| live.progress.snapshot())
    }

    /// Asks one to stop; its report is about what it had read.
    pub fn stop(&self, id: SurveyId) {
        if let Some(live) = self.running().get(&id) {
            live.stop.cancel();
        }
    }

    /// Forgets one that is over.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, id: SurveyId) -> Result<(), DbError> {
        store::forget(&self.db, id).await
    }
}
