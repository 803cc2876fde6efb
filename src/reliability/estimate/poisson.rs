//! Counts per exposure: the mid-P interval of the Poisson distribution.

use super::special::gamma_p;
use super::{Estimate, TAIL, number};

/// `events / exposure` with its mid-P interval (Cohen and Yang 1994): the rates at which more (or fewer) than so many
/// would be seen one time in forty, where "exactly so many" counts half. The exact interval (Garwood 1936) counts it whole
/// and holds 97 % and more where events are few; this one holds 95 % (see `tests/calibrate`). `n` is carried through.
#[must_use]
pub fn poisson_rate(events: u64, exposure: f64, n: u64) -> Estimate {
    let empty = Estimate { n, events, ..Estimate::default() };
    if exposure <= 0.0 {
        return empty;
    }
    let k = number(events);
    let low = if events == 0 { 0.0 } else { solve(k, TAIL) };
    let high = solve(k, 1.0 - TAIL);
    Estimate { value: Some(k / exposure), low: Some(low / exposure), high: Some(high / exposure), ..empty }
}

/// The mean at which P(more than k) + P(exactly k) / 2 = p.
fn solve(k: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, k + 12.0 * (k + 1.0).sqrt() + 40.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        // P(X > k) = P(k + 1, mean), P(X >= k) = P(k, mean); of k = 0 the latter is 1.
        let at_least = if k > 0.0 { gamma_p(k, middle) } else { 1.0 };
        if f64::midpoint(gamma_p(k + 1.0, middle), at_least) < p {
            low = middle;
        } else {
            high = middle;
        }
        if high - low <= 1e-13 * high {
            break;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::estimate::special::tests::{Random, close};

    // from scipy.stats import poisson; from scipy.optimize import brentq
    // for k in [0,1,3,12,100,5000]:
    //     f = lambda m, p: poisson.sf(k, m) + poisson.pmf(k, m)/2 - p
    //     top = k + 12*(k+1)**.5 + 40
    //     solve = lambda p: brentq(f, 1e-12, top, args=(p,), xtol=1e-14, rtol=8.9e-16)
    //     print((k, solve(.025) if k else 0., solve(.975)))
    const GOLDEN: &[(u64, f64, f64)] = &[
        (0, 0.0, 2.9957322735539873),
        (1, 0.05002034483533568, 4.931860524706777),
        (3, 0.7630962977977821, 8.16446920836836),
        (12, 6.501844720728847, 20.400852555970715),
        (100, 81.79182109201227, 121.10349089745777),
        (5000, 4862.848818497932, 5140.045507500454),
    ];

    #[test]
    fn as_scipy_says() {
        for &(k, low, high) in GOLDEN {
            let estimate = poisson_rate(k, 1.0, k);
            close(estimate.low.unwrap(), low);
            close(estimate.high.unwrap(), high);
        }
        assert_eq!(poisson_rate(0, 0.0, 0).value, None);
    }

    #[test]
    fn covers_the_truth() {
        let mut random = Random(7);
        let (truth, rounds) = (6.3_f64, 4000);
        let held = (0..rounds)
            .filter(|_| {
                // Knuth's way to a Poisson number.
                let (limit, mut product, mut k) = ((-truth).exp(), random.unit(), 0);
                while product > limit {
                    product *= random.unit();
                    k += 1;
                }
                let estimate = poisson_rate(k, 1.0, k);
                estimate.low.unwrap() <= truth && truth <= estimate.high.unwrap()
            })
            .count();
        let coverage = held as f64 / f64::from(rounds);
        assert!((0.93..=0.97).contains(&coverage), "{coverage}");
    }
}
