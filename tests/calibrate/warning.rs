//! Early warning on simulated endpoints: how often it rings for nothing, how soon when there is something, and how soon it is
//! over when that is.

use causeway::reliability::alarm::{Change, SLOT, Sign, Slot, Watch};
use jiff::Timestamp;

use super::random::Random;

const DAY: i64 = 288;
const WEEK: i64 = 7 * DAY;
/// Until then it learns.
pub const LEARNS: i64 = 2 * WEEK;
/// A fault that rang goes on for so long: an hour.
const GOES_ON: i64 = 12;

/// What an endpoint is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two to ten connections in a slot and some twenty attempts, of which few fail.
    Quiet,
    /// Some 3,000 attempts in a slot, which fail as rarely and in the same bursts.
    Busy,
    /// Like the quiet one, but 70 % of its attempts fail, and 85 % in bursts.
    Failing,
    /// Like the quiet one, for one hour of each night.
    Nightly,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Quiet, Self::Busy, Self::Failing, Self::Nightly];

    /// The shares that fail usually and in bursts.
    const fn fails(self) -> (f64, f64) {
        match self {
            Self::Failing => (0.7, 0.85),
            _ => (0.002, 0.04),
        }
    }

    /// Does anything happen in this slot?
    const fn used(self, number: i64) -> bool {
        !matches!(self, Self::Nightly) || number % DAY / 12 == 2
    }
}

/// An endpoint: busy days, quiet nights and weekends, noise that remembers, spikes, failures that come in bursts.
struct Endpoint {
    kind: Kind,
    random: Random,
    noise: f64,
    burst: bool,
}

/// What is wrong with it.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Set-up takes so many times as long.
    Slower(f64),
    /// So many of all attempts fail.
    Fails(f64),
    /// So many of all connections are reset.
    Resets(f64),
}

impl Fault {
    /// What should ring.
    const fn sign(self) -> Sign {
        match self {
            Self::Slower(_) => Sign::SetupTime,
            Self::Fails(_) => Sign::Errors,
            Self::Resets(_) => Sign::Resets,
        }
    }
}

/// How many of `n` come true with a chance, also if `n` is large: by the gaps between those that do.
fn binomial(random: &mut Random, n: u64, p: f64) -> u64 {
    if n < 64 {
        return random.binomial(n, p);
    }
    let (mut at, mut count) = (0.0, 0);
    loop {
        at += (random.unit().ln() / (1.0 - p).ln()).floor() + 1.0;
        if at > n as f64 {
            return count;
        }
        count += 1;
    }
}

impl Endpoint {
    fn new(kind: Kind, seed: u64) -> Self {
        Self { kind, random: Random(seed.wrapping_mul(0x9e6c_63d0_876a_3f35)), noise: 0.0, burst: false }
    }

    fn slot(&mut self, number: i64, fault: Option<Fault>) -> Slot {
        let random = &mut self.random;
        let hour = (number % DAY) as f64 / 12.0;
        let weekend = (number / DAY) % 7 >= 5;
        let wave = ((hour - 14.0) / 24.0 * std::f64::consts::TAU).cos();
        let load = if weekend { 0.1 } else { 0.3 * wave };
        // A fifth of a noise that remembers the slot before with 0.4, and one spike in a hundred.
        self.noise = 0.4 * self.noise + 0.16 * random.normal();
        let spike = if random.chance(0.01) { random.exponential(0.8) } else { 0.0 };
        let slower = if let Some(Fault::Slower(times)) = fault { times.ln() } else { 0.0 };
        let (connections, tried) = if self.kind == Kind::Busy {
            let connections = if weekend { 500 } else { 800 } + random.below(400);
            (connections, connections + 1500 + random.below(1000))
        } else {
            let connections = 2 + random.below(if weekend { 3 } else { 8 });
            (connections, connections + random.below(20))
        };
        // Failures come in bursts: a quiet time, and now and then more.
        self.burst = if self.burst { random.chance(0.7) } else { random.chance(0.004) };
        let (usually, bursts) = self.kind.fails();
        let fails = match fault {
            Some(Fault::Fails(share)) => share,
            _ if self.burst => bursts,
            _ => usually,
        };
        let resets = if let Some(Fault::Resets(share)) = fault { share } else { 0.001 };
        Slot {
            // Monday, 5 January 2026.
            at: Timestamp::from_second(1_767_571_200 + number * SLOT.as_secs()).unwrap(),
            setup: Some(-1.6 + load + self.noise + spike + slower),
            failed: binomial(random, tried, fails),
            tried,
            resets: binomial(random, connections, resets),
            connections,
            ready: connections,
        }
    }
}

/// False alarms of each sign, of so many endpoints of a kind that are watched for so many weeks after the learning.
pub fn false_alarms(kind: Kind, endpoints: u64, weeks: i64) -> [(Sign, u64); 3] {
    let mut rang = [(Sign::SetupTime, 0), (Sign::Errors, 0), (Sign::Resets, 0)];
    for seed in 1..=endpoints {
        let (mut watch, mut endpoint) = (Watch::default(), Endpoint::new(kind, seed));
        for number in (0..LEARNS + weeks * WEEK).filter(|number| kind.used(*number)) {
            for change in watch.see(&endpoint.slot(number, None)) {
                if let Change::Began(alarm) = change
                    && number >= LEARNS
                {
                    rang.iter_mut().filter(|(sign, _)| *sign == alarm.sign).for_each(|(_, count)| *count += 1);
                }
            }
        }
    }
    rang
}

/// Minutes, sorted; `None` where it was longer than a day.
pub type Minutes = Vec<Option<i64>>;

/// How long it takes from the beginning of a fault to its alarm, and, where there was one, from the end of the fault, an hour
/// later, to that of the alarm. An alarm that had begun before is waited for until it is over.
pub fn delays(kind: Kind, endpoints: u64, fault: Fault) -> (Minutes, Minutes) {
    let told: Vec<_> = (1..=endpoints).map(|seed| delay(kind, seed, fault)).collect();
    let mut noticed: Minutes = told.iter().map(|(noticed, _)| *noticed).collect();
    let mut over: Minutes = told.iter().filter(|(noticed, _)| noticed.is_some()).map(|(_, over)| *over).collect();
    for minutes in [&mut noticed, &mut over] {
        minutes.sort_by_key(|minutes| minutes.unwrap_or(i64::MAX));
    }
    (noticed, over)
}

fn delay(kind: Kind, seed: u64, fault: Fault) -> (Option<i64>, Option<i64>) {
    let (mut watch, mut endpoint) = (Watch::default(), Endpoint::new(kind, seed + 1_000_000));
    let minutes = |slots: i64| slots * SLOT.as_secs() / 60;
    // At any hour of the week.
    let earliest = LEARNS + (seed as i64 * 97) % WEEK;
    let (mut quiet, mut begin, mut noticed) = (true, None, None);
    for number in 0..earliest + 4 * DAY {
        let on = begin.is_some() && noticed.is_none_or(|noticed| number < noticed + GOES_ON);
        for change in watch.see(&endpoint.slot(number, on.then_some(fault))) {
            // What is noticed in a slot is noticed at its end.
            match (change, begin, noticed) {
                (Change::Began(alarm), None, _) if alarm.sign == fault.sign() => quiet = false,
                (Change::Ended(sign, _), None, _) if sign == fault.sign() => quiet = true,
                (Change::Began(alarm), Some(_), None) if alarm.sign == fault.sign() => noticed = Some(number + 1),
                (Change::Ended(sign, _), Some(begin), Some(noticed)) if sign == fault.sign() => {
                    // Before the end of the fault: it is over at once then.
                    let over = (number + 1 - noticed - GOES_ON).max(0);
                    return (Some(minutes(noticed - begin)), Some(minutes(over)));
                }
                _ => {}
            }
        }
        match (begin, noticed) {
            (None, _) if number >= earliest && quiet => begin = Some(number + 1),
            (Some(begin), None) if number + 1 - begin >= DAY => return (None, None),
            (_, Some(noticed)) if number + 1 - noticed - GOES_ON >= DAY => break,
            _ => {}
        }
    }
    (begin.zip(noticed).map(|(begin, noticed)| minutes(noticed - begin)), None)
}
