//! How much a home holds, and how much it may hold.
//!
//! A [`Ledger`] is counted by walking the home, and kept up to date by what the views with a quota do there. What
//! others do (jobs, accounts with a home above it, people on the machine) is seen by the next count. Before anybody is
//! refused the home is counted again, unless that was done a moment ago ([`Count::is_older`]).
//!
//! A part that will take the place of a file counts with what is more in it than in that file, for everybody. What it
//! really replaces is seen when it is published, and then it has to fit again.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::io::Errno;

use super::resolve::open_plain;
use super::trash::TRASH;
use super::{Stat, Tree, View};
use crate::model::{Name, Quota, RelPath, Used};

/// A count older than this is made again before more is written.
const OLD: Duration = Duration::from_secs(300);
/// A refusal rests on a count at most so old …
pub(super) const FRESH: Duration = Duration::from_secs(1);
/// … or so many times as old as it took: who is refused and tries again does not keep the disk busy with counting.
const TIMES: u32 = 10;

/// What the home at one path of the tree holds.
#[derive(Debug)]
pub(super) struct Ledger {
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    home: RelPath,
    /// What lies there, without the parts that are being written.
    count: Option<Count>,
    /// Those parts.
    live: HashMap<u64, Live>,
    /// What they count together.
    charged: Used,
    next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    settled: Used,
    at: Instant,
    took: Duration,
    /// Something was done of which nobody knows what it freed.
    doubtful: bool,
}

impl Count {
    fn is_older(&self, than: Duration) -> bool {
        self.at.elapsed() > than.max(self.took.saturating_mul(TIMES))
    }
}

/// A part that is being written. Files are told by device and inode.
#[derive(Debug, Clone, Copy, Default)]
struct Live {
    /// A count leaves it out.
    file: (u64, u64),
    /// The file whose room it takes over.
    replaces: Option<(u64, u64)>,
    /// What it counts.
    charge: Used,
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.dev, stat.ino)
}

impl Books {
    fn of(home: RelPath) -> Self {
        Self { home, count: None, live: HashMap::new(), charged: Used::default(), next: 0 }
    }

    /// What lies there, counted again when the last count is `too_old` or there is none.
    fn count(&mut self, too_old: impl Fn(&Count) -> bool, view: &View) -> io::Result<Count> {
        if let Some(count) = self.count.filter(|count| !too_old(count)) {
            return Ok(count);
        }
        let begin = Instant::now();
        let live = self.live.values().map(|live| live.file).collect();
        let settled = walk(&view.tree, &self.home, &live)?;
        let at = Instant::now();
        let made = Count { settled, at, took: at.duration_since(begin), doubtful: false };
        self.count = Some(made);
        Ok(made)
    }

    /// Is there room for `more`?
    fn check(&mut self, more: Used, quota: Quota, view: &View) -> io::Result<()> {
        let charged = self.charged;
        let has_room = |count: Count| {
            let then = count.settled.and(charged).and(more);
            let fits = |more: u64, then: u64, most: Option<u64>| more == 0 || most.is_none_or(|most| then <= most);
            fits(more.bytes, then.bytes, quota.bytes) && fits(more.files, then.files, quota.files)
        };
        if has_room(self.count(|count| count.is_older(OLD), view)?) {
            return Ok(());
        }
        let old = |count: &Count| count.is_older(if count.doubtful { Duration::ZERO } else { FRESH });
        if has_room(self.count(old, view)?) { Ok(()) } else { Err(io::ErrorKind::QuotaExceeded.into()) }
    }

    /// The room that `part` may take over from the file `there`: of several parts for one name only one frees it.
    fn credit(&mut self, part: u64, there: Option<&Stat>) -> Used {
        let taken =
            |there: &Stat| self.live.iter().any(|(other, live)| *other != part && live.replaces == Some(id(there)));
        let there = there.filter(|there| !taken(there));
        if let Some(live) = self.live.get_mut(&part) {
            live.replaces = there.map(id);
        }
        there.map_or_else(Used::default, weight)
    }

    fn settle(&mut self, change: impl Fn(Used) -> Used) {
        if let Some(count) = &mut self.count {
            count.settled = change(count.settled);
        }
    }

    /// The part `id` counts so much from now on.
    fn charge(&mut self, id: u64, charge: Used) {
        if let Some(live) = self.live.get_mut(&id) {
            self.charged = self.charged.without(live.charge).and(charge);
            live.charge = charge;
        }
    }

    fn forget(&mut self, id: u64) {
        self.charge(id, Used::default());
        self.live.remove(&id);
    }
}

/// The ledgers of a tree. A home that once had a quota keeps its own: there are as many as such accounts.
#[derive(Debug, Default)]
pub(super) struct Ledgers(Mutex<HashMap<RelPath, Arc<Ledger>>>);

impl Ledgers {
    /// What a view of `home` is held to; `None` where nothing but the disk is a limit.
    pub(super) fn allowance(&self, home: &RelPath, quota: Quota) -> Option<Allowance> {
        let find = || {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Ledger { books: Mutex::new(Books::of(home.clone())) });
            Arc::clone(all.entry(home.clone()).or_insert_with(new))
        };
        quota.is_limited().then(|| Allowance { quota, ledger: find() })
    }
}

/// A quota and the ledger of the home that it is about. A part of a view has that of the whole home.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    quota: Quota,
    ledger: Arc<Ledger>,
}

impl Allowance {
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.ledger.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What lies below `home` without the files `live`, and with what is hidden there: it takes room, too. The trash is
/// the service's.
fn walk(tree: &Tree, home: &RelPath, live: &HashSet<(u64, u64)>) -> io::Result<Used> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut open = vec![Dir::new(open_plain(&**tree.root(), home.as_path(), flags)?)?];
    let mut used = Used::default();
    loop {
        let depth = open.len();
        let Some(dir) = open.last_mut() else { return Ok(used) };
        let Some(entry) = dir.read() else {
            open.pop();
            continue;
        };
        let Ok(name) = Name::new(entry?.file_name().to_bytes()) else { continue };
        let dir = dir.fd()?;
        if home.is_root() && depth == 1 && name.as_bytes() == TRASH {
            continue;
        }
        let stat = match Stat::at(dir, &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            stat => stat?,
        };
        if live.contains(&(stat.dev, stat.ino)) {
            continue;
        }
        used = used.and(weight(&stat));
        if stat.is_dir() {
            match openat(dir, name.as_os_str(), flags, Mode::empty()) {
                Ok(folder) => open.push(Dir::new(folder)?),
                // Something else has the name by now.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                // What cannot be counted could hold anything.
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What one name counts.
fn weight(stat: &Stat) -> Used {
    Used::file(if stat.is_file() { stat.size } else { 0 })
}

impl View {
    /// The quota of this view and what its home holds, counted at most five minutes ago; `None` without a quota.
    ///
    /// # Errors
    /// Those of walking the home.
    pub fn usage(&self) -> io::Result<Option<(Quota, Used)>> {
        let Some(allowance) = &self.allowance else { return Ok(None) };
        let mut books = allowance.lock();
        let count = books.count(|count| count.is_older(OLD), self)?;
        Ok(Some((allowance.quota, count.settled.and(books.charged))))
    }

    /// Is it held to a quota? Then a change may have to wait until its home was counted.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.allowance.is_some()
    }

    /// Counts `more` while `make` makes it: what was not made is not counted.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`] when there is no room for it, those of walking the home, and those of `make`.
    pub(super) fn charged<T>(&self, more: Used, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if let Some(allowance) = &self.allowance {
            let mut books = allowance.lock();
            books.check(more, allowance.quota, self)?;
            books.settle(|settled| settled.and(more));
        }
        make().inspect_err(|_| self.free(more))
    }

    /// `less` is gone.
    pub(super) fn free(&self, less: Used) {
        if let Some(allowance) = &self.allowance {
            allowance.lock().settle(|settled| settled.without(less));
        }
    }

    /// Something is gone, or not, and to look at it would take longer than to count when it matters.
    pub(super) fn recount(&self) {
        if let Some(allowance) = &self.allowance
            && let Some(count) = &mut allowance.lock().count
        {
            count.doubtful = true;
        }
    }

    /// What removing the name would free; nothing is looked up where nobody asks.
    pub(super) fn weight(&self, look: impl FnOnce() -> io::Result<Stat>) -> Used {
        self.allowance.as_ref().and_then(|_| look().ok()).map_or_else(Used::default, |stat| weight(&stat))
    }
}

/// What a part takes of the quota of its view, until it is published or removed.
#[derive(Debug)]
pub(super) struct Claim {
    view: View,
    allowance: Allowance,
    id: u64,
    /// Bytes that are counted for it: as far as it was ever written since it was opened or cut.
    held: Mutex<u64>,
    /// What publishing it will free, as far as can be seen.
    credit: Used,
    /// Nothing is to be counted for it any more.
    is_over: bool,
}

impl Claim {
    /// For a part of a view with a quota that was just opened and locked, and made if it `is_new`; `there` is what it
    /// will replace.
    pub(super) fn begin(view: &View, part: &Stat, is_new: bool, there: Option<&Stat>) -> io::Result<Self> {
        let Some(allowance) = view.allowance.clone() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let before = if is_new { Used::default() } else { weight(part) };
        let (number, credit) = {
            let mut books = allowance.lock();
            books.next += 1;
            let number = books.next;
            books.live.insert(number, Live { file: id(part), ..Live::default() });
            let credit = books.credit(number, there);
            let charge = Used::file(part.size).without(credit);
            // What lies there already counts from here on as what is being written.
            books.settle(|settled| settled.without(before));
            if is_new && let Err(error) = books.check(charge, allowance.quota, view) {
                books.forget(number);
                return Err(error);
            }
            books.charge(number, charge);
            (number, credit)
        };
        Ok(Self { view: view.clone(), allowance, id: number, held: Mutex::new(part.size), credit, is_over: false })
    }

    fn held(&self) -> MutexGuard<'_, u64> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is about to be written up to `end`.
    pub(super) fn grow(&self, end: u64) -> io::Result<()> {
        let mut held = self.held();
        if end > *held {
            self.become_as_long(end, self.credit)?;
            *held = end;
        }
        Ok(())
    }

    /// It is `len` bytes long now.
    pub(super) fn cut(&self, len: u64) {
        let mut held = self.held();
        if len < *held {
            self.allowance.lock().charge(self.id, Used::file(len).without(self.credit));
            *held = len;
        }
    }

    fn become_as_long(&self, end: u64, credit: Used) -> io::Result<()> {
        let charge = Used::file(end).without(credit);
        let mut books = self.allowance.lock();
        let now = books.live.get(&self.id).map_or_else(Used::default, |live| live.charge);
        books.check(charge.without(now), self.allowance.quota, &self.view)?;
        books.charge(self.id, charge);
        Ok(())
    }

    /// It will take the place of `there`, another file than it was begun for.
    pub(super) fn turn_to(&mut self, there: Option<&Stat>) {
        let held = *self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut books = self.allowance.lock();
        self.credit = books.credit(self.id, there);
        books.charge(self.id, Used::file(held).without(self.credit));
    }

    /// It is about to take the place of `there`, whatever it was begun for.
    pub(super) fn publishing(&self, there: Option<&Stat>) -> io::Result<()> {
        self.become_as_long(*self.held(), there.map_or_else(Used::default, weight))
    }

    /// It took the place of `there`.
    pub(super) fn published(&mut self, there: Option<&Stat>) {
        let old = there.map_or_else(Used::default, weight);
        self.over(|settled, held| settled.and(Used::file(held)).without(old));
    }

    /// It is removed.
    pub(super) fn removed(&mut self) {
        self.over(|settled, _| settled);
    }

    fn over(&mut self, change: impl Fn(Used, u64) -> Used) {
        if !std::mem::replace(&mut self.is_over, true) {
            let held = *self.held();
            let mut books = self.allowance.lock();
            books.forget(self.id);
            books.settle(|settled| change(settled, held));
        }
    }
}

impl Drop for Claim {
    /// It lies where it is, for later.
    fn drop(&mut self) {
        self.over(|settled, held| settled.and(Used::file(held)));
    }
}
