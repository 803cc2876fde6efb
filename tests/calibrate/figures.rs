//! Figures with the numbers that they were made of, for `agree.py` to make again with tools that nobody here wrote.

use std::time::Duration;

use causeway::model::{FaultKind, Phase};
use causeway::reliability::estimate::{
    Held, Moments, Pairs, grouped, mcnemar, mean_difference, mean_ratio, median_survival, poisson_rate, quantile,
    share_difference, survival, wilson,
};
use causeway::reliability::rollup::Digest;
use causeway::reliability::stat::{Sample, curve};
use causeway::reliability::{Detail, End, Estimate, STATISTICS, What};
use serde_json::{Value, json};

use super::random::Random;

fn told(estimate: &Estimate) -> Value {
    json!([estimate.value, estimate.low, estimate.high])
}

/// All of them.
pub fn figures() -> Value {
    let mut random = Random(2026);
    let counts = [(0, 10), (1, 10), (3, 2000), (34, 20_000), (10, 10), (977, 1000), (1, 1_000_000)];
    let shares: Vec<_> = counts.map(|(k, n)| json!({"k": k, "n": n, "told": told(&wilson(k, n))})).to_vec();
    let rates: Vec<_> = [(0, 3.5), (1, 0.5), (7, 100.0), (250, 12.25), (40_000, 1e6)]
        .map(|(k, exposure)| json!({"k": k, "exposure": exposure, "told": told(&poisson_rate(k, exposure, k))}))
        .to_vec();
    let quantiles: Vec<_> = [(6, 0.5), (31, 0.5), (400, 0.5), (72, 0.95), (1500, 0.95), (368, 0.99), (2000, 0.99)]
        .map(|(n, p)| {
            let mut values: Vec<_> = (0..n).map(|_| random.lognormal(0.2, 0.7)).collect();
            json!({"p": p, "values": values.clone(), "told": told(&quantile(&mut values, p))})
        })
        .to_vec();
    let held: Vec<_> = [30, 200, 1000]
        .map(|n| {
            let mut held: Vec<_> = (0..n)
                .map(|_| {
                    let (lost, closed) = (random.exponential(300.0), random.exponential(400.0));
                    // Whole seconds, so that some fall together.
                    Held { time: lost.min(closed).ceil(), lost: lost < closed }
                })
                .collect();
            let groups = grouped(&mut held);
            let steps: Vec<_> = survival(&groups).iter().map(|s| json!([s.time, s.share, s.low, s.high])).collect();
            let times: Vec<_> = held.iter().map(|one| json!([one.time, one.lost])).collect();
            json!({"held": times, "steps": steps, "told": told(&median_survival(&groups))})
        })
        .to_vec();
    let paired: Vec<_> = [8, 300]
        .map(|n| {
            let rows: Vec<_> = (0..n).map(|_| (random.lognormal(0.2, 0.5), random.lognormal(0.5, 0.3))).collect();
            let difference = mean_difference(&Moments::of(rows.iter().map(|row| row.1 - row.0)));
            let ratio = mean_ratio(&Moments::of(rows.iter().map(|row| (row.1 / row.0).ln())));
            json!({"rows": rows, "difference": told(&difference), "ratio": told(&ratio)})
        })
        .to_vec();
    let successes: Vec<_> = [(36, 2, 12, 0), (900, 5, 90, 5), (95, 2, 3, 0), (50, 0, 0, 50)]
        .map(|(both, first, second, neither)| {
            let pairs = Pairs { both, first, second, neither };
            let told = told(&share_difference(&pairs));
            json!({"pairs": [both, first, second, neither], "told": told, "p": mcnemar(&pairs)})
        })
        .to_vec();
    json!({
        "shares": shares, "rates": rates, "quantiles": quantiles, "held": held, "paired": paired,
        "successes": successes, "stored": stored(&mut random),
    })
}

/// Connections that went through the digest of a store, and what the statistics say of them.
fn stored(random: &mut Random) -> Value {
    let (mut digest, mut rows) = (Digest::default(), Vec::new());
    for _ in 0..1200 {
        let setup = (!random.chance(0.05)).then(|| Duration::from_secs_f64(random.lognormal(0.2, 0.5)));
        let (lost, closed) = (random.exponential(300.0), random.exponential(400.0));
        let held = Duration::from_secs_f64(if setup.is_some() { lost.min(closed) } else { 0.0 });
        let end = match setup {
            None => End::Failed(Phase::Connect, FaultKind::Refused),
            Some(_) if lost < closed => End::Failed(Phase::Transfer, FaultKind::Reset),
            Some(_) => End::Clean,
        };
        let encrypted = random.chance(0.7);
        rows.push(json!([setup.map(|setup| setup.as_secs_f64()), held.as_secs_f64(), end == End::Clean, encrypted]));
        let what = What::Connection { setup, phases: Vec::new(), held, end };
        digest.add(&what, &Detail { encrypted: Some(encrypted), ..Detail::default() });
    }
    let sample = Sample::of(digest);
    let said: serde_json::Map<_, _> =
        STATISTICS.iter().map(|statistic| (statistic.key.to_owned(), told(&(statistic.compute)(&sample)))).collect();
    let steps = curve(&sample).len();
    json!({"rows": rows, "said": said, "steps": steps})
}
