//! How many files are how large and how old.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Sizes from one power of four to the next, in bytes.
const SIZES: [u64; 14] = [
    1,
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
    4 << 20,
    16 << 20,
    64 << 20,
    256 << 20,
    1 << 30,
    4 << 30,
    16 << 30,
];

/// Ages up to these, in hours.
const AGES: [i64; 8] = [1, 24, 7 * 24, 30 * 24, 365 * 24, 3 * 365 * 24, 10 * 365 * 24, 30 * 365 * 24];

/// Files of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bin {
    /// From so much on: bytes, or hours.
    pub from: u64,
    /// Below so much; none: without end.
    pub below: Option<u64>,
    /// How many files.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

impl Bin {
    /// The class as people read it, when it is one of ages.
    #[must_use]
    pub fn age(&self) -> String {
        self.below.map_or_else(|| format!("from {}", hours(self.from)), |below| format!("below {}", hours(below)))
    }
}

fn hours(hours: u64) -> String {
    let many = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match hours {
        0..24 => many(hours, "hour"),
        168 => many(1, "week"),
        24..8_760 => many(hours / 24, "day"),
        _ => many(hours / 8_760, "year"),
    }
}

/// Files by their size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sizes(Vec<Bin>);

impl Default for Sizes {
    fn default() -> Self {
        Self(bins(&SIZES))
    }
}

impl Sizes {
    /// One more file.
    pub fn add(&mut self, size: u64) {
        count(&mut self.0, size, size);
    }

    /// The classes, the smallest first.
    #[must_use]
    pub fn bins(&self) -> &[Bin] {
        &self.0
    }
}

/// Files by the time since they were last changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ages {
    /// The classes in hours, the youngest first.
    pub bins: Vec<Bin>,
    /// Files without a time.
    pub unknown: u64,
    /// Files with a time that is more than a day ahead: a clock is wrong, there or here.
    pub ahead: u64,
}

impl Default for Ages {
    fn default() -> Self {
        let bounds = AGES.map(|hours| u64::try_from(hours).unwrap_or_default());
        Self { bins: bins(&bounds), unknown: 0, ahead: 0 }
    }
}

impl Ages {
    /// One more file, changed at `at`.
    pub fn add(&mut self, at: Option<Timestamp>, now: Timestamp, size: u64) {
        let Some(at) = at else {
            self.unknown += 1;
            return;
        };
        let age = now.duration_since(at);
        if age < SignedDuration::from_hours(-24) {
            self.ahead += 1;
        }
        count(&mut self.bins, u64::try_from(age.as_hours()).unwrap_or_default(), size);
    }
}

fn bins(bounds: &[u64]) -> Vec<Bin> {
    let starts = std::iter::once(0).chain(bounds.iter().copied());
    let ends = bounds.iter().copied().map(Some).chain(std::iter::once(None));
    starts.zip(ends).map(|(from, below)| Bin { from, below, ..Bin::default() }).collect()
}

fn count(bins: &mut [Bin], value: u64, bytes: u64) {
    if let Some(bin) = bins.iter_mut().find(|bin| bin.below.is_none_or(|below| value < below)) {
        bin.files += 1;
        bin.bytes = bin.bytes.saturating_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_one_class() {
        let mut sizes = Sizes::default();
        for size in [0, 1, 1023, 1024, 4095, 65_536, u64::MAX] {
            sizes.add(size);
        }
        let counted: Vec<_> = sizes.bins().iter().map(|bin| bin.files).collect();
        assert_eq!(counted, [1, 2, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(sizes.bins().last().map(|bin| (bin.from, bin.below)), Some((16 << 30, None)));
        assert!(sizes.bins().windows(2).all(|pair| pair[0].below == Some(pair[1].from)));
    }

    #[test]
    fn ages_know_the_future_and_the_unknown() {
        let now: Timestamp = "2026-11-27T00:00:00Z".parse().unwrap();
        let mut ages = Ages::default();
        for at in ["2026-11-26T23:30:00Z", "2026-11-26T12:00:00Z", "2010-01-01T00:00:00Z", "2026-12-24T00:00:00Z"] {
            ages.add(Some(at.parse().unwrap()), now, 10);
        }
        ages.add(None, now, 10);
        assert_eq!((ages.ahead, ages.unknown), (1, 1));
        assert_eq!(ages.bins.iter().map(|bin| bin.files).collect::<Vec<_>>(), [2, 1, 0, 0, 0, 0, 0, 1, 0]);
    }
}
