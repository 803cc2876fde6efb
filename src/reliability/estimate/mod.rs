//! Estimates with 95 % intervals. Pure arithmetic, checked against scipy and lifelines.

mod paired;
mod poisson;
mod quantile;
mod special;
mod survival;
mod wilson;

pub use paired::{
    Moments, Pairs, error_free_needed, mcnemar, mean_difference, mean_ratio, pairs_needed, samples_needed,
    share_difference, share_pairs_needed,
};
pub use poisson::poisson_rate;
pub(super) use quantile::between;
pub use quantile::{order_ranks, quantile};
pub use survival::{Group, Held, Step, grouped, median_survival, survival};
pub use wilson::wilson;

/// The two-sided 95 % point of the normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;
/// What lies outside the interval on each side.
pub(super) const TAIL: f64 = 0.025;

/// One figure and what it rests on. A missing value or bound means "cannot be told from these data",
/// never zero.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// The figure itself.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    pub high: Option<f64>,
    /// How many observations it rests on.
    pub n: u64,
    /// How many of them were the event that is counted (failures, resets, losses); for quantiles: `n`.
    pub events: u64,
    /// Observations of the window that the definition leaves out.
    pub excluded: u64,
    /// Are there enough for a figure to be shown at all? Below: "not enough data yet".
    pub enough: bool,
}

impl Estimate {
    /// Sets what was left out.
    #[must_use]
    pub fn excluding(mut self, excluded: u64) -> Self {
        self.excluded = excluded;
        self
    }

    /// Enough, when there are at least `minimum` observations.
    #[must_use]
    pub fn enough_from(mut self, minimum: u64) -> Self {
        self.enough = self.n >= minimum && self.value.is_some();
        self
    }

    /// In whole numbers.
    #[must_use]
    pub fn whole(mut self) -> Self {
        for slot in [&mut self.value, &mut self.low, &mut self.high] {
            *slot = slot.map(f64::round);
        }
        self
    }

    /// The same in another unit.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        for slot in [&mut self.value, &mut self.low, &mut self.high] {
            *slot = slot.map(|number| number * factor);
        }
        self
    }
}

/// Counts as numbers to reckon with; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}
