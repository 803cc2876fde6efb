//! Waiting for the writer's turn longer than SQLite does: another program may keep the file locked for minutes, a backup
//! for example, and whoever moves files for hours must not lose its work to that.

use std::sync::Arc;
use std::time::Duration;

use super::DbError;

/// Hears that the store is waited for.
pub trait Waiting: Send + Sync {
    /// It is locked, and asked again until it is not.
    fn begins(&self, locked: &DbError);
    /// That is over, one way or the other, after so long.
    fn ends(&self, after: Duration);
}

/// How long somebody waits, and who hears of it.
#[derive(Clone)]
pub(super) struct Patience {
    pub most: Duration,
    pub hears: Arc<dyn Waiting>,
}

impl std::fmt::Debug for Patience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.most.fmt(f)
    }
}

/// Between two tries; SQLite's own waiting comes on top of it.
const PAUSE: Duration = Duration::from_millis(100);

/// Does `work`, again as long as the store is locked and somebody has the patience.
pub(super) async fn persist<T, F>(patience: Option<&Patience>, mut work: impl FnMut() -> F) -> Result<T, DbError>
where
    F: Future<Output = Result<T, DbError>>,
{
    let began = tokio::time::Instant::now();
    let mut waits = None;
    loop {
        let done = work().await;
        match (patience, &done) {
            (Some(patience), Err(locked @ DbError::Busy)) if began.elapsed() < patience.most => {
                waits.get_or_insert_with(|| Told::new(patience, began, locked));
                tokio::time::sleep(PAUSE).await;
            }
            _ => return done,
        }
    }
}

/// Who hears of the beginning hears of the end, also when nobody waits any more.
struct Told<'a> {
    patience: &'a Patience,
    began: tokio::time::Instant,
}

impl<'a> Told<'a> {
    fn new(patience: &'a Patience, began: tokio::time::Instant, locked: &DbError) -> Self {
        patience.hears.begins(locked);
        Self { patience, began }
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.patience.hears.ends(self.began.elapsed());
    }
}
