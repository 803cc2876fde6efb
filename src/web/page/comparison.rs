//! One comparison set: what its last rounds saw, and what can be done with it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use super::alarm::{self, AlarmRow};
use super::comparisons::{self, SetForm, Typed};
use crate::model::{EndpointId, SetId};
use crate::probe::{Lasting, ProbeError, Step, StoredRound};
use crate::reliability::Role;
use crate::web::form::{Nothing, Posted, done, refused};
use crate::web::frame::{Frame, Note};
use crate::web::problem::{Problem, sentence};
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

/// Alarms among which theirs are looked for.
const ALARMS: u32 = 100;
/// Rounds on the page.
const SHOWN: u32 = 50;

/// One visit of a round.
#[derive(Debug, Clone)]
pub struct VisitRow {
    /// Who was visited.
    pub name: String,
    /// For each step what came of it, in the order of the table's head.
    pub steps: Vec<StepCell>,
}

/// How a step ended.
#[derive(Debug, Clone)]
pub struct StepCell {
    pub label: &'static str,
    pub text: String,
    pub class: &'static str,
    /// Why it failed.
    pub why: String,
}

/// One round.
#[derive(Debug, Clone)]
pub struct RoundRow {
    pub at: Moment,
    pub visits: Vec<VisitRow>,
}

#[derive(Template)]
#[template(path = "comparison.html")]
pub(in crate::web) struct ComparisonPage {
    pub frame: Frame,
    pub href: String,
    pub name: String,
    pub on: bool,
    pub chip: Chip,
    /// Why no round begins.
    pub put_off: Option<Note>,
    pub facts: Vec<(String, String)>,
    pub head: Vec<&'static str>,
    pub rounds: Vec<RoundRow>,
    pub form: Option<SetForm>,
    /// What changes for the worse at those that are compared.
    pub alarms: Vec<AlarmRow>,
}

const fn label(step: Step) -> &'static str {
    match step {
        Step::Login => "Set-up",
        Step::Small => "Small file",
        Step::Medium => "Medium file",
        Step::List => "Listing",
        Step::Upload => "Upload",
    }
}

/// `GET /comparisons/{id}`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let set = state.probes.get(SetId(id)).await?;
    let now = state.clock.now();
    let rounds = state.probes.last(set.id, SHOWN).await?;
    let name = |endpoint: EndpointId| {
        let member = set.members.iter().find(|member| member.endpoint == endpoint);
        member.map_or_else(|| format!("endpoint {endpoint}, not visited any more"), |member| member.name.clone())
    };
    let mut facts: Vec<_> = set.members.iter().map(|member| (member.family.clone(), member.url.clone())).collect();
    facts.push((
        "A round".to_owned(),
        format!("about every {}, in an order that chance decides", show::span(set.every)),
    ));
    let budget = (show::plural(set.budget.logins.into(), "login", "logins"), show::bytes(set.budget.bytes));
    facts.push(("Within an hour".to_owned(), format!("at most {} and {}", budget.0, budget.1)));
    for member in &set.members {
        for path in state.probes.left(member.endpoint).await? {
            facts.push(("Left behind".to_owned(), format!("{} at {}", path.display(), member.name)));
        }
    }
    let incidents = state.incidents.list(alarm::INCIDENTS).await?;
    let endpoints = state.jobs.endpoints().await?;
    let mut alarms = state.alarms.list(ALARMS).await?;
    alarms.retain(|alarm| {
        let is_member = |id: EndpointId| set.members.iter().any(|member| member.endpoint == id);
        let members = endpoints.iter().filter(|stored| is_member(stored.id)).map(|stored| &stored.endpoint);
        alarm.place.role == Role::Client
            && members.into_iter().any(|member| {
                let place = format!("{}:{}", member.host, member.port);
                alarm.place.endpoint == place && alarm.place.family == member.protocol.family()
            })
    });
    super::html(&ComparisonPage {
        frame: Frame::new(&visitor, set.name.clone()),
        href: format!("/comparisons/{id}"),
        name: set.name.clone(),
        on: set.on,
        chip: comparisons::chip(&state, &set),
        put_off: state.probes.put_off(set.id).map(|why| Note { tone: Tone::Warn, text: sentence(&why) }),
        facts,
        head: Step::ALL.map(label).to_vec(),
        rounds: rounds.iter().map(|round| row(round, &name, now)).collect(),
        form: comparisons::form(&state, Some(&set)).await?,
        alarms: alarms.iter().map(|alarm| AlarmRow::of(alarm, &incidents, now)).collect(),
    })
}

fn row(round: &StoredRound, name: &impl Fn(EndpointId) -> String, now: Timestamp) -> RoundRow {
    let visits = round.visits.iter().map(|visit| VisitRow {
        name: name(visit.endpoint),
        steps: Step::ALL
            .into_iter()
            .map(|step| cell(step, visit.steps.iter().find(|(which, _)| *which == step).map(|(_, lasting)| lasting)))
            .collect(),
    });
    RoundRow { at: Moment::around(round.at, now), visits: visits.collect() }
}

fn cell(step: Step, lasting: Option<&Lasting>) -> StepCell {
    let (text, class, why) = match lasting {
        Some(Lasting::Done(took, _)) => (show::span(*took), "", String::new()),
        Some(Lasting::Differs) => ("differs".to_owned(), "bad", "its bytes are not what the others read".to_owned()),
        Some(Lasting::Failed(_, kind, said)) => (kind.to_string(), "bad", said.clone()),
        None => ("–".to_owned(), "", String::new()),
    };
    StepCell { label: label(step), text, class, why }
}

/// `POST /comparisons/{id}`.
pub(in crate::web) async fn change(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Problem> {
    let here = format!("/comparisons/{id}");
    let set = state.probes.get(SetId(id)).await?;
    let changed = match typed.read(set.on) {
        Ok(changed) => changed,
        Err(why) => return Ok(refused(&here, &why)),
    };
    match state.probes.change(&visitor.grant()?.actor(), set.id, &changed).await {
        Ok(()) => Ok(done(&here, "The comparison was changed.")),
        Err(ProbeError::Db(error)) => Err(error.into()),
        Err(error) => Ok(refused(&here, &error.to_string())),
    }
}

/// On or off.
#[derive(Deserialize)]
pub(in crate::web) struct Switch {
    on: String,
}

/// `POST /comparisons/{id}/switch`.
pub(in crate::web) async fn switch(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(switch): Posted<Switch>,
) -> Result<Response, Problem> {
    let on = switch.on == "yes";
    state.probes.switch(&visitor.grant()?.actor(), SetId(id), on).await?;
    let said =
        if on { "Rounds begin by themselves again." } else { "No round begins any more; one that ran was ended." };
    Ok(done(&format!("/comparisons/{id}"), said))
}

/// `POST /comparisons/{id}/now`.
pub(in crate::web) async fn now(
    State(state): State<WebState>,
    Asks(_): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    state.probes.visit_now(SetId(id)).await?;
    Ok(done(&format!("/comparisons/{id}"), "A round begins. Reload the page to see what it saw."))
}

/// `POST /comparisons/{id}/delete`.
pub(in crate::web) async fn delete(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    state.probes.remove(&visitor.grant()?.actor(), SetId(id)).await?;
    Ok(done("/comparisons", "The comparison is gone, with all that its rounds saw."))
}
