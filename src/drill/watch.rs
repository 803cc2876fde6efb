//! When the mirror noticed that something is wrong, and when it went on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::mirror::{Progress, Snapshot, Stage};

/// How often it is looked: no time that is told is more exact.
const EVERY: Duration = Duration::from_millis(10);

/// What was seen, from the moment at which the fault began.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Marks {
    /// A try failed, or the run said that it waits for something.
    pub(super) noticed: Option<Duration>,
    /// The first file was finished after that; where nothing was noticed, after the fault had begun.
    pub(super) resumed: Option<Duration>,
    /// What the run said that it waits for.
    pub(super) said: Option<String>,
    /// The run was at work: how long a process that is started after another was killed takes to get there.
    pub(super) working: Option<Duration>,
}

/// What stands in the counters when the fault begins, and then.
#[derive(Debug, Default)]
struct Seen {
    before: Snapshot,
    marks: Marks,
    /// Files that were finished when it was noticed.
    finished: Option<u64>,
}

impl Seen {
    fn look(&mut self, now: Snapshot, since: Option<Duration>) {
        let Some(since) = since else {
            self.before = now;
            return;
        };
        if self.marks.working.is_none() && now.stage != Stage::Waiting {
            self.marks.working = Some(since);
        }
        let waits = now.waits_for.as_ref().filter(|_| self.before.waits_for.is_none());
        if self.marks.noticed.is_none() && (waits.is_some() || now.retries > self.before.retries) {
            self.marks.noticed = Some(since);
            self.finished = Some(now.files_done);
        }
        if self.marks.said.is_none() {
            self.marks.said = waits.cloned();
        }
        let finished = self.finished.unwrap_or(self.before.files_done);
        if now.files_done > finished && self.marks.resumed.is_none_or(|at| self.marks.noticed.is_some_and(|n| at < n)) {
            self.marks.resumed = Some(since);
        }
    }
}

/// Looks at a run until it is told to stop.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Mutex<Seen>,
}

impl Watch {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default() })
    }

    /// `fired` says when the fault began.
    pub(super) async fn run(
        self: Arc<Self>,
        progress: Arc<Progress>,
        fired: impl Fn() -> Option<Instant>,
        stop: CancellationToken,
    ) {
        loop {
            // The end is looked at, too.
            let over = stop.is_cancelled();
            let since = fired().map(|at| at.elapsed());
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).look(progress.snapshot(), since);
            if over {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    pub(super) fn marks(&self) -> Marks {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).marks.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_with_the_first_file_after_it_was_noticed() {
        let at = |files_done, retries, waits: Option<&str>| Snapshot {
            files_done,
            retries,
            waits_for: waits.map(str::to_owned),
            ..Snapshot::default()
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let mut seen = Seen::default();
        seen.look(at(3, 1, None), None);
        // One that was on its way on another connection.
        seen.look(at(4, 1, None), seconds(1));
        assert_eq!(seen.marks, Marks { resumed: seconds(1), ..Marks::default() });
        seen.look(at(4, 1, Some("the target has no room")), seconds(2));
        seen.look(at(4, 2, None), seconds(3));
        assert_eq!(seen.marks.noticed, seconds(2));
        seen.look(at(5, 2, None), seconds(4));
        seen.look(at(6, 2, None), seconds(5));
        let said = Some("the target has no room".to_owned());
        assert_eq!(seen.marks, Marks { noticed: seconds(2), resumed: seconds(4), said, working: None });
    }
}
