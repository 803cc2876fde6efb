//! Files that the source named in its listing and then called missing: gone, or only said to be?

use std::sync::atomic::Ordering::Relaxed;

use super::engine::{Broken, Engine};
use super::journal::{self, Change};
use super::presence;
use super::scan::store::Side;
use crate::model::{Fault, FaultKind, ItemId, Phase};

/// Items that are looked at together; a folder is listed once for all of them.
const PAGE: i64 = 5000;

/// Why a file failed that the listing names and that the source calls missing. It stands as long as no new listing
/// proves that the file is gone.
pub(super) fn contradicted(fault: &Fault) -> Fault {
    let message = format!(
        "the server lists it and says that it is not there: check the character set of the endpoint and the rights of \
         the user ({})",
        fault.message
    );
    Fault { message, ..fault.clone() }
}

/// Looks at the folders of those files again. What a proven listing no longer names is not missing in the target.
pub(super) async fn settle(engine: &Engine) -> Result<(), Broken> {
    engine.journal.flush().await?;
    let mut after = ItemId(0);
    loop {
        engine.check_stop()?;
        let page = journal::called_missing(&engine.order.db, engine.order.run, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        let paths: Vec<_> = page.iter().map(|(_, path)| path.clone()).collect();
        let gone = presence::gone(engine, Side::Source, &paths).await?;
        for (item, path) in page.into_iter().filter(|(_, path)| gone.contains(path)) {
            tracing::info!(path = %path.display(), "the file went away before it could be copied");
            let fault =
                Fault::new(Phase::Verify, FaultKind::Missing, "it went away from the source after it was listed");
            engine.journal.commit(Change::Vanished { item, fault }).await?;
            engine.progress.files_failed.fetch_sub(1, Relaxed);
        }
    }
}
