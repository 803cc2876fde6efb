//! Which attempts were at the same file: how many files came through after retries, and how long that took.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::digest::{Digest, Measure, Sum};
use super::series::Series;
use crate::reliability::stat::Blame;
use crate::reliability::{End, FileId, Observation, What};

/// A file that nobody tried again for so long was given up.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(1);
/// So many files may be waiting for another attempt; of more, those that wait the longest are given up.
const MOST: usize = 20_000;

/// A file that failed and may be tried again.
#[derive(Debug, Clone)]
struct Failing {
    since: Timestamp,
    last: Timestamp,
    /// The number of the last attempt.
    observation: i64,
    series: Series,
}

impl Failing {
    fn is_given_up(&self, now: Timestamp) -> bool {
        now.duration_since(self.last) > GIVEN_UP
    }

    fn lost(self) -> Outcome {
        let Self { since, last, observation, series } = self;
        Outcome { took: Some(seconds(since, last)), series, at: last, observation, sum: Sum::FilesLost }
    }
}

/// What became of a file: to be added to a digest.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whose.
    pub series: Series,
    /// When.
    pub at: Timestamp,
    /// The number of the last attempt.
    pub observation: i64,
    sum: Sum,
    /// Seconds from the first failed attempt.
    took: Option<f64>,
}

impl Outcome {
    /// Adds it.
    pub fn count(&self, digest: &mut Digest) {
        digest.sum(self.sum, 1);
        if let Some(took) = self.took {
            digest.measure(if self.sum == Sum::FilesLost { Measure::Abandoned } else { Measure::Recovered }, took);
        }
    }

    /// Of a file that had failed: was it lost, and the seconds since the first failed attempt.
    #[must_use]
    pub fn of_failed(&self) -> Option<(bool, f64)> {
        Some((self.sum == Sum::FilesLost, self.took?))
    }
}

/// The files that failed and were not tried again yet.
#[derive(Debug, Default)]
pub struct Attempts {
    failing: HashMap<FileId, Failing>,
}

impl Attempts {
    /// Takes an attempt in, and says what became of its file, if that is known now: up to two things, because a file that
    /// nobody had tried for long was given up before. A failure that was somebody's wish ([`Blame::Asked`]) says nothing,
    /// and ends the waiting. `id` is the number of the observation.
    pub fn see(&mut self, id: i64, observation: &Observation) -> impl Iterator<Item = Outcome> + use<> {
        let (What::Transfer { end, .. }, Some(file)) = (&observation.what, observation.detail.file) else {
            return None.into_iter().chain(None);
        };
        let late = self.failing.get(&file).is_some_and(|failing| failing.is_given_up(observation.at));
        let given_up = if late { self.failing.remove(&file).map(Failing::lost) } else { None };
        given_up.into_iter().chain(self.ended(id, observation, *end, file))
    }

    fn ended(&mut self, id: i64, observation: &Observation, end: End, file: FileId) -> Option<Outcome> {
        let (series, at) = (Series::of(observation), observation.at);
        match end {
            End::StillOpen => None,
            End::Clean => Some(match self.failing.remove(&file) {
                None => Outcome { series, at, observation: id, sum: Sum::FilesFirst, took: None },
                Some(failing) => {
                    let took = Some(seconds(failing.since, at));
                    Outcome { series, at, observation: id, sum: Sum::FilesRetried, took }
                }
            }),
            End::Failed(phase, kind) if Blame::of(phase, kind) == Blame::Path => {
                let since = self.failing.get(&file).map_or(at, |failing| failing.since);
                self.failing.insert(file, Failing { since, last: at, observation: id, series });
                None
            }
            End::Failed(..) => {
                self.failing.remove(&file);
                None
            }
        }
    }

    /// The files that were given up by `now`.
    pub fn given_up(&mut self, now: Timestamp) -> Vec<Outcome> {
        let mut gone: Vec<Failing> =
            self.failing.extract_if(|_, failing| failing.is_given_up(now)).map(|(_, failing)| failing).collect();
        if self.failing.len() > MOST {
            let mut last: Vec<_> = self.failing.values().map(|failing| failing.last).collect();
            last.sort_unstable();
            let limit = last.get(self.failing.len() - MOST - 1).copied().unwrap_or(now);
            gone.extend(self.failing.extract_if(|_, failing| failing.last <= limit).map(|(_, failing)| failing));
        }
        gone.into_iter().map(Failing::lost).collect()
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{FaultKind, Phase, Protocol};
    use crate::reliability::{Detail, Direction, Role};

    fn attempt(file: &str, second: i64, end: End) -> Observation {
        Observation {
            at: Timestamp::from_second(second).unwrap(),
            protocol: Protocol::Ftp,
            role: Role::Client,
            endpoint: "h:21".into(),
            what: What::Transfer { direction: Direction::Download, bytes: 1, duration: Duration::from_secs(1), end },
            detail: Detail::default().file(FileId::of("h:21", file.as_bytes())),
        }
    }

    #[test]
    fn a_file_is_counted_once_however_often_it_was_tried() {
        let (mut attempts, mut digest) = (Attempts::default(), Digest::default());
        let reset = End::Failed(Phase::Transfer, FaultKind::Reset);
        let missing = End::Failed(Phase::Open, FaultKind::Missing);
        for (file, second, end) in [
            ("a", 0, End::Clean),
            ("b", 0, reset),
            ("c", 5, reset),
            ("d", 6, reset),
            ("b", 10, reset),
            ("b", 30, End::Clean),
            ("b", 40, End::Clean),
            ("d", 50, missing),
            ("c", 60, reset),
        ] {
            for outcome in attempts.see(second, &attempt(file, second, end)) {
                outcome.count(&mut digest);
            }
        }
        assert!(attempts.given_up(Timestamp::from_second(3000).unwrap()).is_empty());
        for outcome in attempts.given_up(Timestamp::from_second(4000).unwrap()) {
            assert_eq!((outcome.at, outcome.observation), (Timestamp::from_second(60).unwrap(), 60));
            outcome.count(&mut digest);
        }
        let sums = [Sum::FilesFirst, Sum::FilesRetried, Sum::FilesLost].map(|sum| digest.summed(sum));
        assert_eq!(sums, [2, 1, 1]);
        let took = |measure| digest.measured(measure).at_rank(1).unwrap().round();
        assert_eq!((took(Measure::Recovered), took(Measure::Abandoned)), (30.0, 55.0));
    }

    #[test]
    fn what_is_tried_again_too_late_was_given_up_before() {
        let (mut attempts, mut digest) = (Attempts::default(), Digest::default());
        let reset = End::Failed(Phase::Transfer, FaultKind::Reset);
        for (second, end) in [(0, reset), (3600, reset), (7201, End::Clean)] {
            attempts.see(second, &attempt("a", second, end)).for_each(|outcome| outcome.count(&mut digest));
        }
        let sums = [Sum::FilesFirst, Sum::FilesRetried, Sum::FilesLost].map(|sum| digest.summed(sum));
        assert_eq!(sums, [1, 0, 1]);
    }

    #[test]
    fn who_waits_longest_is_given_up_first() {
        let mut attempts = Attempts::default();
        let reset = End::Failed(Phase::Transfer, FaultKind::Reset);
        for i in 0..MOST + 5 {
            assert_eq!(attempts.see(i as i64, &attempt(&i.to_string(), i as i64 / 20, reset)).count(), 0);
        }
        let gone = attempts.given_up(Timestamp::from_second(1100).unwrap());
        assert!(!gone.is_empty() && gone.len() <= 20 && attempts.failing.len() <= MOST + 20, "{}", gone.len());
        assert!(gone.iter().all(|outcome| outcome.at.as_second() < 5));
    }
}
