//! Looks at new observations again and again; opens, carries on and closes incidents.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::gather::{Cluster, Faults, Window};
use super::store::{self, Open};
use super::{Entry, Incident, Terms, Verdict};
use crate::db::{Db, DbError};
use crate::model::{Clock, IncidentId};
use crate::reliability;
use crate::task::Tasks;

/// Observations that are read at once.
const BATCH: u32 = 5_000;

/// All incidents. Clones share them.
#[derive(Debug, Clone)]
pub struct Incidents {
    db: Db,
    clock: Arc<dyn Clock>,
    terms: Terms,
}

/// What the watch remembers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    window: Window,
    /// The number of the last observation that was read; none before the first look.
    mark: Option<i64>,
}

impl Incidents {
    /// Those in `db`. None opens or closes before [`Incidents::start`].
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>, terms: Terms) -> Self {
        Self { db, clock, terms }
    }

    /// Looks from now on, until the house stops.
    pub fn start(&self, tasks: &Tasks) {
        let (incidents, stop) = (self.clone(), tasks.token());
        tasks.spawn("incidents", async move {
            let mut memory = Memory::default();
            loop {
                if let Err(error) = incidents.look(&mut memory).await {
                    tracing::warn!(%error, "what was observed could not be searched for incidents");
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(incidents.terms.beat) => {}
                }
            }
        });
    }

    /// One look at what is new.
    pub(super) async fn look(&self, memory: &mut Memory) -> Result<(), DbError> {
        let now = self.clock.now();
        let mut mark = match memory.mark {
            Some(mark) => mark,
            None => self.first_mark(now).await?,
        };
        loop {
            let news = reliability::observations_after(&self.db, mark, BATCH).await?;
            let full = news.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            mark = news.last().map_or(mark, |(id, _)| *id);
            memory.window.take(news, now, self.terms.window);
            // The store is asked once more for what could not be judged.
            memory.mark = Some(mark);
            if !full {
                break;
            }
        }
        let known = store::all_open(self.db.read()).await?;
        let faults = memory.window.faults();
        for cluster in memory.window.clusters(&faults, &self.terms) {
            if !known.iter().any(|open| open.incident.like == cluster.like) {
                self.open(memory, &cluster, now).await?;
            }
        }
        for open in known {
            self.go_on(memory, &faults, open, now).await?;
        }
        Ok(())
    }

    /// What happened shortly before the start counts as well.
    async fn first_mark(&self, now: Timestamp) -> Result<i64, DbError> {
        reliability::last_before(&self.db, now.saturating_sub(signed(self.terms.window)).unwrap_or(now)).await
    }

    async fn open(&self, memory: &Memory, cluster: &Cluster, now: Timestamp) -> Result<(), DbError> {
        // It may have been closed a moment ago, with faults that are still in the window: those opened it once.
        let before = store::last_seen(self.db.read(), &cluster.like).await?;
        let mut cluster = cluster.clone();
        cluster.faults.retain(|(id, _)| *id > before);
        if cluster.faults.len() < self.terms.least {
            return Ok(());
        }
        let verdict = Verdict::of(&cluster.like, memory.window.at(&cluster.like));
        let id = store::open(&self.db, now, &cluster, &verdict).await?;
        tracing::warn!(incident = %id, what = cluster.like.sentence(), verdict = verdict.line(), "an incident opened");
        Ok(())
    }

    async fn go_on(&self, memory: &Memory, faults: &Faults, mut open: Open, now: Timestamp) -> Result<(), DbError> {
        let faults = faults.get(&open.incident.like).into_iter().flatten().copied();
        let news: Vec<_> = faults.filter(|(id, _)| *id > open.seen).collect();
        let Some((seen, last)) = news.last().copied() else {
            return self.maybe_close(memory, &open.incident, now).await;
        };
        let told = open.incident.verdict.line();
        open.seen = seen;
        open.incident.last = open.incident.last.max(last);
        open.incident.faults = open.incident.faults.saturating_add(u64::try_from(news.len()).unwrap_or(u64::MAX));
        open.incident.verdict = Verdict::of(&open.incident.like, memory.window.at(&open.incident.like));
        let line = open.incident.verdict.line();
        let said = format!("verdict: {line}");
        store::go_on(&self.db, &open, (line != told).then_some((now, said.as_str()))).await
    }

    async fn maybe_close(&self, memory: &Memory, incident: &Incident, now: Timestamp) -> Result<(), DbError> {
        let quiet = Duration::try_from(now.duration_since(incident.last)).unwrap_or_default();
        let well = memory.window.well_after(&incident.like, incident.last);
        let why = if quiet >= self.terms.quiet && well > 0 {
            format!("no such fault for {}, while {well} of their kind went well lately", told(quiet))
        } else if quiet >= self.terms.forgotten {
            format!("nothing of this kind was tried for {}: it is not known whether it is over", told(quiet))
        } else {
            return Ok(());
        };
        tracing::info!(incident = %incident.id, why, "an incident closed");
        store::close(&self.db, incident, now, &why).await
    }

    /// The last ones, those that are open first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, most: u32) -> Result<Vec<Incident>, DbError> {
        store::last(self.db.read(), most).await
    }

    /// One, with its history.
    ///
    /// # Errors
    /// [`DbError::Missing`]; the store's.
    pub async fn get(&self, id: IncidentId) -> Result<(Incident, Vec<Entry>), DbError> {
        store::get(self.db.read(), id).await
    }

    /// A line more in the history of one, a sentence without its end.
    ///
    /// # Errors
    /// The store's.
    pub async fn note(&self, id: IncidentId, said: &str) -> Result<(), DbError> {
        store::note(&self.db, id, self.clock.now(), said).await
    }
}

fn signed(length: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(length).unwrap_or(jiff::SignedDuration::MAX)
}

fn told(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3600),
    }
}
