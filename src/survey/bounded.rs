//! Counting without end in memory with an end: the largest few, and the most frequent few.

use std::collections::HashMap;
use std::hash::Hash;

/// The things with the largest keys.
#[derive(Debug, Clone)]
pub(super) struct Top<K, V> {
    most: usize,
    /// The largest first.
    kept: Vec<(K, V)>,
}

impl<K: Ord, V> Top<K, V> {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, kept: Vec::new() }
    }

    /// One more thing; it is made only when it is among the largest. Of equal ones the first stay.
    pub(super) fn add(&mut self, key: K, make: impl FnOnce() -> V) {
        let full = self.kept.len() >= self.most;
        if full && self.kept.last().is_none_or(|(least, _)| *least >= key) {
            return;
        }
        let at = self.kept.partition_point(|(other, _)| *other >= key);
        self.kept.insert(at, (key, make()));
        self.kept.truncate(self.most);
    }

    /// The largest first.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (K, V)> {
        self.kept.into_iter()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.kept.iter()
    }
}

/// What is counted of each of many things, as long as they are frequent. When there are too many different ones, the
/// rarest are forgotten: what is left may have lost what came before, and how much at most is told.
#[derive(Debug, Clone)]
pub(super) struct Frequent<K, V> {
    most: usize,
    counts: HashMap<K, (u64, V)>,
    /// More than this no thing that was forgotten had.
    pub(super) forgotten: u64,
}

impl<K: Eq + Hash + Ord + Clone, V: Default> Frequent<K, V> {
    /// At most twice `most` are kept for a while, `most` in the end.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), counts: HashMap::new(), forgotten: 0 }
    }

    /// `key` was seen once more; what is kept of it.
    pub(super) fn seen(&mut self, key: K) -> &mut V {
        if self.counts.len() >= 2 * self.most && !self.counts.contains_key(&key) {
            self.forget();
        }
        let (count, value) = self.counts.entry(key).or_default();
        *count += 1;
        value
    }

    /// Different ones that are kept.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    fn forget(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().map(|(count, _)| *count).collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        let Some(least) = counts.get(self.most).copied() else { return };
        self.forgotten = self.forgotten.max(least);
        // Of those with the same count all go: which of them came first is no reason.
        self.counts.retain(|_, (count, _)| *count > least);
    }

    /// The most frequent first, at most so many.
    pub(super) fn into_top(self, most: usize) -> Vec<(K, u64, V)> {
        let mut all: Vec<_> = self.counts.into_iter().map(|(key, (count, value))| (key, count, value)).collect();
        all.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        all.truncate(most);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_stay_and_the_first_of_equals() {
        let mut top = Top::new(3);
        for (key, name) in [(5, "a"), (1, "b"), (9, "c"), (5, "d"), (7, "e"), (5, "f")] {
            top.add(key, || name);
        }
        assert_eq!(top.into_iter().collect::<Vec<_>>(), [(9, "c"), (7, "e"), (5, "a")]);
        let mut none = Top::new(0);
        none.add(1, || "x");
        assert_eq!(none.iter().count(), 0);
    }

    #[test]
    fn the_frequent_are_counted_right_in_bounded_memory() {
        let mut frequent: Frequent<u64, u64> = Frequent::new(100);
        for round in 0..10_000_u64 {
            *frequent.seen(round % 5) += 2;
            frequent.seen(1_000_000 + round);
            assert!(frequent.len() <= 200);
        }
        assert_eq!(frequent.forgotten, 1);
        let top = frequent.into_top(6);
        assert_eq!(top.iter().take(5).map(|(key, ..)| *key).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert!(top.iter().take(5).all(|(_, count, value)| (*count, *value) == (2000, 4000)));
    }

    #[test]
    fn many_equals_leave_room() {
        let mut frequent: Frequent<u64, ()> = Frequent::new(4);
        (0..1000).for_each(|key| *frequent.seen(key) = ());
        assert!(frequent.len() <= 8);
    }
}
