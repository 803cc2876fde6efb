//! How much a home holds, and how much it may hold.
//!
//! A [`Ledger`] is counted by walking the home, and kept up to date by what the views with a quota do there. What
//! others do (jobs, accounts with a home above it, people on the machine) is seen by the next count. Nothing is ever
//! refused on the word of an old ledger: before a refusal the home is counted again.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Dir, OFlags};

use super::resolve::{open_plain, readable};
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
    home: RelPath,
    count: Mutex<Option<Count>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    used: Used,
    at: Instant,
    took: Duration,
    /// Something was done of which nobody knows what it freed.
    doubtful: bool,
}

impl Count {
    fn made(tree: &Tree, home: &RelPath) -> io::Result<Self> {
        let begin = Instant::now();
        let used = walk(tree, home)?;
        let at = Instant::now();
        Ok(Self { used, at, took: at.duration_since(begin), doubtful: false })
    }

    fn is_older(&self, than: Duration) -> bool {
        self.at.elapsed() > than.max(self.took.saturating_mul(TIMES))
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
            let new = || Arc::new(Ledger { home: home.clone(), count: Mutex::default() });
            Arc::clone(all.entry(home.clone()).or_insert_with(new))
        };
        quota.is_limited().then(|| Allowance { quota, ledger: find() })
    }
}

/// A quota and the ledger of the home that it is about. A part of a view has that of the whole home.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    pub(super) quota: Quota,
    ledger: Arc<Ledger>,
}

impl Allowance {
    fn lock(&self) -> MutexGuard<'_, Option<Count>> {
        self.ledger.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self, view: &View) -> io::Result<Used> {
        let mut count = self.lock();
        Ok(self.fresh(&mut count, |count| count.is_older(OLD), view)?.used)
    }

    /// What the ledger says, counted again when it is `too_old` or was never counted.
    fn fresh(&self, count: &mut Option<Count>, too_old: impl Fn(&Count) -> bool, view: &View) -> io::Result<Count> {
        match *count {
            Some(known) if !too_old(&known) => Ok(known),
            _ => {
                let made = Count::made(&view.tree, &self.ledger.home)?;
                *count = Some(made);
                Ok(made)
            }
        }
    }

    /// Is there room for `more`, if `credit` is given back when it is done? Counts it as used then.
    fn take(&self, more: Used, credit: Used, view: &View) -> io::Result<()> {
        let mut count = self.lock();
        let mut now = self.fresh(&mut count, |count| count.is_older(OLD), view)?;
        if !self.has_room(now.used, more, credit) {
            now = self.fresh(&mut count, |count| count.doubtful || count.is_older(FRESH), view)?;
            if !self.has_room(now.used, more, credit) {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
        }
        *count = Some(Count { used: now.used.and(more), ..now });
        Ok(())
    }

    fn has_room(&self, used: Used, more: Used, credit: Used) -> bool {
        let then = used.and(more).without(credit);
        let fits = |more: u64, then: u64, most: Option<u64>| more == 0 || most.is_none_or(|most| then <= most);
        fits(more.bytes, then.bytes, self.quota.bytes) && fits(more.files, then.files, self.quota.files)
    }

    fn give(&self, less: Used) {
        if let Some(count) = self.lock().as_mut() {
            count.used = count.used.without(less);
        }
    }

    fn doubt(&self) {
        if let Some(count) = self.lock().as_mut() {
            count.doubtful = true;
        }
    }
}

/// What lies below `home`, with what is hidden there: it takes room, too. The trash is the service's.
fn walk(tree: &Tree, home: &RelPath) -> io::Result<Used> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let top = open_plain(&**tree.root(), if home.is_root() { ".".as_ref() } else { home.as_path() }, flags)?;
    let mut used = Used::default();
    let mut open = vec![(RelPath::root(), Dir::read_from(&top)?)];
    while let Some((folder, dir)) = open.last_mut() {
        let Some(entry) = dir.read() else {
            open.pop();
            continue;
        };
        let Ok(name) = Name::new(entry?.file_name().to_bytes()) else { continue };
        if home.is_root() && folder.is_root() && name.as_bytes() == TRASH {
            continue;
        }
        let path = folder.join(&name);
        let stat = match dir.fd().map_err(io::Error::from).and_then(|dir| Stat::at(dir, &name)) {
            Ok(stat) => stat,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        used = used.and(Used::file(if stat.is_file() { stat.size } else { 0 }));
        if stat.is_dir() {
            match open_plain(&top, path.as_path(), OFlags::PATH | OFlags::DIRECTORY).and_then(readable) {
                Ok(found) => open.push((path, Dir::new(found)?)),
                // Gone meanwhile, or closed to the service: nobody writes there, either.
                Err(error) => tracing::debug!(%error, path = %path.display(), "a folder was not counted"),
            }
        }
    }
    Ok(used)
}

impl View {
    /// The quota of this view and what its home holds, counted at most five minutes ago; `None` without a quota.
    ///
    /// # Errors
    /// Those of walking the home.
    pub fn usage(&self) -> io::Result<Option<(Quota, Used)>> {
        self.allowance.as_ref().map(|allowance| Ok((allowance.quota, allowance.used(self)?))).transpose()
    }

    /// Counts `more`, which is about to be made.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`] when there is no room for it, and those of walking the home.
    pub(super) fn charge(&self, more: Used) -> io::Result<()> {
        self.allowance.as_ref().map_or(Ok(()), |allowance| allowance.take(more, Used::default(), self))
    }

    /// As [`View::charge`], for what `make` makes: what was not made is not counted.
    pub(super) fn charged<T>(&self, more: Used, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.charge(more)?;
        make().inspect_err(|_| self.free(more))
    }

    /// `less` is gone.
    pub(super) fn free(&self, less: Used) {
        if let Some(allowance) = &self.allowance {
            allowance.give(less);
        }
    }

    /// Something is gone, or not, and to look at it would take longer than to count when it matters.
    pub(super) fn recount(&self) {
        if let Some(allowance) = &self.allowance {
            allowance.doubt();
        }
    }

    /// What removing the name would free; nothing is looked up where nobody asks.
    pub(super) fn weight(&self, look: impl FnOnce() -> io::Result<Stat>) -> Used {
        match self.allowance.as_ref().map(|_| look()) {
            Some(Ok(stat)) if stat.is_file() => Used::file(stat.size),
            Some(Ok(_)) => Used::file(0),
            Some(Err(_)) | None => Used::default(),
        }
    }
}

/// What a part takes of the quota of its view.
#[derive(Debug)]
pub(super) struct Claim {
    view: View,
    /// Bytes that are counted for it: as far as it was ever written since it was opened or cut.
    held: Mutex<u64>,
    /// What publishing it will free.
    credit: Used,
}

impl Claim {
    /// For a part that is about to be opened, and made when it `creates` and `begun` finds nothing; `credit` is what it
    /// will replace. `None` where there is no quota.
    pub(super) fn begin(
        view: &View,
        begun: impl FnOnce() -> io::Result<Stat>,
        creates: bool,
        credit: Used,
    ) -> io::Result<Option<Self>> {
        let Some(allowance) = &view.allowance else { return Ok(None) };
        let begun = begun().ok();
        if creates && begun.is_none() {
            allowance.take(Used::file(0), credit, view)?;
        }
        let held = Mutex::new(begun.map_or(0, |begun| begun.size));
        Ok(Some(Self { view: view.clone(), held, credit }))
    }

    fn held(&self) -> MutexGuard<'_, u64> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is about to be written up to `end`.
    pub(super) fn grow(&self, end: u64) -> io::Result<()> {
        let mut held = self.held();
        if let (Some(allowance), true) = (&self.view.allowance, end > *held) {
            allowance.take(Used::content(end - *held), self.credit, &self.view)?;
            *held = end;
        }
        Ok(())
    }

    /// It is `len` bytes long now.
    pub(super) fn cut(&self, len: u64) {
        let mut held = self.held();
        if len < *held {
            self.view.free(Used::content(*held - len));
            *held = len;
        }
    }

    /// It will take another name than it was begun for.
    pub(super) fn turn_to(&mut self, credit: Used) {
        self.credit = credit;
    }

    /// It is removed.
    pub(super) fn end(&self) {
        self.view.free(Used::file(*self.held()));
    }

    /// It took the place of this.
    pub(super) fn replaced(&self, there: &Stat) {
        self.view.free(Used::file(there.size));
    }
}
