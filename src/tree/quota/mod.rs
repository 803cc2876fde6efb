//! How much a home holds, and how much it may hold.
//!
//! A [`Ledger`] is counted by walking the home, and kept up to date by what the views with a quota do there. What
//! others do (jobs, accounts with a home above it, people on the machine) is seen by the next count. Before anybody is
//! refused the home is counted again, unless that was done a moment ago. While it is counted the old numbers go on:
//! only who has none, or no room by them, waits.
//!
//! A part that will take the place of a file counts with what is more in it than in that file, for everybody. What it
//! really replaces is seen when it is published, and then it has to fit again.

mod books;
mod claim;
mod walk;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

#[cfg(test)]
pub(super) use books::FRESH;
use books::{Books, Epoch, Verdict};
pub(super) use claim::Claim;

use super::{Stat, Tree, View};
use crate::model::{Quota, RelPath, Used};

/// Threads that may wait for one home to be counted.
const WAITING: usize = 16;

/// What the home at one path of the tree holds.
#[derive(Debug)]
pub(super) struct Ledger {
    home: RelPath,
    books: Mutex<Books>,
    /// Held by who walks.
    counting: Mutex<()>,
    waiting: AtomicUsize,
}

/// The ledgers of a tree. A home that once had a quota keeps its own: there are as many as such accounts.
#[derive(Debug, Default)]
pub(super) struct Ledgers(Mutex<HashMap<RelPath, Arc<Ledger>>>);

impl Ledgers {
    /// What a view of `home` is held to; `None` where nothing but the disk is a limit.
    pub(super) fn allowance(&self, home: &RelPath, quota: Quota) -> Option<Allowance> {
        let find = || {
            let new = || {
                let (books, counting, waiting) = (Mutex::default(), Mutex::default(), AtomicUsize::new(0));
                Arc::new(Ledger { home: home.clone(), books, counting, waiting })
            };
            let mut all = lock(&self.0);
            Arc::clone(all.entry(home.clone()).or_insert_with(new))
        };
        quota.is_limited().then(|| Allowance { quota, ledger: find() })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Counts, if nobody did since `epoch`. Waits for who does.
    fn count(&self, tree: &Tree, epoch: Epoch) -> io::Result<()> {
        let place = self.waiting.fetch_add(1, Ordering::AcqRel);
        let counted = if place < WAITING {
            let _alone = lock(&self.counting);
            self.walk(tree, epoch)
        } else {
            let why = "your folder is being counted because of its quota: try again in a moment";
            Err(io::Error::new(io::ErrorKind::ResourceBusy, why))
        };
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        counted
    }

    /// Counts, unless somebody does already.
    fn refresh(&self, tree: &Tree, epoch: Epoch) -> io::Result<()> {
        let is_counted = matches!(self.counting.try_lock(), Err(TryLockError::WouldBlock));
        if is_counted { Ok(()) } else { self.count(tree, epoch) }
    }

    fn walk(&self, tree: &Tree, epoch: Epoch) -> io::Result<()> {
        let live = {
            let mut books = lock(&self.books);
            if books.epoch() != epoch {
                return Ok(());
            }
            books.begin_walk()
        };
        let begin = Instant::now();
        let found = walk::walk(tree, &self.home, &live);
        lock(&self.books).end_walk(found.as_ref().ok().map(|found| (*found, begin.elapsed())));
        found.map(drop)
    }
}

/// A quota and the ledger of the home that it is about. A part of a view has that of the whole home.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    quota: Quota,
    ledger: Arc<Ledger>,
}

impl Allowance {
    fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.ledger.books)
    }

    /// Takes what is needed, if there is room for it.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`], [`io::ErrorKind::ResourceBusy`] when too many wait for a count, and those of
    /// walking the home.
    fn reserve<T>(
        &self,
        tree: &Tree,
        need: impl Fn(&Books) -> Used,
        take: impl FnOnce(&mut Books) -> T,
    ) -> io::Result<T> {
        let mut counts = 0;
        loop {
            let (verdict, epoch) = {
                let mut books = self.books();
                match books.judge(need(&books), self.quota, counts) {
                    Verdict::Room => return Ok(take(&mut books)),
                    Verdict::Full => return Err(io::ErrorKind::QuotaExceeded.into()),
                    verdict => (verdict, books.epoch()),
                }
            };
            match verdict {
                Verdict::Refresh => self.ledger.refresh(tree, epoch)?,
                _ => self.ledger.count(tree, epoch)?,
            }
            counts += 1;
        }
    }
}

impl View {
    /// The quota of this view and what its home holds, counted at most some minutes ago; `None` without a quota.
    ///
    /// # Errors
    /// Those of walking the home.
    pub fn usage(&self) -> io::Result<Option<(Quota, Used)>> {
        let Some(allowance) = &self.allowance else { return Ok(None) };
        let used = |books: &mut Books| books.used().unwrap_or_default();
        Ok(Some((allowance.quota, allowance.reserve(&self.tree, |_| Used::default(), used)?)))
    }

    /// Is it held to a quota? Then a change may have to wait until its home was counted.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.allowance.is_some()
    }

    /// The quota that it is held to.
    #[must_use]
    pub fn quota(&self) -> Option<Quota> {
        self.allowance.as_ref().map(|allowance| allowance.quota)
    }

    /// Counts `more` while `make` makes it: what was not made is not counted.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`] when there is no room for it, those of walking the home, and those of `make`.
    pub(super) fn charged<T>(&self, more: Used, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(allowance) = &self.allowance else { return make() };
        let (number, seen) = allowance.reserve(&self.tree, |_| more, |books| (books.begin(more), books.seen_by()))?;
        let made = make();
        allowance.books().end(number, seen, made.is_ok());
        made
    }

    /// What `look` sees is gone when `remove` has removed it; nothing is looked up where nobody asks.
    pub(super) fn freed<T>(
        &self,
        look: impl FnOnce() -> io::Result<Stat>,
        remove: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(allowance) = &self.allowance else { return remove() };
        let (seen, less) = (allowance.books().seen_by(), look().ok().map(|stat| books::weight(&stat)));
        let done = remove()?;
        if let Some(less) = less {
            allowance.books().free(less, seen);
        }
        Ok(done)
    }

    /// Something is gone, or not, and to look at it would take longer than to count when it matters.
    pub(super) fn recount(&self) {
        if let Some(allowance) = &self.allowance {
            allowance.books().doubt();
        }
    }
}
