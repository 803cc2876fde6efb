//! Does a figure grow over the time of the run? Ordinary least squares, with an interval that knows that neighbours in
//! time are alike.
//!
//! The interval: Newey and West's variance (1987; Bartlett weights over a tenth of the samples) with the critical value
//! of Kiefer and Vogelsang (2005) for that share, which allows for the variance being an estimate, too. The usual one for
//! independent samples would call every slow wave a leak.

use serde::{Deserialize, Serialize};

/// Fewer samples say nothing.
pub const FEWEST: usize = 30;
/// The share of the samples over which neighbours count as alike.
const SHARE: f64 = 0.1;

/// A slope with its 95 % interval, in units per hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Slope {
    /// Per hour.
    pub per_hour: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Samples that it rests on.
    pub n: usize,
}

impl Slope {
    /// Of values at moments in seconds, in order of time; `None` for too few.
    #[must_use]
    pub fn of(samples: &[(f64, f64)]) -> Option<Self> {
        let n = samples.len();
        if n < FEWEST {
            return None;
        }
        let count = f64::from(u32::try_from(n).ok()?);
        let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
        let (at, level) = (mean(|sample| sample.0), mean(|sample| sample.1));
        let spread: f64 = samples.iter().map(|sample| (sample.0 - at).powi(2)).sum();
        if spread <= 0.0 {
            return None;
        }
        let slope = samples.iter().map(|sample| (sample.0 - at) * (sample.1 - level)).sum::<f64>() / spread;
        let scores: Vec<f64> =
            samples.iter().map(|sample| (sample.0 - at) * (sample.1 - level - slope * (sample.0 - at))).collect();
        let lags = n.div_ceil(10);
        let together =
            |lag: usize| scores.iter().zip(scores.iter().skip(lag)).map(|(one, other)| one * other).sum::<f64>();
        let mut variance = together(0);
        let mut weight = 1.0;
        for lag in 1..lags {
            weight -= 1.0 / f64::from(u32::try_from(lags).ok()?);
            variance += 2.0 * weight * together(lag);
        }
        let error = (variance.max(0.0) * count / (count - 2.0)).sqrt() / spread;
        let critical = 1.96 + 2.9694 * SHARE + 0.4160 * SHARE.powi(2) - 0.5324 * SHARE.powi(3);
        let hour = 3_600.0;
        let (low, high) = ((slope - critical * error) * hour, (slope + critical * error) * hour);
        Some(Self { per_hour: slope * hour, low, high, n })
    }

    /// What may be said of it.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        if self.low > 0.0 {
            "it grows"
        } else if self.high < 0.0 {
            "it falls"
        } else {
            "no slope shown"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise with a memory: each value keeps a part of the one before it.
    fn noise(seed: u64, keep: f64, slope: f64) -> Vec<(f64, f64)> {
        let (mut state, mut level) = (seed, 0.0);
        let mut samples = Vec::new();
        for at in 0..300 {
            let mut sum = 0.0;
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                sum += (state >> 33) as f64 / f64::from(1_u32 << 31);
            }
            level = keep * level + (sum - 6.0);
            samples.push((f64::from(at), level + slope * f64::from(at)));
        }
        samples
    }

    #[test]
    fn a_line_is_found_as_it_is() {
        let line: Vec<_> = (0..100).map(|at| (f64::from(at), 5.0 + 2.0 * f64::from(at))).collect();
        let slope = Slope::of(&line).unwrap();
        assert!((slope.per_hour - 7_200.0).abs() < 1e-6, "{slope:?}");
        assert_eq!(slope.verdict(), "it grows");
        assert_eq!(Slope::of(&line[..FEWEST - 1]), None);
        let flat = vec![(1.0, 7.0); 50];
        assert_eq!(Slope::of(&flat), None);
    }

    /// 1,000 series without a slope: the interval holds zero in about 95 % of them, also when neighbours are alike.
    #[test]
    fn the_interval_keeps_its_word() {
        for (keep, least) in [(0.0, 920), (0.7, 900)] {
            let held = (1..=1_000)
                .filter(|seed| Slope::of(&noise(seed * 7_919, keep, 0.0)).unwrap().verdict() == "no slope shown")
                .count();
            assert!((least..=985).contains(&held), "{held} of 1,000 at {keep}");
            let seen = (1..=100).filter(|seed| Slope::of(&noise(seed * 7_919, keep, 0.05)).unwrap().low > 0.0).count();
            assert!(seen >= 95, "{seen} of 100 at {keep}");
        }
    }
}
