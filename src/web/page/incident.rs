//! One incident: what its faults have in common, why, and its history.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::alarm::alarms_of;
use super::doctor::{DiagnosisRow, begin};
use super::finding::{FindingShown, LineShown};
use crate::diagnose::Limits;
use crate::diagnose::incident::{Entry, Incident};
use crate::job::StoredEndpoint;
use crate::model::IncidentId;
use crate::reliability::Role;
use crate::web::form::{Nothing, Posted, refused};
use crate::web::frame::Frame;
use crate::web::problem::{Problem, sentence};
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

/// One incident in a list.
#[derive(Debug, Clone)]
pub struct IncidentRow {
    pub href: String,
    pub what: String,
    pub why: String,
    pub since: Moment,
    pub last: Moment,
    pub faults: String,
    pub chip: Chip,
}

impl IncidentRow {
    pub(in crate::web) fn of(incident: &Incident, now: Timestamp) -> Self {
        Self {
            href: format!("/incidents/{}", incident.id),
            what: title(incident),
            why: sentence(&incident.verdict.line()),
            since: Moment::around(incident.since, now),
            last: Moment::around(incident.last, now),
            faults: show::count(incident.faults),
            chip: chip(incident),
        }
    }
}

fn title(incident: &Incident) -> String {
    sentence(&incident.like.sentence()).trim_end_matches('.').to_owned()
}

fn chip(incident: &Incident) -> Chip {
    if incident.closed.is_some() { Chip::new(Tone::Ok, "Over") } else { Chip::new(Tone::Bad, "Open") }
}

/// One line of the history.
#[derive(Debug, Clone)]
pub struct EntryShown {
    pub at: Moment,
    pub said: String,
}

impl EntryShown {
    fn of(entry: &Entry) -> Self {
        Self { at: Moment::at(entry.at), said: sentence(&entry.said) }
    }
}

#[derive(Template)]
#[template(path = "incident.html")]
pub(in crate::web) struct IncidentPage {
    pub frame: Frame,
    pub href: String,
    pub what: String,
    pub chip: Chip,
    pub counts: Vec<(&'static str, String)>,
    pub since: Moment,
    pub last: Moment,
    /// Everything that was observed at that place in that time.
    pub observed: String,
    pub findings: Vec<FindingShown>,
    pub entries: Vec<EntryShown>,
    pub diagnoses: Vec<DiagnosisRow>,
    /// The other side is an endpoint of ours that can be looked at.
    pub can_look: bool,
    /// What early warning said of it: address and words.
    pub alarms: Vec<(String, String)>,
}

/// `GET /incidents/{id}`.
pub(in crate::web) async fn page(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    let (incident, entries) = state.incidents.get(IncidentId(id)).await?;
    let diagnoses = state.diagnoses.of_incident(incident.id).await?;
    let endpoints = state.jobs.endpoints().await?;
    let alarms = alarms_of(&incident, &state.alarms.within(incident.since, incident.closed.unwrap_or(now)).await?);
    super::html(&shown(&incident, &entries, Frame::new(&visitor, title(&incident)), now).with(
        diagnoses.iter().map(|stored| DiagnosisRow::of(stored, now)).collect(),
        endpoint_of(&incident, &endpoints).is_some(),
        alarms,
    ))
}

/// As the page has it, without diagnoses and alarms.
pub(in crate::web) fn shown(incident: &Incident, entries: &[Entry], frame: Frame, now: Timestamp) -> IncidentPage {
    let observed = observed(incident);
    let line = |ids: &[usize]| {
        let lines = incident.verdict.lines(ids).map(|(seen, made)| {
            // The page begins with it.
            let place = format!("before={}-{}", made.at.as_microsecond(), made.id.saturating_add(1));
            let href = Some(format!("{observed}&{place}#observation-{}", made.id));
            LineShown { href, ..LineShown::of(seen) }
        });
        lines.collect()
    };
    IncidentPage {
        frame,
        href: format!("/incidents/{}", incident.id),
        what: title(incident),
        chip: chip(incident),
        counts: vec![
            ("Faults", show::count(incident.faults)),
            ("While", incident.like.phase.to_string()),
            ("What happens", incident.like.fault.to_string()),
            ("Protocol", incident.like.protocol.family().to_owned()),
        ],
        since: Moment::around(incident.since, now),
        last: Moment::around(incident.last, now),
        findings: incident.verdict.findings.iter().map(|found| FindingShown::of(found, line)).collect(),
        observed,
        entries: entries.iter().map(EntryShown::of).collect(),
        diagnoses: Vec::new(),
        can_look: false,
        alarms: Vec::new(),
    }
}

impl IncidentPage {
    fn with(self, diagnoses: Vec<DiagnosisRow>, can_look: bool, alarms: Vec<(String, String)>) -> Self {
        Self { diagnoses, can_look, alarms, ..self }
    }
}

/// The page of the observations that it was made of.
fn observed(incident: &Incident) -> String {
    let role = incident.like.role.as_str();
    let seen = incident.verdict.observations.iter().map(|made| made.at).max();
    let last = seen.map_or(incident.last, |seen| seen.max(incident.last));
    let until = last.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(last);
    let quoted = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let first = incident.verdict.observations.first().map_or(incident.since, |first| first.at.min(incident.since));
    let (endpoint, from, to) = (&incident.like.endpoint, first.to_string(), until.to_string());
    format!("/observations?endpoint={}&role={role}&from={}&to={}", quoted(endpoint), quoted(&from), quoted(&to))
}

/// The endpoint of ours that it happened at, if it can be looked at.
fn endpoint_of<'a>(incident: &Incident, endpoints: &'a [StoredEndpoint]) -> Option<&'a StoredEndpoint> {
    let like = &incident.like;
    endpoints.iter().find(|stored| {
        let endpoint = &stored.endpoint;
        like.role == Role::Client
            && endpoint.protocol == like.protocol
            && format!("{}:{}", endpoint.host, endpoint.port) == like.endpoint
    })
}

/// `POST /incidents/{id}/look`: has the other side looked at.
pub(in crate::web) async fn look(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    let (incident, _) = state.incidents.get(IncidentId(id)).await?;
    let endpoints = state.jobs.endpoints().await?;
    let Some(endpoint) = endpoint_of(&incident, &endpoints) else {
        return Ok(refused(
            &format!("/incidents/{id}"),
            "no job of this house has that server as its source or target",
        ));
    };
    // Waiting for idle connections to die takes minutes: only where that may be it.
    let limits = Limits { quick: !incident.like.may_be_idling(), ..Limits::default() };
    begin(&state, &visitor, endpoint.id, limits, Some(incident.id)).await
}
