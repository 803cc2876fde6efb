//! What was written up to where. A confirmed length alone proves nothing once the other side was switched off in
//! between: where it makes nothing durable, a file may come back as long as it was and full of zeros. So whatever is
//! confirmed has the digest of all bytes before it, and a part is gone on with only when it still holds them.

use std::collections::VecDeque;

use crate::model::{Digest, Fault, FaultKind, Hasher, Phase};

/// The first bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub length: u64,
    pub digest: Digest,
}

impl Prefix {
    /// `length` bytes, which `hash` has seen.
    pub(super) fn of(length: u64, hash: &Hasher) -> Result<Self, Fault> {
        let digest = Digest::try_from(hash.clone());
        let digest = digest.map_err(|error| Fault::new(Phase::Verify, FaultKind::Io, error.to_string()))?;
        Ok(Self { length, digest })
    }
}

/// Marks are so far apart at least,
const APART: u64 = 256 << 10;
/// and twice as far when there are more than so many.
const MOST: usize = 128;

/// Prefixes of a file that is being written, of which some will be confirmed.
#[derive(Debug)]
pub(super) struct Marks {
    apart: u64,
    marks: VecDeque<Prefix>,
    last: u64,
}

impl Marks {
    /// Begins behind `begin`, which is confirmed.
    pub(super) fn new(begin: Prefix) -> Self {
        Self { apart: APART, last: begin.length, marks: VecDeque::from([begin]) }
    }

    /// `hash` has seen all of the first `at` bytes.
    pub(super) fn pass(&mut self, at: u64, hash: &Hasher) -> Result<(), Fault> {
        if at - self.last < self.apart {
            return Ok(());
        }
        self.marks.push_back(Prefix::of(at, hash)?);
        self.last = at;
        if self.marks.len() > MOST {
            self.apart *= 2;
            let mut keeps = false;
            self.marks.retain(|_| {
                keeps = !keeps;
                keeps
            });
        }
        Ok(())
    }

    /// The longest prefix within the first `length` bytes. Shorter ones are forgotten.
    pub(super) fn within(&mut self, length: u64) -> Option<Prefix> {
        while self.marks.get(1).is_some_and(|next| next.length <= length) {
            self.marks.pop_front();
        }
        self.marks.front().copied().filter(|first| first.length <= length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DigestAlgorithm;

    const STEP: usize = 100_000;

    fn written(steps: usize, algorithm: DigestAlgorithm) -> (Marks, Vec<u8>) {
        let all: Vec<u8> = (0..steps * STEP).map(|n| (n / 7) as u8).collect();
        let mut hash = Hasher::of_digest(algorithm);
        let mut marks = Marks::new(Prefix::of(0, &hash).unwrap());
        for (n, piece) in all.chunks(STEP).enumerate() {
            hash.update(piece);
            marks.pass(((n + 1) * STEP) as u64, &hash).unwrap();
        }
        (marks, all)
    }

    #[test]
    fn the_longest_prefix_that_is_confirmed_has_the_digest_of_its_bytes() {
        for algorithm in DigestAlgorithm::ALL {
            let (mut marks, all) = written(50, *algorithm);
            let mut last = 0;
            for confirmed in [0, 1, 299_999, 300_000, 1_234_567, 5_000_000] {
                let found = marks.within(confirmed).unwrap();
                assert!(found.length <= confirmed && found.length >= last && confirmed - found.length < 400_000);
                let mut hash = Hasher::of_digest(*algorithm);
                hash.update(&all[..usize::try_from(found.length).unwrap()]);
                assert_eq!(Ok(found.digest), Digest::try_from(hash));
                last = found.length;
            }
            assert_eq!(marks.within(last - 1), None, "what was confirmed is not taken back");
        }
    }

    #[test]
    fn where_nothing_is_confirmed_for_long_the_marks_stay_few() {
        let (mut marks, all) = written(1000, DigestAlgorithm::default());
        assert!(marks.marks.len() <= MOST, "{}", marks.marks.len());
        assert_eq!(marks.within(10).unwrap().length, 0);
        assert!(marks.within(all.len() as u64).unwrap().length > 90_000_000);
    }
}
