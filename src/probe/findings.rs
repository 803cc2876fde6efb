//! What the rounds of a set say: the first member against each of the others, step by step.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::store::Seen;
use super::visit::Step;
use super::{Lasting, Member, Set};
use crate::model::EndpointId;
use crate::reliability::pairs::{Finding, Moments, Pairs, Subject, shares, times};
use crate::reliability::stat::Blame;

/// The steps that move a file.
const MOVING: [Step; 3] = [Step::Small, Step::Medium, Step::Upload];

/// How a step ended at one side of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Side {
    /// After so many seconds, with so many bytes.
    Well(f64, u64),
    /// By a failure of the path, the server or the protocol, or with other bytes.
    Badly,
    /// Nothing can be said: it was not tried, or what failed was asked for wrongly.
    Unknown,
}

/// The steps of one visit.
type Visit = BTreeMap<Step, Side>;

fn side(lasting: &Lasting) -> Side {
    match lasting {
        Lasting::Done(took, amount) => Side::Well(took.as_secs_f64(), *amount),
        Lasting::Differs => Side::Badly,
        Lasting::Failed(phase, kind, _) => match Blame::of(*phase, *kind) {
            Blame::Path => Side::Badly,
            Blame::Asked => Side::Unknown,
        },
    }
}

/// What is asked about two members of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// How long does a step take? [`Step::Login`]: the set-up.
    Time(Step),
    /// Does a connection become ready?
    Connecting,
    /// Do all files of a round come through?
    Moving,
}

impl Question {
    /// Every one, in the order of the page.
    pub const ALL: [Self; 7] = [
        Self::Time(Step::Login),
        Self::Connecting,
        Self::Time(Step::Small),
        Self::Time(Step::Medium),
        Self::Time(Step::List),
        Self::Time(Step::Upload),
        Self::Moving,
    ];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Time(step) => step.as_str(),
            Self::Connecting => "connecting",
            Self::Moving => "moving",
        }
    }

    /// That of the word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|question| question.as_str() == word)
    }

    /// What is compared; none when nothing was moved by which the size could be told.
    fn subject(self, pairs: &[Pair]) -> Option<Subject> {
        // Of what was moved last, if it was another file once.
        let bytes = || {
            pairs.iter().rev().find_map(|pair| if let Side::Well(_, bytes) = pair.other { Some(bytes) } else { None })
        };
        Some(match self {
            Self::Time(Step::Login) => Subject::Setup,
            Self::Time(Step::List) => Subject::Listing,
            Self::Time(Step::Upload) => Subject::Upload(bytes()?),
            Self::Time(Step::Small | Step::Medium) => Subject::Download(bytes()?),
            Self::Connecting => Subject::Connecting,
            Self::Moving => Subject::Moving,
        })
    }

    /// Does a pair say something about it?
    const fn counts(self, pair: &Pair) -> bool {
        match self {
            Self::Time(_) => matches!((pair.first, pair.other), (Side::Well(..), Side::Well(..))),
            Self::Connecting | Self::Moving => {
                !matches!(pair.first, Side::Unknown) && !matches!(pair.other, Side::Unknown)
            }
        }
    }

    /// How it ended at a visit.
    fn at(self, visit: &Visit) -> Side {
        match self {
            Self::Time(step) => visit.get(&step).copied().unwrap_or(Side::Unknown),
            Self::Connecting => visit.get(&Step::Login).copied().unwrap_or(Side::Unknown),
            // One verdict for each round: what fails in one step often fails in the next, too.
            Self::Moving => moved(visit),
        }
    }
}

/// What two visits of one round brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The number of the round.
    pub round: i64,
    /// When it began; what was observed in it carries this number.
    pub at: Timestamp,
    /// At the first member of the set.
    pub first: Side,
    /// At the other one.
    pub other: Side,
}

/// What is said of two members, and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What was asked.
    pub question: Question,
    /// The other member; the first one is that of the set.
    pub other: EndpointId,
    /// The answer.
    pub finding: Finding,
    /// The pairs that it was made of, as many as its `n`, the oldest first.
    pub pairs: Vec<Pair>,
}

/// What is said of the members of `set` by what was `seen` in its rounds.
#[must_use]
pub(super) fn findings(set: &Set, seen: &[Seen]) -> Vec<Told> {
    let mut rounds: BTreeMap<(i64, Timestamp), BTreeMap<EndpointId, Visit>> = BTreeMap::new();
    for one in seen {
        let visit = rounds.entry((one.round, one.at)).or_default().entry(one.endpoint).or_default();
        visit.insert(one.step, side(&one.lasting));
    }
    let Some((first, others)) = set.members.split_first() else { return Vec::new() };
    let mut found = Vec::new();
    for other in others {
        let names = (called(set, first), called(set, other));
        for question in Question::ALL {
            let both = rounds.iter().filter_map(|((round, at), visits)| {
                let (first, other) = (visits.get(&first.endpoint)?, visits.get(&other.endpoint)?);
                Some(Pair { round: *round, at: *at, first: question.at(first), other: question.at(other) })
            });
            let pairs: Vec<_> = both.filter(|pair| question.counts(pair)).collect();
            let Some(subject) = question.subject(&pairs).filter(|_| !pairs.is_empty()) else { continue };
            let finding = match question {
                Question::Time(_) => of_times(subject, names, &pairs),
                Question::Connecting | Question::Moving => of_shares(subject, names, &pairs),
            };
            found.push(Told { question, other: other.endpoint, finding, pairs });
        }
    }
    found
}

/// By its protocol, where no other member has the same; else by its name.
fn called<'a>(set: &'a Set, member: &'a Member) -> &'a str {
    let alike = set.members.iter().filter(|other| other.family == member.family).count();
    if alike == 1 { &member.family } else { &member.name }
}

/// Did every file come through that was to be moved?
fn moved(visit: &Visit) -> Side {
    let tried: Vec<_> = MOVING.iter().filter_map(|step| visit.get(step)).collect();
    if tried.contains(&&Side::Badly) {
        Side::Badly
    } else if tried.is_empty() || tried.contains(&&Side::Unknown) {
        Side::Unknown
    } else {
        Side::Well(0.0, 0)
    }
}

fn of_times(subject: Subject, names: (&str, &str), pairs: &[Pair]) -> Finding {
    let both = pairs.iter().filter_map(|pair| match (pair.first, pair.other) {
        (Side::Well(one, _), Side::Well(other, _)) => Some((one, other)),
        _ => None,
    });
    let differences = Moments::of(both.clone().map(|(one, other)| other - one));
    let positive = both.filter(|(one, other)| *one > 0.0 && *other > 0.0);
    let logarithms = Moments::of(positive.map(|(one, other)| (other / one).ln()));
    times(subject, names, &differences, &logarithms)
}

fn of_shares(subject: Subject, names: (&str, &str), pairs: &[Pair]) -> Finding {
    let mut counts = Pairs::default();
    for pair in pairs {
        let slot = match (pair.first, pair.other) {
            (Side::Unknown, _) | (_, Side::Unknown) => continue,
            (Side::Well(..), Side::Well(..)) => &mut counts.both,
            (Side::Well(..), Side::Badly) => &mut counts.first,
            (Side::Badly, Side::Well(..)) => &mut counts.second,
            (Side::Badly, Side::Badly) => &mut counts.neither,
        };
        *slot += 1;
    }
    shares(subject, names, &counts)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Budget, Work};
    use super::*;
    use crate::model::{FaultKind, Phase, SetId};

    fn set(families: [&str; 3]) -> Set {
        let member = |(number, family): (i64, &str)| Member {
            endpoint: EndpointId(number),
            name: format!("door {number}"),
            url: String::new(),
            family: family.to_owned(),
        };
        Set {
            id: SetId(1),
            name: "x".into(),
            members: (1..).zip(families).map(member).collect(),
            work: Work::default(),
            every: Duration::from_secs(60),
            budget: Budget::default(),
            on: true,
        }
    }

    fn rounds() -> Vec<Seen> {
        let mut seen = Vec::new();
        for round in 0..60_i64 {
            let took = |millis: i64, bytes| Lasting::Done(Duration::from_millis(millis.unsigned_abs()), bytes);
            let failed = |phase, kind| Lasting::Failed(phase, kind, String::new());
            let mut add = |endpoint, step, lasting| {
                let at = Timestamp::from_second(round * 60).unwrap();
                seen.push(Seen { round, at, endpoint: EndpointId(endpoint), step, lasting });
            };
            if round % 3 == 0 {
                add(1, Step::Login, failed(Phase::Connect, FaultKind::Refused));
            } else {
                add(1, Step::Login, took(100 + round, 0));
            }
            add(1, Step::Medium, took(80 + round % 7, 65_536));
            add(2, Step::Login, took(500 + round + round % 5, 0));
            let stalls = round % 2 == 0;
            add(2, Step::Small, if stalls { failed(Phase::Transfer, FaultKind::Timeout) } else { took(9, 5) });
            add(2, Step::Medium, if stalls { Lasting::Differs } else { took(50 + round % 7, 65_536) });
            let wrong = round < 20;
            add(3, Step::Login, if wrong { failed(Phase::Login, FaultKind::Auth) } else { took(90 + round, 0) });
        }
        seen
    }

    #[test]
    fn what_was_done_in_the_same_step_of_the_same_round_is_compared() {
        let found = findings(&set(["FTP", "SFTP", "WebDAV"]), &rounds());
        let said: Vec<_> = found
            .iter()
            .map(|one| &one.finding)
            .filter(|one| one.to == "SFTP")
            .map(|one| one.sentence.as_str())
            .collect();
        assert_eq!(
            said,
            [
                "SFTP set-up is 0.40 s slower here [0.40, 0.40], n = 40 pairs",
                "SFTP connection success is 33.3 percentage points higher here [21.1, 45.9], n = 60 pairs",
                "SFTP download of 64 KiB is 30.0 ms faster here [30.0, 30.0], n = 30 pairs",
                // A round that fails twice is one failure.
                "SFTP transfer success is 50.0 percentage points lower here [36.3, 62.3], n = 60 pairs",
            ]
        );
        // Of rounds in which the password was wrong nothing is known.
        let third: Vec<_> =
            found.iter().map(|one| &one.finding).filter(|one| one.to == "WebDAV").map(|one| one.difference.n).collect();
        assert_eq!(third, [27, 40]);
        // Each figure rests on as many pairs as it says.
        assert!(found.iter().all(|one| u64::try_from(one.pairs.len()).unwrap() == one.finding.difference.n));
    }

    #[test]
    fn two_of_a_protocol_go_by_their_names() {
        let found = findings(&set(["FTP", "FTP", "SFTP"]), &rounds());
        let found: Vec<_> = found.into_iter().map(|one| one.finding).collect();
        assert!(found.iter().all(|one| one.from == "door 1" && ["door 2", "SFTP"].contains(&one.to.as_str())));
        assert!(findings(&set(["FTP", "FTP", "SFTP"]), &[]).is_empty());
    }
}
