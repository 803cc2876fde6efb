//! All surveys, and starting one.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use crate::model::EndpointId;
use crate::remote::can_read;
use crate::survey::{self, Limits, Stored, SurveyError};
use crate::web::form::{Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

/// Surveys on the page.
const SHOWN: u32 = 50;

/// One survey in the list.
#[derive(Debug, Clone)]
pub struct SurveyRow {
    pub href: String,
    pub url: String,
    pub started: Moment,
    pub by: String,
    pub said: String,
    pub chip: Chip,
}

/// What can be surveyed.
#[derive(Debug, Clone)]
pub struct Choice {
    pub id: i64,
    pub name: String,
}

#[derive(Template)]
#[template(path = "surveys.html")]
pub(in crate::web) struct SurveysPage {
    pub frame: Frame,
    pub rows: Vec<SurveyRow>,
    pub choices: Vec<Choice>,
}

/// What to survey, and for how long, as it was typed.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct SurveyForm {
    endpoint: String,
    minutes: String,
}

/// Minutes of a day.
const MOST_MINUTES: u64 = 1440;

/// `GET /surveys`.
pub(in crate::web) async fn show(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let now = state.clock.now();
    let rows = state.surveys.list(SHOWN).await?.iter().map(|stored| row(stored, now)).collect();
    let endpoints = state.jobs.endpoints().await?.into_iter();
    let choices = endpoints
        .filter(|stored| can_read(stored.endpoint.protocol))
        .map(|stored| Choice { id: stored.id.0, name: stored.name })
        .collect();
    super::html(&SurveysPage { frame: Frame::new(&visitor, "Surveys"), rows, choices })
}

fn row(stored: &Stored, now: Timestamp) -> SurveyRow {
    SurveyRow {
        href: format!("/surveys/{}", stored.id),
        url: stored.url.clone(),
        started: Moment::around(stored.started, now),
        by: who(&stored.by),
        said: stored.said.clone().unwrap_or_default(),
        chip: chip(stored.state),
    }
}

/// "account:anna" as people read it.
pub(super) fn who(actor: &str) -> String {
    actor.strip_prefix("account:").unwrap_or(actor).to_owned()
}

/// How a survey stands.
pub(super) fn chip(state: survey::State) -> Chip {
    match state {
        survey::State::Running => Chip::new(Tone::Busy, "Running"),
        survey::State::Whole => Chip::new(Tone::Ok, "Complete"),
        survey::State::Partial => Chip::new(Tone::Warn, "A part"),
        survey::State::Failed => Chip::new(Tone::Bad, "Failed"),
        survey::State::Lost => Chip::new(Tone::Warn, "Interrupted"),
    }
}

/// `POST /surveys`.
pub(in crate::web) async fn start(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<SurveyForm>,
) -> Result<Response, Problem> {
    let id = form.endpoint.parse().map(EndpointId).map_err(|_| Problem::Missing)?;
    let minutes = form.minutes.trim().parse::<u64>().ok().filter(|minutes| (1..=MOST_MINUTES).contains(minutes));
    let Some(minutes) = minutes else { return Ok(refused("/surveys", "a survey takes 1 to 1440 minutes")) };
    let endpoint = state.jobs.unsealed(id).await?;
    let limits = Limits { time: Duration::from_secs(60 * minutes), ..Limits::default() };
    match state.surveys.start(&visitor.grant()?.actor(), id, endpoint, limits).await {
        Ok(survey) => Ok(done(&format!("/surveys/{survey}"), "The survey begins. Nothing is changed on the server.")),
        Err(error @ SurveyError::Runs(survey)) => Ok(refused(&format!("/surveys/{survey}"), &error.to_string())),
        Err(error @ SurveyError::TooMany) => Ok(refused("/surveys", &error.to_string())),
        Err(SurveyError::Db(error)) => Err(error.into()),
    }
}
