//! The special functions behind the intervals.

use super::number;

/// ln Γ(x) for x > 0, by Lanczos' approximation (g = 7, nine terms), good to about 15 digits.
pub(super) fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut place = 0.0;
    let mut sum = 0.999_999_999_999_809_9;
    for term in TERMS {
        place += 1.0;
        sum += term / (x + place);
    }
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised lower incomplete gamma function P(a, x): the chance that a Poisson count of mean `x`
/// reaches `a`. By its series below a + 1 and its continued fraction above (Lentz).
pub(super) fn gamma_p(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut next) = (1.0 / a, 1.0 / a, a);
        for _ in 0..MOST_TERMS {
            next += 1.0;
            term *= x / next;
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return (front * sum).clamp(0.0, 1.0);
    }
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    let mut step = 0.0;
    for _ in 0..MOST_TERMS {
        step += 1.0;
        let factor = -step * (step - a);
        b += 2.0;
        d = away_from_zero(factor * d + b, TINY);
        c = away_from_zero(b + factor / c, TINY);
        d = 1.0 / d;
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (1.0 - front * fraction).clamp(0.0, 1.0)
}

/// Both expansions need some times the root of `a`: enough for millions of events.
const MOST_TERMS: u32 = 200_000;

fn away_from_zero(x: f64, tiny: f64) -> f64 {
    if x.abs() < tiny { tiny } else { x }
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz; Press et al., Numerical Recipes,
/// section 6.4).
pub(super) fn beta_i(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_i(b, a, 1.0 - x);
    }
    const TINY: f64 = 1e-300;
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    let (mut c, mut d) = (1.0, 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0), TINY));
    let (mut fraction, mut m) = (d, 0.0);
    for _ in 0..MOST_TERMS {
        m += 1.0;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for factor in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + factor * d, TINY);
            c = away_from_zero(1.0 + factor / c, TINY);
            step = d * c;
            fraction *= step;
        }
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

/// P(at most k of n), each with the chance p.
pub(super) fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n { 1.0 } else { beta_i(number(n - k), number(k) + 1.0, 1.0 - p) }
}

/// The `p`-quantile (above one half) of Student's t distribution.
pub(super) fn student_quantile(p: f64, freedom: f64) -> f64 {
    let above = |t: f64| 0.5 * beta_i(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    let (mut low, mut high) = (0.0, 1e4);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if above(middle) > 1.0 - p {
            low = middle;
        } else {
            high = middle;
        }
        if high - low <= 1e-14 * high {
            break;
        }
    }
    f64::midpoint(low, high)
}

/// The masses of the binomial distribution, from as far below its mean as matters up to `n`.
pub(super) fn binomial_pmf(n: u64, p: f64) -> impl Iterator<Item = (u64, f64)> {
    let count = number(n);
    let spread = (count * p * (1.0 - p)).sqrt();
    let start = lowest(count * p - 12.0 * spread - 20.0).min(n);
    let whole = ln_gamma(count + 1.0);
    (start..=n).map(move |k| {
        let (up, down) = (number(k), number(n - k));
        let log = whole - ln_gamma(up + 1.0) - ln_gamma(down + 1.0) + up * p.ln() + down * (1.0 - p).ln();
        (k, log.exp())
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped at zero, and below n")]
fn lowest(x: f64) -> u64 {
    x.max(0.0) as u64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Equal to nine digits.
    pub fn close(found: f64, expected: f64) {
        let scale = expected.abs().max(1e-300);
        assert!((found - expected).abs() <= 1e-9 * scale + 1e-15, "found {found}, expected {expected}");
    }

    /// SplitMix64: a small generator with a fixed seed, so that a simulation always says the same.
    pub struct Random(pub u64);

    impl Random {
        /// Between 0 and 1.
        pub fn unit(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = self.0;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    // from scipy.special import gammaln, gammainc
    #[test]
    fn as_scipy_says() {
        close(ln_gamma(0.5), 0.5723649429247);
        assert!(ln_gamma(1.0).abs() < 1e-14);
        close(ln_gamma(10.0), 12.801827480081469);
        close(ln_gamma(1234.5), 7550.550901077894);
        close(ln_gamma(1000000.0), 12815504.569147611);
        close(gamma_p(1.0, 0.5), 0.3934693402873665);
        close(gamma_p(3.0, 10.0), 0.9972306042844884);
        close(gamma_p(13.0, 7.0), 0.0269997734252687);
        close(gamma_p(100.0, 100.0), 0.5132987982791487);
        close(gamma_p(5000.0, 5100.0), 0.9206711189223811);
        close(gamma_p(100000.0, 99500.0), 0.05674182321279226);
        // from scipy.special import betainc; from scipy.stats import binom, t
        close(beta_i(0.5, 0.5, 0.3), 0.36901011956554536);
        close(beta_i(15.0, 0.5, 0.9), 0.07785867031466781);
        close(beta_i(3.0, 7.0, 0.2), 0.26180249600000016);
        close(binomial_cdf(3, 15, 0.5), 0.017578125);
        close(binomial_cdf(0, 10, 0.1), 0.34867844009999993);
        close(binomial_cdf(480, 1000, 0.5), 0.10872414660207075);
        for (freedom, quantile) in [
            (1.0, 12.706204736174694),
            (2.0, 4.302652729749462),
            (7.0, 2.364624251592784),
            (29.0, 2.045229642132703),
            (299.0, 1.9679296690656698),
            (1e4, 1.960201239890626),
        ] {
            close(student_quantile(0.975, freedom), quantile);
        }
    }
}
