//! Drills: what becomes of a job when something breaks in the middle of it? A sample of its real source is copied again
//! and again with the job's own settings, each time with another fault, into a folder that is thrown away. Told is when
//! the mirror noticed, when it went on, and whether anything is lost: every file of the sample was hashed before, straight
//! from the source, and every file of the copy is hashed after.
//!
//! Neither the job's target nor its journal is touched, and the source is only read. Faults of the network are done by a
//! [`relay`] in this process, over which the copy reaches the real server.

mod child;
mod copy;
mod exercise;
mod page;
mod place;
mod relay;
mod report;
mod sample;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

pub(crate) use child::WORD;
pub use copy::Leg;
pub use exercise::Exercise;
pub use page::render as render_page;
pub use place::Place;
pub use report::{Rehearsed, Report};
pub use sample::Limits;

use copy::Obstacles;
use place::remove;
use relay::{Cue, Relay};
use sample::Sampled;
use watch::{Marks, Watch};

use crate::app::{Store, StoreError};
use crate::audit::{self, Actor, Event};
use crate::db::{Db, DbError};
use crate::job::{Job, JobError, OnceEnd, RunState};
use crate::mirror::{Deletions, Filter, MirrorError, Policy, Progress, Uploads};
use crate::model::{Digest, DigestAlgorithm, Endpoint, EntryKind, Fault, FaultKind, JobId, Protocol, RelPath};
use crate::remote::{self, Remote, layer::Room};
use crate::task::Tasks;
use crate::tree::file;

/// A copy is held to at least so long, so that there is a middle for the fault to come in.
const AT_LEAST_SECONDS: u64 = 4;
/// And a file to at least so many bytes a second.
const SLOWEST: u64 = 64 << 10;
/// So many bytes at once are no word of a conversation.
const OF_A_FILE: usize = 4 << 10;
/// How long background work may take to end.
const GOODBYE: Duration = Duration::from_secs(5);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The source.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The store of a drill.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job store.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The copy could not begin.
    #[error(transparent)]
    Job(#[from] JobError),
    /// What the job leaves out.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// The folder of the drill, or the relay.
    #[error("the drill cannot go on: {0}")]
    Io(#[from] std::io::Error),
    /// The sample is empty.
    #[error(
        "the source has no file with something in it that fits into {0} bytes: give the drill more with --max-bytes"
    )]
    Nothing(u64),
    /// The child's orders.
    #[error("these orders for a copy cannot be read: {0}")]
    Leg(String),
    /// The disk.
    #[error("a drill here needs {needed} bytes of room, and there are {there}: give it less with --max-bytes")]
    Room {
        /// In bytes.
        needed: u64,
        /// In bytes.
        there: u64,
    },
    /// Told to.
    #[error("stopped before the end")]
    Stopped,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    /// The job, by name.
    pub job: String,
    /// Where it reads; holds its password.
    pub source: Endpoint,
    /// What it may do.
    pub policy: Policy,
    /// Which, in this order.
    pub exercises: Vec<Exercise>,
    /// How much is copied each time.
    pub limits: Limits,
    /// When so many bytes have been copied the fault comes; none: half-way.
    pub at: Option<u64>,
    /// The store of the job: what is known about its server is known in a drill. Nothing is learned from one.
    pub known: Db,
    /// Where it happens; what is there is gone afterwards.
    pub place: Arc<Place>,
    /// This program: started again to be killed.
    pub program: PathBuf,
}

impl Order {
    /// A drill of `job`, whose source with its password is `source`.
    #[must_use]
    pub fn of(job: &Job, source: Endpoint, known: Db, place: Place, program: PathBuf) -> Self {
        let policy = Policy {
            // What was changed a moment ago may be a part of the sample.
            delete: Deletions { enabled: false, ..Deletions::default() },
            uploads: Uploads { rest_seconds: 0, ..Uploads::default() },
            dry_run: false,
            manifest: false,
            hot_minutes: None,
            ..job.policy.clone()
        };
        let (exercises, limits, place) = (Exercise::ALL.to_vec(), Limits::default(), Arc::new(place));
        Self { job: job.name.clone(), source, policy, exercises, limits, at: None, known, place, program }
    }
}

/// Does all of it, and says of each exercise when it begins and ends.
///
/// # Errors
/// [`DrillError`]; that a copy did not end well is none, but told in the report.
pub async fn run(
    order: &Order,
    tell: &(dyn Fn(Exercise, Option<&Rehearsed>) + Send + Sync),
    stop: &CancellationToken,
) -> Result<Report, DrillError> {
    let done = exercised(order, tell, stop).await;
    order.place.remove().await;
    done
}

async fn exercised(
    order: &Order,
    tell: &(dyn Fn(Exercise, Option<&Rehearsed>) + Send + Sync),
    stop: &CancellationToken,
) -> Result<Report, DrillError> {
    let store = Store::open_at(&order.place.folder().join("sample")).await?;
    let (tasks, started) = (Tasks::new(), store.clock.now());
    let source = copy::open(&order.source, &store, &tasks).await?;
    let filter = Filter::new(&order.policy)?;
    let sampled = tokio::select! {
        sampled = sample::take(&*source, &filter, order.limits) => sampled,
        () = stop.cancelled() => Err(DrillError::Stopped),
    };
    source.close().await;
    let sample = sampled?;
    order.place.has_room(sample.iter().map(|file| file.size).sum())?;
    let mut exercises = Vec::new();
    for exercise in &order.exercises {
        tell(*exercise, None);
        let done = Drill { order, sample: &sample, exercise: *exercise, stop }.rehearse(&store, &tasks).await;
        // What came of the others is told in any case.
        if stop.is_cancelled() {
            break;
        }
        let done =
            done.unwrap_or_else(|error| Rehearsed { failure: Some(error.to_string()), ..Rehearsed::of(*exercise) });
        tell(*exercise, Some(&done));
        exercises.push(done);
    }
    if !tasks.drain(GOODBYE).await {
        tracing::debug!("something did not end in time");
    }
    store.db.close().await;
    Ok(Report {
        job: order.job.clone(),
        source: order.source.url(),
        started,
        files: u64::try_from(sample.len()).unwrap_or(u64::MAX),
        bytes: sample.iter().map(|file| file.size).sum(),
        asked: order.exercises.len(),
        exercises,
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Writes down what came of a drill of `job`: an entry for each exercise that was done.
///
/// # Errors
/// The store's.
pub async fn record(
    db: &Db,
    (actor, job): (&Actor, JobId),
    now: jiff::Timestamp,
    report: &Report,
) -> Result<(), DbError> {
    let millis =
        |seconds: f64| u64::try_from(Duration::from_secs_f64(seconds.max(0.0)).as_millis()).unwrap_or(u64::MAX);
    let done = report.exercises.iter().filter(|done| done.skipped.is_none());
    let events: Vec<Event> = done
        .map(|done| Event::JobDrilled {
            job,
            name: report.job.clone(),
            exercise: done.exercise.to_string(),
            passed: done.passed(),
            lost: done.lost,
            noticed_ms: done.noticed.map(millis),
            resumed_ms: done.resumed.map(millis),
        })
        .collect();
    let mut tx = db.write().await?;
    audit::append_many(&mut tx, now, actor, &events).await?;
    Ok(tx.commit().await?)
}

/// One exercise on the sample.
struct Drill<'a> {
    order: &'a Order,
    sample: &'a [Sampled],
    exercise: Exercise,
    stop: &'a CancellationToken,
}

/// A copy that was made against a fault.
struct Copied {
    end: Result<OnceEnd, DrillError>,
    /// When the fault began.
    fired: Option<Instant>,
    marks: Marks,
}

impl Drill<'_> {
    async fn rehearse(&self, store: &Store, tasks: &Tasks) -> Result<Rehearsed, DrillError> {
        let mut done = Rehearsed::of(self.exercise);
        if self.exercise.harm(1).is_some() && self.order.source.protocol == Protocol::Local {
            done.skipped = Some("the source is a folder of this machine: there is no connection to break".to_owned());
            return Ok(done);
        }
        let began = Instant::now();
        let copied = self.copied(tasks).await;
        done.seconds = began.elapsed().as_secs_f64();
        let copied = copied?;
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        (done.noticed, done.resumed) = (seconds(copied.marks.noticed), seconds(copied.marks.resumed));
        done.said = copied.marks.said;
        if copied.fired.is_none() {
            done.skipped = Some("the copy was over before the fault came".to_owned());
        }
        done.failure = failure(&copied.end);
        self.compare(&mut done, store, tasks).await?;
        if let Err(error) = remove(&self.order.place.folder(), self.exercise.as_str()).await {
            tracing::warn!(%error, "what was copied is removed at the end");
        }
        Ok(done)
    }

    /// Bytes of the sample.
    fn whole(&self) -> u64 {
        self.sample.iter().map(|file| file.size).sum()
    }

    /// Bytes of it after which the fault comes.
    fn at(&self) -> u64 {
        self.order.at.unwrap_or(self.whole() / 2)
    }

    /// Bytes a second.
    fn pace(&self) -> u64 {
        let pace = (self.whole() / AT_LEAST_SECONDS).max(SLOWEST);
        self.order.policy.bandwidth.map_or(pace, |most| most.min(pace))
    }

    fn leg(&self) -> Leg {
        let mut source = self.order.source.clone();
        // A server that connects to us would go around the relay.
        source.options.active = Some(false);
        let policy = Policy { bandwidth: Some(self.pace()), ..self.order.policy.clone() };
        let files = self.sample.iter().map(|file| file.path.clone()).collect();
        Leg { source, policy, files, place: self.order.place.folder().join(self.exercise.as_str()) }
    }

    async fn copied(&self, tasks: &Tasks) -> Result<Copied, DrillError> {
        let leg = self.leg();
        file::ensure_dir(&leg.place, true)?;
        leg.learn(&self.order.known).await?;
        let progress = Arc::new(Progress::new());
        if let Some(harm) = self.exercise.harm(self.pace()) {
            let (source, lasts) = (&self.order.source, self.exercise.lasts());
            let ftp = matches!(source.protocol, Protocol::Ftp | Protocol::FtpTls);
            // Who goes through another host is turned away there.
            let port = remote::jump_host(source)?.map_or(source.port, |jump| jump.port);
            let (at, rest) = (self.at(), self.whole().saturating_sub(self.at()));
            let (read, around) = (Arc::clone(&progress), tasks.child());
            let due = Box::new(move |piece: usize| {
                let moved = read.snapshot().bytes_moved;
                // Much at once is a file; where all are small any word will do.
                moved >= at && (piece >= OF_A_FILE || moved >= at + rest / 2)
            });
            let relay = Arc::new(Relay::start(Cue { harm, due, lasts, port, ftp }, &around).await?);
            let obstacles = Obstacles { relay: Some(relay.address()), room: None };
            let copied = self.watched(&leg, obstacles, progress, move || relay.fired()).await;
            around.stop();
            return Ok(copied);
        }
        match self.exercise {
            Exercise::DiskFull => {
                let room = Arc::new(Room::new(self.at(), self.exercise.lasts()));
                let obstacles = Obstacles { relay: None, room: Some(Arc::clone(&room)) };
                Ok(self.watched(&leg, obstacles, progress, move || room.full_since()).await)
            }
            Exercise::DatabaseLocked => {
                let held = Arc::new(OnceLock::new());
                let (path, shared) = (leg.store(), Arc::clone(&held));
                let holder = hold_store(path, (self.at(), self.exercise.lasts()), Arc::clone(&progress), shared);
                let holder = tasks.spawn("drill: locked store", holder);
                let copied = self.watched(&leg, Obstacles::default(), progress, move || held.get().copied()).await;
                holder.abort();
                Ok(copied)
            }
            _ => {
                let killed = child::killed(&self.order.program, &leg, self.at(), self.stop).await?;
                let copied = self.watched(&leg, Obstacles::default(), progress, move || killed).await;
                // It is noticed by whoever takes the run up.
                let taken_up = copied.end.as_ref().is_ok_and(|end| end.taken_up);
                let noticed = copied.marks.working.filter(|_| taken_up);
                Ok(Copied { marks: Marks { noticed, ..copied.marks }, ..copied })
            }
        }
    }

    async fn watched(
        &self,
        leg: &Leg,
        obstacles: Obstacles,
        progress: Arc<Progress>,
        fired: impl Fn() -> Option<Instant> + Clone + Send + Sync + 'static,
    ) -> Copied {
        let (watch, over, tasks) = (Watch::new(), CancellationToken::new(), Tasks::new());
        let looking = Arc::clone(&watch).run(Arc::clone(&progress), fired.clone(), over.clone());
        let looking = tasks.spawn("drill: watch", looking);
        let end = leg.copy_against(obstacles, progress, self.stop.child_token()).await;
        over.cancel();
        if let Err(error) = looking.await {
            tracing::error!(%error, "nobody looked at the copy");
        }
        Copied { end, fired: fired(), marks: watch.marks() }
    }

    /// Is every content there, and nothing else?
    async fn compare(&self, done: &mut Rehearsed, store: &Store, tasks: &Tasks) -> Result<(), DrillError> {
        let target = copy::open(&copy::local(&self.leg().target()), store, tasks).await?;
        let found = contents(&*target).await;
        target.close().await;
        let mut found = found?;
        let mut take = |sum: &Digest| match found.get_mut(sum) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        };
        let missing: Vec<&Sampled> = self.sample.iter().filter(|file| !take(&file.sum)).collect();
        if !missing.is_empty() {
            // A source that people work in changes meanwhile: what is there now?
            let source = copy::open(&self.order.source, store, tasks).await?;
            for file in missing {
                match sample::read(&*source, file.path.clone(), u64::MAX).await {
                    Ok(Some(now)) if now.sum == file.sum => done.lose(file),
                    Ok(now) => {
                        done.changed += 1;
                        now.iter().for_each(|now| {
                            take(&now.sum);
                        });
                    }
                    Err(fault) if fault.kind == FaultKind::Missing => done.changed += 1,
                    Err(_) => done.lose(file),
                }
            }
            source.close().await;
        }
        // What changed may have been copied as it was in between.
        done.strange = found.values().sum::<u64>().saturating_sub(done.changed);
        Ok(())
    }
}

/// What went wrong with a copy, if anything.
fn failure(end: &Result<OnceEnd, DrillError>) -> Option<String> {
    match end {
        Err(error) => Some(error.to_string()),
        Ok(OnceEnd { failure: Some(failure), .. }) => Some(failure.to_string()),
        Ok(end) if end.state != RunState::Done => Some(format!("the run is {}", end.state)),
        Ok(end) if !end.summary.as_ref().is_some_and(|found| found.verified) => Some("not verified".to_owned()),
        Ok(_) => None,
    }
}

/// The contents in a tree and how often each is there, without what is a program's own.
async fn contents(tree: &dyn Remote) -> Result<BTreeMap<Digest, u64>, Fault> {
    let (mut folders, mut found) = (vec![RelPath::root()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        let mut lister = tree.list(&folder).await?;
        while let Some(entries) = lister.next().await? {
            for entry in entries.into_iter().filter(|entry| !entry.name.is_reserved()) {
                let path = folder.join(&entry.name);
                if entry.kind == EntryKind::Dir {
                    folders.push(path);
                } else {
                    let sum = remote::read_digest(tree, &path, DigestAlgorithm::Sha256).await?;
                    *found.entry(sum).or_default() += 1;
                }
            }
        }
    }
    Ok(found)
}

/// Takes the store of a copy away from it for a time, as a backup program does, when so many bytes have come.
async fn hold_store(
    store: PathBuf,
    (at, lasts): (u64, Duration),
    progress: Arc<Progress>,
    held: Arc<OnceLock<Instant>>,
) -> Result<(), DrillError> {
    while progress.snapshot().bytes_moved < at {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let other = Store::open_at(&store).await?;
    let writing = other.db.write().await?;
    held.get_or_init(Instant::now);
    tokio::time::sleep(lasts).await;
    drop(writing);
    other.db.close().await;
    Ok(())
}
