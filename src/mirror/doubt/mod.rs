//! What a job published and of which its target now shows that it is not there any more, or is something else. Whatever
//! becomes of it in this run, no manifest may tell it as proven until it is proven again.

pub(super) mod store;

use super::engine::{Broken, Engine};
use super::scan::store as scan;
use crate::model::RelPath;

/// Records that are looked at together.
const PAGE: i64 = 2000;

/// Compares what the job remembers with what the target shows.
pub(super) async fn settle(engine: &Engine) -> Result<(), Broken> {
    let (db, job, run) = (&engine.order.db, engine.order.job, engine.order.run);
    let mut after = RelPath::root();
    let mut nearest = None;
    loop {
        engine.check_stop()?;
        let page = store::suspects(db, job, run, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.path.clone();
        let mut doubted = Vec::new();
        for suspect in page {
            if suspect.shown || is_gone(engine, &suspect.target, &mut nearest).await? {
                doubted.push(suspect.target);
            }
        }
        store::mark_all(db, job, run, engine.order.clock.now(), &doubted).await?;
    }
}

/// Is what the target does not show certainly not there? The nearest folder above it that is shown says so, if it was
/// listed with nothing known to be missing. `nearest` holds the last answer: neighbours share it.
async fn is_gone(engine: &Engine, path: &RelPath, nearest: &mut Option<(RelPath, bool)>) -> Result<bool, Broken> {
    let Some(folder) = path.parent() else { return Ok(false) };
    if let Some((_, gone)) = nearest.as_ref().filter(|(known, _)| *known == folder) {
        return Ok(*gone);
    }
    let mut above = Some(folder.clone());
    let mut gone = false;
    while let Some(dir) = above {
        if let Some(whole) = scan::shows_all(&engine.order.db, engine.order.run, &dir).await? {
            gone = whole;
            break;
        }
        above = dir.parent();
    }
    *nearest = Some((folder, gone));
    Ok(gone)
}
