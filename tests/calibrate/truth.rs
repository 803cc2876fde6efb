//! What the statistics of the simulated traffic should say.

use super::scenarios::{
    ATTEMPT_FAILS, CORRUPT, ENCRYPTED, FAILED, LOST, OVERHEAD, PHASES, PLANNED, POST_QUANTUM, RARE, RATE_SIGMA,
    RECOVERY, REFUSED, ROUND_TRIPS, RTT, SETUP, SIZES,
};

/// The quantiles of the standard normal distribution at 95 and 99 %.
const Z95: f64 = 1.644_853_626_951_472_2;
const Z99: f64 = 2.326_347_874_040_840_8;

/// What a statistic should say.
pub fn truth(key: &str) -> f64 {
    let (name, quantile) = key.rsplit_once('-').unwrap_or((key, ""));
    let at = |median: f64, sigma: f64| match quantile {
        "p95" => median * (sigma * Z95).exp(),
        "p99" => median * (sigma * Z99).exp(),
        _ => median,
    };
    if let Some((_, _, median, sigma)) = PHASES.iter().find(|phase| phase.1 == name) {
        return at(*median, *sigma);
    }
    let mean_bytes = SIZES.iter().map(|size| size.0 as f64).sum::<f64>() / 4.0;
    match key {
        "connection-success" | "availability" => 1.0 - REFUSED,
        "burn-rate" => REFUSED / 0.005,
        "setup-median" | "setup-p95" | "setup-p99" => at(SETUP.0, SETUP.1),
        "resets" => 1000.0 * RARE / (RARE + PLANNED),
        "resets-per-hour" => RARE,
        "hold-time" => LOST * 2.0_f64.ln(),
        "rtt" => RTT.0,
        "transfer-errors" => FAILED,
        "file-errors" => ATTEMPT_FAILS.powi(3),
        // Half of a failed transfer arrives on average.
        "errors-per-gib" => FAILED * 1_073_741_824.0 / (mean_bytes * (1.0 - FAILED / 2.0)),
        "corruption" => CORRUPT,
        "recovery" => RECOVERY * 2.0_f64.ln(),
        "overhead" => OVERHEAD.0,
        "round-trips" => ROUND_TRIPS.0,
        "throughput" => mixed_median(),
        "throughput-small" => SIZES[0].1,
        "throughput-64k" => SIZES[1].1,
        "throughput-1m" => SIZES[2].1,
        "throughput-16m" => SIZES[3].1,
        "encrypted" => ENCRYPTED,
        "post-quantum" => POST_QUANTUM,
        // The mean of a lognormal distribution is its median times e^(sigma²/2).
        "paired-difference" => 0.5 * (0.3_f64.powi(2) / 2.0).exp() - SETUP.0 * (SETUP.1.powi(2) / 2.0).exp(),
        "paired-ratio" => 0.5 / SETUP.0,
        "paired-shares" => 0.98 * (0.98 - 0.95),
        _ => f64::NAN,
    }
}

/// Of the three larger sizes, a third each.
fn mixed_median() -> f64 {
    let (mut low, mut high) = (1e5_f64, 1e9_f64);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        let below: f64 = SIZES[1..].iter().map(|size| phi((middle / size.1).ln() / RATE_SIGMA)).sum();
        if below / 3.0 < 0.5 { low = middle } else { high = middle }
    }
    low
}

/// The distribution function of the standard normal distribution, by its series (Marsaglia 2004).
pub fn phi(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut n) = (x, x, 1.0);
    while (sum + term) != sum {
        n += 2.0;
        term *= x * x / n;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}
