//! What will be asked, and when: every arrival is fixed before the first packet goes.
//!
//! An *open loop*: an arrival does not wait for the answer to the one before it. Whoever asks again only after an answer
//! asks a slow server less often, and leaves the wait that others would have had out of the figures (coordinated
//! omission: Tene, "How NOT to measure latency"). Here the time of an answer counts from the intended moment of its
//! arrival, also when the connection was still busy then.

use std::time::Duration;

/// Most connections at once.
pub const MOST_CONNECTIONS: u32 = 20_000;
/// Most transfers a second.
pub const MOST_RATE: f64 = 10_000.0;

/// How much, how often, how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Connections at once.
    pub connections: u32,
    /// The share of them that transfers, from 0 to 1.
    pub moving: f64,
    /// Transfers a second, over all connections that transfer.
    pub rate: f64,
    /// How often each of the others sends a light command.
    pub every: Duration,
    /// The connections open evenly over this time; then the load is constant.
    pub ramp: Duration,
    /// Nothing arrives after this long.
    pub time: Duration,
    /// Bytes of files in all, both ways. The run ends when they are spent.
    pub bytes: u64,
}

/// What a connection does in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It transfers files.
    Moving,
    /// It is held, with a light command now and then.
    Held,
}

impl Load {
    /// How many connections transfer.
    #[must_use]
    pub fn movers(&self) -> u32 {
        (0..self.connections).map(|number| u32::from(self.part(number) == Part::Moving)).sum()
    }

    /// The part of connection `number`: those that transfer are spread evenly over the ramp.
    #[must_use]
    pub fn part(&self, number: u32) -> Part {
        let until = |count: u32| (f64::from(count) * self.moving + 1e-9).floor();
        if until(number + 1) > until(number) { Part::Moving } else { Part::Held }
    }

    /// When connection `number` is to open, from the start of the run.
    #[must_use]
    pub fn opens(&self, number: u32) -> Duration {
        self.ramp.mul_f64(f64::from(number) / f64::from(self.connections.max(1)))
    }

    /// The arrivals of connection `number` from its opening to the end of the run.
    #[must_use]
    pub fn arrivals(&self, number: u32) -> Arrivals {
        let mut dice = Dice::new(number);
        let opens = self.opens(number);
        let gap = match self.part(number) {
            Part::Moving => Gap::Chance(f64::from(self.movers()) / self.rate.max(1e-6)),
            Part::Held => Gap::Fixed(self.every),
        };
        let first = match gap {
            Gap::Fixed(every) => every.mul_f64(dice.share()),
            Gap::Chance(mean) => dice.wait(mean),
        };
        Arrivals { next: opens.saturating_add(first), until: self.time, gap, dice }
    }
}

/// The time between two arrivals.
#[derive(Debug, Clone, Copy)]
enum Gap {
    Fixed(Duration),
    /// Exponential with this mean, in seconds: together the connections make a Poisson process.
    Chance(f64),
}

/// Moments of arrival, from the start of the run, in order.
#[derive(Debug, Clone)]
pub struct Arrivals {
    next: Duration,
    until: Duration,
    gap: Gap,
    dice: Dice,
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = self.next;
        let gap = match self.gap {
            Gap::Fixed(every) => every,
            Gap::Chance(mean) => self.dice.wait(mean),
        };
        // Never twice at once: a schedule without a gap would have no end.
        self.next = now.saturating_add(gap.max(Duration::from_micros(100)));
        (now < self.until).then_some(now)
    }
}

/// Numbers that look thrown, the same in each run: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn new(number: u32) -> Self {
        Self(u64::from(number).wrapping_mul(0x2545_F491_4F6C_DD1D))
    }

    /// From 0 up to 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let high = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }

    fn wait(&mut self, mean: f64) -> Duration {
        Duration::try_from_secs_f64(-mean * (1.0 - self.share()).ln()).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> Load {
        Load {
            connections: 100,
            moving: 0.2,
            rate: 50.0,
            every: Duration::from_secs(10),
            ramp: Duration::from_secs(20),
            time: Duration::from_secs(120),
            bytes: 1 << 30,
        }
    }

    #[test]
    fn a_share_of_the_connections_transfers_at_the_rate_that_was_asked_for() {
        let load = load();
        assert_eq!(load.movers(), 20);
        let of = |part| (0..100).filter(move |number| load.part(*number) == part);
        let moved: usize = of(Part::Moving).map(|number| load.arrivals(number).count()).sum();
        // 50 a second from the opening on, which is after 10 s on the average: 5,500, ± 5 standard deviations.
        assert!((5_100..5_900).contains(&moved), "{moved}");
        for number in of(Part::Held) {
            let all: Vec<_> = load.arrivals(number).collect();
            assert!(all[0] >= load.opens(number) && all.windows(2).all(|two| two[1] - two[0] == load.every), "{all:?}");
            assert!(all.len() >= 9, "{all:?}");
        }
    }

    #[test]
    fn the_plan_is_the_same_each_time_and_ends() {
        let load = load();
        for number in 0..100 {
            let all: Vec<_> = load.arrivals(number).collect();
            assert_eq!(all, load.arrivals(number).collect::<Vec<_>>());
            assert!(all.iter().all(|at| *at < load.time) && all.is_sorted());
        }
        assert_eq!(load.opens(50), Duration::from_secs(10));
        for (moving, movers) in [(0.0, 0), (1.0, 100), (0.01, 1), (0.3, 30)] {
            assert_eq!(Load { moving, ..load }.movers(), movers);
        }
    }
}
