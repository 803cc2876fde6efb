//! From a claimed run to the engine that does its work.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::audit::Actor;
use crate::db::Db;
use crate::mirror::{self, Extent, MirrorError, MirrorRun, Policy, Progress, Summary};
use crate::model::{Endpoint, Fault, FaultKind, JobId, Phase, RunId};
use crate::remote::{self, Remote};

use super::backoff;

/// Everything an engine needs to work on a run.
#[derive(Debug)]
pub struct Work {
    /// Of which job.
    pub job: JobId,
    /// Which run; the same again when it is taken up again.
    pub run: RunId,
    /// Read from here; holds its password.
    pub source: Endpoint,
    /// Write to here; holds its password.
    pub target: Endpoint,
    /// What it looks at.
    pub extent: Extent,
    /// What may be done.
    pub policy: Policy,
    /// In whose name, for the audit log.
    pub actor: Actor,
    /// What the run waits for, for people; none = it does not wait.
    pub waits_for: watch::Sender<Option<String>>,
}

/// Why a run could do nothing.
#[derive(Debug, thiserror::Error)]
pub enum RunFailure {
    /// The source does not open.
    #[error("the source cannot be opened: {0}")]
    Source(Fault),
    /// The target does not open.
    #[error("the target cannot be opened: {0}")]
    Target(Fault),
    /// The engine could not begin or go on.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
}

/// Does the work of a run, and clears up after a job. The production one is [`MirrorEngine`].
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Works until the end or until `stop`; then comes to rest soon. May be dropped at any await.
    async fn execute(
        &self,
        work: Work,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Result<Summary, RunFailure>;

    /// Removes from `target` what runs of `job`, which is gone, left half done there. Returns how many parts went.
    async fn clear(&self, job: JobId, target: Endpoint) -> Result<u64, RunFailure>;
}

/// What stands between the mirror and an opened side.
pub type Layer = Arc<dyn Fn(Arc<dyn Remote>) -> Arc<dyn Remote> + Send + Sync>;

/// What stands between the mirror and both.
#[derive(Clone)]
pub struct Layers {
    /// Around the source.
    pub source: Layer,
    /// Around the target.
    pub target: Layer,
}

impl Default for Layers {
    /// Nothing.
    fn default() -> Self {
        Self { source: Arc::new(|side| side), target: Arc::new(|side| side) }
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layers")
    }
}

/// Opens both endpoints and mirrors.
#[derive(Debug, Clone)]
pub struct MirrorEngine {
    db: Db,
    context: remote::Context,
    layers: Layers,
}

impl MirrorEngine {
    /// With the mirror's journal in `db`.
    #[must_use]
    pub fn new(db: Db, context: remote::Context) -> Self {
        Self { db, context, layers: Layers::default() }
    }

    /// With something in between.
    #[must_use]
    pub fn with_layers(self, layers: Layers) -> Self {
        Self { layers, ..self }
    }
}

#[async_trait]
impl Engine for MirrorEngine {
    async fn execute(
        &self,
        work: Work,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Result<Summary, RunFailure> {
        let source = self.open_patiently(&work, Side::Source, &stop).await.map_err(RunFailure::Source)?;
        let target = match self.open_patiently(&work, Side::Target, &stop).await {
            Ok(target) => target,
            Err(fault) => {
                source.close().await;
                return Err(RunFailure::Target(fault));
            }
        };
        let mut policy = work.policy;
        if policy.charset.is_none() {
            policy.charset = work.source.options.charset.clone();
        }
        let order = MirrorRun {
            db: self.db.clone(),
            clock: self.context.clock.clone(),
            recorder: self.context.recorder.clone(),
            job: work.job,
            run: work.run,
            source: source.clone(),
            target: target.clone(),
            extent: work.extent,
            server: work.source.server(),
            zone: work.source.options.zone.clone(),
            place: work.target.url(),
            policy,
            actor: work.actor,
        };
        let summary = mirror::run(order, progress, stop).await;
        source.close().await;
        target.close().await;
        Ok(summary?)
    }

    async fn clear(&self, job: JobId, target: Endpoint) -> Result<u64, RunFailure> {
        let target = remote::open(&target, &self.context).await.map_err(RunFailure::Target)?;
        let removed = mirror::remove_parts(&self.db, &self.context.clock, job, &target).await;
        target.close().await;
        Ok(removed?)
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Source,
    Target,
}

impl Side {
    /// For people.
    const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

impl MirrorEngine {
    async fn open_patiently(
        &self,
        work: &Work,
        side: Side,
        stop: &CancellationToken,
    ) -> Result<Arc<dyn Remote>, Fault> {
        let mut tries = 0;
        let (patience, started) = (Duration::from_secs(work.policy.patience_seconds.into()), Instant::now());
        loop {
            tries += 1;
            let opened = tokio::select! {
                opened = self.open(work, side) => opened,
                () = stop.cancelled() => Err(stopped()),
            };
            let fault = match opened {
                Ok(remote) => {
                    work.waits_for.send_if_modified(|waits| waits.take().is_some());
                    return Ok(remote);
                }
                Err(fault) => fault,
            };
            let left = patience.saturating_sub(started.elapsed());
            let Some(pause) = backoff::pause(&fault, tries, chance(), left) else { return Err(fault) };
            if tries == 1 {
                // Whoever mistyped a name should not wait for the last try to learn it.
                tracing::warn!(side = side.word(), fault = %fault, "not reached yet; it is tried again");
            }
            work.waits_for.send_replace(Some(format!("next try in {} s: {fault}", pause.as_secs().max(1))));
            tokio::select! {
                () = tokio::time::sleep(pause.max(Duration::from_millis(100))) => {}
                () = stop.cancelled() => return Err(stopped()),
            }
        }
    }

    async fn open(&self, work: &Work, side: Side) -> Result<Arc<dyn Remote>, Fault> {
        match side {
            Side::Source => Ok((self.layers.source)(remote::open(&work.source, &self.context).await?)),
            // A dry run makes nothing, not even the target's folder.
            Side::Target if work.policy.dry_run => remote::open_or_imagine(&work.target, &self.context).await,
            Side::Target => Ok((self.layers.target)(remote::open_or_create(&work.target, &self.context).await?)),
        }
    }
}

fn stopped() -> Fault {
    Fault::new(Phase::Connect, FaultKind::Cancelled, "the run was told to stop before it was connected")
}

fn chance() -> u8 {
    let mut chance = [0];
    // Without chance the pauses are merely less spread.
    if crate::random::fill(&mut chance).is_ok() { chance[0] } else { 0 }
}
