//! Which observations belong together: a window of what was seen last, and what is too much in it. Pure.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::{Likeness, Terms};
use crate::model::Protocol;
use crate::reliability::{End, Observation, Role, What};

/// Observations of one place that are remembered at most: where there are many, the window is shorter. A busy place does not
/// push out what was seen at a quiet one.
const MOST: usize = 10_000;
/// And of all places together: then the busiest gives way.
const MOST_OF_ALL: usize = 50_000;
/// Evidence of one verdict: so many that failed, and so many that went well.
pub(super) const MOST_EVIDENCE: usize = 60;

/// Numbers and times of like faults.
pub(super) type Faults = HashMap<Likeness, Vec<(i64, Timestamp)>>;

/// Whose connections, what was spoken, and with whom.
type Place = (Role, Protocol, String);
type Numbered = (i64, Observation);

/// What was seen last, with the numbers of the store, by the place where it was.
#[derive(Debug, Default)]
pub(super) struct Window {
    places: BTreeMap<Place, VecDeque<Numbered>>,
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
        // Who only looked whether a port is open is no connection that went well.
        let said = |one: &Numbered| !matches!(one.1.what, What::Connection { setup: None, end: End::Clean, .. });
        for one in news.into_iter().filter(said) {
            let place = (one.1.role, one.1.protocol, one.1.endpoint.clone());
            let seen = self.places.entry(place).or_default();
            if seen.len() >= MOST {
                seen.pop_front();
            }
            seen.push_back(one);
        }
        let old = |at: Timestamp| Duration::try_from(now.duration_since(at)).is_ok_and(|age| age > length);
        for seen in self.places.values_mut() {
            while seen.front().is_some_and(|(_, first)| old(first.at)) {
                seen.pop_front();
            }
        }
        self.places.retain(|_, seen| !seen.is_empty());
        self.hold_to(MOST_OF_ALL);
    }

    /// Forgets the oldest at the busiest place until there are no more than `most`.
    fn hold_to(&mut self, most: usize) {
        let mut all: usize = self.places.values().map(VecDeque::len).sum();
        while all > most
            && let Some(busiest) = self.places.values_mut().max_by_key(|seen| seen.len())
        {
            busiest.pop_front();
            all -= 1;
        }
    }

    /// What was seen where `like` is.
    fn there(&self, like: &Likeness) -> impl DoubleEndedIterator<Item = &Numbered> {
        self.places.get(&(like.role, like.protocol, like.endpoint.clone())).into_iter().flatten()
    }

    /// Like faults, by what they have in common.
    pub(super) fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        for (id, seen) in self.places.values().flatten() {
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
            let of = self.there(like).filter(|(_, seen)| like.is_kin(seen)).count();
            let (like, faults) = (like.clone(), faults.clone());
            (faults.len().saturating_mul(terms.one_of) >= of).then_some(Cluster { like, faults, of })
        });
        let mut clusters: Vec<_> = clusters.collect();
        clusters.sort_by_key(|cluster| cluster.faults.first().map(|(id, _)| *id));
        clusters
    }

    /// What was seen at the place of `like`: the last that failed and the last that went well, in their order.
    pub(super) fn at(&self, like: &Likeness) -> Vec<&Numbered> {
        let mut left = (MOST_EVIDENCE, MOST_EVIDENCE);
        let mut at: Vec<_> = Vec::new();
        for one in self.there(like).rev() {
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
        let well = |seen: &&Numbered| seen.1.at > last && like.is_kin(&seen.1) && seen.1.what.end().is_clean();
        self.there(like).filter(well).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FaultKind, Phase};
    use crate::reliability::Detail;

    fn seen(endpoint: &str, end: End) -> Observation {
        let what = What::Connection { setup: Some(Duration::ZERO), phases: Vec::new(), held: Duration::ZERO, end };
        let (at, protocol, role) = (Timestamp::UNIX_EPOCH, Protocol::Ftp, Role::Client);
        Observation { at, protocol, role, endpoint: endpoint.to_owned(), what, detail: Detail::default() }
    }

    #[test]
    fn a_busy_place_does_not_push_out_a_quiet_one() {
        let mut window = Window::default();
        let reset = End::Failed(Phase::Command, FaultKind::Reset);
        let quiet = (0..3).map(|id| (id, seen("quiet:21", reset)));
        let busy = (3..100_000).map(|id| (id, seen("busy:21", End::Clean)));
        let look = What::Connection { setup: None, phases: Vec::new(), held: Duration::ZERO, end: End::Clean };
        let looks = (0..100).map(|_| (0, Observation { what: look.clone(), ..seen("quiet:21", End::Clean) }));
        window.take(looks.chain(quiet).chain(busy), Timestamp::UNIX_EPOCH, Duration::from_secs(600));
        let clusters = window.clusters(&window.faults(), &Terms::default());
        assert_eq!(clusters.iter().map(|found| (found.faults.len(), found.of)).collect::<Vec<_>>(), [(3, 3)]);
        assert_eq!(window.places.values().map(VecDeque::len).sum::<usize>(), 3 + MOST);
        let last = window.places.values().flatten().map(|(id, _)| *id).max();
        assert_eq!(last, Some(99_999), "the oldest gives way");
        window.hold_to(10);
        assert_eq!(window.places.values().map(VecDeque::len).collect::<Vec<_>>(), [7, 3], "the busiest gives way");
    }
}
