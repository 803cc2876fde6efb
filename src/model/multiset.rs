//! Is one lot of things the same as another, in whatever order they came? Told without keeping them.

use std::hash::{BuildHasher as _, Hash, RandomState};

/// How many things there were, and a sum over them that does not depend on their order. The sum has a secret of its own,
/// so that nobody can choose names that cancel each other out: only lots that [share](Multiset::another) it compare.
#[derive(Debug, Clone, Default)]
pub struct Multiset {
    hasher: RandomState,
    count: u64,
    sum: u64,
}

impl Multiset {
    /// With the same secret, and nothing in it.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { hasher: self.hasher.clone(), count: 0, sum: 0 }
    }

    /// Takes one thing more.
    pub fn add(&mut self, thing: impl Hash) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(self.hasher.hash_one(thing));
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The same things as in `other`, which shares the secret?
    #[must_use]
    pub const fn is(&self, other: &Self) -> bool {
        self.count == other.count && self.sum == other.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_numbers_do() {
        let mut one = Multiset::default();
        let mut other = one.another();
        let mut more = one.another();
        ["a", "b", "a"].iter().for_each(|thing| one.add(thing));
        ["a", "a", "b"].iter().for_each(|thing| other.add(thing));
        ["a", "b", "b"].iter().for_each(|thing| more.add(thing));
        assert!(one.is(&other) && !one.is(&more) && one.count() == 3);
    }
}
