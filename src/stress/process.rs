//! What a process used during the run.

use serde::{Deserialize, Serialize};

use super::limit::busiest;
use super::number;
use super::slope::{FEWEST, Slope};
use super::watch::Sample;

/// Bytes.
pub(super) const MIB: f64 = 1_048_576.0;

/// A process meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Process {
    /// Bytes in memory at its first, highest and last look.
    pub memory: [u64; 3],
    /// Bytes an hour, after the connections had opened and the first fifth of the rest was over.
    pub slope: Option<Slope>,
    /// What may be said of that.
    pub grows: String,
    /// Descriptors at the first, highest and last look.
    pub descriptors: Option<[u64; 3]>,
    /// Processors that were busy with it, on the average and at most.
    pub processors: [f64; 2],
}

impl Process {
    /// Its memory for people: at first, at most, in the end.
    #[must_use]
    pub fn memory_words(&self) -> String {
        self.memory.map(|bytes| format!("{:.1} MiB", number(bytes) / MIB)).join(", ")
    }

    /// What looks at it come to; its memory counts from `warm` seconds on. `None` without a look.
    pub(super) fn of(samples: &[Sample], warm: f64) -> Option<Self> {
        let (first, last) = (samples.first()?, samples.last()?);
        let three = |of: &dyn Fn(&Sample) -> u64| [of(first), samples.iter().map(of).max().unwrap_or(0), of(last)];
        let later: Vec<_> = samples
            .iter()
            .filter(|sample| sample.at >= warm)
            .map(|sample| (sample.at, number(sample.memory)))
            .collect();
        let slope = Slope::of(&later);
        let span = last.at - first.at;
        let grows = match &slope {
            Some(slope) => format!(
                "{} ({:+.1} MiB an hour, 95 % interval {:+.1} to {:+.1}, n = {})",
                slope.verdict(),
                slope.per_hour / MIB,
                slope.low / MIB,
                slope.high / MIB,
                slope.n
            ),
            None if later.len() >= FEWEST => "no slope shown".to_owned(),
            None => "not enough data yet".to_owned(),
        };
        Some(Self {
            memory: three(&|sample| sample.memory),
            slope,
            grows,
            descriptors: first.descriptors.map(|_| three(&|sample| sample.descriptors.unwrap_or(0))),
            processors: [if span > 0.0 { (last.cpu - first.cpu) / span } else { 0.0 }, busiest(samples)],
        })
    }
}
