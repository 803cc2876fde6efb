//! Quantiles: order statistics, which assume nothing about the distribution.

use super::special::binomial_pmf;
use super::{Estimate, TAIL, Z, number};

/// From this variance on the binomial distribution is the normal one to the accuracy of a rank.
const NORMAL: f64 = 10_000.0;

/// The `p`-quantile of the values (unsorted; sorted in place) with its order-statistic interval. The
/// value is the smallest that at least the share `p` of all does not exceed. A bound is missing when n is
/// too small for it: at p = 0.95 both exist from n = 72, at p = 0.5 from n = 6, at p = 0.99 from n = 368.
#[must_use]
pub fn quantile(values: &mut [f64], p: f64) -> Estimate {
    values.sort_unstable_by(f64::total_cmp);
    let n = u64::try_from(values.len()).unwrap_or(u64::MAX);
    let (value, low, high) = order_ranks(n, p);
    let at =
        |rank: Option<f64>| between(rank?, |rank| values.get(usize::try_from(rank.checked_sub(1)?).ok()?).copied());
    Estimate { value: at(value), low: at(low), high: at(high), n, events: n, ..Estimate::default() }
}

/// The value at a rank that need not be whole: on the line between its neighbours.
pub fn between(rank: f64, at: impl Fn(u64) -> Option<f64>) -> Option<f64> {
    let (below, part) = (whole(rank), rank.fract());
    let low = at(below)?;
    if part == 0.0 {
        return Some(low);
    }
    let high = at(below + 1)?;
    Some(low + part * (high - low))
}

/// The ranks (1 = smallest) of the `p`-quantile among n values, and of the two ends of its 95 % interval.
///
/// A value of rank r lies above the quantile with the probability that at most r − 1 of the n values lie below it, which
/// is binomial. Whole ranks jump over 2.5 %, so an interval of whole ranks holds more than 95 %, much more in the tails;
/// the ends are put between two ranks as Beran and Hall (1993) do, on the line between their probabilities. `None`
/// where no value of the sample can bound it.
#[must_use]
pub fn order_ranks(n: u64, p: f64) -> (Option<f64>, Option<f64>, Option<f64>) {
    if n == 0 {
        return (None, None, None);
    }
    let value = Some(number(ceil_rank(n, p)));
    let (mean, variance) = (number(n) * p, number(n) * p * (1.0 - p));
    if variance > NORMAL {
        let half = Z * variance.sqrt();
        return (value, Some(mean - half + 0.5), Some(mean + half + 0.5));
    }
    let (mut low, mut high) = (None, None);
    let (mut below, mut passed) = (0.0, false);
    for (k, mass) in binomial_pmf(n, p) {
        let rank = number(k) + 1.0;
        below += mass;
        // Rank k + 1 lies above the quantile with the probability `below`, rank k with `mass` less.
        let crossing = |tail: f64| if mass > 0.0 { rank - (below - tail) / mass } else { rank };
        if !passed && below > TAIL {
            passed = true;
            low = (k > 0).then(|| crossing(TAIL));
        }
        if below >= 1.0 - TAIL {
            high = (k < n).then(|| if k > 0 { crossing(1.0 - TAIL) } else { rank });
            break;
        }
    }
    (value, low, high)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks are positive")]
fn whole(rank: f64) -> u64 {
    rank as u64
}

fn ceil_rank(n: u64, p: f64) -> u64 {
    // A hair less, so that 0.95 × 100 is rank 95 and not, by rounding, 96.
    whole((number(n) * p - 1e-9).ceil()).clamp(1, n.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::estimate::special::tests::close;

    // from scipy.stats import binom
    // def ranks(n, p):
    //     F = lambda r: binom.cdf(r-1, n, p)
    //     def at(t):
    //         r = max((r for r in range(1, n+1) if F(r) <= t), default=None)
    //         return None if r is None or r == n and F(n) < t else r + (t - F(r))/(F(r+1) - F(r))
    //     return at(.025), (None if F(n) < .975 else at(.975))
    type Case = (u64, f64, Option<f64>, Option<f64>);
    const GOLDEN: &[Case] = &[
        (5, 0.5, None, None),
        (6, 0.5, Some(1.1), Some(5.8999999999999995)),
        (20, 0.5, Some(6.116470588235294), Some(14.883529411764705)),
        (101, 0.5, Some(41.14809051636889), Some(60.85190948363111)),
        (1000, 0.5, Some(469.5020951977499), Some(531.4979048022501)),
        (71, 0.95, Some(63.98718523980363), None),
        (72, 0.95, Some(64.8768984699917), Some(71.9988793341586)),
        (100, 0.95, Some(90.8092655976125), Some(99.38770685639281)),
        (500, 0.95, Some(465.50455850750524), Some(484.6437298552193)),
        (5000, 0.95, Some(4719.871469307133), Some(4780.281858597302)),
        (367, 0.99, Some(359.6043189477074), None),
        (368, 0.99, Some(360.5872716874579), Some(367.9973929655958)),
    ];

    #[test]
    fn as_scipy_says() {
        for &(n, p, low, high) in GOLDEN {
            let (_, found_low, found_high) = order_ranks(n, p);
            for (found, expected) in [(found_low, low), (found_high, high)] {
                match (found, expected) {
                    (Some(found), Some(expected)) => close(found, expected),
                    both => assert_eq!(both, (None, None), "n {n} p {p}"),
                }
            }
        }
    }

    #[test]
    fn many_are_as_few() {
        // Just below the limit and just above it.
        for p in [0.5, 0.99] {
            let n = (NORMAL / (p * (1.0 - p))) as u64;
            let ((_, low, high), (_, low2, high2)) = (order_ranks(n, p), order_ranks(n + 2, p));
            assert!((low.unwrap() - low2.unwrap()).abs() < 3.0, "{low:?} {low2:?}");
            assert!((high.unwrap() - high2.unwrap()).abs() < 3.0, "{high:?} {high2:?}");
        }
    }

    #[test]
    fn takes_the_right_values() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let estimate = quantile(&mut values, 0.95);
        let (_, low, high) = order_ranks(100, 0.95);
        assert_eq!((estimate.value, estimate.low, estimate.high), (Some(95.0), low, high));
        assert_eq!(quantile(&mut [], 0.5).value, None);
        let few = quantile(&mut [3.0, 1.0, 2.0], 0.5);
        assert_eq!((few.value, few.low, few.high), (Some(2.0), None, None));
    }
}
