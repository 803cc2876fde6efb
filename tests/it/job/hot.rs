//! Looks at hot folders between the starts of a job.

use super::*;

impl House {
    /// A job whose hot folders are looked at every five minutes.
    async fn hot_job(&self, schedule: &str) -> JobId {
        let policy = Policy { hot_minutes: Some(5), ..Policy::default() };
        let new = NewJob { policy, ..self.new_job("hot", schedule) };
        self.jobs.create(&Actor::System, &new).await.unwrap()
    }

    /// As if a run had found something new in one of its folders.
    async fn heat_up(&self, job: JobId) {
        let mut tx = self.db.write().await.unwrap();
        sqlx::query("INSERT INTO heat (job, path, target, changes, at) VALUES (?, x'61', x'61', 1, ?)")
            .bind(job.0)
            .bind(self.clock.now().as_microsecond())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    fn extents(&self) -> Vec<Extent> {
        self.engine.extents.lock().unwrap().clone()
    }

    /// What was begun, once (bounded) so many were: a run counts as running a moment before its engine hears of it.
    async fn begun(&self, runs: usize) -> Vec<Extent> {
        for _ in 0..400 {
            if self.extents().len() >= runs {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        self.extents()
    }

    /// Waits (bounded) until the job has so many runs in its history.
    async fn until_runs(&self, job: JobId, runs: usize) {
        for _ in 0..400 {
            if self.history(job).await.len() == runs {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{:?}", self.history(job).await);
    }
}

#[tokio::test]
async fn hot_folders_are_looked_at_between_the_starts_and_what_found_nothing_leaves_no_trace() {
    let house = House::new().await;
    house.engine.end(Ok(true));
    let job = house.hot_job("0 0 * * *").await;
    house.pass(301);
    house.look().await;
    assert_eq!(house.extents(), [], "nothing is hot yet");

    house.heat_up(job).await;
    house.pass(301);
    house.look().await;
    house.until_runs(job, 0).await;
    assert_eq!(house.extents(), [Extent::Hot]);
    house.look().await;
    assert_eq!(house.extents().len(), 1, "not before its time");
    let actions = house.actions().await;
    assert!(!actions.iter().any(|action| action.starts_with("run-")), "{actions:?}");

    // One that fell short stays, and says so; it is no word about the whole tree.
    house.engine.end(Ok(false));
    house.pass(301);
    house.look().await;
    let run = house.until(house.history(job).await[0].id, RunState::Incomplete).await;
    assert_eq!(run.extent, Extent::Hot);
    assert!(house.jobs.list(false).await.unwrap()[0].last.is_none());
    assert!(house.actions().await.iter().any(|action| action == "run-ended"));
}

#[tokio::test]
async fn a_start_that_is_due_waits_for_a_look_and_is_not_lost() {
    let house = House::new().await;
    let job = house.hot_job("0 13 * * *").await;
    house.heat_up(job).await;
    house.pass(301);
    house.look().await;
    let hot = house.history(job).await[0].id;
    house.until(hot, RunState::Running).await;

    let whole = house.jobs.run_now(&Actor::System, job).await.unwrap();
    house.look().await;
    assert_eq!(house.jobs.run(whole).await.unwrap().state, RunState::Queued, "one of them at a time");
    assert_eq!(house.jobs.list(false).await.unwrap()[0].active.as_ref().map(|run| run.id), Some(whole));
    house.jobs.cancel(&Actor::System, hot).await.unwrap();
    house.until(hot, RunState::Cancelled).await;
    house.look().await;
    house.until(whole, RunState::Running).await;

    // While a run is under way it sees the hot folders, too.
    house.pass(301);
    house.look().await;
    assert_eq!(house.begun(2).await, [Extent::Hot, Extent::Whole]);
    assert_eq!(house.history(job).await.len(), 2);
    house.tasks.drain(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_job_that_rests_or_goes_takes_its_looks_with_it() {
    let house = House::new().await;
    let job = house.hot_job("manual").await;
    house.heat_up(job).await;
    house.jobs.pause(&Actor::System, job).await.unwrap();
    house.pass(301);
    house.look().await;
    assert!(house.history(job).await.is_empty(), "it rests");
    house.jobs.resume(&Actor::System, job).await.unwrap();
    house.look().await;
    let hot = house.history(job).await[0].id;
    house.until(hot, RunState::Running).await;
    house.jobs.remove(&Actor::System, job).await.unwrap();
    house.until(hot, RunState::Cancelled).await;
    house.jobs.tidy().await.unwrap();
    assert_eq!(house.count("heat").await, 0);
}
