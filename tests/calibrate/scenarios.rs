//! Traffic with a known truth: refusals (Bernoulli), resets (exponential), delays (lognormal), holds that are cut
//! (right-censored), files that are tried again; all of it as observations, which are added up as those of the store are.

use std::time::Duration;

use causeway::model::{FaultKind, Phase, Protocol};
use causeway::net::TcpInfo;
use causeway::reliability::estimate::{Moments, Pairs, mean_difference, mean_ratio, share_difference};
use causeway::reliability::objective::{Attempts as Tried, Objective};
use causeway::reliability::rollup::{Attempts, Digest};
use causeway::reliability::stat::Sample;
use causeway::reliability::{Detail, Direction, End, Estimate, FileId, Observation, Role, STATISTICS, What};
use jiff::{SignedDuration, Timestamp};

use super::random::Random;

const RESET: End = End::Failed(Phase::Transfer, FaultKind::Reset);
/// The quantiles of the standard normal distribution at 95 and 99 %.
const Z95: f64 = 1.644_853_626_951_472_2;
const Z99: f64 = 2.326_347_874_040_840_8;

/// Median in seconds and sigma.
const SETUP: (f64, f64) = (0.2, 0.5);
const PHASES: [(Phase, &str, f64, f64); 6] = [
    (Phase::Resolve, "resolve", 0.005, 0.6),
    (Phase::Connect, "connect", 0.02, 0.3),
    (Phase::Banner, "banner", 0.03, 0.5),
    (Phase::Tls, "tls", 0.06, 0.4),
    (Phase::Login, "login", 0.04, 0.8),
    (Phase::Command, "ready", 0.01, 0.5),
];
const REFUSED: f64 = 0.05;
/// Per hour: resets, and planned ends.
const RARE: f64 = 0.0825;
const PLANNED: f64 = 6.0;
const ENCRYPTED: f64 = 0.7;
const POST_QUANTUM: f64 = 0.4;
const OVERHEAD: (f64, f64) = (0.05, 0.7);
/// Where the number of round trips is large. Of a few whole numbers the interval holds more than 95 %, because its ends
/// lie on numbers that many connections share.
const ROUND_TRIPS: (f64, f64) = (2000.0, 0.6);
const RTT: (f64, f64) = (0.025, 0.4);
const FAILED: f64 = 0.02;
/// Bytes, and the median of their rate; sigma of all rates.
const SIZES: [(u64, f64); 4] = [(32 << 10, 5e4), (256 << 10, 1e6), (4 << 20, 8e6), (32 << 20, 3e7)];
const RATE_SIGMA: f64 = 0.6;
const ATTEMPT_FAILS: f64 = 0.25;
const CORRUPT: f64 = 0.02;
/// Seconds until a held connection is lost, and until somebody closes it.
const LOST: f64 = 300.0;
const CLOSED: f64 = 400.0;
const RECOVERY: f64 = 60.0;
const PATIENCE: f64 = 150.0;

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
fn phi(x: f64) -> f64 {
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

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 1e9))
}

/// Everything that a run says of every statistic.
pub fn run(seed: u64) -> Vec<(String, Estimate)> {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut digests = [(); 5].map(|()| Digest::default());
    let mut at = 0;
    // As from five minutes that are put together later.
    let mut next = || {
        at = (at + 1) % 5;
        at
    };
    for _ in 0..1500 {
        let (what, detail) = connection(&mut random);
        digests[next()].add(&what, &detail);
    }
    for _ in 0..2000 {
        digests[next()].add(&transfer(&mut random), &Detail::default());
    }
    for _ in 0..1000 {
        let mismatch = End::Failed(Phase::Verify, FaultKind::Mismatch);
        let end = if random.chance(CORRUPT) { mismatch } else { End::Clean };
        digests[next()].add(&What::Check { bytes: 1, end }, &Detail::default());
    }
    let mut all = Digest::default();
    digests.iter().for_each(|digest| all.merge(digest));
    let mut files = Digest::default();
    retried(&mut random, &mut files);
    let mut recoveries = Digest::default();
    recovered(&mut random, &mut recoveries);
    let mut held = Digest::default();
    (0..400).for_each(|_| held.add(&hold(&mut random), &Detail::default()));
    let samples = [all, files, recoveries, held].map(Sample::of);
    let mut said: Vec<_> = STATISTICS
        .iter()
        .map(|statistic| {
            let sample = match statistic.key {
                "file-errors" => &samples[1],
                "recovery" => &samples[2],
                "hold-time" => &samples[3],
                _ => &samples[0],
            };
            (statistic.key.to_owned(), (statistic.compute)(sample))
        })
        .collect();
    let tried = Tried::of(&samples[0]);
    let objective = Objective { target: 995_000, days: 30 };
    said.push(("availability".to_owned(), objective.judge(tried, [(tried, tried); 4]).availability));
    said.push(("burn-rate".to_owned(), objective.burn(tried)));
    said.extend(pairs(&mut random));
    said
}

fn connection(random: &mut Random) -> (What, Detail) {
    if random.chance(REFUSED) {
        let end = End::Failed(Phase::Connect, FaultKind::Refused);
        return (What::Connection { setup: None, phases: Vec::new(), held: Duration::ZERO, end }, Detail::default());
    }
    let (reset, planned) = (random.exponential(3600.0 / RARE), random.exponential(3600.0 / PLANNED));
    let phases = PHASES.map(|(phase, _, median, sigma)| (phase, seconds(random.lognormal(median, sigma)))).to_vec();
    let payload = 10_000_000;
    let extra = payload as f64 * random.lognormal(OVERHEAD.0, OVERHEAD.1);
    let encrypted = random.chance(ENCRYPTED);
    let detail = Detail {
        encrypted: Some(encrypted),
        post_quantum: Some(encrypted && random.chance(POST_QUANTUM)),
        payload: Some(payload),
        wire: Some(payload + extra as u64),
        round_trips: Some(random.lognormal(ROUND_TRIPS.0, ROUND_TRIPS.1).round() as u32),
        tcp: Some(TcpInfo { min_rtt: seconds(random.lognormal(RTT.0, RTT.1)), ..TcpInfo::default() }),
        ..Detail::default()
    };
    let what = What::Connection {
        setup: Some(seconds(random.lognormal(SETUP.0, SETUP.1))),
        phases,
        held: seconds(reset.min(planned)),
        end: if reset < planned { RESET } else { End::Clean },
    };
    (what, detail)
}

fn hold(random: &mut Random) -> What {
    let (lost, closed) = (random.exponential(LOST), random.exponential(CLOSED));
    let end = if lost < closed { RESET } else { End::Clean };
    What::Connection { setup: Some(seconds(0.1)), phases: Vec::new(), held: seconds(lost.min(closed)), end }
}

fn transfer(random: &mut Random) -> What {
    let (bytes, rate) = SIZES[random.below(4) as usize];
    let direction = Direction::Download;
    if random.chance(FAILED) {
        let bytes = (bytes as f64 * random.unit()) as u64;
        return What::Transfer { direction, bytes, duration: seconds(1.0), end: RESET };
    }
    let duration = seconds(bytes as f64 / random.lognormal(rate, RATE_SIGMA));
    What::Transfer { direction, bytes, duration, end: End::Clean }
}

fn attempt(file: u64, second: f64, end: End) -> Observation {
    Observation {
        at: Timestamp::UNIX_EPOCH + SignedDuration::from_micros((second * 1e6) as i64),
        protocol: Protocol::Ftp,
        role: Role::Client,
        endpoint: "simulated:21".to_owned(),
        what: What::Transfer { direction: Direction::Download, bytes: 1, duration: seconds(1.0), end },
        detail: Detail::default().file(FileId::of("simulated:21", &file.to_le_bytes())),
    }
}

/// Every file is tried up to three times.
fn retried(random: &mut Random, digest: &mut Digest) {
    let mut attempts = Attempts::default();
    for file in 0..2000 {
        for time in 0..3 {
            let failed = random.chance(ATTEMPT_FAILS);
            let end = if failed { RESET } else { End::Clean };
            if let Some(outcome) = attempts.see(0, &attempt(file, file as f64 + f64::from(time), end)) {
                outcome.count(digest);
            }
            if !failed {
                break;
            }
        }
    }
    attempts.given_up(Timestamp::from_second(1_000_000).unwrap()).iter().for_each(|outcome| outcome.count(digest));
}

/// Every file fails, and is there after a time, unless its owner loses patience before.
fn recovered(random: &mut Random, digest: &mut Digest) {
    let mut attempts = Attempts::default();
    for file in 0..250 {
        let (there, patience) = (random.exponential(RECOVERY), random.exponential(PATIENCE));
        assert!(attempts.see(0, &attempt(file, 0.0, RESET)).is_none());
        let end = if there < patience { End::Clean } else { RESET };
        if let Some(outcome) = attempts.see(0, &attempt(file, there.min(patience), end)) {
            outcome.count(digest);
        }
    }
    attempts.given_up(Timestamp::from_second(1_000_000).unwrap()).iter().for_each(|outcome| outcome.count(digest));
}

fn pairs(random: &mut Random) -> Vec<(String, Estimate)> {
    let rows: Vec<_> = (0..300).map(|_| (random.lognormal(SETUP.0, SETUP.1), random.lognormal(0.5, 0.3))).collect();
    let mut shares = Pairs::default();
    for _ in 0..1500 {
        // A fault of the path fails both.
        let path = random.chance(0.98);
        let (one, other) = (path && random.chance(0.95), path && random.chance(0.98));
        let slot = match (one, other) {
            (true, true) => &mut shares.both,
            (true, false) => &mut shares.first,
            (false, true) => &mut shares.second,
            (false, false) => &mut shares.neither,
        };
        *slot += 1;
    }
    vec![
        ("paired-difference".to_owned(), mean_difference(&Moments::of(rows.iter().map(|row| row.1 - row.0)))),
        ("paired-ratio".to_owned(), mean_ratio(&Moments::of(rows.iter().map(|row| (row.1 / row.0).ln())))),
        ("paired-shares".to_owned(), share_difference(&shares)),
    ]
}

/// How often the interval of each statistic held the truth, in so many runs; and the mean of n.
pub fn coverage(runs: u64) -> Vec<(String, f64, f64)> {
    let mut held: Vec<(String, u64, u64)> = Vec::new();
    for seed in 1..=runs {
        for (place, (key, estimate)) in run(seed).into_iter().enumerate() {
            let truth = truth(&key);
            assert!(!truth.is_nan(), "no truth is known of {key}");
            // A bound that is missing holds everything, so a missing one is a miss here.
            let holds = estimate.low.is_some_and(|low| low <= truth) && estimate.high.is_some_and(|high| truth <= high);
            if held.len() == place {
                held.push((key, 0, 0));
            }
            held[place].1 += u64::from(holds);
            held[place].2 += estimate.n;
        }
    }
    held.into_iter().map(|(key, held, n)| (key, held as f64 / runs as f64, n as f64 / runs as f64)).collect()
}
