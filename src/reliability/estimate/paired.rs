//! Two things measured together: their difference, their ratio, and how many pairs a claim needs.

use super::special::{binomial_cdf, student_quantile};
use super::{Estimate, TAIL, Z, number, wilson};

/// The normal quantile of a power of 80 %.
const POWER: f64 = 0.841_621_233_572_914_3;

/// Sums over pairs of numbers; sums of parts add up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    /// How many pairs.
    pub n: u64,
    /// Of their differences.
    pub sum: f64,
    /// Of the squares of their differences.
    pub squares: f64,
}

impl Moments {
    /// Of these differences.
    #[must_use]
    pub fn of(differences: impl IntoIterator<Item = f64>) -> Self {
        differences.into_iter().fold(Self::default(), |so_far, difference| Self {
            n: so_far.n + 1,
            sum: so_far.sum + difference,
            squares: so_far.squares + difference * difference,
        })
    }

    fn mean_and_deviation(&self) -> Option<(f64, f64)> {
        let n = number(self.n);
        let mean = (self.n > 0).then(|| self.sum / n)?;
        let deviation = (self.n > 1).then(|| ((self.squares - n * mean * mean).max(0.0) / (n - 1.0)).sqrt())?;
        Some((mean, deviation))
    }
}

/// The mean of paired differences with the interval of Student (1908). With thirty pairs and more it holds for skewed
/// differences too, as set-up times have (see `tests/calibrate`).
#[must_use]
pub fn mean_difference(moments: &Moments) -> Estimate {
    let empty = Estimate { n: moments.n, events: moments.n, ..Estimate::default() };
    let Some((mean, deviation)) = moments.mean_and_deviation() else { return empty };
    let half = student_quantile(1.0 - TAIL, number(moments.n) - 1.0) * deviation / number(moments.n).sqrt();
    Estimate { value: Some(mean), low: Some(mean - half), high: Some(mean + half), ..empty }
}

/// The geometric mean of paired ratios, from the differences of their logarithms.
#[must_use]
pub fn mean_ratio(logarithms: &Moments) -> Estimate {
    let mut estimate = mean_difference(logarithms);
    for slot in [&mut estimate.value, &mut estimate.low, &mut estimate.high] {
        *slot = slot.map(f64::exp);
    }
    estimate
}

/// What became of pairs of attempts: how often both succeeded, only the first, only the second, neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pairs {
    /// Both succeeded.
    pub both: u64,
    /// Only the first.
    pub first: u64,
    /// Only the second.
    pub second: u64,
    /// Neither.
    pub neither: u64,
}

impl Pairs {
    /// How many.
    #[must_use]
    pub const fn n(&self) -> u64 {
        self.both + self.first + self.second + self.neither
    }
}

/// The share of the second minus that of the first, with Newcombe's interval for paired shares (1998, method 10): the
/// Wilson intervals of both, put together with their correlation.
#[must_use]
pub fn share_difference(pairs: &Pairs) -> Estimate {
    let n = pairs.n();
    let empty = Estimate { n, events: pairs.first + pairs.second, ..Estimate::default() };
    let (one, two) = (wilson(pairs.both + pairs.second, n), wilson(pairs.both + pairs.first, n));
    let (Some((p1, l1, u1)), Some((p2, l2, u2))) = (whole(&one), whole(&two)) else { return empty };
    let [a, b, c, d] = [pairs.both, pairs.second, pairs.first, pairs.neither].map(number);
    let under = ((a + b) * (c + d) * (a + c) * (b + d)).sqrt();
    let over = a * d - b * c;
    // With the continuity correction of the paper where the correlation is positive.
    let over = if over > 0.0 { (over - number(n) / 2.0).max(0.0) } else { over };
    let phi = if under > 0.0 { over / under } else { 0.0 };
    let reach = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
    let difference = p1 - p2;
    let low = difference - reach(p1 - l1, u2 - p2);
    let high = difference + reach(u1 - p1, p2 - l2);
    Estimate { value: Some(difference), low: Some(low), high: Some(high), ..empty }
}

fn whole(estimate: &Estimate) -> Option<(f64, f64, f64)> {
    Some((estimate.value?, estimate.low?, estimate.high?))
}

/// How likely pairs that differ are to fall so unevenly (or more) when neither is better: McNemar's test, exact.
#[must_use]
pub fn mcnemar(pairs: &Pairs) -> f64 {
    let (fewer, differ) = (pairs.first.min(pairs.second), pairs.first + pairs.second);
    (2.0 * binomial_cdf(fewer, differ, 0.5)).min(1.0)
}

/// Pairs that show a mean difference as large as the one seen, 80 times of 100, at 95 %. `None` when it is zero.
#[must_use]
pub fn pairs_needed(moments: &Moments) -> Option<u64> {
    let (mean, deviation) = moments.mean_and_deviation()?;
    up((Z + POWER).powi(2) * deviation * deviation / (mean * mean))
}

/// Pairs that show a difference of shares as large as the one seen, likewise (Miettinen 1968).
#[must_use]
pub fn share_pairs_needed(pairs: &Pairs) -> Option<u64> {
    let n = number(pairs.n());
    let (first, second) = (number(pairs.first) / n, number(pairs.second) / n);
    let (differ, by) = (first + second, second - first);
    if by == 0.0 {
        return None;
    }
    up((Z * differ.sqrt() + POWER * (differ - by * by).sqrt()).powi(2) / (by * by))
}

/// Samples of each of two unpaired groups that tell shares of `p` and `q` apart, likewise (Fleiss 1981, without correction).
#[must_use]
pub fn samples_needed(p: f64, q: f64) -> Option<u64> {
    let mean = f64::midpoint(p, q);
    let spread = Z * (2.0 * mean * (1.0 - mean)).sqrt() + POWER * (p * (1.0 - p) + q * (1.0 - q)).sqrt();
    up((spread / (p - q)).powi(2))
}

/// Error-free samples after which a rate above `p` is excluded at 95 %: (1 − p)^n = 0.05, about 3 / p.
#[must_use]
pub fn error_free_needed(p: f64) -> Option<u64> {
    up(0.05_f64.ln() / (-p).ln_1p())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
fn up(x: f64) -> Option<u64> {
    (x.is_finite() && x < 1e15).then(|| x.ceil().max(1.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::estimate::special::tests::close;

    #[test]
    fn as_scipy_says() {
        // from scipy.stats import ttest_rel; r = ttest_rel(b, a); r.confidence_interval(.95)
        let a = [0.11, 0.14, 0.09, 0.20, 0.13, 0.12, 0.31, 0.10];
        let b = [0.52, 0.55, 0.49, 0.58, 0.61, 0.50, 0.66, 0.47];
        let estimate = mean_difference(&Moments::of(b.iter().zip(a).map(|(b, a)| b - a)));
        close(estimate.value.unwrap(), 0.3975);
        close(estimate.low.unwrap(), 0.3647378527433218);
        close(estimate.high.unwrap(), 0.4302621472566782);
        let ratio = mean_ratio(&Moments::of(b.iter().zip(a).map(|(b, a)| (b / a).ln())));
        close(ratio.value.unwrap(), 3.933974383862748);
        close(ratio.low.unwrap(), 3.034292110120276);
        assert_eq!(mean_difference(&Moments::of([1.0])).low, None);
        // from scipy.stats import binomtest; binomtest(3, 15).pvalue
        close(mcnemar(&Pairs { first: 3, second: 12, both: 100, neither: 1 }), 0.03515625);
        close(mcnemar(&Pairs { both: 10, ..Pairs::default() }), 1.0);
    }

    #[test]
    fn as_newcombe_says() {
        // Newcombe (1998), Statistics in Medicine 17, 2635-2650, table III, method 10: (e, f, g, h) = (36, 12, 2, 0).
        let estimate = share_difference(&Pairs { both: 36, second: 12, first: 2, neither: 0 });
        for (found, expected) in [(estimate.value, 0.2), (estimate.low, 0.0569), (estimate.high, 0.3404)] {
            assert!((found.unwrap() - expected).abs() < 5e-5, "{estimate:?}");
        }
    }

    #[test]
    fn claims_need_samples() {
        assert_eq!(error_free_needed(0.000_02), Some(149_786));
        assert_eq!(error_free_needed(0.001_7), Some(1_761));
        let needed = samples_needed(0.001_7, 0.000_02).unwrap();
        assert!((4_000..6_000).contains(&needed), "{needed}");
        assert_eq!(pairs_needed(&Moments::of([1.0, -1.0])), None);
        assert_eq!(share_pairs_needed(&Pairs { first: 4, second: 4, both: 9, neither: 0 }), None);
    }
}
