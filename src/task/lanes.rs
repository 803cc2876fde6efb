//! Threads whose tasks never move from one to another.

use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::Tasks;

/// A few threads, each with tasks of its own. What happens to a task wakes its own thread and no other: where tasks move
/// between threads, each event wakes another one to look for work, which costs more than most of the work. What holds a
/// thread up holds up its tasks, and nobody else's.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    /// What runs on it.
    load: TaskTracker,
}

impl Lanes {
    /// Starts `count` threads. They end when the group `tasks` was told to stop and nothing of it is under way; the
    /// group `waits` until they have.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(name: &str, count: usize, tasks: &Tasks, waits: &Tasks) -> io::Result<Arc<Self>> {
        let mut lanes = Vec::with_capacity(count);
        for _ in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().thread_name(name).build()?;
            let handle = runtime.handle().clone();
            let (inner, busy) = (tasks.clone(), waits.busy());
            std::thread::Builder::new().name(name.to_owned()).spawn(move || {
                runtime.block_on(async {
                    inner.stopped().await;
                    inner.ended().await;
                });
                drop((runtime, busy));
            })?;
            lanes.push(Lane { runtime: handle, load: TaskTracker::new() });
        }
        Ok(Arc::new(Self { lanes, tasks: tasks.clone() }))
    }

    /// Starts `work` under `name` where the least is under way.
    pub fn spawn<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(lane) = self.lanes.iter().min_by_key(|lane| lane.load.len()) else { return };
        let (place, tasks) = (lane.load.token(), self.tasks.clone());
        let _guard = lane.runtime.enter();
        tasks.spawn(name, async move {
            let _place = place;
            work.await;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_least_loaded_thread_gets_the_next_and_each_keeps_its_own() {
        let (waits, inner) = (Tasks::new(), Tasks::new());
        let lanes = Lanes::start("lane", 3, &inner, &waits).unwrap();
        let (tell, mut told) = tokio::sync::mpsc::channel(16);
        let (go, _) = tokio::sync::broadcast::channel::<()>(1);
        for _ in 0..6 {
            let (tell, mut hear) = (tell.clone(), go.subscribe());
            lanes.spawn("sits", async move {
                let before = std::thread::current().id();
                tell.send(before).await.unwrap();
                hear.recv().await.unwrap();
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                assert_eq!(std::thread::current().id(), before);
                tell.send(before).await.unwrap();
            });
        }
        let mut threads = Vec::new();
        for _ in 0..6 {
            threads.push(told.recv().await.unwrap());
        }
        assert_eq!(threads.iter().collect::<HashSet<_>>().len(), 3);
        assert!(threads.iter().all(|one| threads.iter().filter(|other| *other == one).count() == 2));
        go.send(()).unwrap();
        for _ in 0..6 {
            told.recv().await.unwrap();
        }
        inner.stop();
        waits.ended().await;
        assert!(inner.drain(Duration::from_secs(5)).await);
    }
}
