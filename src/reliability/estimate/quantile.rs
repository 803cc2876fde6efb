//! Quantiles: order statistics, which assume nothing about the distribution.

use super::special::binomial_pmf;
use super::{Estimate, TAIL, number};

/// The `p`-quantile of the values (unsorted; sorted in place) with its order-statistic interval. The
/// value is the smallest that at least the share `p` of all does not exceed. A bound is missing when n is
/// too small for it: at p = 0.95 both exist from n = 72, at p = 0.5 from n = 6.
#[must_use]
pub fn quantile(values: &mut [f64], p: f64) -> Estimate {
    values.sort_unstable_by(f64::total_cmp);
    let n = u64::try_from(values.len()).unwrap_or(u64::MAX);
    let rank = |rank: u64| {
        let index = usize::try_from(rank.checked_sub(1)?).ok()?;
        values.get(index).copied()
    };
    let (low, high) = quantile_ranks(n, p);
    Estimate {
        value: rank(ceil_rank(n, p)),
        low: low.and_then(rank),
        high: high.and_then(rank),
        n,
        events: n,
        ..Estimate::default()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and n by construction")]
fn ceil_rank(n: u64, p: f64) -> u64 {
    // A hair less, so that 0.95 × 100 is rank 95 and not, by rounding, 96.
    ((number(n) * p - 1e-9).ceil() as u64).clamp(1, n.max(1))
}

/// The ranks (1 = smallest) of the values between which the `p`-quantile lies with at least 95 %
/// confidence, 2.5 % at most on either side: the count of values below it is binomial. `None` where no
/// value of the sample can bound it.
#[must_use]
pub fn quantile_ranks(n: u64, p: f64) -> (Option<u64>, Option<u64>) {
    let (mut low, mut high) = (None, None);
    let mut below = 0.0;
    for (k, mass) in binomial_pmf(n, p) {
        below += mass;
        // Rank k + 1 lies above the quantile with probability P(count <= k).
        if below <= TAIL {
            low = Some(k + 1);
        }
        if below >= 1.0 - TAIL {
            high = Some(k + 1);
            break;
        }
    }
    (low, high.filter(|rank| *rank <= n))
}

#[cfg(test)]
mod tests {
    use super::*;

    // from scipy.stats import binom
    // def ranks(n, p):
    //     l = [r for r in range(1, n+1) if binom.cdf(r-1, n, p) <= .025]
    //     u = [r for r in range(1, n+1) if binom.cdf(r-1, n, p) >= .975]
    //     return (max(l) if l else None, min(u) if u else None)
    type Case = (u64, f64, Option<u64>, Option<u64>);
    const GOLDEN: [Case; 12] = [
        (5, 0.5, None, None),
        (6, 0.5, Some(1), Some(6)),
        (20, 0.5, Some(6), Some(15)),
        (101, 0.5, Some(41), Some(61)),
        (1000, 0.5, Some(469), Some(532)),
        (71, 0.95, Some(63), None),
        (72, 0.95, Some(64), Some(72)),
        (100, 0.95, Some(90), Some(100)),
        (500, 0.95, Some(465), Some(485)),
        (5000, 0.95, Some(4719), Some(4781)),
        (367, 0.99, Some(359), None),
        (368, 0.99, Some(360), Some(368)),
    ];

    #[test]
    fn as_scipy_says() {
        for (n, p, low, high) in GOLDEN {
            assert_eq!(quantile_ranks(n, p), (low, high), "n {n} p {p}");
        }
    }

    #[test]
    fn takes_the_right_values() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let estimate = quantile(&mut values, 0.95);
        assert_eq!((estimate.value, estimate.low, estimate.high), (Some(95.0), Some(90.0), Some(100.0)));
        assert_eq!(quantile(&mut [], 0.5).value, None);
        let few = quantile(&mut [3.0, 1.0, 2.0], 0.5);
        assert_eq!((few.value, few.low, few.high), (Some(2.0), None, None));
    }
}
