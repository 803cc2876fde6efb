//! Why do transfers break? Incidents, diagnoses, and starting one.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use super::incident::IncidentRow;
use super::surveys::{Choice, who};
use crate::diagnose::desk::{State as Stand, Stored};
use crate::diagnose::step::Step;
use crate::diagnose::{DiagnoseError, Limits};
use crate::model::{EndpointId, IncidentId};
use crate::web::form::{Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};
use crate::web::widget::{Chip, Moment, Tone};

/// Rows of each list on the page.
const SHOWN: u32 = 50;
/// The longest that a connection may be left idle, in seconds.
const LONGEST_HOLD: u64 = 3_600;

/// One diagnosis in a list.
#[derive(Debug, Clone)]
pub struct DiagnosisRow {
    pub href: String,
    pub url: String,
    pub started: Moment,
    pub by: String,
    pub said: String,
    pub chip: Chip,
}

impl DiagnosisRow {
    pub(super) fn of(stored: &Stored, now: Timestamp) -> Self {
        Self {
            href: format!("/doctor/{}", stored.id),
            url: stored.url.clone(),
            started: Moment::around(stored.started, now),
            by: who(&stored.by),
            said: stored.said.clone().unwrap_or_default(),
            chip: chip(stored.state),
        }
    }
}

/// How a diagnosis stands.
pub(super) fn chip(state: Stand) -> Chip {
    match state {
        Stand::Running => Chip::new(Tone::Busy, "Looking"),
        Stand::Done => Chip::new(Tone::Ok, "Done"),
        Stand::Failed => Chip::new(Tone::Bad, "Failed"),
        Stand::Lost => Chip::new(Tone::Warn, "Interrupted"),
    }
}

#[derive(Template)]
#[template(path = "doctor.html")]
pub(in crate::web) struct DoctorPage {
    pub frame: Frame,
    pub incidents: Vec<IncidentRow>,
    pub rows: Vec<DiagnosisRow>,
    pub choices: Vec<Choice>,
}

/// What to look at, as it was typed.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct DoctorForm {
    endpoint: String,
    hold: String,
    #[serde(default)]
    quick: String,
}

/// `GET /doctor`.
pub(in crate::web) async fn show(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let now = state.clock.now();
    let incidents = state.incidents.list(SHOWN).await?;
    let rows = state.diagnoses.list(SHOWN).await?;
    let endpoints = state.jobs.endpoints().await?.into_iter();
    let choices = endpoints
        .filter(|stored| !Step::of(stored.endpoint.protocol).is_empty())
        .map(|stored| Choice { id: stored.id.0, name: stored.name })
        .collect();
    super::html(&DoctorPage {
        frame: Frame::new(&visitor, "Doctor"),
        incidents: incidents.iter().map(|incident| IncidentRow::of(incident, now)).collect(),
        rows: rows.iter().map(|stored| DiagnosisRow::of(stored, now)).collect(),
        choices,
    })
}

/// `POST /doctor`.
pub(in crate::web) async fn start(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<DoctorForm>,
) -> Result<Response, Problem> {
    let id = form.endpoint.parse().map(EndpointId).map_err(|_| Problem::Missing)?;
    let hold = form.hold.trim().parse::<u64>().ok().filter(|hold| (1..=LONGEST_HOLD).contains(hold));
    let Some(hold) = hold else {
        return Ok(refused("/doctor", "a connection can be left idle for 1 to 3600 seconds"));
    };
    let limits = Limits { hold: Duration::from_secs(hold), quick: !form.quick.is_empty(), ..Limits::default() };
    begin(&state, &visitor, id, limits, None).await
}

/// Begins a diagnosis, and goes to its page.
pub(super) async fn begin(
    state: &WebState,
    visitor: &Visitor,
    id: EndpointId,
    limits: Limits,
    incident: Option<IncidentId>,
) -> Result<Response, Problem> {
    let endpoint = state.jobs.unsealed(id).await?;
    let actor = visitor.grant()?.actor();
    let begun = state.diagnoses.start(&actor, (id, endpoint), limits, incident).await;
    if let (Ok(_), Some(incident)) = (&begun, incident) {
        state.incidents.note(incident, &format!("looked at by {}", who(&actor.to_string()))).await?;
    }
    match begun {
        Ok(diagnosis) => Ok(done(&format!("/doctor/{diagnosis}"), "It is being looked at. Nothing is changed there.")),
        Err(error) => failed(error, "/doctor"),
    }
}

/// Says why nothing was begun.
pub(super) fn failed(error: DiagnoseError, back: &str) -> Result<Response, Problem> {
    match error {
        DiagnoseError::Db(error) => Err(error.into()),
        DiagnoseError::Runs(other) => Ok(refused(&format!("/doctor/{other}"), &error.to_string())),
        DiagnoseError::TooMany | DiagnoseError::NoRemedy | DiagnoseError::Changed => {
            Ok(refused(back, &error.to_string()))
        }
    }
}
