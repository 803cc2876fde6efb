//! The job store and its worker: schedules, leases, wishes, and processes that die.

mod hot;
mod kill;
mod manifests;
mod rest;
mod serve;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use causeway::audit::{Actor, AuditLog, Filter};
use causeway::db::{Db, Vault};
use causeway::job::{
    Cause, EndpointRef, Engine, JobError, Jobs, NewEndpoint, NewJob, OnceRequest, Run, RunFailure, RunFilter, RunState,
    Schedule, Work, Worker, WorkerOptions, Zone, run_once,
};
use causeway::mirror::{Counts, Ended, Extent, Policy, Progress, Summary};
use causeway::model::{Clock, Endpoint, Fault, FaultKind, JobId, ManualClock, Phase, RunId, Secret};
use causeway::task::Tasks;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const NOON: &str = "2026-03-01T12:00:00Z";

/// An engine that does as the test says and remembers for which runs it was called.
#[derive(Default)]
struct Scripted {
    seen: Mutex<Vec<(RunId, Option<Secret>)>>,
    policies: Mutex<Vec<Policy>>,
    ends: Mutex<Option<Result<bool, Fault>>>,
    cleared: Mutex<Vec<JobId>>,
    extents: Mutex<Vec<Extent>>,
}

impl Scripted {
    /// From now on runs end so at once; without it they work until they are told to stop.
    fn end(&self, how: Result<bool, Fault>) {
        *self.ends.lock().unwrap() = Some(how);
    }

    fn seen(&self) -> Vec<RunId> {
        self.seen.lock().unwrap().iter().map(|(run, _)| *run).collect()
    }
}

#[async_trait]
impl Engine for Scripted {
    async fn execute(
        &self,
        work: Work,
        _progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Result<Summary, RunFailure> {
        self.seen.lock().unwrap().push((work.run, work.source.password.clone()));
        self.policies.lock().unwrap().push(work.policy.clone());
        self.extents.lock().unwrap().push(work.extent);
        let ends = self.ends.lock().unwrap().clone();
        let (ended, complete) = match ends {
            Some(Ok(complete)) => (Ended::Finished, complete),
            Some(Err(fault)) => return Err(RunFailure::Source(fault)),
            None => {
                stop.cancelled().await;
                (Ended::Stopped, false)
            }
        };
        Ok(Summary {
            run: work.run,
            ended,
            dry_run: false,
            complete,
            verified: complete,
            counts: Counts::default(),
            missing: Vec::new(),
            unsure: Vec::new(),
            notes: Vec::new(),
            extent: work.extent,
            lag: None,
            proofs: std::collections::BTreeMap::new(),
            orders: None,
            records: None,
        })
    }

    async fn clear(&self, job: JobId, _target: Endpoint) -> Result<u64, RunFailure> {
        self.cleared.lock().unwrap().push(job);
        Ok(0)
    }
}

struct House {
    folder: TempDir,
    db: Db,
    clock: Arc<ManualClock>,
    jobs: Jobs,
    engine: Arc<Scripted>,
    tasks: Tasks,
    worker: Arc<Worker>,
}

impl House {
    async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), NOON.parse().unwrap()).await
    }

    async fn open(folder: TempDir, now: Timestamp) -> Self {
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        let clock = Arc::new(ManualClock::new(now));
        let jobs = Jobs::new(db.clone(), Arc::new(Vault::new(&[5; 32]).unwrap()), clock.clone());
        let engine = Arc::new(Scripted::default());
        let tasks = Tasks::new();
        let worker = Worker::new(jobs.clone(), engine.clone(), WorkerOptions::default(), &tasks);
        Self { folder, db, clock, jobs, engine, tasks, worker }
    }

    /// The process goes (in good order when it drains) and another one starts at `now`.
    async fn restart(self, drains: bool, now: Timestamp) -> Self {
        if drains {
            assert!(self.tasks.drain(Duration::from_secs(10)).await);
        }
        self.db.close().await;
        Self::open(self.folder, now).await
    }

    async fn job(&self, name: &str, schedule: &str) -> JobId {
        self.jobs.create(&Actor::System, &self.new_job(name, schedule)).await.unwrap()
    }

    fn new_job(&self, name: &str, schedule: &str) -> NewJob {
        let of = |url: &str| EndpointRef::Inline(NewEndpoint::unnamed(Endpoint::parse(url).unwrap()));
        let zone = Zone::parse("Europe/Berlin").unwrap();
        NewJob {
            name: name.to_owned(),
            source: of("ftp://anna:hush@legacy.example/outgoing"),
            target: of(&format!("/srv/causeway-test/{name}")),
            policy: Policy::default(),
            schedule: Schedule::parse(schedule, &zone, self.clock.now()).unwrap(),
            zone,
            paused: false,
        }
    }

    async fn look(&self) {
        self.worker.look().await.unwrap();
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    async fn history(&self, job: JobId) -> Vec<Run> {
        self.jobs.runs(&RunFilter { job: Some(job), ..RunFilter::default() }).await.unwrap()
    }

    /// Waits (bounded) until the run is in `state`.
    async fn until(&self, run: RunId, state: RunState) -> Run {
        for _ in 0..400 {
            let now = self.jobs.run(run).await.unwrap();
            if now.state == state {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("run {run} is {} and not {state}", self.jobs.run(run).await.unwrap().state);
    }

    async fn actions(&self) -> Vec<String> {
        let log = AuditLog::new(self.db.clone(), self.clock.clone());
        assert!(log.verify(None).await.unwrap().is_sound());
        let records = log.page(&Filter::default()).await.unwrap();
        records.iter().map(|record| record.action.clone()).collect()
    }
}

#[tokio::test]
async fn a_scheduled_job_runs_on_time_and_its_end_is_kept() {
    let house = House::new().await;
    house.engine.end(Ok(true));
    let job = house.job("nightly", "30 2 * * *").await;
    house.look().await;
    assert!(house.history(job).await.is_empty(), "it is not time yet");
    let next = house.jobs.next_starts(&house.jobs.get(job).await.unwrap(), 5);
    assert_eq!(next.first().unwrap().to_string(), "2026-03-02T01:30:00Z");
    assert_eq!(next.len(), 5);
    house.pass(13 * 3600 + 1800 + 5);
    house.look().await;
    let run = house.until(house.history(job).await[0].id, RunState::Done).await;
    assert_eq!((run.cause, run.planned, run.claims), (Cause::Schedule, next.first().copied(), 1));
    assert!(run.summary.unwrap().complete && run.owner.is_none() && run.lease_until.is_none());
    house.look().await;
    assert_eq!(house.history(job).await.len(), 1, "one start, one run");
    let row = house.jobs.list(false).await.unwrap().remove(0);
    assert!(row.active.is_none());
    assert_eq!(row.last.unwrap().id, run.id);
    assert_eq!(row.job.next_start, next.get(1).copied());
    let actions = house.actions().await;
    for action in ["job-created", "run-queued", "run-started", "run-ended"] {
        assert!(actions.iter().any(|a| a == action), "{action} is missing: {actions:?}");
    }
}

#[tokio::test]
async fn at_once_means_now_and_once() {
    let house = House::new().await;
    house.engine.end(Ok(false));
    let job = house.job("first copy", "now").await;
    house.look().await;
    let run = house.history(job).await[0].id;
    house.until(run, RunState::Incomplete).await;
    house.pass(86_400);
    house.look().await;
    assert_eq!(house.history(job).await.len(), 1);
    assert_eq!(house.jobs.get(job).await.unwrap().next_start, None);
}

#[tokio::test]
async fn missed_starts_run_once() {
    let house = House::new().await;
    let job = house.job("hourly", "0 * * * *").await;
    let house = house.restart(true, "2026-03-03T12:20:00Z".parse().unwrap()).await;
    house.engine.end(Ok(true));
    house.look().await;
    house.look().await;
    let history = house.history(job).await;
    assert_eq!(history.len(), 1, "48 missed starts make one run");
    assert_eq!(history[0].cause, Cause::Misfire);
    let next = house.jobs.get(job).await.unwrap().next_start.unwrap();
    assert_eq!(next.to_string(), "2026-03-03T13:00:00Z");
}

#[tokio::test]
async fn overlapping_starts_are_skipped_and_said() {
    let house = House::new().await;
    let job = house.job("eager", "*/5 * * * *").await;
    house.pass(300);
    house.look().await;
    let running = house.history(job).await[0].id;
    house.until(running, RunState::Running).await;
    for _ in 0..3 {
        house.pass(300);
        house.look().await;
    }
    let history = house.history(job).await;
    let skipped: Vec<_> = history.iter().filter(|run| run.state == RunState::Skipped).collect();
    assert!(!skipped.is_empty(), "{history:?}");
    assert_eq!(skipped.iter().map(|run| run.skips).sum::<u32>(), 3, "{history:?}");
    assert!(skipped[0].blocked_by == Some(running) && skipped[0].reason.as_ref().unwrap().contains("still running"));
    assert!(house.jobs.list(false).await.unwrap()[0].skipped.is_some());
    assert!(house.actions().await.iter().any(|a| a == "start-skipped"));
    assert!(matches!(
        house.jobs.run_now(&Actor::System, job).await,
        Err(JobError::AlreadyActive { run, .. }) if run == running
    ));
    house.tasks.drain(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn pause_resume_cancel_and_run_now() {
    let house = House::new().await;
    let actor = Actor::Account("admin".to_owned());
    let job = house.job("by hand", "0 3 * * *").await;
    let run = house.jobs.run_now(&actor, job).await.unwrap();
    house.look().await;
    house.until(run, RunState::Running).await;
    assert!(house.jobs.live(run).is_some() && house.jobs.run_page(run).await.unwrap().live.is_some());
    house.jobs.pause(&actor, job).await.unwrap();
    house.until(run, RunState::Paused).await;
    house.pass(2 * 86_400);
    house.look().await;
    assert_eq!(house.history(job).await.len(), 1, "a paused job starts nothing");
    assert!(house.jobs.next_starts(&house.jobs.get(job).await.unwrap(), 5).is_empty());
    house.jobs.resume(&actor, job).await.unwrap();
    house.look().await;
    house.until(run, RunState::Running).await;
    for _ in 0..200 {
        if house.engine.seen().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(house.engine.seen(), [run, run], "the same run goes on");
    house.jobs.cancel(&actor, run).await.unwrap();
    house.until(run, RunState::Cancelled).await;
    assert!(house.jobs.live(run).is_none());
    let refused = house.jobs.cancel(&actor, run).await.unwrap_err().to_string();
    assert!(refused.contains("is cancelled"), "{refused}");
    assert!(house.jobs.get(job).await.unwrap().next_start.unwrap() > house.clock.now());
}

#[tokio::test]
async fn a_drained_process_leaves_runs_that_the_next_one_takes_up() {
    let house = House::new().await;
    let job = house.job("long", "manual").await;
    let run = house.jobs.run_now(&Actor::System, job).await.unwrap();
    house.look().await;
    house.until(run, RunState::Running).await;
    let now = house.clock.now();
    let house = house.restart(true, now).await;
    assert_eq!(house.jobs.run(run).await.unwrap().state, RunState::Interrupted);
    house.engine.end(Ok(true));
    house.look().await;
    assert_eq!(house.until(run, RunState::Done).await.claims, 2);
}

/// Gives the run to another owner, as if another process had it.
async fn give(house: &House, run: RunId, owner: &str, lease_seconds: i64) {
    let until = house.clock.now() + SignedDuration::from_secs(lease_seconds);
    let mut tx = house.db.write().await.unwrap();
    sqlx::query("UPDATE runs SET state = 'running', owner = ?, lease_until = ?, claims = 1 WHERE id = ?")
        .bind(owner)
        .bind(until.as_microsecond())
        .bind(run.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_dead_owner_is_replaced_at_once_and_a_silent_one_after_its_lease() {
    let house = House::new().await;
    house.engine.end(Ok(true));
    let job = house.job("orphan", "manual").await;
    let here = house.worker.owner().to_string();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead_pid = child.id();
    child.wait().unwrap();
    let words: Vec<_> = here.split('/').collect();
    let dead = [words[0], words[1], words[2], &dead_pid.to_string(), "1", "beef"].join("/");
    let run = house.jobs.run_now(&Actor::System, job).await.unwrap();
    give(&house, run, &dead, 15).await;
    house.look().await;
    let taken = house.until(run, RunState::Done).await;
    assert_eq!(taken.claims, 2, "taken up although the lease had not run out");

    let far = ["other-machine", "other-boot", "-", "7", "1", "beef"].join("/");
    let run = house.jobs.run_now(&Actor::System, job).await.unwrap();
    give(&house, run, &far, 15).await;
    house.look().await;
    house.pass(14);
    house.look().await;
    assert_eq!(house.jobs.run(run).await.unwrap().state, RunState::Running, "its lease holds");
    house.pass(2);
    house.look().await;
    house.until(run, RunState::Done).await;
}

#[tokio::test]
async fn who_loses_the_lease_stops_and_writes_nothing() {
    let house = House::new().await;
    let job = house.job("contested", "manual").await;
    let run = house.jobs.run_now(&Actor::System, job).await.unwrap();
    house.look().await;
    house.until(run, RunState::Running).await;
    let far = "other-machine/other-boot/-/7/1/beef";
    give(&house, run, far, 15).await;
    for _ in 0..200 {
        if house.jobs.live(run).is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(house.jobs.live(run).is_none(), "the loser stopped");
    let now = house.jobs.run(run).await.unwrap();
    assert_eq!((now.state, now.owner.as_deref()), (RunState::Running, Some(far)), "the winner's row is untouched");
}

/// A machine that slept, or whose time was set: every lease looks old, and nobody is dead.
#[tokio::test]
async fn a_step_of_the_clock_frees_no_run_that_lives() {
    let house = House::new().await;
    let job = house.job("sleeper", "manual").await;
    let run = house.jobs.run_now(&Actor::System, job).await.unwrap();
    house.look().await;
    for _ in 0..200 {
        if !house.engine.seen().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    for _ in 0..5 {
        house.pass(3600);
        house.look().await;
    }
    let own = house.jobs.run(run).await.unwrap();
    assert_eq!((own.state, own.claims, house.engine.seen().len()), (RunState::Running, 1, 1));

    // Another process of this machine that lives: `causeway mirror` beside the server.
    let mut beside = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", beside.id())).unwrap();
    let started = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
    let here = house.worker.owner().to_string();
    let words: Vec<_> = here.split('/').collect();
    let theirs = [words[0], words[1], words[2], &beside.id().to_string(), &started, "beef"].join("/");
    let other = house.jobs.run_now(&Actor::System, house.job("beside", "manual").await).await.unwrap();
    give(&house, other, &theirs, 15).await;
    house.pass(3600);
    house.look().await;
    assert_eq!(house.jobs.run(other).await.unwrap().owner, Some(theirs));
    beside.kill().unwrap();
    beside.wait().unwrap();
    house.look().await;
    assert_ne!(house.jobs.run(other).await.unwrap().claims, 1, "dead, it is replaced at once");
    house.tasks.drain(Duration::from_secs(10)).await;
}

/// The same process under a later claim is somebody else.
#[tokio::test]
async fn an_earlier_claim_writes_nothing_in_the_name_of_a_later_one() {
    let house = House::new().await;
    let job = house.job("twice", "manual").await;
    let run = house.jobs.run_now(&Actor::System, job).await.unwrap();
    house.look().await;
    let mut tx = house.db.write().await.unwrap();
    sqlx::query("UPDATE runs SET claims = 2, reason = 'of the second' WHERE id = ?")
        .bind(run.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for _ in 0..200 {
        if house.jobs.live(run).is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(house.jobs.live(run).is_none(), "the first stopped");
    let now = house.jobs.run(run).await.unwrap();
    assert_eq!((now.state, now.claims, now.reason.as_deref()), (RunState::Running, 2, Some("of the second")));
    // Nobody works under the second claim: the next look frees the run, and one engine goes on with it.
    house.look().await;
    house.look().await;
    assert_eq!((house.jobs.run(run).await.unwrap().claims, house.jobs.live(run).is_some()), (3, true));
    house.tasks.drain(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_left_alone_and_stops_nobody() {
    let house = House::new().await;
    house.engine.end(Ok(true));
    let mut broken = Vec::new();
    for name in ["held", "waits", "waits too", "waits three", "waits four"] {
        broken.push(house.jobs.run_now(&Actor::System, house.job(name, "manual").await).await.unwrap());
    }
    give(&house, broken[0], "other-machine/other-boot/-/7/1/beef", 15).await;
    let mut tx = house.db.write().await.unwrap();
    sqlx::query("UPDATE runs SET counters = 'no JSON'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    house.pass(3600);
    let sound = house.jobs.run_now(&Actor::System, house.job("sound", "manual").await).await.unwrap();
    for _ in 0..2 {
        house.look().await;
    }
    house.until(sound, RunState::Done).await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM runs WHERE counters = 'no JSON' AND claims < 2")
        .fetch_one(house.db.read())
        .await
        .unwrap();
    assert_eq!(kept as usize, broken.len(), "they are kept as they are");
}

/// What somebody forbids while a run rests is not done when it goes on.
#[tokio::test]
async fn a_run_that_is_taken_up_goes_on_with_the_settings_of_today() {
    let house = House::new().await;
    let actor = Actor::System;
    let mut new = house.new_job("careful", "manual");
    new.policy.delete.enabled = true;
    let job = house.jobs.create(&actor, &new).await.unwrap();
    let run = house.jobs.run_now(&actor, job).await.unwrap();
    house.look().await;
    house.jobs.pause(&actor, job).await.unwrap();
    house.until(run, RunState::Paused).await;
    new.policy.delete.enabled = false;
    house.jobs.update(&actor, job, &new).await.unwrap();
    house.jobs.resume(&actor, job).await.unwrap();
    house.engine.end(Ok(true));
    house.look().await;
    house.until(run, RunState::Done).await;
    let deletes: Vec<_> = house.engine.policies.lock().unwrap().iter().map(|policy| policy.delete.enabled).collect();
    assert_eq!(deletes, [true, false]);
}

#[tokio::test]
async fn a_rest_that_ends_in_the_form_makes_up_for_nothing() {
    let house = House::new().await;
    let actor = Actor::System;
    let mut new = house.new_job("rested", "0 3 * * *");
    let job = house.jobs.create(&actor, &new).await.unwrap();
    house.jobs.pause(&actor, job).await.unwrap();
    house.pass(14 * 86_400);
    new.paused = false;
    house.jobs.update(&actor, job, &new).await.unwrap();
    house.look().await;
    assert!(house.history(job).await.is_empty(), "two weeks of missed starts are not made up for");
    let next = house.jobs.get(job).await.unwrap().next_start.unwrap();
    assert_eq!(next.to_string(), "2026-03-16T02:00:00Z");
}

impl House {
    /// Leaves what a mirror leaves in the store: rows of what it saw, and two items of which one has a part.
    async fn leave_lists(&self, job: JobId, run: RunId) {
        let mut tx = self.db.write().await.unwrap();
        for (side, path) in [(0, "a"), (0, "b"), (1, "a")] {
            sqlx::query("INSERT INTO scan (run, side, path, kind) VALUES (?, ?, CAST(? AS BLOB), 0)")
                .bind(run.0)
                .bind(side)
                .bind(path)
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        for (path, part) in [("a", None), ("b", Some("part"))] {
            let item = sqlx::query(
                "INSERT INTO items (job, run, path, target, kind, action, state, part, at)
                 VALUES (?1, ?2, CAST(?3 AS BLOB), CAST(?3 AS BLOB), 0, 'copy', 'failed', CAST(?4 AS BLOB), 0)",
            )
            .bind(job.0)
            .bind(run.0)
            .bind(path)
            .bind(part)
            .execute(&mut *tx)
            .await
            .unwrap()
            .last_insert_rowid();
            sqlx::query(
                "INSERT INTO attempts (item, number, started, ended, from_offset, bytes) VALUES (?, 1, 0, 0, 0, 0)",
            )
            .bind(item)
            .execute(&mut *tx)
            .await
            .unwrap();
        }
        for table in ["files", "tombstones"] {
            let sql = match table {
                "files" => {
                    "INSERT OR REPLACE INTO files (job, path, target, kind, proven, run, at) VALUES (?, x'61', x'61', 0, 1, ?, 0)"
                }
                _ => "INSERT OR REPLACE INTO tombstones (job, path, first_run, last_run) VALUES (?1, x'62', ?2, ?2)",
            };
            sqlx::query(sql).bind(job.0).bind(run.0).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn count(&self, what: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {what}"));
        sqlx::query_scalar(sql).fetch_one(self.db.read()).await.unwrap()
    }

    /// Waits (bounded) until `what` has `rows` rows.
    async fn until_count(&self, what: &str, rows: i64) {
        for _ in 0..200 {
            if self.count(what).await == rows {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{what} has {} rows and not {rows}", self.count(what).await);
    }
}

#[tokio::test]
async fn what_a_run_saw_goes_when_it_is_over_however_it_ends() {
    let house = House::new().await;
    let actor = Actor::System;
    let job = house.job("falls", "manual").await;
    let run = house.jobs.run_now(&actor, job).await.unwrap();
    house.leave_lists(job, run).await;
    house.engine.end(Err(Fault::new(Phase::Login, FaultKind::Auth, "no")));
    house.look().await;
    house.until(run, RunState::Failed).await;
    house.until_count("scan", 0).await;

    // Paused, it will go on and keeps what it has; cancelled while nobody works on it, the hourly look removes it.
    let run = house.jobs.run_now(&actor, job).await.unwrap();
    house.leave_lists(job, run).await;
    house.jobs.pause(&actor, job).await.unwrap();
    house.jobs.tidy().await.unwrap();
    assert_eq!(house.count("scan").await, 3);
    house.jobs.cancel(&actor, run).await.unwrap();
    house.jobs.tidy().await.unwrap();
    assert_eq!(house.count("scan").await, 0);
}

#[tokio::test]
async fn old_runs_lose_their_lists_and_the_memory_of_the_target_stays() {
    let house = House::new().await;
    let actor = Actor::System;
    let jobs = house.jobs.clone().keeping(2);
    house.engine.end(Ok(true));
    let job = house.job("often", "manual").await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        let run = jobs.run_now(&actor, job).await.unwrap();
        house.look().await;
        house.until(run, RunState::Done).await;
        house.leave_lists(job, run).await;
        runs.push(run);
        house.pass(60);
    }
    jobs.tidy().await.unwrap();
    let left = |run: RunId, part: &str| format!("items WHERE run = {run} AND part IS {part}");
    for (place, run) in runs.iter().enumerate() {
        assert_eq!(house.count(&left(*run, "NULL")).await, i64::from(place >= 2), "run {place}");
        assert_eq!(house.count(&left(*run, "NOT NULL")).await, 1, "a later run goes on with the part");
    }
    assert_eq!(house.count("attempts").await, 2 + 4);
    assert_eq!((house.count("files").await, house.count("tombstones").await), (1, 1));
    assert_eq!(house.history(job).await.len(), 4, "the runs themselves stay");

    // A year later only the last one keeps its list.
    house.pass(370 * 86_400);
    jobs.tidy().await.unwrap();
    assert_eq!(house.count("items WHERE part IS NULL").await, 1);
    assert_eq!(house.count(&left(runs[3], "NULL")).await, 1);

    house.jobs.remove(&actor, job).await.unwrap();
    jobs.tidy().await.unwrap();
    assert_eq!((house.count("files").await, house.count("tombstones").await), (0, 0), "nobody will ask again");
    assert_eq!(house.count("items WHERE part IS NULL").await, 0, "older than a year, and no job to keep it for");
}

/// What one job is told about trust and passwords must not change what another does.
#[tokio::test]
async fn jobs_on_one_address_keep_their_own_trust_and_password() {
    let house = House::new().await;
    let source = |job: &NewJob| match &job.source {
        EndpointRef::Inline(new) => new.endpoint.clone(),
        EndpointRef::Stored(_) => panic!("inline"),
    };
    let with = |name: &str, change: fn(&mut Endpoint)| {
        let mut new = house.new_job(name, "manual");
        let mut endpoint = source(&new);
        change(&mut endpoint);
        new.source = EndpointRef::Inline(NewEndpoint::unnamed(endpoint));
        new
    };
    let careful = with("careful", |e| e.options.pin = Some("11".repeat(32)));
    let careful = house.jobs.create(&Actor::System, &careful).await.unwrap();
    let before = house.jobs.get(careful).await.unwrap().source;
    let alike = with("same", |e| {
        e.options.pin = Some("11".repeat(32));
        e.password = None;
    });
    let same = house.jobs.create(&Actor::System, &alike).await.unwrap();
    let same = house.jobs.get(same).await.unwrap();
    assert_eq!(same.source.id, before.id, "the same settings, no other password: one endpoint");
    let loose = with("loose", |e| {
        e.options.insecure = true;
        e.password = Some(Secret::new("another"));
    });
    let loose = house.jobs.create(&Actor::System, &loose).await.unwrap();
    let loose = house.jobs.get(loose).await.unwrap();
    assert_ne!(loose.source.id, before.id);
    assert!(loose.source.endpoint.options.insecure && loose.source.has_password);
    assert_eq!(house.jobs.get(careful).await.unwrap().source, before, "nothing was changed for the first one");

    // Edited without a password: two share the endpoint, so this one gets its own, with the password it had.
    let edited = with("same", |e| {
        e.options.connections = Some(2);
        e.password = None;
    });
    house.jobs.update(&Actor::System, same.id, &edited).await.unwrap();
    let edited = house.jobs.get(same.id).await.unwrap();
    assert!(edited.source.id != before.id && edited.source.has_password);
    assert_eq!(house.jobs.get(careful).await.unwrap().source, before);
    // And when nobody else uses it, it is changed where it is.
    let again = with("same", |e| e.options.connections = Some(3));
    house.jobs.update(&Actor::System, same.id, &again).await.unwrap();
    assert_eq!(house.jobs.get(same.id).await.unwrap().source.id, edited.source.id);
}

#[tokio::test]
async fn rows_of_old_runs_go_and_what_the_next_run_needs_stays() {
    let house = House::new().await;
    let job = house.job("often", "manual").await;
    let mut tx = house.db.write().await.unwrap();
    // One complete run, then 1,200 that failed; every hundredth was in the way of a start.
    for n in 0..1201_i64 {
        let state = if n == 0 { "done" } else { "failed" };
        let sql = "INSERT INTO runs (job, state, cause, queued, ended) VALUES (?, ?, 'manual', ?3, ?3)";
        let at = house.jobs.now().as_microsecond() + n;
        let run =
            sqlx::query(sql).bind(job.0).bind(state).bind(at).execute(&mut *tx).await.unwrap().last_insert_rowid();
        if n % 100 == 1 {
            let sql = "INSERT INTO runs (job, state, cause, queued, ended, blocked_by) VALUES (?, 'skipped', 'schedule', ?3, ?3, ?2)";
            sqlx::query(sql).bind(job.0).bind(run).bind(at).execute(&mut *tx).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    house.jobs.tidy().await.unwrap();
    assert_eq!(house.count("runs WHERE state = 'failed'").await, 1000);
    assert!(house.actions().await.iter().any(|action| action == "runs-forgotten"));
    assert_eq!(house.count("runs WHERE state = 'done'").await, 1, "the last complete one");
    assert_eq!(house.count("runs WHERE state = 'skipped'").await, 12);
    assert_eq!(house.count("runs WHERE blocked_by IS NOT NULL").await, 10);

    // One has a part that a later run goes on with; after 400 days it stays, as do the last and the last complete one.
    let kept = house.history(job).await[5].id;
    house.leave_lists(job, kept).await;
    house.pass(401 * 86_400);
    house.jobs.tidy().await.unwrap();
    let left: Vec<_> = house.history(job).await.iter().filter(|r| r.state != RunState::Skipped).map(|r| r.id).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.contains(&kept));
    assert_eq!(house.count("runs WHERE state = 'done'").await, 1);
}

#[tokio::test]
async fn the_worker_clears_up_after_removed_jobs_only() {
    let house = House::new().await;
    let actor = Actor::System;
    let jobs = [house.job("stays", "manual").await, house.job("goes", "manual").await];
    for job in jobs {
        let run = house.jobs.run_now(&actor, job).await.unwrap();
        house.leave_lists(job, run).await;
    }
    house.worker.clear_removed().await.unwrap();
    assert!(house.engine.cleared.lock().unwrap().is_empty());
    house.jobs.remove(&actor, jobs[1]).await.unwrap();
    house.worker.clear_removed().await.unwrap();
    assert_eq!(*house.engine.cleared.lock().unwrap(), [jobs[1]]);
}

#[tokio::test]
async fn parts_of_a_removed_job_go_from_its_folder() {
    let house = House::new().await;
    let target = house.folder.path().join("target");
    std::fs::create_dir(&target).unwrap();
    for name in ["part", ".causeway-part-of-somebody", "copied"] {
        std::fs::write(target.join(name), name).unwrap();
    }
    let recorder = causeway::reliability::Recorder::discard();
    let manners = causeway::manners::Manners::new(house.db.clone(), &house.tasks);
    let context =
        causeway::remote::Context { recorder, manners, clock: house.clock.clone(), tasks: house.tasks.clone() };
    let engine = Arc::new(causeway::job::MirrorEngine::new(house.db.clone(), context));
    let worker = Worker::new(house.jobs.clone(), engine, WorkerOptions::default(), &house.tasks);
    let mut new = house.new_job("goes", "manual");
    new.target = EndpointRef::Inline(NewEndpoint::unnamed(Endpoint::parse(target.to_str().unwrap()).unwrap()));
    let job = house.jobs.create(&Actor::System, &new).await.unwrap();
    let run = house.jobs.run_now(&Actor::System, job).await.unwrap();
    house.leave_lists(job, run).await;
    house.jobs.remove(&Actor::System, job).await.unwrap();
    // A disk that is not mounted: the journal remembers until it is.
    std::fs::rename(&target, house.folder.path().join("away")).unwrap();
    worker.clear_removed().await.unwrap();
    assert_eq!(house.count("items WHERE part IS NOT NULL").await, 1);
    std::fs::rename(house.folder.path().join("away"), &target).unwrap();
    worker.clear_removed().await.unwrap();
    let mut left: Vec<_> = std::fs::read_dir(&target).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".causeway-part-of-somebody", "copied"]);
    assert_eq!(house.count("items WHERE part IS NOT NULL").await, 0);
    assert_eq!(house.count("audit WHERE action = 'parts-removed'").await, 1);
}

/// While somebody else writes, a pair of folders is looked at all the same.
#[tokio::test]
async fn folders_are_looked_at_before_the_store_is_asked() {
    let house = House::new().await;
    let real = house.folder.path().join("real");
    std::fs::create_dir(&real).unwrap();
    let link = house.folder.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let local = |path: &std::path::Path| {
        EndpointRef::Inline(NewEndpoint::unnamed(Endpoint::parse(path.to_str().unwrap()).unwrap()))
    };
    let mut new = house.new_job("inside", "manual");
    (new.source, new.target) = (local(&real), local(&link.join("below")));
    let _writing = house.db.write().await.unwrap();
    let refused = tokio::time::timeout(Duration::from_secs(10), house.jobs.create(&Actor::System, &new)).await;
    assert!(matches!(refused, Ok(Err(JobError::TargetInside { .. }))), "{refused:?}");
}

#[tokio::test]
async fn parallel_runs_are_bounded() {
    let house = House::new().await;
    let mut runs = Vec::new();
    for n in 0..6 {
        let job = house.job(&format!("job {n}"), "manual").await;
        runs.push(house.jobs.run_now(&Actor::System, job).await.unwrap());
    }
    house.look().await;
    house.look().await;
    let mut running = 0;
    for run in runs {
        running += usize::from(house.jobs.run(run).await.unwrap().state == RunState::Running);
    }
    assert_eq!(running, WorkerOptions::default().parallel);
    house.tasks.drain(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_source_that_does_not_open_is_said_in_a_sentence() {
    let house = House::new().await;
    house.engine.end(Err(Fault::new(Phase::Login, FaultKind::Auth, "the server refused the password of 'anna'")));
    let job = house.job("locked out", "0 * * * *").await;
    let run = house.jobs.run_now(&Actor::System, job).await.unwrap();
    house.look().await;
    let run = house.until(run, RunState::Failed).await;
    let reason = run.reason.unwrap();
    assert!(reason.contains("the source cannot be opened") && reason.contains("refused the password"), "{reason}");
    house.pass(3600);
    house.look().await;
    assert_eq!(house.history(job).await.len(), 2, "the schedule tries again");
}

#[tokio::test]
async fn passwords_are_sealed_and_reach_only_the_engine() {
    let house = House::new().await;
    house.engine.end(Ok(true));
    let job = house.job("sealed", "now").await;
    house.look().await;
    house.until(house.history(job).await[0].id, RunState::Done).await;
    assert_eq!(house.engine.seen.lock().unwrap()[0].1.as_ref().unwrap().expose(), "hush");
    let stored = house.jobs.get(job).await.unwrap();
    assert!(stored.source.has_password && stored.source.endpoint.password.is_none());
    // Changed without a password: it stays for the same login and never travels to another server.
    let of = |url: &str| NewEndpoint::unnamed(Endpoint::parse(url).unwrap());
    let id = stored.source.id;
    house.jobs.update_endpoint(&Actor::System, id, &of("ftp://anna@legacy.example/other")).await.unwrap();
    assert!(house.jobs.unsealed(id).await.unwrap().password.is_some());
    house.jobs.update_endpoint(&Actor::System, id, &of("ftp://anna@evil.example/other")).await.unwrap();
    assert!(house.jobs.unsealed(id).await.unwrap().password.is_none());
    house.db.close().await;
    for entry in std::fs::read_dir(house.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(4).any(|w| w == b"hush"), "the password lies open in the store");
    }
}

#[tokio::test]
async fn wrong_wishes_get_sentences() {
    let house = House::new().await;
    let actor = Actor::System;
    let job = house.job("taken", "manual").await;
    let said = |error: JobError| error.to_string();
    let twin = house.new_job("Taken", "manual");
    assert!(said(house.jobs.create(&actor, &twin).await.unwrap_err()).contains("job named 'Taken' already"));
    assert!(
        said(house.jobs.create(&actor, &house.new_job("  ", "manual")).await.unwrap_err()).contains("needs a name")
    );
    let mut same = house.new_job("same", "manual");
    same.target = same.source.clone();
    assert!(matches!(house.jobs.create(&actor, &same).await, Err(JobError::SamePlace(_))));
    let source = house.jobs.get(job).await.unwrap().source.id;
    let in_use = said(house.jobs.remove_endpoint(&actor, source).await.unwrap_err());
    assert!(in_use.contains("still used by taken"), "{in_use}");
    assert!(matches!(house.jobs.run_now(&actor, JobId(99)).await, Err(JobError::NoJob(_))));
    house.jobs.remove(&actor, job).await.unwrap();
    assert!(house.jobs.get(job).await.unwrap().removed.is_some(), "its history stays");
    house.jobs.create(&actor, &twin).await.expect("the name is free again");
}

#[tokio::test]
async fn once_goes_on_with_its_own_run_and_works_beside_a_server() {
    let house = House::new().await;
    let engine: Arc<dyn Engine> = house.engine.clone();
    let request = OnceRequest {
        source: Endpoint::parse("ftp://anna:hush@legacy.example/").unwrap(),
        target: Endpoint::parse("/srv/causeway-test/once").unwrap(),
        policy: Policy::default(),
        actor: Actor::System,
    };
    let stop = CancellationToken::new();
    let first = {
        let (jobs, engine, request, stop) = (house.jobs.clone(), engine.clone(), request.clone(), stop.clone());
        house.tasks.spawn("first", async move { run_once(&jobs, &engine, request, Arc::default(), stop).await })
    };
    while house.engine.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let beside = run_once(&house.jobs, &engine, request.clone(), Arc::default(), stop.clone()).await;
    assert!(matches!(beside, Err(JobError::HeldElsewhere { .. })), "{beside:?}");
    stop.cancel();
    let first = first.await.unwrap().unwrap();
    assert_eq!(first.state, RunState::Interrupted);
    house.look().await;
    assert_eq!(house.engine.seen().len(), 1, "a server does not take it up: it has no password for it");
    house.engine.end(Ok(true));
    let fresh = CancellationToken::new;
    let second = run_once(&house.jobs, &engine, request.clone(), Arc::default(), fresh()).await.unwrap();
    assert_eq!((second.run, second.state, second.taken_up), (first.run, RunState::Done, true));
    let third = run_once(&house.jobs, &engine, request, Arc::default(), fresh()).await.unwrap();
    assert!(third.run > second.run && !third.taken_up);
    let (a, b) = (house.jobs.run(third.run).await.unwrap(), house.jobs.run(second.run).await.unwrap());
    assert_eq!(a.job, b.job, "the same pair is the same job, so the second run is incremental");
    assert!(house.jobs.list(false).await.unwrap().is_empty());
}

const PIN: &str = "SHA256:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

fn pinned(url: &str, pin: Option<&str>) -> Endpoint {
    let mut endpoint = Endpoint::parse(url).unwrap();
    endpoint.options.pin = pin.map(str::to_owned);
    endpoint
}

#[tokio::test]
async fn a_run_that_trusts_anybody_leaves_the_remembered_host_key_alone() {
    let house = House::new().await;
    let engine: Arc<dyn Engine> = house.engine.clone();
    let mut target = pinned("sftp://anna@new.example/srv", Some(PIN));
    let known = async || house.jobs.known_pin(&pinned("sftp://anna@NEW.example/srv", None)).await.unwrap();
    for (insecure, pin) in [(false, Some(PIN)), (true, None), (false, Some(PIN))] {
        (target.options.insecure, target.options.pin) = (insecure, pin.map(str::to_owned));
        let request = OnceRequest {
            source: Endpoint::parse("ftp://anna@legacy.example/").unwrap(),
            target: target.clone(),
            policy: Policy::default(),
            actor: Actor::System,
        };
        house.engine.end(Ok(true));
        run_once(&house.jobs, &engine, request, Arc::default(), CancellationToken::new()).await.unwrap();
        assert_eq!(known().await.as_deref(), Some(PIN), "after insecure = {insecure}");
    }
}

#[tokio::test]
async fn host_keys_that_differ_are_told_with_who_remembers_them() {
    let house = House::new().await;
    let actor = Actor::System;
    let new = |name: &str, root: &str, pin: &str| NewEndpoint {
        name: Some(name.to_owned()),
        endpoint: pinned(&format!("sftp://anna@new.example/{root}"), Some(pin)),
    };
    let known =
        async |root: &str| house.jobs.known_pin(&pinned(&format!("sftp://anna@new.example/{root}"), None)).await;
    assert_eq!(known("a").await.unwrap(), None);
    house.jobs.create_endpoint(&actor, &new("one", "a", PIN)).await.unwrap();
    // The same key, written otherwise.
    house.jobs.create_endpoint(&actor, &new("same", "b", &"07".repeat(32))).await.unwrap();
    assert_eq!(known("c").await.unwrap().as_deref(), Some(PIN));
    let other = format!("SHA256:{}", "A".repeat(43));
    let wrong = house.jobs.create_endpoint(&actor, &new("other", "d", &other)).await.unwrap();
    let told = known("c").await.unwrap_err().to_string();
    for word in ["new.example:22", "'one'", "'other'", PIN, other.as_str(), "--target-pin"] {
        assert!(told.contains(word), "no {word} in {told}");
    }
    // What is remembered for the address itself counts before the others.
    assert_eq!(known("d").await.unwrap(), Some(other));
    house.jobs.remove_endpoint(&actor, wrong).await.unwrap();
    assert_eq!(known("d").await.unwrap().as_deref(), Some(PIN));
    // Of a removed one the history of a job stays, and no trust.
    let kept =
        house.jobs.create_endpoint(&actor, &new("kept", "e", &format!("SHA256:{}", "A".repeat(43)))).await.unwrap();
    let job = NewJob { target: EndpointRef::Stored(kept), ..house.new_job("to kept", "manual") };
    let job = house.jobs.create(&actor, &job).await.unwrap();
    house.jobs.remove(&actor, job).await.unwrap();
    house.jobs.remove_endpoint(&actor, kept).await.unwrap();
    assert_eq!(known("e").await.unwrap().as_deref(), Some(PIN));
}

#[tokio::test]
async fn a_dry_run_leaves_an_interrupted_run_alone() {
    let house = House::new().await;
    let engine: Arc<dyn Engine> = house.engine.clone();
    let request = OnceRequest {
        source: Endpoint::parse("ftp://anna:hush@legacy.example/").unwrap(),
        target: Endpoint::parse("/srv/causeway-test/dry").unwrap(),
        policy: Policy::default(),
        actor: Actor::System,
    };
    let dry = OnceRequest { policy: Policy { dry_run: true, ..Policy::default() }, ..request.clone() };
    let stopped = CancellationToken::new();
    stopped.cancel();
    let first = run_once(&house.jobs, &engine, request.clone(), Arc::default(), stopped).await.unwrap();
    assert_eq!(first.state, RunState::Interrupted);
    house.engine.end(Ok(true));
    let told = run_once(&house.jobs, &engine, dry, Arc::default(), CancellationToken::new()).await.unwrap();
    assert_eq!((told.state, told.taken_up), (RunState::Done, false));
    assert!(told.run != first.run);
    assert_eq!(house.jobs.run(first.run).await.unwrap().state, RunState::Interrupted);
    let on = run_once(&house.jobs, &engine, request, Arc::default(), CancellationToken::new()).await.unwrap();
    assert_eq!((on.run, on.state, on.taken_up), (first.run, RunState::Done, true));
}
