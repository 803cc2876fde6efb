//! Figures with the numbers that they were made of, for `agree.py` to make again with tools that nobody here wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use causeway::reliability::estimate::{
    Held, Moments, Pairs, grouped, mcnemar, mean_difference, mean_ratio, median_survival, poisson_rate, quantile,
    share_difference, survival, wilson,
};
use causeway::reliability::{End, Estimate, Observation, What};
use serde_json::{Value, json};

use super::random::Random;
use super::scenarios::{ENDPOINTS, endpoint_of, simulate};
use super::stored::House;

fn told(estimate: &Estimate) -> Value {
    json!([estimate.value, estimate.low, estimate.high])
}

/// All of them.
pub async fn figures() -> Value {
    let stored = stored().await;
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
        "successes": successes, "stored": stored,
    })
}

/// What came out of a store, and the observations that went in.
async fn stored() -> Value {
    let (simulated, mut house) = (simulate(2026), House::new().await);
    let kept = house.record(&simulated).await;
    let said = house.figures(&simulated).await;
    house.db.close().await;
    let said: serde_json::Map<_, _> = said
        .iter()
        .map(|(key, estimate)| (key.clone(), json!({"at": endpoint_of(key), "told": told(estimate)})))
        .collect();
    let rows = ENDPOINTS.map(|endpoint| {
        let of_it = kept.iter().filter(|one| one.endpoint.strip_suffix(".simulated:21") == Some(endpoint));
        of_it.map(row).collect::<Vec<_>>()
    });
    let micros = |(one, other): &(Duration, Duration)| json!([whole(*one), whole(*other)]);
    let times: Vec<_> = simulated.times.iter().map(micros).collect();
    json!({"rows": rows, "times": times, "ready": simulated.ready, "said": said})
}

fn whole(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// An observation with its times in microseconds.
fn row(one: &Observation) -> Value {
    let detail = &one.detail;
    match &one.what {
        What::Connection { setup, phases, held, end } => json!({
            "kind": "connection", "setup": setup.map(whole), "held": whole(*held), "clean": *end == End::Clean,
            "phases": phases.iter().map(|(phase, took)| (phase.as_str(), whole(*took))).collect::<BTreeMap<_, _>>(),
            "encrypted": detail.encrypted, "safe": detail.post_quantum, "payload": detail.payload, "wire": detail.wire,
            "turns": detail.round_trips, "rtt": detail.tcp.map(|tcp| whole(tcp.min_rtt)),
        }),
        What::Transfer { bytes, duration, end, .. } => json!({
            "kind": "transfer", "bytes": bytes, "took": whole(*duration), "clean": *end == End::Clean,
            "at": one.at.as_microsecond(), "file": detail.file.map(|file| format!("{file:?}")),
        }),
        What::Check { end, .. } => json!({"kind": "check", "clean": *end == End::Clean}),
    }
}
