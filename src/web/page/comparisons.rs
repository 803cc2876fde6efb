//! All comparison sets, and making one.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::model::{EndpointId, RelPath};
use crate::probe::{Budget, Changes, ProbeError, Set, Work};
use crate::remote::can_read;
use crate::web::form::{Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

/// Members that the form can name.
const PLACES: usize = 4;

/// One set in the list.
#[derive(Debug, Clone)]
pub struct ComparisonRow {
    pub href: String,
    pub name: String,
    /// "FTP, SFTP and WebDAV".
    pub members: String,
    pub every: String,
    pub last: Option<Moment>,
    pub chip: Chip,
}

/// An endpoint that can be chosen.
#[derive(Debug, Clone)]
pub struct EndpointChoice {
    pub id: i64,
    pub name: String,
    pub chosen: bool,
}

/// The form of a set.
#[derive(Debug, Clone)]
pub struct SetForm {
    pub action: String,
    pub button: &'static str,
    pub name: String,
    /// For each place what may be chosen.
    pub places: Vec<Vec<EndpointChoice>>,
    pub small: String,
    pub medium: String,
    pub folder: String,
    pub upload: String,
    pub minutes: String,
    pub logins: String,
    pub mebibytes: String,
}

#[derive(Template)]
#[template(path = "comparisons.html")]
pub(in crate::web) struct ComparisonsPage {
    pub frame: Frame,
    pub rows: Vec<ComparisonRow>,
    /// None while there are fewer than two endpoints.
    pub form: Option<SetForm>,
}

/// `GET /comparisons`.
pub(in crate::web) async fn show(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let now = state.clock.now();
    let mut rows = Vec::new();
    for set in state.probes.list().await? {
        let last = state.probes.last(set.id, 1).await?.first().map(|round| Moment::around(round.at, now));
        rows.push(ComparisonRow {
            href: format!("/comparisons/{}", set.id),
            members: members(&set),
            every: show::span(set.every),
            last,
            chip: chip(&state, &set),
            name: set.name,
        });
    }
    let form = form(&state, None).await?;
    super::html(&ComparisonsPage { frame: Frame::new(&visitor, "Comparisons"), rows, form })
}

fn members(set: &Set) -> String {
    set.members.iter().map(|member| member.family.as_str()).collect::<Vec<_>>().join(", ")
}

/// How a set stands.
pub(super) fn chip(state: &WebState, set: &Set) -> Chip {
    if state.probes.is_running(set.id) {
        Chip::new(Tone::Busy, "A round runs")
    } else if state.probes.put_off(set.id).is_some() {
        Chip::new(Tone::Warn, "Put off")
    } else if set.on {
        Chip::new(Tone::Ok, "On")
    } else {
        Chip::new(Tone::Idle, "Off")
    }
}

/// The form, as `set` is now or empty; none while there is nothing to choose.
pub(super) async fn form(state: &WebState, set: Option<&Set>) -> Result<Option<SetForm>, Problem> {
    let stored = state.jobs.endpoints().await?;
    let readable: Vec<_> = stored.into_iter().filter(|stored| can_read(stored.endpoint.protocol)).collect();
    if readable.len() < 2 {
        return Ok(None);
    }
    let member = |place: usize| set.and_then(|set| set.members.get(place)).map(|member| member.endpoint);
    let choices = |place: usize| {
        let choice = |stored: &crate::job::StoredEndpoint| EndpointChoice {
            id: stored.id.0,
            name: stored.name.clone(),
            chosen: member(place) == Some(stored.id),
        };
        readable.iter().map(choice).collect()
    };
    let path = |path: Option<&RelPath>| path.map(|path| path.display().into_owned()).unwrap_or_default();
    let (work, budget) =
        (set.map(|set| set.work.clone()).unwrap_or_default(), set.map_or_else(Budget::default, |set| set.budget));
    Ok(Some(SetForm {
        action: set.map_or_else(|| "/comparisons".to_owned(), |set| format!("/comparisons/{}", set.id)),
        button: if set.is_some() { "Save" } else { "Begin to compare" },
        name: set.map(|set| set.name.clone()).unwrap_or_default(),
        places: (0..PLACES).map(choices).collect(),
        small: path(work.small.as_ref()),
        medium: path(work.medium.as_ref()),
        folder: path(Some(&work.folder)),
        upload: path(work.upload.as_ref()),
        minutes: set.map_or_else(|| "5".to_owned(), |set| minutes(set.every)),
        logins: budget.logins.to_string(),
        mebibytes: (budget.bytes >> 20).to_string(),
    }))
}

fn minutes(every: Duration) -> String {
    let seconds = every.as_secs();
    if seconds.is_multiple_of(60) { (seconds / 60).to_string() } else { format!("{:.2}", every.as_secs_f64() / 60.0) }
}

/// A set as it was typed.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Typed {
    name: String,
    #[serde(default)]
    member1: String,
    #[serde(default)]
    member2: String,
    #[serde(default)]
    member3: String,
    #[serde(default)]
    member4: String,
    #[serde(default)]
    small: String,
    #[serde(default)]
    medium: String,
    #[serde(default)]
    folder: String,
    #[serde(default)]
    upload: String,
    minutes: String,
    logins: String,
    mebibytes: String,
}

impl Typed {
    /// What it says; a sentence for what cannot be read.
    pub(super) fn read(&self, on: bool) -> Result<Changes, String> {
        let members = [&self.member1, &self.member2, &self.member3, &self.member4];
        let chosen = members.into_iter().filter(|text| !text.is_empty());
        let members = chosen.map(|text| text.parse().map(EndpointId));
        let members = members.collect::<Result<_, _>>().map_err(|_| "an endpoint cannot be read".to_owned())?;
        let path = |text: &str| if text.trim().is_empty() { Ok(None) } else { super::folder(text).map(Some) };
        let minutes: f64 = self.minutes.trim().parse().map_err(|_| "the minutes cannot be read".to_owned())?;
        let every = Duration::try_from_secs_f64(minutes * 60.0).map_err(|_| "the minutes cannot be read".to_owned())?;
        let logins = self.logins.trim().parse().map_err(|_| "the number of logins cannot be read".to_owned())?;
        let mebibytes: u64 =
            self.mebibytes.trim().parse().map_err(|_| "the number of mebibytes cannot be read".to_owned())?;
        Ok(Changes {
            name: self.name.clone(),
            members,
            work: Work {
                small: path(&self.small)?,
                medium: path(&self.medium)?,
                folder: super::folder(&self.folder)?,
                upload: path(&self.upload)?,
            },
            every: Duration::from_secs(every.as_secs()),
            budget: Budget { logins, bytes: mebibytes.saturating_mul(1 << 20) },
            on,
        })
    }
}

/// `POST /comparisons`.
pub(in crate::web) async fn make(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Problem> {
    let set = match typed.read(true) {
        Ok(set) => set,
        Err(why) => return Ok(refused("/comparisons", &why)),
    };
    match state.probes.make(&visitor.grant()?.actor(), &set).await {
        Ok(id) => Ok(done(&format!("/comparisons/{id}"), "The first round begins within a minute.")),
        Err(ProbeError::Db(error)) => Err(error.into()),
        Err(error) => Ok(refused("/comparisons", &error.to_string())),
    }
}
