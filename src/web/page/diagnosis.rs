//! One diagnosis: what it sees, then what it found; and trying what may help.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::doctor::{chip, failed};
use super::finding::{FindingShown, LineShown};
use super::surveys::who;
use crate::diagnose::Report;
use crate::diagnose::desk::{Glimpse, State as Stand};
use crate::model::DiagnosisId;
use crate::web::form::{Nothing, Posted, done};
use crate::web::frame::{Frame, Note};
use crate::web::problem::{Problem, sentence};
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

/// Lines of what was seen last, while it looks.
const LAST: usize = 12;

/// How far a diagnosis is.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "part/diagnosis.html")]
pub(in crate::web) struct GlimpsePart {
    pub doing: String,
    pub looks: String,
    /// The last first.
    pub last: Vec<String>,
}

impl GlimpsePart {
    pub(in crate::web) fn of(now: &Glimpse) -> Self {
        let step = now.step.map_or("beginning", |step| step.word());
        let doing = match &now.trying {
            Some(remedy) => format!("Tries {remedy}: {step}"),
            None => sentence(step).trim_end_matches('.').to_owned(),
        };
        let seen = now.seen.iter().rev().take(LAST);
        Self {
            doing,
            looks: shown::plural(u64::try_from(now.seen.len()).unwrap_or_default(), "look", "looks"),
            last: seen.map(|seen| format!("[{}] {seen}", seen.id)).collect(),
        }
    }
}

/// A report, ready to be shown.
#[derive(Debug, Clone)]
pub struct DiagnosisShown {
    pub cost: Vec<(&'static str, String)>,
    pub findings: Vec<FindingShown>,
    pub left_out: Vec<(&'static str, String)>,
    pub evidence: Vec<(usize, LineShown)>,
}

impl DiagnosisShown {
    pub(in crate::web) fn of(report: &Report) -> Self {
        let looks = u64::try_from(report.evidence.len()).unwrap_or_default();
        let span = std::time::Duration::try_from_secs_f64(report.seconds.max(0.0)).unwrap_or_default();
        Self {
            cost: vec![
                ("Looks", shown::count(looks)),
                ("Took", shown::span(span)),
                ("Connections", shown::count(report.spent.connections.into())),
                ("Bytes", shown::bytes(report.spent.bytes)),
            ],
            findings: FindingShown::all(report),
            left_out: report.left_out().map(|(step, why)| (step.word(), why.to_owned())).collect(),
            evidence: report.evidence.iter().map(|seen| (seen.id, LineShown::of(seen))).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "diagnosis.html")]
pub(in crate::web) struct DiagnosisPage {
    pub frame: Frame,
    pub href: String,
    pub url: String,
    pub chip: Chip,
    pub started: Moment,
    pub by: String,
    /// The incident that it is to explain.
    pub incident: Option<String>,
    /// While something is under way in this process.
    pub live: Option<GlimpsePart>,
    pub said: Option<Note>,
    pub report: Option<DiagnosisShown>,
}

/// `GET /doctor/{id}`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let id = DiagnosisId(id);
    let live = state.diagnoses.live(id);
    let (stored, report) = state.diagnoses.get(id).await?;
    let said = match (stored.state, &report) {
        (Stand::Failed, _) => Some((Tone::Bad, sentence(stored.said.as_deref().unwrap_or("it failed")))),
        (Stand::Lost, _) => {
            let text = "Causeway went down while it looked. Nothing of it was kept; start another.";
            Some((Tone::Warn, text.to_owned()))
        }
        (Stand::Done, Some(report)) if report.stopped => {
            Some((Tone::Warn, "It was stopped before its end: what was not looked at may be the cause.".to_owned()))
        }
        _ => None,
    };
    super::html(&DiagnosisPage {
        frame: Frame::new(&visitor, format!("Diagnosis of {}", stored.url)),
        href: format!("/doctor/{id}"),
        url: stored.url.clone(),
        chip: chip(stored.state),
        started: Moment::around(stored.started, state.clock.now()),
        by: who(&stored.by),
        incident: stored.incident.map(|incident| format!("/incidents/{incident}")),
        live: live.as_ref().map(GlimpsePart::of),
        said: said.map(|(tone, text)| Note { tone, text }),
        report: report.as_ref().map(DiagnosisShown::of),
    })
}

/// `GET /doctor/{id}/report`: the report as JSON, to be saved.
pub(in crate::web) async fn download(State(state): State<WebState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let (_, report) = state.diagnoses.get(DiagnosisId(id)).await?;
    super::json_file(&report.ok_or(Problem::Missing)?, &format!("diagnosis-{id}.json"))
}

/// Which remedy.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct TryForm {
    remedy: String,
}

/// `POST /doctor/{id}/try`: the trouble without the remedy, and with it.
pub(in crate::web) async fn try_remedy(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(form): Posted<TryForm>,
) -> Result<Response, Problem> {
    let (id, back) = (DiagnosisId(id), format!("/doctor/{id}"));
    let number = form.remedy.parse().map_err(|_| Problem::Missing)?;
    let (stored, _) = state.diagnoses.get(id).await?;
    let endpoint = state.jobs.unsealed(stored.endpoint).await?;
    match state.diagnoses.try_remedy(&visitor.grant()?.actor(), id, endpoint, number).await {
        Ok(remedy) => {
            if let Some(incident) = stored.incident {
                state.incidents.note(incident, &format!("tried after diagnosis {id}: {remedy}")).await?;
            }
            Ok(done(&back, "The trouble is looked for once more, without the remedy and with it."))
        }
        Err(error) => failed(error, &back),
    }
}

/// `POST /doctor/{id}/stop`.
pub(in crate::web) async fn stop(
    State(state): State<WebState>,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    state.diagnoses.get(DiagnosisId(id)).await?;
    state.diagnoses.stop(DiagnosisId(id));
    Ok(done(&format!("/doctor/{id}"), "It ends, with what it has seen."))
}

/// `POST /doctor/{id}/delete`.
pub(in crate::web) async fn delete(
    State(state): State<WebState>,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    state.diagnoses.forget(DiagnosisId(id)).await?;
    Ok(done("/doctor", "The diagnosis is deleted."))
}
