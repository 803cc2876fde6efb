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
use super::truth::truth;

const RESET: End = End::Failed(Phase::Transfer, FaultKind::Reset);
/// Median in seconds and sigma.
pub const SETUP: (f64, f64) = (0.2, 0.5);
pub const PHASES: [(Phase, &str, f64, f64); 6] = [
    (Phase::Resolve, "resolve", 0.005, 0.6),
    (Phase::Connect, "connect", 0.02, 0.3),
    (Phase::Banner, "banner", 0.03, 0.5),
    (Phase::Tls, "tls", 0.06, 0.4),
    (Phase::Login, "login", 0.04, 0.8),
    (Phase::Command, "ready", 0.01, 0.5),
];
pub const REFUSED: f64 = 0.05;
/// Per hour: resets, and planned ends.
pub const RARE: f64 = 0.0825;
pub const PLANNED: f64 = 6.0;
pub const ENCRYPTED: f64 = 0.7;
pub const POST_QUANTUM: f64 = 0.4;
pub const OVERHEAD: (f64, f64) = (0.05, 0.7);
/// Where the number of round trips is large. Of a few whole numbers the interval holds more than 95 %, because its ends
/// lie on numbers that many connections share.
pub const ROUND_TRIPS: (f64, f64) = (2000.0, 0.6);
pub const RTT: (f64, f64) = (0.025, 0.4);
pub const FAILED: f64 = 0.02;
/// Bytes, and the median of their rate; sigma of all rates.
pub const SIZES: [(u64, f64); 4] = [(32 << 10, 5e4), (256 << 10, 1e6), (4 << 20, 8e6), (32 << 20, 3e7)];
pub const RATE_SIGMA: f64 = 0.6;
pub const ATTEMPT_FAILS: f64 = 0.25;
pub const CORRUPT: f64 = 0.02;
/// Seconds until a held connection is lost, and until somebody closes it.
pub const LOST: f64 = 300.0;
const CLOSED: f64 = 400.0;
pub const RECOVERY: f64 = 60.0;
const PATIENCE: f64 = 150.0;

/// In whole microseconds, as the store keeps them.
fn seconds(seconds: f64) -> Duration {
    Duration::from_micros((seconds.clamp(0.0, 1e9) * 1e6).round() as u64)
}

fn micros(seconds: f64) -> SignedDuration {
    SignedDuration::from_micros((seconds * 1e6) as i64)
}

/// The endpoints of a run, each with what some of the statistics are about.
pub const ENDPOINTS: [&str; 4] = ["all", "files", "recovered", "held"];

/// At which of the [`ENDPOINTS`] a statistic is looked at.
pub fn endpoint_of(key: &str) -> usize {
    match key {
        "file-errors" => 1,
        "recovery" => 2,
        "hold-time" => 3,
        _ => 0,
    }
}

/// What a run observed.
pub struct Simulated {
    /// When it began. Runs are four days apart.
    pub begin: Timestamp,
    /// Of each of the [`ENDPOINTS`], in the order in which it happened.
    pub seen: [Vec<Observation>; 4],
    /// Set-up times in the same round at two endpoints.
    pub times: Vec<(Duration, Duration)>,
    /// Did the connection become ready, in the same round at two endpoints?
    pub ready: Vec<(bool, bool)>,
}

impl Simulated {
    /// When the last thing was seen.
    pub fn end(&self) -> Timestamp {
        self.begin + SignedDuration::from_secs(SPREAD * THIN as i64 + 69)
    }
}

/// The traffic of a run.
pub fn simulate(seed: u64) -> Simulated {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    // Two hours before midnight, so that a window has a day in its middle, and hours and minutes around it.
    let first: Timestamp = "2026-01-05T22:00:00Z".parse().unwrap();
    let begin = first + SignedDuration::from_hours(96 * seed as i64);
    let mut all: Vec<_> = (0..1500).map(|_| connection(&mut random)).collect();
    all.extend((0..2000).map(|_| (transfer(&mut random), Detail::default())));
    for _ in 0..1000 {
        let mismatch = End::Failed(Phase::Verify, FaultKind::Mismatch);
        let end = if random.chance(CORRUPT) { mismatch } else { End::Clean };
        all.push((What::Check { bytes: 1, end }, Detail::default()));
    }
    let files = retried(&mut random);
    let recovered = recovered(&mut random);
    let held: Vec<_> = (0..400).map(|place| (micros(f64::from(place)), hold(&mut random), Detail::default())).collect();
    let all = all.into_iter().enumerate().map(|(place, (what, detail))| (moment(place), what, detail)).collect();
    let mut place = 0;
    let seen = [all, files, recovered, held].map(|some| {
        place += 1;
        in_order(begin, ENDPOINTS[place - 1], some)
    });
    let set_up =
        |random: &mut Random| (seconds(random.lognormal(SETUP.0, SETUP.1)), seconds(random.lognormal(0.5, 0.3)));
    let times = (0..300).map(|_| set_up(&mut random)).collect();
    let both_ready = |random: &mut Random| {
        // A fault of the path fails both.
        let path = random.chance(0.98);
        (path && random.chance(0.95), path && random.chance(0.98))
    };
    let ready = (0..1500).map(|_| both_ready(&mut random)).collect();
    Simulated { begin, seen, times, ready }
}

/// Observations that lie far apart, and seconds between two of them.
const THIN: usize = 3000;
const SPREAD: i64 = 35;

/// When something of the mixed traffic happens: over more than a day, and at its end much within nine seconds, some of
/// which no roll-up has yet when it is asked for.
fn moment(place: usize) -> SignedDuration {
    let slot = place * 1789 % 4500;
    match slot.checked_sub(THIN) {
        None => SignedDuration::from_secs(SPREAD * slot as i64),
        Some(late) => SignedDuration::from_millis(1000 * (SPREAD * THIN as i64 + 60) + 6 * late as i64),
    }
}

type Timed = (SignedDuration, What, Detail);

fn in_order(begin: Timestamp, endpoint: &str, mut some: Vec<Timed>) -> Vec<Observation> {
    some.sort_by_key(|(after, ..)| *after);
    let observation = |(after, what, detail)| Observation {
        at: begin + after,
        protocol: Protocol::Ftp,
        role: Role::Client,
        endpoint: format!("{endpoint}.simulated:21"),
        what,
        detail,
    };
    some.into_iter().map(observation).collect()
}

/// All that the statistics say of a run, if its observations never leave the memory.
pub fn in_memory(simulated: &Simulated) -> Vec<(String, Estimate)> {
    let samples = simulated.seen.each_ref().map(|seen| sample(seen));
    let mut said: Vec<_> = STATISTICS
        .iter()
        .map(|statistic| (statistic.key.to_owned(), (statistic.compute)(&samples[endpoint_of(statistic.key)])))
        .collect();
    let tried = Tried::of(&samples[0]);
    said.push(("availability".to_owned(), OBJECTIVE.judge(tried, [(tried, tried); 4]).availability));
    said.push(("burn-rate".to_owned(), OBJECTIVE.burn(tried)));
    said.extend(pairs(simulated));
    said
}

/// What the endpoints should do.
pub const OBJECTIVE: Objective = Objective { target: 995_000, days: 3 };

fn sample(seen: &[Observation]) -> Sample {
    // As from five minutes that are put together later.
    let mut digests = [(); 5].map(|()| Digest::default());
    let mut attempts = Attempts::default();
    for (place, observation) in seen.iter().enumerate() {
        let digest = &mut digests[place % 5];
        digest.add(&observation.what, &observation.detail);
        attempts.see(0, observation).for_each(|outcome| outcome.count(digest));
    }
    let late = seen[0].at + SignedDuration::from_hours(72);
    attempts.given_up(late).iter().for_each(|outcome| outcome.count(&mut digests[0]));
    let mut all = Digest::default();
    digests.iter().for_each(|digest| all.merge(digest));
    Sample::of(all)
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

fn attempt(file: u64, second: f64, end: End) -> Timed {
    let what = What::Transfer { direction: Direction::Download, bytes: 1, duration: seconds(1.0), end };
    (micros(second), what, Detail::default().file(FileId::of("simulated:21", &file.to_le_bytes())))
}

/// Every file is tried up to three times.
fn retried(random: &mut Random) -> Vec<Timed> {
    let mut tried = Vec::new();
    for file in 0..2000 {
        for time in 0..3 {
            let failed = random.chance(ATTEMPT_FAILS);
            let end = if failed { RESET } else { End::Clean };
            tried.push(attempt(file, file as f64 + f64::from(time), end));
            if !failed {
                break;
            }
        }
    }
    tried
}

/// Every file fails, and is there after a time, unless its owner loses patience before.
fn recovered(random: &mut Random) -> Vec<Timed> {
    let mut tried = Vec::new();
    for file in 2000..2250 {
        let (there, patience) = (random.exponential(RECOVERY), random.exponential(PATIENCE));
        let end = if there < patience { End::Clean } else { RESET };
        tried.extend([attempt(file, 0.0, RESET), attempt(file, there.min(patience), end)]);
    }
    tried
}

fn pairs(simulated: &Simulated) -> Vec<(String, Estimate)> {
    let rows = simulated.times.iter().map(|(one, other)| (one.as_secs_f64(), other.as_secs_f64()));
    let mut shares = Pairs::default();
    for both in &simulated.ready {
        let slot = match both {
            (true, true) => &mut shares.both,
            (true, false) => &mut shares.first,
            (false, true) => &mut shares.second,
            (false, false) => &mut shares.neither,
        };
        *slot += 1;
    }
    vec![
        ("paired-difference".to_owned(), mean_difference(&Moments::of(rows.clone().map(|row| row.1 - row.0)))),
        ("paired-ratio".to_owned(), mean_ratio(&Moments::of(rows.map(|row| (row.1 / row.0).ln())))),
        ("paired-shares".to_owned(), share_difference(&shares)),
    ]
}

/// How often the intervals of one statistic held its truth.
#[derive(Debug, Clone, Default)]
pub struct Held {
    pub key: String,
    held: u64,
    n: u64,
    runs: u64,
}

impl Held {
    /// The share of all runs.
    pub fn share(&self) -> f64 {
        self.held as f64 / self.runs as f64
    }

    /// The mean of n.
    pub fn n(&self) -> f64 {
        self.n as f64 / self.runs as f64
    }
}

/// Counts the figures of a run.
pub fn count(all: &mut Vec<Held>, said: &[(String, Estimate)]) {
    all.resize_with(said.len(), Held::default);
    for (one, (key, estimate)) in all.iter_mut().zip(said) {
        let truth = truth(key);
        assert!(!truth.is_nan(), "no truth is known of {key}");
        // A bound that is missing holds everything, so a missing one is a miss here.
        let holds = estimate.low.is_some_and(|low| low <= truth) && estimate.high.is_some_and(|high| truth <= high);
        one.key.clone_from(key);
        one.held += u64::from(holds);
        one.n += estimate.n;
        one.runs += 1;
    }
}

/// How often the interval of each statistic held the truth, in so many runs, in memory.
pub fn coverage(runs: u64) -> Vec<Held> {
    let mut all = Vec::new();
    (1..=runs).for_each(|seed| count(&mut all, &in_memory(&simulate(seed))));
    all
}
