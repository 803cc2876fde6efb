//! One observation as a row, for people and for scripts.

use std::time::Duration;

use axum::response::Response;
use serde::Serialize;

use super::Found;
use crate::model::Phase;
use crate::reliability::basis::{Brought, Traced, kind};
use crate::reliability::{Basis, End, Party, Role, Statistic, Unit, What};
use crate::web::page::reliability::{answer, scale, side};
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::widget::{Chip, Moment, Tone};

/// One observation.
#[derive(Debug, Clone)]
pub struct ObservationRow {
    pub id: i64,
    pub at: Moment,
    pub kind: &'static str,
    pub endpoint: String,
    /// Protocol and side.
    pub whose: String,
    pub ended: Chip,
    /// In which phase, by whom, after which silence, with which error number.
    pub how: String,
    /// Times and sizes.
    pub facts: String,
    /// What it brings to the figure.
    pub brings: String,
}

/// What stands above what the observations bring.
pub(super) const fn heading(basis: Basis) -> &'static str {
    match basis {
        Basis::Becoming => "Ready",
        Basis::Stood | Basis::HeldHours => "Reset",
        Basis::Moved | Basis::MovedGib => "Failed",
        Basis::Files => "Given up",
        Basis::Compared => "Another content",
        Basis::Encrypted => "Encrypted",
        Basis::PostQuantum => "Post-quantum",
        Basis::Setup
        | Basis::Part(_)
        | Basis::Holding
        | Basis::Rtt
        | Basis::Recovered
        | Basis::Overhead
        | Basis::RoundTrips
        | Basis::Goodput(_) => "Value",
    }
}

/// As a row of the page.
pub(super) fn row(traced: &Traced, statistic: Option<&Statistic>) -> ObservationRow {
    let observation = &traced.observation;
    ObservationRow {
        id: traced.id,
        at: Moment::exact(observation.at),
        kind: kind(&observation.what),
        endpoint: observation.endpoint.clone(),
        whose: format!("{}, {}", observation.protocol.family(), side(Some(observation.role))),
        ended: ended(observation.what.end()),
        how: how(traced),
        facts: facts(&observation.what),
        brings: statistic.map(|statistic| brings(traced, statistic)).unwrap_or_default(),
    }
}

fn ended(end: End) -> Chip {
    match end {
        End::Clean => Chip::new(Tone::Ok, "Clean"),
        End::StillOpen => Chip::new(Tone::Busy, "Open"),
        End::Failed(_, kind) => Chip::new(Tone::Bad, kind.as_str().replace('-', " ")),
    }
}

fn how(traced: &Traced) -> String {
    let observation = &traced.observation;
    let mut parts = Vec::new();
    if let End::Failed(phase, _) = observation.what.end() {
        parts.push(format!("in phase {}", phase.as_str()));
        parts.extend(observation.ended_by().map(|party| {
            match party {
                Party::Us => "by us",
                Party::Them => "by the other side",
                Party::Nobody => "by nobody",
            }
            .to_owned()
        }));
        parts.extend(observation.detail.idle.map(|idle| format!("after {} of silence", show::span(idle))));
        parts.extend(observation.detail.errno.map(|errno| format!("errno {errno}")));
    }
    parts.extend(traced.file.map(|file| {
        let took = show::span(file.took);
        if file.lost {
            format!("given up {took} after the first failure")
        } else {
            format!("came through {took} after it")
        }
    }));
    parts.join(", ")
}

fn facts(what: &What) -> String {
    match what {
        What::Connection { setup: None, .. } => "never ready".to_owned(),
        What::Connection { setup: Some(setup), held, .. } => {
            format!("ready after {}, held for {}", show::span(*setup), show::span(*held))
        }
        What::Transfer { bytes, duration, .. } => format!("{} in {}", show::bytes(*bytes), show::span(*duration)),
        What::Check { bytes, .. } => show::bytes(*bytes),
    }
}

fn brings(traced: &Traced, statistic: &Statistic) -> String {
    match statistic.basis.brings(traced) {
        None => String::new(),
        Some(Brought::Counts(counts)) => if counts { "yes" } else { "no" }.to_owned(),
        Some(Brought::Value(value)) => {
            let (factor, unit, _) = scale(statistic.unit, value);
            let more =
                if statistic.unit == Unit::Seconds && censored(traced, statistic.basis) { " or more" } else { "" };
            format!("{}{unit}{more}", show::figure(value * factor))
        }
    }
}

/// It would have lasted longer.
fn censored(traced: &Traced, basis: Basis) -> bool {
    match basis {
        Basis::Holding => !traced.is_loss(),
        Basis::Recovered => traced.file.is_some_and(|file| file.lost),
        _ => false,
    }
}

#[derive(Serialize)]
struct ObservationJson<'a> {
    id: i64,
    at: String,
    kind: &'static str,
    family: &'static str,
    role: Role,
    endpoint: &'a str,
    /// `clean`, `open`, or the kind of failure.
    ended: &'static str,
    phase: Option<&'static str>,
    by: Option<&'static str>,
    /// Seconds until ready; of connections that were.
    setup: Option<f64>,
    /// Seconds: held, or from the command to the last byte.
    lasted: Option<f64>,
    /// Seconds of each phase of the set-up.
    phases: Vec<(&'static str, f64)>,
    bytes: Option<u64>,
    idle: Option<f64>,
    errno: Option<i32>,
    min_rtt: Option<f64>,
    wire: Option<u64>,
    payload: Option<u64>,
    round_trips: Option<u32>,
    encrypted: Option<bool>,
    post_quantum: Option<bool>,
    round: Option<i64>,
    /// Of the last attempt at a file that had failed: was it given up, and the seconds since the first.
    lost: Option<bool>,
    took: Option<f64>,
    /// Is it in the figure's numerator?
    counts: Option<bool>,
    /// The value that it brings to the figure, and whether that is a lower bound only.
    value: Option<f64>,
    censored: bool,
}

#[derive(Serialize)]
struct ObservationsJson<'a> {
    statistic: Option<&'static str>,
    /// The n of the figure, from the roll-ups.
    n: Option<u64>,
    /// Observations that are kept; with `more` there are more.
    count: u64,
    more: bool,
    observations: Vec<ObservationJson<'a>>,
    /// Where it goes on.
    next: Option<String>,
}

/// As an answer to a script.
pub(super) fn json(found: &Found, rows: &[Traced], next: Option<String>) -> Result<Response, Problem> {
    let statistic = found.statistic;
    answer(&ObservationsJson {
        statistic: statistic.map(|statistic| statistic.key),
        n: found.figure.map(|estimate| estimate.n),
        count: found.kept.count,
        more: found.kept.more,
        observations: rows.iter().map(|traced| of(traced, statistic)).collect(),
        next: next.map(|query| format!("/observations{query}")),
    })
}

fn of<'a>(traced: &'a Traced, statistic: Option<&Statistic>) -> ObservationJson<'a> {
    let (observation, detail) = (&traced.observation, &traced.observation.detail);
    let seconds = |time: Duration| time.as_secs_f64();
    let (setup, lasted, bytes, phases) = match &observation.what {
        What::Connection { setup, phases, held, .. } => (*setup, Some(*held), None, phases.as_slice()),
        What::Transfer { bytes, duration, .. } => (None, Some(*duration), Some(*bytes), [].as_slice()),
        What::Check { bytes, .. } => (None, None, Some(*bytes), [].as_slice()),
    };
    let (ended, phase) = match observation.what.end() {
        End::Clean => ("clean", None),
        End::StillOpen => ("open", None),
        End::Failed(phase, kind) => (kind.as_str(), Some(phase.as_str())),
    };
    let brought = statistic.and_then(|statistic| statistic.basis.brings(traced));
    let phase_of = |(phase, took): &(Phase, Duration)| (phase.as_str(), took.as_secs_f64());
    ObservationJson {
        id: traced.id,
        at: observation.at.to_string(),
        kind: kind(&observation.what),
        family: observation.protocol.family(),
        role: observation.role,
        endpoint: &observation.endpoint,
        ended,
        phase,
        by: observation.ended_by().map(Party::as_str),
        setup: setup.map(seconds),
        lasted: lasted.map(seconds),
        phases: phases.iter().map(phase_of).collect(),
        bytes,
        idle: detail.idle.map(seconds),
        errno: detail.errno,
        min_rtt: detail.tcp.map(|tcp| seconds(tcp.min_rtt)),
        wire: detail.wire,
        payload: detail.payload,
        round_trips: detail.round_trips,
        encrypted: detail.encrypted,
        post_quantum: detail.post_quantum,
        round: detail.round,
        lost: traced.file.map(|file| file.lost),
        took: traced.file.map(|file| seconds(file.took)),
        counts: if let Some(Brought::Counts(counts)) = brought { Some(counts) } else { None },
        value: if let Some(Brought::Value(value)) = brought { Some(value) } else { None },
        censored: statistic.is_some_and(|statistic| censored(traced, statistic.basis)),
    }
}
