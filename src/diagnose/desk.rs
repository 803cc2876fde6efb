//! Diagnoses in a serving process: started by a person, watched while they look, kept when they are over; and remedies
//! that are tried at the press of a button.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::step::Step;
use super::{Limits, Order, Progress, Report, Seen, Trial, prescribe, run, store, trial};
use crate::audit::Actor;
use crate::db::{Db, DbError};
use crate::manners::{self, Remedy};
use crate::model::{DiagnosisId, Endpoint, EndpointId, Fault, FaultKind, IncidentId, Phase};
use crate::remote::Context;

/// More at once would disturb each other: they count and they time.
const AT_ONCE: usize = 2;

/// How a diagnosis stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It looks.
    Running,
    /// There is a report.
    Done,
    /// There is none.
    Failed,
    /// Its process went away.
    Lost,
}

impl State {
    const ALL: [Self; 4] = [Self::Running, Self::Done, Self::Failed, Self::Lost];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A diagnosis as it is kept, without its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub id: DiagnosisId,
    /// What is looked at.
    pub endpoint: EndpointId,
    /// Its address then, without a password.
    pub url: String,
    /// Who started it.
    pub by: String,
    /// What it is to explain.
    pub incident: Option<IncidentId>,
    /// How it stands.
    pub state: State,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why it failed, or in a line what it found.
    pub said: Option<String>,
}

/// What is going on in one that is under way.
#[derive(Debug, Clone)]
pub struct Glimpse {
    /// The step.
    pub step: Option<Step>,
    /// Everything that was seen.
    pub seen: Vec<Seen>,
    /// The remedy that is tried, where it is that.
    pub trying: Option<Remedy>,
}

/// Why none was started.
#[derive(Debug, thiserror::Error)]
pub enum DiagnoseError {
    /// The store.
    #[error(transparent)]
    Db(#[from] DbError),
    /// One of this endpoint runs already.
    #[error("this server is being looked at already")]
    Runs(DiagnosisId),
    /// Too many run.
    #[error("{AT_ONCE} servers are being looked at already: wait until one is done")]
    TooMany,
    /// Its address is another one now.
    #[error("the endpoint was changed since this diagnosis: have it looked at again")]
    Changed,
    /// There is nothing to try.
    #[error("this diagnosis names no such remedy")]
    NoRemedy,
}

struct Live {
    endpoint: EndpointId,
    progress: Arc<Progress>,
    stop: CancellationToken,
    trying: Option<Remedy>,
}

/// All diagnoses of this process. Clones share them.
#[derive(Clone)]
pub struct Diagnoses {
    db: Db,
    context: Context,
    running: Arc<Mutex<BTreeMap<DiagnosisId, Live>>>,
    /// Held by who looks for room until it has it.
    starting: Arc<tokio::sync::Mutex<()>>,
}

impl fmt::Debug for Diagnoses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Diagnoses")
    }
}

impl Diagnoses {
    /// None runs yet; those that ran in a process that is gone are lost.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(db: Db, context: Context) -> Result<Self, DbError> {
        store::lose_running(&db, context.clock.now()).await?;
        Ok(Self { db, context, running: Arc::default(), starting: Arc::default() })
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<DiagnosisId, Live>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at `endpoint`, with its password, which is stored as `id`; because of `incident`, if there is one.
    ///
    /// # Errors
    /// [`DiagnoseError`].
    pub async fn start(
        &self,
        actor: &Actor,
        (id, endpoint): (EndpointId, Endpoint),
        limits: Limits,
        incident: Option<IncidentId>,
    ) -> Result<DiagnosisId, DiagnoseError> {
        let _turn = self.starting.lock().await;
        self.has_room(id)?;
        let begun = (actor, self.context.clock.now());
        let diagnosis = store::begin(&self.db, begun, (id, &endpoint.url()), incident).await?;
        let (progress, stop) = self.enter(diagnosis, id, None);
        let desk = self.clone();
        self.context.tasks.spawn("diagnosis", async move {
            let order = desk.order(endpoint, limits);
            let ended = Box::pin(run(&order, &progress, &stop)).await.map_err(|fault| fault.to_string());
            if let Err(error) = desk.keep(diagnosis, &order, &ended).await {
                tracing::error!(%error, %diagnosis, "a diagnosis could not be stored");
            }
            desk.running().remove(&diagnosis);
        });
        Ok(diagnosis)
    }

    fn order(&self, endpoint: Endpoint, limits: Limits) -> Order {
        let at_once = endpoint.options.connections.map_or(limits.at_once, |most| most.min(limits.at_once)).max(1);
        Order {
            endpoint,
            limits: Limits { at_once, ..limits },
            upload: None,
            captures: None,
            clock: Arc::clone(&self.context.clock),
        }
    }

    fn enter(
        &self,
        id: DiagnosisId,
        endpoint: EndpointId,
        trying: Option<Remedy>,
    ) -> (Arc<Progress>, CancellationToken) {
        let (progress, stop) = (Arc::new(Progress::default()), self.context.tasks.token().child_token());
        let live = Live { endpoint, progress: Arc::clone(&progress), stop: stop.clone(), trying };
        self.running().insert(id, live);
        (progress, stop)
    }

    fn has_room(&self, endpoint: EndpointId) -> Result<(), DiagnoseError> {
        let running = self.running();
        if let Some((id, _)) = running.iter().find(|(_, live)| live.endpoint == endpoint) {
            return Err(DiagnoseError::Runs(*id));
        }
        if running.len() >= AT_ONCE { Err(DiagnoseError::TooMany) } else { Ok(()) }
    }

    async fn keep(&self, id: DiagnosisId, order: &Order, ended: &Result<Report, String>) -> Result<(), DbError> {
        let now = self.context.clock.now();
        store::end(&self.db, id, now, ended).await?;
        if let Ok(report) = ended {
            prescribe(&self.db, &order.endpoint.server(), report, now).await?;
        }
        Ok(())
    }

    /// Tries the so-manieth remedy of a report, counted over all findings: the trouble without it, and with it. It is used
    /// from then on when that makes the difference, and not any more when it does not.
    ///
    /// # Errors
    /// [`DiagnoseError`].
    pub async fn try_remedy(
        &self,
        actor: &Actor,
        id: DiagnosisId,
        endpoint: Endpoint,
        number: usize,
    ) -> Result<Remedy, DiagnoseError> {
        let _turn = self.starting.lock().await;
        let (stored, report) = self.get(id).await?;
        if endpoint.url() != stored.url {
            return Err(DiagnoseError::Changed);
        }
        let report = report.ok_or(DiagnoseError::NoRemedy)?;
        let remedy = report.findings.iter().flat_map(|found| &found.remedies).nth(number).copied();
        let remedy = remedy.ok_or(DiagnoseError::NoRemedy)?;
        self.has_room(stored.endpoint)?;
        let (progress, stop) = self.enter(id, stored.endpoint, Some(remedy));
        let (desk, actor) = (self.clone(), actor.clone());
        self.context.tasks.spawn("remedy", async move {
            let order = desk.order(endpoint, Limits::default());
            let tried = tokio::select! {
                () = stop.cancelled() => Err(Fault::new(Phase::Connect, FaultKind::Cancelled, "stopped")),
                tried = Box::pin(trial::attempt(&order, &report, remedy, &progress)) => tried,
            };
            let kept = match tried {
                Ok(trial) => desk.learn(&actor, id, &order.endpoint.server(), trial).await,
                Err(fault) => {
                    tracing::warn!(%fault, %remedy, "a remedy could not be tried");
                    Ok(())
                }
            };
            if let Err(error) = kept {
                tracing::error!(%error, diagnosis = %id, "what came of a remedy could not be stored");
            }
            desk.running().remove(&id);
        });
        Ok(remedy)
    }

    async fn learn(&self, actor: &Actor, id: DiagnosisId, server: &str, trial: Trial) -> Result<(), DbError> {
        let (now, remedy, helps) = (self.context.clock.now(), trial.remedy, trial.helps);
        let report = store::tried(&self.db, id, (actor, now), trial).await?;
        let why = report.shown().find(|(shown, _)| *shown == remedy).map(|(_, why)| why);
        if let Some(why) = why.filter(|_| helps) {
            manners::prescribe(&self.db, server, remedy, why, now).await?;
        } else {
            manners::withdraw(&self.db, server, remedy).await?;
        }
        Ok(())
    }

    /// The last ones, the newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, most: u32) -> Result<Vec<Stored>, DbError> {
        store::last(self.db.read(), most).await
    }

    /// Those that were to explain an incident, the newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn of_incident(&self, incident: IncidentId) -> Result<Vec<Stored>, DbError> {
        store::of_incident(self.db.read(), incident).await
    }

    /// One, with its report when there is one.
    ///
    /// # Errors
    /// [`DbError::Missing`]; the store's.
    pub async fn get(&self, id: DiagnosisId) -> Result<(Stored, Option<Report>), DbError> {
        store::get(self.db.read(), id).await
    }

    /// How far one of this process is, or the trial of one of its remedies; none when nothing is under way.
    #[must_use]
    pub fn live(&self, id: DiagnosisId) -> Option<Glimpse> {
        let running = self.running();
        let live = running.get(&id)?;
        Some(Glimpse { step: live.progress.step(), seen: live.progress.since(0), trying: live.trying })
    }

    /// Asks one to stop; its report is about what it had seen. A trial leaves nothing.
    pub fn stop(&self, id: DiagnosisId) {
        if let Some(live) = self.running().get(&id) {
            live.stop.cancel();
        }
    }

    /// Forgets one that is over.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, id: DiagnosisId) -> Result<(), DbError> {
        store::forget(&self.db, id).await
    }
}
