//! Counts per exposure: the exact Poisson interval.

use super::special::gamma_p;
use super::{Estimate, TAIL, number};

/// `events / exposure` with the exact (Garwood 1936) interval of the Poisson distribution: the rates at
/// which so few, or so many, would be seen one time in forty. `n` is carried through.
#[must_use]
pub fn poisson_rate(events: u64, exposure: f64, n: u64) -> Estimate {
    let empty = Estimate { n, events, ..Estimate::default() };
    if exposure <= 0.0 {
        return empty;
    }
    let k = number(events);
    let low = if events == 0 { 0.0 } else { solve(k, TAIL) };
    let high = solve(k + 1.0, 1.0 - TAIL);
    Estimate { value: Some(k / exposure), low: Some(low / exposure), high: Some(high / exposure), ..empty }
}

/// The x at which P(a, x) = p; half of the chi-square quantile with 2a degrees of freedom.
fn solve(a: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, a + 12.0 * a.sqrt() + 40.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if gamma_p(a, middle) < p {
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

    // from scipy.stats import chi2
    // for k in [0,1,3,12,100,5000,100000]:
    //     print((k, chi2.ppf(.025, 2*k)/2 if k else 0., chi2.ppf(.975, 2*k+2)/2))
    const GOLDEN: [(u64, f64, f64); 7] = [
        (0, 0.0, 3.6888794541139354),
        (1, 0.025317807984289876, 5.571643390938898),
        (3, 0.6186721228956014, 8.767273069742323),
        (12, 6.200575108722218, 20.96158504817696),
        (100, 81.36399125092314, 121.62679379242638),
        (5000, 4862.359188694899, 5140.5489485350045),
        (100000, 99381.15266374472, 100621.74473974388),
    ];

    #[test]
    fn as_scipy_says() {
        for (k, low, high) in GOLDEN {
            let estimate = poisson_rate(k, 1.0, k);
            close(estimate.low.unwrap(), low);
            close(estimate.high.unwrap(), high);
        }
        assert_eq!(poisson_rate(0, 0.0, 0).value, None);
    }

    /// The exact interval is never too narrow.
    #[test]
    fn covers_the_truth() {
        let mut random = Random(7);
        let (truth, rounds) = (2.3_f64, 4000);
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
        assert!((0.945..=1.0).contains(&coverage), "{coverage}");
    }
}
