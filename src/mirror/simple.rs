//! One file after the other, until the engine lands.

use std::sync::atomic::Ordering::Relaxed;

use tokio_util::sync::CancellationToken;

use super::{Counts, Ended, MirrorError, MirrorRun, Progress, Stage, Summary, summary::MissingItem};
use crate::model::{Entry, EntryKind, Fault, FaultKind, Phase, RelPath};

pub(super) async fn run(
    order: &MirrorRun,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Summary, MirrorError> {
    progress.enter(Stage::Copying);
    let mut summary = Summary {
        run: order.run,
        ended: Ended::Finished,
        dry_run: order.policy.dry_run,
        complete: true,
        verified: true,
        counts: Counts::default(),
        missing: Vec::new(),
        unsure: Vec::new(),
        notes: Vec::new(),
    };
    let mut dirs = vec![RelPath::root()];
    while let Some(dir) = dirs.pop() {
        if stop.is_cancelled() {
            summary.ended = Ended::Stopped;
            summary.complete = false;
            return Ok(summary);
        }
        let root = |fault| MirrorError::Root { side: "source", fault };
        let mut lister = order.source.list(&dir).await.map_err(root)?;
        while let Some(entries) = lister.next().await.map_err(root)? {
            for entry in entries {
                let path = dir.join(&entry.name);
                if entry.kind == EntryKind::Dir {
                    order.target.make_dir(&path).await.map_err(|fault| MirrorError::Root { side: "target", fault })?;
                    dirs.push(path);
                } else if let Err(fault) = copy(order, &path, &entry).await {
                    summary.complete = false;
                    summary.counts.files_failed += 1;
                    summary.missing.push(MissingItem { path, fault });
                } else {
                    summary.counts.files_published += 1;
                    progress.files_done.fetch_add(1, Relaxed);
                }
            }
        }
        summary.complete &= lister.finish().await.map_err(root)?.is_proven();
        progress.dirs_listed.fetch_add(1, Relaxed);
    }
    progress.enter(Stage::Done);
    Ok(summary)
}

async fn copy(order: &MirrorRun, path: &RelPath, entry: &Entry) -> Result<(), Fault> {
    let mut source = order.source.read(path, 0).await?;
    let part = crate::model::Name::new([b".causeway-part-", entry.name.as_bytes()].concat())
        .map_err(|error| Fault::new(Phase::Open, FaultKind::BadName, error.to_string()))?;
    let part = path.parent().unwrap_or_default().join(&part);
    let mut sink = order.target.write(&part, 0).await?;
    while let Some(bytes) = source.next().await? {
        sink.write(bytes).await?;
    }
    source.finish().await?;
    sink.finish().await?;
    order.target.set_attributes(&part, entry.mtime, Some(0o644)).await?;
    order.target.rename(&part, path).await
}
