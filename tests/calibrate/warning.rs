//! Early warning on simulated endpoints: how often it rings for nothing, and how soon when there is something.

use causeway::reliability::alarm::{Change, SLOT, Sign, Slot, Watch};
use jiff::Timestamp;

use super::random::Random;

const DAY: i64 = 288;
const WEEK: i64 = 7 * DAY;
/// Until then it learns.
pub const LEARNS: i64 = 2 * WEEK;

/// An endpoint: busy days, quiet nights and weekends, noise that remembers, spikes, failures that come in bursts.
struct Endpoint {
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

impl Endpoint {
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
        let connections = 2 + random.below(if weekend { 3 } else { 8 });
        let tried = connections + random.below(20);
        // Failures come in bursts: a quiet time of 0.2 %, and now and then 4 %.
        self.burst = if self.burst { random.chance(0.7) } else { random.chance(0.004) };
        let fails = match fault {
            Some(Fault::Fails(share)) => share,
            _ if self.burst => 0.04,
            _ => 0.002,
        };
        let resets = if let Some(Fault::Resets(share)) = fault { share } else { 0.001 };
        Slot {
            // Monday, 5 January 2026.
            at: Timestamp::from_second(1_767_571_200 + number * SLOT.as_secs()).unwrap(),
            setup: Some(-1.6 + load + self.noise + spike + slower),
            failed: random.binomial(tried, fails),
            tried,
            resets: random.binomial(connections, resets),
            connections,
            ready: connections,
        }
    }
}

fn endpoint(seed: u64) -> Endpoint {
    Endpoint { random: Random(seed.wrapping_mul(0x9e6c_63d0_876a_3f35)), noise: 0.0, burst: false }
}

/// False alarms of each sign, of so many endpoints that are watched for so many weeks after the learning.
pub fn false_alarms(endpoints: u64, weeks: i64) -> [(Sign, u64); 3] {
    let mut rang = [(Sign::SetupTime, 0), (Sign::Errors, 0), (Sign::Resets, 0)];
    for seed in 1..=endpoints {
        let (mut watch, mut endpoint) = (Watch::default(), endpoint(seed));
        for number in 0..LEARNS + weeks * WEEK {
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

/// Minutes from the beginning of a fault to its alarm, sorted; `None` where none came within a day. An alarm that had
/// begun before is waited for until it is over.
pub fn delays(endpoints: u64, fault: Fault) -> Vec<Option<i64>> {
    let wanted = match fault {
        Fault::Slower(_) => Sign::SetupTime,
        Fault::Fails(_) => Sign::Errors,
        Fault::Resets(_) => Sign::Resets,
    };
    let mut delays: Vec<_> = (1..=endpoints)
        .map(|seed| {
            let (mut watch, mut endpoint) = (Watch::default(), endpoint(seed + 1_000_000));
            let mut quiet = true;
            let mut begin = None;
            // At any hour of the week.
            let earliest = LEARNS + (seed as i64 * 97) % WEEK;
            for number in 0..earliest + 2 * DAY {
                let on = begin.is_some();
                let changes = watch.see(&endpoint.slot(number, on.then_some(fault)));
                for change in changes {
                    match change {
                        Change::Began(alarm) if alarm.sign == wanted => {
                            if let Some(begin) = begin {
                                // Noticed at the end of the slot.
                                return Some((number + 1 - begin) * SLOT.as_secs() / 60);
                            }
                            quiet = false;
                        }
                        Change::Ended(sign) if sign == wanted => quiet = true,
                        _ => {}
                    }
                }
                if begin.is_none() && number >= earliest && quiet {
                    begin = Some(number + 1);
                }
            }
            None
        })
        .collect();
    delays.sort_by_key(|delay| delay.unwrap_or(i64::MAX));
    delays
}
