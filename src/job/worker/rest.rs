//! Runs that came to rest although nobody asked them to: each such end without progress lets the run rest
//! longer before it is taken up again, so that no failure becomes a loop of logins.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::model::RunId;

/// The first rest in seconds; each further one is twice as long.
const FIRST: i64 = 1;
const LONGEST: i64 = 60;
/// Who was not heard of for so long after its rest was taken up elsewhere, or ended by somebody.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(1);

/// Runs at rest: those that a worker of this process gave back a short time ago.
#[derive(Debug, Default)]
pub(super) struct Resting(Mutex<HashMap<RunId, Rest>>);

#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Timestamp,
    /// Ends in a row that brought the run no further.
    barren: u32,
}

impl Resting {
    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Rest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run stopped by itself at `now`, with so many files done since it was taken up.
    pub(super) fn stopped(&self, run: RunId, now: Timestamp, done: u64) {
        let mut resting = self.lock();
        resting.retain(|_, rest| now.duration_since(rest.until) < FORGOTTEN);
        let before = resting.get(&run).filter(|_| done == 0).map_or(0, |rest| rest.barren);
        let seconds = FIRST.saturating_mul(1 << before.min(16)).min(LONGEST);
        let until = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        resting.insert(run, Rest { until, barren: before + 1 });
    }

    /// The run is over, or somebody wanted it to rest.
    pub(super) fn forget(&self, run: RunId) {
        self.lock().remove(&run);
    }

    /// Is it too early to take the run up?
    pub(super) fn rests(&self, run: RunId, now: Timestamp) -> bool {
        self.lock().get(&run).is_some_and(|rest| now < rest.until)
    }

    /// How many are known.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_without_progress_and_begin_anew_with_it() {
        let (resting, run, start) = (Resting::default(), RunId(1), Timestamp::UNIX_EPOCH);
        let rest_of = |done| {
            resting.stopped(run, start, done);
            (1..100).find(|s| !resting.rests(run, start + SignedDuration::from_secs(*s))).unwrap()
        };
        let barren: Vec<_> = (0..8).map(|_| rest_of(0)).collect();
        assert_eq!(barren, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!([rest_of(1), rest_of(0)], [1, 2]);
        resting.forget(run);
        assert!(!resting.rests(run, start) && resting.count() == 0);
    }
}
