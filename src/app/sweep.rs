//! Cleans the tree up after crashes: when the service starts, and then every day.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::audit::AuditLog;
use crate::drive::{Resumable, Trash};
use crate::model::{Clock, RelPath, Scope};
use crate::task::{self, Tasks};
use crate::tree::{Fate, Tree};

/// Between two sweeps.
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// What is cleaned up.
pub(super) struct Swept {
    pub(super) tree: Arc<Tree>,
    pub(super) uploads: Resumable,
    pub(super) trash: Trash,
    pub(super) audit: AuditLog,
}

/// Sweeps in the background until `tasks` stop. Parts of uploads that are younger than `keep` stay.
pub(super) fn start(swept: Swept, clock: Arc<dyn Clock>, keep: Duration, tasks: &Tasks) {
    let Swept { tree, uploads, trash, audit } = swept;
    let inner = tasks.clone();
    tasks.spawn("sweep", async move {
        while !inner.is_stopped() {
            forget(&tree, &uploads, &*clock).await;
            if let Err(error) = trash.sweep(&audit, clock.now()).await {
                tracing::warn!(io.error = %error, "the trash cannot be emptied");
            }
            let (tree, clock, stop) = (Arc::clone(&tree), Arc::clone(&clock), inner.clone());
            match task::blocking(move || sweep(&tree, &*clock, keep, &stop)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(io.error = %error, "the tree cannot be swept"),
                Err(lost) => tracing::error!(error = %lost, "a sweep was lost"),
            }
            tokio::select! {
                () = inner.stopped() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    });
}

/// Uploads that nobody went on with in time.
async fn forget(tree: &Arc<Tree>, uploads: &Resumable, clock: &dyn Clock) {
    let swept = async {
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
            uploads.sweep(&tree.view(&Scope::whole())?, clock.now()).await?,
        )
    };
    if let Err(error) = swept.await {
        tracing::warn!(error, "expired uploads cannot be removed");
    }
}

fn sweep(tree: &Arc<Tree>, clock: &dyn Clock, keep: Duration, stop: &Tasks) -> io::Result<()> {
    let now = clock.now();
    let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
    let limit = now.saturating_sub(keep).unwrap_or(now);
    tree.view(&Scope::whole())?.sweep(limit, || stop.is_stopped(), said)
}

/// The log says what became of every leftover. The audit log does not: no file that anybody saw has changed.
fn said(path: &RelPath, fate: io::Result<Fate>) {
    let path = path.display();
    match fate {
        Ok(Fate::Removed) => tracing::info!(file.path = %path, "a leftover of a crash was removed"),
        Ok(Fate::PutBack(to)) => {
            tracing::warn!(file.path = %path, file.to = %to.display(), "what a crash left half moved is back in its place");
        }
        Ok(Fate::Kept(why)) => tracing::info!(file.path = %path, why, "a leftover stays"),
        Err(error) => tracing::warn!(file.path = %path, io.error = %error, "this place could not be swept"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SystemClock;

    #[tokio::test]
    async fn the_first_sweep_is_at_the_start() {
        let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let hidden = folder.path().join("d/.causeway-staged-0123456789abcdef");
        std::fs::create_dir_all(hidden.join("deep")).unwrap();
        std::fs::write(folder.path().join("d/.causeway-upload-0123456789abcdef"), "young").unwrap();
        let tasks = Tasks::new();
        let (tree, keep) = (Tree::open(folder.path()).unwrap(), Duration::from_secs(3600));
        let db = crate::db::Db::open(&data.path().join("causeway.db")).await.unwrap();
        let (trash, audit) =
            (Trash::new(db.clone(), Arc::clone(&tree), None), AuditLog::new(db.clone(), Arc::new(SystemClock)));
        let swept = Swept { tree, uploads: Resumable::new(db, keep), trash, audit };
        start(swept, Arc::new(SystemClock), keep, &tasks);
        for _ in 0..500 {
            if !hidden.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!hidden.exists());
        assert_eq!(std::fs::read_dir(folder.path().join("d")).unwrap().count(), 1, "the young part stays");
        assert!(tasks.drain(Duration::from_secs(20)).await, "it hears the stop");
    }
}
