//! What is known of a home, in numbers. Nothing here waits for a disk.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::model::{Quota, Used};
use crate::tree::Stat;

/// A count older than this is made again before more is written.
const OLD: Duration = Duration::from_secs(300);
/// A refusal rests on a count at most so old …
pub(in crate::tree) const FRESH: Duration = Duration::from_secs(1);
/// … or so many times as old as it took: who is refused and tries again does not keep the disk busy with counting.
const TIMES: u32 = 10;

/// How many counts were begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Epoch(u64);

/// The count that surely saw what lay there at a moment: none, when a walk was under way then that may come past later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeenBy(Option<Epoch>);

/// What the numbers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is room.
    Room,
    /// There is, but the count is old: who has time for it counts again.
    Refresh,
    /// Nobody can say before the home is counted.
    Count,
    /// There is none.
    Full,
}

#[derive(Debug, Default)]
pub(super) struct Books {
    /// What lies there, without what is under way.
    count: Option<Count>,
    /// What happened since the walk that is under way began.
    walking: Option<Since>,
    epoch: Epoch,
    /// What is under way.
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
    /// Something was done of which nobody knows whether it is in these numbers.
    doubtful: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Since {
    added: Used,
    disturbed: bool,
}

impl Count {
    fn is_older(&self, than: Duration) -> bool {
        self.at.elapsed() > than.max(self.took.saturating_mul(TIMES))
    }
}

/// A part that is being written, or what is being made. Files are told by device and inode.
#[derive(Debug, Clone, Copy, Default)]
struct Live {
    /// A count leaves it out.
    file: Option<(u64, u64)>,
    /// The file whose room it takes over.
    replaces: Option<(u64, u64)>,
    /// What it counts.
    charge: Used,
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.dev, stat.ino)
}

/// What one name counts.
pub(super) fn weight(stat: &Stat) -> Used {
    Used::file(if stat.is_file() { stat.size } else { 0 })
}

impl Books {
    /// What is there, as far as it was counted.
    pub(super) fn used(&self) -> Option<Used> {
        self.count.map(|count| count.settled.and(self.charged))
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// To be asked before something is removed, and told to [`Books::free`] after it.
    pub(super) fn seen_by(&self) -> SeenBy {
        SeenBy(self.walking.is_none().then_some(self.epoch))
    }

    /// Is there room for `more`? `counts` were made to know it: a home that changes all the time is not counted for ever.
    pub(super) fn judge(&self, more: Used, quota: Quota, counts: u32) -> Verdict {
        let Some(count) = self.count else { return Verdict::Count };
        let old = if count.doubtful { Duration::ZERO } else { FRESH };
        if self.has_room(more, quota) {
            if count.is_older(OLD) && counts == 0 { Verdict::Refresh } else { Verdict::Room }
        } else if count.is_older(old) && counts < 2 {
            Verdict::Count
        } else {
            Verdict::Full
        }
    }

    /// By the numbers as they are.
    pub(super) fn has_room(&self, more: Used, quota: Quota) -> bool {
        let then = self.used().unwrap_or_default().and(more);
        let fits = |more: u64, then: u64, most: Option<u64>| more == 0 || most.is_none_or(|most| then <= most);
        fits(more.bytes, then.bytes, quota.bytes) && fits(more.files, then.files, quota.files)
    }

    /// A walk begins. Returns what it leaves out. Until it ends, what is added is added to what it will find, whether or
    /// not it comes past; what is freed is not taken off. So it never finds too little.
    pub(super) fn begin_walk(&mut self) -> HashSet<(u64, u64)> {
        self.epoch.0 += 1;
        self.walking = Some(Since::default());
        self.live.values().filter_map(|live| live.file).collect()
    }

    /// It has ended, with or without a result.
    pub(super) fn end_walk(&mut self, found: Option<(Used, Duration)>) {
        let since = self.walking.take().unwrap_or_default();
        if let Some((found, took)) = found {
            let (settled, doubtful) = (found.and(since.added), since.disturbed || since.added != Used::default());
            self.count = Some(Count { settled, at: Instant::now(), took, doubtful });
        }
    }

    /// `more` lies there now.
    pub(super) fn add(&mut self, more: Used) {
        if let Some(count) = &mut self.count {
            count.settled = count.settled.and(more);
        }
        if let Some(since) = &mut self.walking {
            since.added = since.added.and(more);
        }
    }

    /// `less` is gone, and lay there when `seen` was asked: it is taken off a count only if that count has it.
    pub(super) fn free(&mut self, less: Used, seen: SeenBy) {
        if seen.0 != Some(self.epoch) || self.walking.is_some() {
            self.doubt();
        } else if let Some(count) = &mut self.count {
            count.settled = count.settled.without(less);
        }
    }

    /// Something is gone, or not.
    pub(super) fn doubt(&mut self) {
        if let Some(count) = &mut self.count {
            count.doubtful = true;
        }
        if let Some(since) = &mut self.walking {
            since.disturbed = true;
        }
    }

    /// A part is being written from now on. Returns its number.
    pub(super) fn open(&mut self, part: &Stat) -> u64 {
        if let Some(since) = &mut self.walking {
            // The walk does not leave it out.
            since.disturbed = true;
        }
        self.enter(Live { file: Some(id(part)), ..Live::default() })
    }

    fn enter(&mut self, live: Live) -> u64 {
        self.next += 1;
        self.live.insert(self.next, live);
        self.next
    }

    /// `more` is being made from now on. Returns its number.
    pub(super) fn begin(&mut self, more: Used) -> u64 {
        let number = self.enter(Live::default());
        self.charge(number, more);
        number
    }

    /// What was begun as `number` when `seen` was asked is made, or not. A count that came in between may have it.
    pub(super) fn end(&mut self, number: u64, seen: SeenBy, is_made: bool) {
        let more = self.charge_of(number);
        self.close(number);
        if is_made {
            self.add(more);
            if seen.0.is_none() || seen != self.seen_by() {
                self.doubt();
            }
        }
    }

    /// The room that `part` may take over from the file `there`: of several parts for one name only one frees it.
    pub(super) fn credit(&mut self, part: u64, there: Option<&Stat>) -> Used {
        let taken =
            |there: &Stat| self.live.iter().any(|(other, live)| *other != part && live.replaces == Some(id(there)));
        let there = there.filter(|there| !taken(there));
        if let Some(live) = self.live.get_mut(&part) {
            live.replaces = there.map(id);
        }
        there.map_or_else(Used::default, weight)
    }

    /// What `part` counts.
    pub(super) fn charge_of(&self, part: u64) -> Used {
        self.live.get(&part).map_or_else(Used::default, |live| live.charge)
    }

    /// It counts so much from now on.
    pub(super) fn charge(&mut self, part: u64, charge: Used) {
        if let Some(live) = self.live.get_mut(&part) {
            self.charged = self.charged.without(live.charge).and(charge);
            live.charge = charge;
        }
    }

    /// It is not under way any more.
    pub(super) fn close(&mut self, part: u64) {
        self.charge(part, Used::default());
        self.live.remove(&part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(bytes: u64) -> Books {
        let mut books = Books::default();
        books.begin_walk();
        books.end_walk(Some((Used::file(bytes), Duration::ZERO)));
        books
    }

    fn settled(books: &Books) -> u64 {
        books.used().unwrap().bytes
    }

    #[test]
    fn what_happens_while_it_is_counted_never_makes_it_less() {
        let mut books = counted(100);
        let before = books.seen_by();
        books.begin_walk();
        // The walk may have seen both, one or none of them.
        books.free(Used::file(90), before);
        books.add(Used::file(5));
        assert_eq!(settled(&books), 105, "the old count goes on");
        books.end_walk(Some((Used::file(10), Duration::ZERO)));
        assert_eq!(settled(&books), 15);
        // Removed before the walk, said after it.
        books.free(Used::file(10), before);
        assert_eq!(settled(&books), 15);
        let now = books.seen_by();
        books.free(Used::file(10), now);
        assert_eq!(settled(&books), 5);
        // Looked at while a walk was under way, removed before it came past, said after it.
        books.begin_walk();
        let meanwhile = books.seen_by();
        books.end_walk(Some((Used::file(5), Duration::ZERO)));
        books.free(Used::file(5), meanwhile);
        assert_eq!(settled(&books), 5);
        assert_eq!(books.judge(Used::file(1), Quota { bytes: Some(5), files: None }, 0), Verdict::Count);
        books.begin_walk();
        books.end_walk(None);
        assert_eq!(settled(&books), 5, "a walk that failed tells nothing");
    }

    #[test]
    fn a_doubtful_or_old_count_refuses_nobody_and_counting_ends() {
        let quota = Quota { bytes: Some(100), files: None };
        assert_eq!(Books::default().judge(Used::content(1), quota, 0), Verdict::Count);
        let mut books = counted(100);
        assert_eq!(books.judge(Used::content(1), quota, 0), Verdict::Full);
        assert_eq!(books.judge(Used::content(0), quota, 0), Verdict::Room, "what is not more is never too much");
        books.doubt();
        assert_eq!(books.judge(Used::content(1), quota, 1), Verdict::Count);
        assert_eq!(books.judge(Used::content(1), quota, 2), Verdict::Full);
        let mut books = counted(0);
        let (made, seen) = (books.begin(Used::file(60)), books.seen_by());
        books.begin_walk();
        books.end_walk(Some((Used::file(0), Duration::ZERO)));
        assert_eq!(
            books.judge(Used::content(41), quota, 0),
            Verdict::Full,
            "a count does not forget what is being made"
        );
        books.end(made, seen, true);
        assert_eq!((settled(&books), books.judge(Used::content(41), quota, 0)), (60, Verdict::Count));
        let mut books = counted(10);
        books.count.as_mut().unwrap().at = Instant::now().checked_sub(2 * OLD).unwrap();
        assert_eq!(books.judge(Used::content(1), quota, 0), Verdict::Refresh);
        assert_eq!(books.judge(Used::content(1), quota, 1), Verdict::Room);
        assert_eq!(books.judge(Used::content(91), quota, 0), Verdict::Count);
    }
}
