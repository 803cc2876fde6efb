//! What a part takes of a quota.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Allowance;
use super::books::{SeenBy, weight};
use crate::model::Used;
use crate::tree::{Stat, View};

/// What a part takes of the quota of its view, until it is published or removed.
#[derive(Debug)]
pub(in crate::tree) struct Claim {
    view: View,
    allowance: Allowance,
    part: u64,
    /// Bytes that are counted for it: as far as it was ever written since it was opened or cut.
    held: Mutex<u64>,
    /// What publishing it will free, as far as can be seen.
    credit: Used,
    /// Before it was published.
    seen: SeenBy,
    /// Nothing is to be counted for it any more.
    is_over: bool,
}

impl Claim {
    /// For a part of a view with a quota that was just opened and locked, and made if it `is_new`; `there` is what it
    /// will replace. `None` for a view without one.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`] when there is no room for a new one, and those of counting.
    pub(in crate::tree) fn begin(
        view: &View,
        part: &Stat,
        is_new: bool,
        there: Option<&Stat>,
    ) -> io::Result<Option<Box<Self>>> {
        let Some(allowance) = view.allowance.clone() else { return Ok(None) };
        let held = Mutex::new(part.size);
        let (number, credit, seen) = {
            let mut books = allowance.books();
            let (number, seen) = (books.open(part), books.seen_by());
            let credit = books.credit(number, there);
            if !is_new {
                // What lies there already counts from here on as what is being written.
                books.free(weight(part), seen);
                books.charge(number, weight(part).without(credit));
            }
            (number, credit, seen)
        };
        let claim = Self { view: view.clone(), allowance, part: number, held, credit, seen, is_over: false };
        if is_new && let Err(error) = claim.become_as_long(part.size, credit) {
            // It is taken away again.
            let mut claim = claim;
            claim.removed();
            return Err(error);
        }
        Ok(Some(Box::new(claim)))
    }

    fn held(&self) -> MutexGuard<'_, u64> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is about to be written up to `end`.
    pub(in crate::tree) fn grow(&self, end: u64) -> io::Result<()> {
        let mut held = self.held();
        if end > *held {
            self.become_as_long(end, self.credit)?;
            *held = end;
        }
        Ok(())
    }

    /// It is `len` bytes long now.
    pub(in crate::tree) fn cut(&self, len: u64) {
        let mut held = self.held();
        if len < *held {
            self.allowance.books().charge(self.part, Used::file(len).without(self.credit));
            *held = len;
        }
    }

    fn become_as_long(&self, end: u64, credit: Used) -> io::Result<()> {
        let charge = Used::file(end).without(credit);
        self.allowance.reserve(
            &self.view.tree,
            |books| charge.without(books.charge_of(self.part)),
            |books| books.charge(self.part, charge),
        )
    }

    /// It will take the place of `there`, another file than it was begun for.
    pub(in crate::tree) fn turn_to(&mut self, there: Option<&Stat>) {
        let held = *self.held();
        let mut books = self.allowance.books();
        self.credit = books.credit(self.part, there);
        books.charge(self.part, Used::file(held).without(self.credit));
    }

    /// It will soon take the place of `there`, whatever it was begun for. The home may be counted for it.
    pub(in crate::tree) fn prepare(&self, there: Option<&Stat>) -> io::Result<()> {
        self.become_as_long(*self.held(), there.map_or_else(Used::default, weight))
    }

    /// It takes the place of `there` now. Waits for no count: others wait for their turn.
    pub(in crate::tree) fn publishing(&mut self, there: Option<&Stat>) -> io::Result<()> {
        let charge = Used::file(*self.held()).without(there.map_or_else(Used::default, weight));
        let mut books = self.allowance.books();
        if !books.has_room(charge.without(books.charge_of(self.part)), self.allowance.quota) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        books.charge(self.part, charge);
        self.seen = books.seen_by();
        Ok(())
    }

    /// It took the place of `there`.
    pub(in crate::tree) fn published(&mut self, there: Option<&Stat>) {
        let old = there.map_or_else(Used::default, weight);
        self.over(|held| (Used::file(held), old));
    }

    /// It is removed.
    pub(in crate::tree) fn removed(&mut self) {
        self.over(|_| (Used::default(), Used::default()));
    }

    /// What lies there instead, and what does not any more.
    fn over(&mut self, end: impl FnOnce(u64) -> (Used, Used)) {
        if !std::mem::replace(&mut self.is_over, true) {
            let (more, less) = end(*self.held());
            let mut books = self.allowance.books();
            books.close(self.part);
            books.add(more);
            if less != Used::default() {
                books.free(less, self.seen);
            }
        }
    }
}

impl Drop for Claim {
    /// It lies where it is, for later.
    fn drop(&mut self) {
        self.over(|held| (Used::file(held), Used::default()));
    }
}
