//! Which observations belong together: a window of what was seen last, and what is too much in it. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::{Likeness, Terms};
use crate::reliability::Observation;

/// Observations that are remembered at most: at a thousand in a second the window is shorter.
const MOST: usize = 50_000;
/// Evidence of one verdict: so many that failed, and so many that went well.
pub(super) const MOST_EVIDENCE: usize = 60;

/// Numbers and times of like faults.
pub(super) type Faults = HashMap<Likeness, Vec<(i64, Timestamp)>>;

/// What was seen last, with the numbers of the store.
#[derive(Debug, Default)]
pub(super) struct Window {
    seen: VecDeque<(i64, Observation)>,
}

/// Like faults that are too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cluster {
    pub(super) like: Likeness,
    /// Their numbers and times, in their order.
    pub(super) faults: Vec<(i64, Timestamp)>,
    /// Connections, transfers or checks of the same kind at the same place, with them.
    pub(super) of: usize,
}

impl Window {
    /// Takes in what is new and forgets what is too old by `now`.
    pub(super) fn take(
        &mut self,
        news: impl IntoIterator<Item = (i64, Observation)>,
        now: Timestamp,
        length: Duration,
    ) {
        self.seen.extend(news);
        let old = |at: Timestamp| Duration::try_from(now.duration_since(at)).is_ok_and(|age| age > length);
        while self.seen.len() > MOST || self.seen.front().is_some_and(|(_, first)| old(first.at)) {
            self.seen.pop_front();
        }
    }

    /// Like faults, by what they have in common.
    pub(super) fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        for (id, seen) in &self.seen {
            if let Some(like) = Likeness::of(seen) {
                faults.entry(like).or_default().push((*id, seen.at));
            }
        }
        faults
    }

    /// Those of `faults` that are an incident by `terms`.
    pub(super) fn clusters(&self, faults: &Faults, terms: &Terms) -> Vec<Cluster> {
        let enough = faults.iter().filter(|(_, faults)| faults.len() >= terms.least);
        let clusters = enough.filter_map(|(like, faults)| {
            let of = self.seen.iter().filter(|(_, seen)| like.is_kin(seen)).count();
            let (like, faults) = (like.clone(), faults.clone());
            (faults.len().saturating_mul(terms.one_of) >= of).then_some(Cluster { like, faults, of })
        });
        let mut clusters: Vec<_> = clusters.collect();
        clusters.sort_by_key(|cluster| cluster.faults.first().map(|(id, _)| *id));
        clusters
    }

    /// What was seen at the place of `like`: the last that failed and the last that went well, in their order.
    pub(super) fn at(&self, like: &Likeness) -> Vec<&(i64, Observation)> {
        let mut left = (MOST_EVIDENCE, MOST_EVIDENCE);
        let mut at: Vec<_> = Vec::new();
        for one in self.seen.iter().rev().filter(|(_, seen)| like.is_at(seen)) {
            let left = if Likeness::of(&one.1).is_some() { &mut left.0 } else { &mut left.1 };
            if *left > 0 {
                *left -= 1;
                at.push(one);
            }
        }
        at.reverse();
        at
    }

    /// Did something of the same kind at the same place go well after `last`? How often.
    pub(super) fn well_after(&self, like: &Likeness, last: Timestamp) -> usize {
        let well =
            |seen: &&(i64, Observation)| seen.1.at > last && like.is_kin(&seen.1) && seen.1.what.end().is_clean();
        self.seen.iter().filter(well).count()
    }
}
