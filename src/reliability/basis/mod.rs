//! What a figure rests on: the single observations behind it, as many as its `n`.
//!
//! Every statistic has a [`Basis`], which says which observations count for it and what each of them brings. The page of
//! observations shows them, and who does not believe a figure works it out again from there. Single observations are kept
//! for [`RETENTION_DAYS`](super::RETENTION_DAYS); of what is older the roll-ups remain, and only they.

mod store;

use std::time::Duration;

use jiff::Timestamp;

pub use store::{Kept, kept, traced};

use super::estimate::number;
use super::stat::Blame;
use super::{Direction, End, Observation, Party, What, Window};
use crate::model::{FaultKind, Phase};

/// Which observations a statistic rests on, and what each of them brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Attempts at connections that count: did it become ready?
    Becoming,
    /// Connections that became ready: the time that it took.
    Setup,
    /// Connections that became ready and had a phase: the time of the phase.
    Part(Phase),
    /// Connections that stood: was it reset?
    Stood,
    /// Connections that became ready: was it reset? With the time that they were held.
    HeldHours,
    /// Connections that became ready: the time that they were held.
    Holding,
    /// Connections whose round-trip time is known: that time.
    Rtt,
    /// Transfer attempts that count: did it fail?
    Moved,
    /// The same, with the bytes that they moved.
    MovedGib,
    /// The last attempt at each file: was it given up?
    Files,
    /// The last attempt at each file that had failed before: the time since the first.
    Recovered,
    /// Comparisons of content: was it another?
    Compared,
    /// Connections that moved files: bytes beside them, by theirs.
    Overhead,
    /// Connections that moved files: round trips.
    RoundTrips,
    /// Transfers that ended well, of these size classes (first and last): bytes per second.
    Goodput((u8, u8)),
    /// Connections of which it is known: was it encrypted?
    Encrypted,
    /// Encrypted connections of which it is known: were its keys safe from quantum computers?
    PostQuantum,
}

/// What an observation brings to a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Brought {
    /// It is in the denominator; is it in the numerator, too?
    Counts(bool),
    /// A value in the unit of the statistic.
    Value(f64),
}

/// What became of a file whose attempts failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileEnd {
    /// It was given up; else it came through.
    pub lost: bool,
    /// Since the end of the first failed attempt.
    pub took: Duration,
}

/// One observation behind a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Its number.
    pub id: i64,
    /// What was observed.
    pub observation: Observation,
    /// Of the last attempt at a file that had failed before.
    pub file: Option<FileEnd>,
}

impl Traced {
    /// Was it a connection that was lost against the will of who held it?
    #[must_use]
    pub const fn is_loss(&self) -> bool {
        matches!(self.observation.what.end(), End::Failed(phase, kind) if Blame::is_loss(phase, kind))
    }
}

/// Which observations are asked for. The role and the endpoint stand in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// From when to when, of which side, of which endpoint.
    pub window: Window,
    /// Behind which figure.
    pub basis: Option<Basis>,
    /// Of which family.
    pub family: Option<String>,
    /// Ended by whom.
    pub party: Option<Party>,
    /// Failed in which phase.
    pub phase: Option<Phase>,
    /// How it ended.
    pub ended: Option<Ending>,
    /// Transfers and comparisons of which size class.
    pub size: Option<u8>,
    /// Of which round of paired probes.
    pub round: Option<i64>,
}

impl Filter {
    /// All of a window.
    #[must_use]
    pub const fn of(window: Window) -> Self {
        Self { window, basis: None, family: None, party: None, phase: None, ended: None, size: None, round: None }
    }
}

/// How an observation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As planned.
    Clean,
    /// Not yet.
    Open,
    /// By any failure.
    Failed,
    /// By this failure.
    By(FaultKind),
}

impl Ending {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Open => "open",
            Self::Failed => "failed",
            Self::By(kind) => kind.as_str(),
        }
    }

    /// That of the word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let plain = [Self::Clean, Self::Open, Self::Failed].into_iter().find(|one| one.as_str() == word);
        plain.or_else(|| word.parse().ok().map(Self::By))
    }
}

/// Where to go on: behind this observation, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When it ended.
    pub at: Timestamp,
    /// Its number.
    pub id: i64,
}

impl Basis {
    /// What an observation brings; none when it does not belong to the figure.
    #[must_use]
    pub fn brings(self, traced: &Traced) -> Option<Brought> {
        let (observation, end) = (&traced.observation, traced.observation.what.end());
        match (self, &observation.what) {
            (Self::Files, What::Transfer { .. }) => Some(Brought::Counts(traced.file.is_some_and(|file| file.lost))),
            (Self::Recovered, What::Transfer { .. }) => Some(Brought::Value(traced.file?.took.as_secs_f64())),
            (Self::Moved | Self::MovedGib, What::Transfer { .. }) => Some(Brought::Counts(end != End::Clean)),
            (Self::Goodput(_), What::Transfer { bytes, duration, .. }) => {
                (!duration.is_zero()).then(|| Brought::Value(number(*bytes) / duration.as_secs_f64()))
            }
            (Self::Compared, What::Check { .. }) => Some(Brought::Counts(end != End::Clean)),
            (_, What::Connection { setup, phases, held, .. }) => {
                self.of_connection(observation, (*setup, phases), *held)
            }
            _ => None,
        }
    }

    fn of_connection(
        self,
        observation: &Observation,
        (setup, phases): (Option<Duration>, &[(Phase, Duration)]),
        held: Duration,
    ) -> Option<Brought> {
        let (detail, end) = (&observation.detail, observation.what.end());
        let reset = matches!(end, End::Failed(_, kind) if kind.is_reset());
        let seconds = |time: Duration| Brought::Value(time.as_secs_f64());
        match self {
            Self::Becoming => Some(Brought::Counts(setup.is_some())),
            Self::Setup => setup.map(seconds),
            Self::Part(wanted) => phases.iter().find(|(phase, _)| *phase == wanted).map(|(_, took)| seconds(*took)),
            Self::Stood | Self::HeldHours => Some(Brought::Counts(reset)),
            Self::Holding => Some(seconds(held)),
            Self::Rtt => detail.tcp.map(|tcp| seconds(tcp.min_rtt)),
            Self::Overhead => {
                let (wire, payload) = (detail.wire?, detail.payload.filter(|payload| *payload > 0)?);
                Some(Brought::Value(number(wire.saturating_sub(payload)) / number(payload)))
            }
            Self::RoundTrips => detail.round_trips.map(|turns| Brought::Value(f64::from(turns))),
            Self::Encrypted => detail.encrypted.map(Brought::Counts),
            Self::PostQuantum => detail.post_quantum.map(Brought::Counts),
            Self::Moved | Self::MovedGib | Self::Files | Self::Recovered | Self::Compared | Self::Goodput(_) => None,
        }
    }
}

/// What an observation is, in a word: a direction says more than "transfer".
#[must_use]
pub const fn kind(what: &What) -> &'static str {
    match what {
        What::Connection { .. } => "connection",
        What::Transfer { direction: Direction::Download, .. } => "download",
        What::Transfer { direction: Direction::Upload, .. } => "upload",
        What::Check { .. } => "comparison",
    }
}

/// Phases whose failures say nothing about the path, and kinds of failures that do.
fn blamed() -> (Vec<Phase>, Vec<FaultKind>) {
    let asked = |phase: &&Phase| Blame::of(**phase, FaultKind::Reset) == Blame::Asked;
    let path = |kind: &&FaultKind| Blame::of(Phase::Transfer, **kind) == Blame::Path;
    (Phase::ALL.iter().filter(asked).copied().collect(), FaultKind::ALL.iter().filter(path).copied().collect())
}
