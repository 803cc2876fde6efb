//! Early warning: is something changing for the worse at an endpoint?
//!
//! Every five minutes of an endpoint are a [`Slot`]. Three signs are watched in it: the set-up time against what is usual
//! at this hour ([`Level`]), and the shares of failures and of resets against what is usual at all ([`Rate`]). All three are
//! cumulative sums (Page 1954): each slot adds how much worse than usual it was, less an allowance, and never goes below
//! zero; an alarm begins when the sum passes a threshold, which small lasting changes do as surely as large sudden
//! ones, and ends when the sum has gone back.
//!
//! **False alarms**: at most one a week for an endpoint, all signs together; **detection delay** by kind of fault: both are
//! measured by `tests/calibrate/run` with a simulator of days, weekends, bursts and noise that remembers.
//!
//! No neural network: its false alarms cannot be derived, it needs examples of faults that nobody has labelled, and it cannot
//! say why. A sum can: "six of the last ten slots were 40 % above the usual 0.21 s".

mod level;
mod rate;
mod slot;

pub use level::Level;
pub use rate::Rate;
pub use slot::{SLOT, Slot};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What pages say of it: word and text. The figures are those of `tests/figures/calibration.md`.
pub const ABOUT: [(&str, &str); 8] = [
    (
        "Watched",
        "Every five minutes of each endpoint, from each side. Set-up time: the mean of the logarithms. Errors: connections \
         and transfers that failed by the path, the server or the protocol, out of all that count. Resets: connections that \
         were reset, out of those that stood.",
    ),
    (
        "Usual",
        "Set-up time: what it is at that hour of UTC, working days and weekends apart, the last eight to ten days \
         above all; it is taken to vary by 5 % at least. Errors and resets: their share in the last 20,000, of which \
         five minutes count 16 at most, because what fails at once fails together. These have no hours of their own: \
         they are too rare for a share of each hour to be learnt.",
    ),
    (
        "Method",
        "Cumulative sums (Page 1954): each five minutes add how much worse than usual they were, less an allowance, and the \
         sum never falls below zero. An alarm begins when the sum passes a threshold and ends when it is back at a third of \
         it. Meanwhile nothing is learnt; after a week it is learnt anew what is usual.",
    ),
    (
        "Shown from",
        "Two days and 60 times five minutes of set-up times, in hours that have 12 before them; 300 attempts, or 300 \
         connections, of which five minutes count 16 at most. Before that there is not enough data yet, and nothing \
         rings.",
    ),
    (
        "False alarms",
        "0.30 a week for an endpoint of some 15 attempts in five minutes, all signs together (at most 1 was wanted); \
         0.25 for one of some 3,000; 0.17 for one where 70 % of the attempts usually fail; 0.01 for one that is used \
         for an hour a night: measured on 24 simulated endpoints of each kind for 8 weeks, with days, weekends, bursts \
         and noise that remembers, in memory. The two weeks before are left out, though judging begins in them. The \
         thresholds were chosen on traffic of the same kind, so real traffic may ring more often.",
    ),
    (
        "Delay",
        "Measured on simulated faults, from their beginning to the end of the five minutes that rang, median and 95th \
         percentile, some 15 attempts in five minutes: set-up takes half as long again, 40 and 65 minutes; twice as \
         long, 20 and 25; 5 % of attempts fail, 50 and 85; all fail, 5 and 10; 20 % of connections are reset, 25 and \
         55. With some 3,000 attempts: 5 % of attempts fail, 45 and 50; all fail, 5 and 10.",
    ),
    (
        "Recovery",
        "An alarm ends when the sum has gone back, which takes longer than to ring: up to some 700 attempts without a \
         failure. Measured in the same way, from the end of the fault to that of the alarm: set-up took twice as long, \
         85 and 165 minutes; all failed, 335 and 635; 20 % of connections were reset, 750 and 1355. With some 3,000 \
         attempts: all failed, 280 and 425.",
    ),
    (
        "No neural network",
        "Its false alarms cannot be derived, it needs examples of faults that nobody has labelled, and it cannot say why it \
         rings. A sum can: the five minutes that it rests on stand beside every alarm.",
    ),
];

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// Set-up takes longer than usual.
    SetupTime,
    /// More attempts and transfers fail than usual.
    Errors,
    /// More connections are reset than usual.
    Resets,
}

impl Sign {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SetupTime, Self::Errors, Self::Resets];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SetupTime => "setup-time",
            Self::Errors => "errors",
            Self::Resets => "resets",
        }
    }

    /// That of the word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sign| sign.as_str() == word)
    }
}

/// Something changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// What.
    pub sign: Sign,
    /// When it was noticed: at the end of the slot that rang.
    pub at: Timestamp,
    /// Since when the sum has been rising: when it probably began.
    pub since: Timestamp,
    /// What is usual: seconds, or a share.
    pub usual: f64,
    /// What it has been since then.
    pub now: f64,
}

/// What a slot brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// An alarm begins.
    Began(Alarm),
    /// It is as usual again, from the end of the slot on that brought it.
    Ended(Sign, Timestamp),
}

/// Watches one endpoint. It can be kept as JSON, to go on after a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    setup: Level,
    errors: Rate,
    resets: Rate,
}

impl Default for Watch {
    fn default() -> Self {
        Self { setup: Level::default(), errors: Rate::new(Sign::Errors), resets: Rate::new(Sign::Resets) }
    }
}

impl Watch {
    /// Takes the next slot in; slots come in the order of time, and those in which nothing happened may be left out.
    pub fn see(&mut self, slot: &Slot) -> Vec<Change> {
        let setup = slot.setup.and_then(|setup| self.setup.see(slot.at, setup));
        let errors = self.errors.see(slot.at, slot.failed, slot.tried);
        let resets = self.resets.see(slot.at, slot.resets, slot.connections);
        [setup, errors, resets].into_iter().flatten().collect()
    }

    /// Is it known what is usual of this sign?
    #[must_use]
    pub fn is_learnt(&self, sign: Sign) -> bool {
        match sign {
            Sign::SetupTime => self.setup.is_learnt(),
            Sign::Errors => self.errors.is_learnt(),
            Sign::Resets => self.resets.is_learnt(),
        }
    }

    /// Ends an alarm of this sign from outside; what is usual stays known.
    pub fn calm(&mut self, sign: Sign) {
        match sign {
            Sign::SetupTime => self.setup.calm(),
            Sign::Errors => self.errors.calm(),
            Sign::Resets => self.resets.calm(),
        }
    }

    /// Learns anew what is usual of this sign.
    pub fn relearn(&mut self, sign: Sign) {
        match sign {
            Sign::SetupTime => self.setup = Level::default(),
            Sign::Errors => self.errors = Rate::new(sign),
            Sign::Resets => self.resets = Rate::new(sign),
        }
    }
}

/// A cumulative sum with its beginning and its state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Cusum {
    sum: f64,
    since: Option<Timestamp>,
    alarmed: bool,
}

/// What a step of a sum brought.
enum Turn {
    Rang(Timestamp),
    Ceased,
}

impl Cusum {
    /// Adds `by`. The sum is bounded at one and a half times the threshold, so that an alarm ends soon after its cause.
    fn add(&mut self, at: Timestamp, by: f64, threshold: f64) -> Option<Turn> {
        self.sum = (self.sum + by).clamp(0.0, 1.5 * threshold);
        if self.sum == 0.0 {
            self.since = None;
        } else if self.since.is_none() {
            self.since = Some(at);
        }
        if !self.alarmed && self.sum >= threshold {
            self.alarmed = true;
            return Some(Turn::Rang(self.since.unwrap_or(at)));
        }
        if self.alarmed && self.sum <= threshold / 3.0 {
            (self.alarmed, self.sum, self.since) = (false, 0.0, None);
            return Some(Turn::Ceased);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(slot: i64) -> Timestamp {
        // A Monday.
        Timestamp::from_second(1_767_571_200 + slot * SLOT.as_secs()).unwrap()
    }

    fn slot(number: i64, setup: f64, failed: u64, resets: u64) -> Slot {
        Slot { at: at(number), setup: Some(setup), failed, tried: 20, resets, connections: 10, ready: 10 }
    }

    /// A wave over the day and a wobble.
    fn usual(number: i64) -> f64 {
        let hour = (number % 288) as f64 / 12.0;
        -1.5 + 0.4 * (hour / 24.0 * std::f64::consts::TAU).sin() + 0.1 * (number * 7 % 11 - 5) as f64
    }

    const LEARNT: i64 = 3 * 7 * 288;

    fn learnt() -> Watch {
        let mut watch = Watch::default();
        for number in 0..LEARNT {
            let changes = watch.see(&slot(number, usual(number), u64::from(number % 30 == 0), 0));
            assert!(changes.is_empty(), "slot {number}: {changes:?}");
        }
        watch
    }

    #[test]
    fn a_slow_server_is_noticed_and_its_recovery_too() {
        let mut watch = learnt();
        let mut said = Vec::new();
        for number in LEARNT..LEARNT + 96 {
            let slower = if number < LEARNT + 48 { 2.0_f64.ln() } else { 0.0 };
            for change in watch.see(&slot(number, usual(number) + slower, 0, 0)) {
                said.push((number - LEARNT, change));
            }
        }
        let [(began, Change::Began(alarm)), (ended, Change::Ended(Sign::SetupTime, over))] = said.as_slice() else {
            panic!("{said:?}")
        };
        assert!(*began <= 10 && (48..80).contains(ended), "{said:?}");
        assert_eq!((alarm.at, *over), (at(LEARNT + began + 1), at(LEARNT + ended + 1)));
        assert!(alarm.sign == Sign::SetupTime && alarm.since <= at(LEARNT) && alarm.since >= at(LEARNT - 6));
        assert!((alarm.now / alarm.usual / 2.0 - 1.0).abs() < 0.25, "{alarm:?}");
    }

    #[test]
    fn pages_say_what_was_measured() {
        let figures = include_str!("../../../tests/figures/calibration.md");
        let told: String = ABOUT.iter().map(|(_, text)| *text).collect();
        for (measured, said) in [
            ("some 15 attempts in 5 minutes          0.047     0.250     0.000     0.297", "0.30 a week"),
            (
                "some 3,000 attempts in 5 minutes       0.089     0.161     0.000     0.250",
                "0.25 for one of some 3,000",
            ),
            ("usually 70 % fail, at times 85 %       0.047     0.125     0.000     0.172", "0.17 for one where 70 %"),
            (
                "one hour a night                       0.005     0.000     0.000     0.005",
                "0.01 for one that is used for an hour",
            ),
            ("24 endpoints of each kind watched for 8 weeks", "24 simulated endpoints of each kind for 8 weeks"),
            (
                "set-up takes 1.5 times as long        40 min    65 min     100 %    90 min   155 min",
                "set-up takes half as long again, 40 and 65 minutes",
            ),
            (
                "set-up takes twice as long            20 min    25 min     100 %    85 min   165 min",
                "twice as long, 20 and 25",
            ),
            (
                "5 % of attempts fail                  50 min    85 min     100 %   330 min   610 min",
                "5 % of attempts fail, 50 and 85",
            ),
            (
                "all attempts fail                      5 min    10 min     100 %   335 min   635 min",
                "all fail, 5 and 10",
            ),
            (
                "20 % of connections are reset         25 min    55 min     100 %   750 min  1355 min",
                "20 % of connections are reset, 25 and 55",
            ),
            (
                "set-up takes twice as long            20 min    25 min     100 %    85 min   165 min",
                "set-up took twice as long, 85 and 165 minutes",
            ),
            (
                "all attempts fail                      5 min    10 min     100 %   335 min   635 min",
                "all failed, 335 and 635",
            ),
            (
                "20 % of connections are reset         25 min    55 min     100 %   750 min  1355 min",
                "20 % of connections were reset, 750 and 1355",
            ),
            (
                "5 % of attempts fail                  45 min    50 min     100 %   275 min   335 min",
                "5 % of attempts fail, 45 and 50; all fail, 5 and 10",
            ),
            (
                "all attempts fail                      5 min    10 min     100 %   280 min   425 min",
                "all failed, 280 and 425.",
            ),
        ] {
            assert!(figures.contains(measured) && told.contains(said), "{measured}: {said}");
        }
    }

    #[test]
    fn what_was_learnt_can_be_kept() {
        let mut watch = learnt();
        let mut kept: Watch = serde_json::from_str(&serde_json::to_string(&watch).unwrap()).unwrap();
        assert!(Sign::ALL.into_iter().all(|sign| kept.is_learnt(sign) && Sign::of_word(sign.as_str()) == Some(sign)));
        let began = |watch: &mut Watch| {
            let slots = (LEARNT..LEARNT + 20).map(|number| slot(number, usual(number) + 2.0_f64.ln(), 6, 3));
            slots.flat_map(|slot| watch.see(&slot)).count()
        };
        assert_eq!((began(&mut kept), began(&mut watch)), (3, 3));
        // Ended from outside, it rings again when it goes on.
        Sign::ALL.into_iter().for_each(|sign| kept.calm(sign));
        assert_eq!(began(&mut kept), 3);
        kept.relearn(Sign::Errors);
        assert!(!kept.is_learnt(Sign::Errors) && kept.is_learnt(Sign::Resets));
    }

    #[test]
    fn failures_and_resets_are_noticed() {
        for sign in [Sign::Errors, Sign::Resets] {
            let mut watch = learnt();
            let (failed, resets) = if sign == Sign::Errors { (6, 0) } else { (0, 3) };
            let began = (LEARNT..LEARNT + 20).find_map(|number| {
                let changes = watch.see(&slot(number, usual(number), failed, resets));
                changes.into_iter().find_map(|change| match change {
                    Change::Began(alarm) => Some((number - LEARNT, alarm)),
                    Change::Ended(..) => None,
                })
            });
            let (after, alarm) = began.unwrap();
            assert!(after <= 2 && alarm.sign == sign && alarm.now > 10.0 * alarm.usual, "{after}: {alarm:?}");
        }
    }
}
