//! What came out of a listing so far, and what speaks against it.

use crate::remote::Doubt;

/// Numbers at which servers are known to cut.
const ROUND: [u64; 8] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000];

/// What was seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries given out.
    pub entries: u64,
    /// Lines that were `.`, `..`, cdir or pdir.
    pub dots: u64,
    /// Lines that carry no entry and are known ("total 12"), or an older version of a file (VMS).
    pub noise: u64,
    /// Lines that made no sense.
    pub unparsed: u64,
    pub(super) first_unparsed: String,
    pub(super) bad_names: u64,
    pub(super) first_bad: String,
    pub(super) doubles: u64,
}

impl Tally {
    /// Did any line come at all?
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.lines() == 0
    }

    /// Lines of any kind.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.entries + self.dots + self.noise + self.unparsed + self.bad_names
    }

    /// What speaks against the lines themselves.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if self.unparsed > 0 {
            doubts.push(Doubt::Unparsed { count: self.unparsed, first: self.first_unparsed.clone() });
        }
        if self.bad_names > 0 {
            doubts.push(Doubt::BadNames { count: self.bad_names, first: self.first_bad.clone() });
        }
        if self.doubles > 0 {
            doubts.push(Doubt::Duplicates { count: self.doubles });
        }
        if ROUND.contains(&self.entries) || ROUND.contains(&(self.entries + self.dots)) {
            doubts.push(Doubt::RoundCount { count: self.entries });
        }
        doubts
    }
}
