//! A run that stops by itself and comes no further is taken up more and more seldom.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Stops at once although nobody asked it to.
#[derive(Default)]
struct Restless(AtomicUsize);

#[async_trait]
impl Engine for Restless {
    async fn execute(&self, work: Work, _: Arc<Progress>, _: CancellationToken) -> Result<Summary, RunFailure> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Summary {
            run: work.run,
            ended: Ended::Stopped,
            dry_run: false,
            complete: false,
            verified: false,
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

    async fn clear(&self, _: JobId, _: Endpoint) -> Result<u64, RunFailure> {
        Ok(0)
    }
}

#[tokio::test]
async fn a_run_that_stops_by_itself_is_not_taken_up_in_a_loop() {
    let house = House::new().await;
    let engine = Arc::new(Restless::default());
    let worker = Worker::new(house.jobs.clone(), engine.clone(), WorkerOptions::default(), &house.tasks);
    let job = house.job("restless", "now").await;
    let mut claims = Vec::new();
    for pause in [0, 0, 2, 2, 60, 60] {
        house.pass(pause);
        worker.look().await.unwrap();
        let run = house.history(job).await[0].id;
        house.until(run, RunState::Interrupted).await;
        while house.jobs.live(run).is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        claims.push(engine.0.load(Ordering::SeqCst));
    }
    // At once, after a second, after two more, and so on, at most a minute apart.
    assert_eq!(claims, [1, 1, 2, 3, 4, 5]);
}
