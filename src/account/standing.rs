//! Grants that are good without a look at the store.
//!
//! Who shows a password with every request would cost a question to the store with every request. So the answer is
//! remembered until something changes about logins: a change that is made here ends it at once, and one that another
//! process makes, as the command line does, within [`LOOK`], since whoever comes first after that looks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::{Accounts, Grant};
use crate::db::{DbError, WriteTx};

/// So long a look at the store is good for everybody.
const LOOK: SignedDuration = SignedDuration::from_millis(500);
/// How many grants are remembered.
const MOST: usize = 4096;

/// What is remembered.
#[derive(Default)]
pub(super) struct Standing {
    state: Mutex<State>,
    /// One looks, the others wait for what it sees.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// How many changes were seen.
    changes: u64,
    /// What [`Accounts::logins`] said, and when it was asked.
    seen: Option<(String, Timestamp)>,
    /// By the [tag](super::request::Remembered::tag) of what is shown, until when.
    grants: HashMap<[u8; 32], (Grant, Timestamp)>,
}

/// The state of the store in which something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Standing(***)")
    }
}

impl State {
    fn forget(&mut self) {
        self.changes = self.changes.wrapping_add(1);
        self.grants.clear();
    }
}

impl Standing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was changed here.
    fn changed(&self) {
        self.state().forget();
    }

    /// The mark, if the last look is good still.
    fn fresh(&self, now: Timestamp) -> Option<Mark> {
        let state = self.state();
        let (_, looked) = state.seen.as_ref()?;
        // The clock may have been set back.
        (now.duration_since(*looked).abs() < LOOK).then_some(Mark(state.changes))
    }

    /// The store said `word` when it was asked at `now`.
    fn saw(&self, word: String, now: Timestamp) -> Mark {
        let mut state = self.state();
        if state.seen.as_ref().is_none_or(|(before, _)| *before != word) {
            state.forget();
        }
        state.seen = Some((word, now));
        Mark(state.changes)
    }

    /// The grant of whoever shows this.
    pub(super) fn find(&self, tag: Option<[u8; 32]>, now: Timestamp) -> Option<Grant> {
        let state = self.state();
        let (grant, until) = state.grants.get(&tag?)?;
        (now < *until).then(|| grant.clone())
    }

    /// Remembers a grant that was read after `mark`, unless something has changed since.
    pub(super) fn put(&self, tag: Option<[u8; 32]>, mark: Mark, grant: &Grant, (now, until): (Timestamp, Timestamp)) {
        let mut state = self.state();
        let Some(tag) = tag.filter(|_| Mark(state.changes) == mark) else { return };
        if state.grants.len() >= MOST {
            state.grants.retain(|_, (_, until)| now < *until);
        }
        if state.grants.len() < MOST {
            state.grants.insert(tag, (grant.clone(), until));
        }
    }
}

impl Accounts {
    /// Looks whether anything about logins has changed, unless somebody looked a moment ago. What is read after this is of
    /// the mark or newer.
    pub(super) async fn mark(&self, now: Timestamp) -> Result<Mark, DbError> {
        if let Some(mark) = self.standing.fresh(now) {
            return Ok(mark);
        }
        let _one = self.standing.looking.lock().await;
        if let Some(mark) = self.standing.fresh(now) {
            return Ok(mark);
        }
        let word = self.logins().await?;
        Ok(self.standing.saw(word, now))
    }

    /// Commits a change that may end logins: what was remembered of them is forgotten.
    pub(super) async fn commit(&self, tx: WriteTx) -> Result<(), DbError> {
        let done = tx.commit().await;
        self.standing.changed();
        Ok(done?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_good_for_a_moment_and_until_a_change() {
        let standing = Standing::default();
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(standing.fresh(now), None, "nobody has looked yet");
        let mark = standing.saw("a".to_owned(), now);
        let soon = now + SignedDuration::from_millis(499);
        assert_eq!(standing.fresh(soon), Some(mark));
        assert_eq!(standing.fresh(now - LOOK), None, "the clock was set back");
        let later = now + LOOK;
        assert_eq!(standing.fresh(later), None);
        assert_eq!(standing.saw("a".to_owned(), later), mark, "nothing has changed");
        standing.changed();
        assert_ne!(standing.fresh(later), Some(mark));
        assert_ne!(standing.saw("b".to_owned(), later), mark);
    }
}
