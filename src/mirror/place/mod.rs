//! Is the target still the place that the job's records tell of? A job whose target was changed has published nothing
//! there yet, whatever lies there under the same names, sizes and times: nothing of it is proven, and none of it may go.

pub(super) mod store;

use super::engine::{Broken, Engine, Facts};

/// Forgets what was published in another place. Both sides were read by now: a place that cannot be, and so may be a
/// mistake, costs nothing.
pub(super) async fn settle(engine: &Engine, facts: &mut Facts) -> Result<(), Broken> {
    let (db, job, now) = (&engine.order.db, engine.order.job, &engine.order.place);
    let before = store::of_job(db, job).await?;
    if before.as_ref() == Some(now) {
        return Ok(());
    }
    if before.is_some() {
        facts.notes.push(
            "the target is another place than before: nothing in it counts as published, and every file is looked at"
                .to_owned(),
        );
    }
    if engine.order.policy.dry_run {
        return Ok(());
    }
    if before.is_some() {
        store::forget(db, job).await?;
    }
    Ok(store::set(db, job, engine.order.run, engine.order.clock.now(), now).await?)
}
