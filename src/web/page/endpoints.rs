//! Endpoint by endpoint: how it stands to what it should do, and how many connections it bore at once.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

use super::reliability::{alone, class, instant, part, side};
use crate::db::{Db, DbError};
use crate::reliability::concurrency::{self, AROUND, Concurrency, Limit, concurrency};
use crate::reliability::objective::{self, Objective, Objectives, RULES, Standing, Urgency, standing};
use crate::reliability::{
    Estimate, FAMILIES, RETENTION_DAYS, Role, Source, Unit, Window, all_sources, sources, widened,
};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

/// Endpoints that are looked at, the busiest of the last 30 days first; besides, those that have an objective of their own.
const SHOWN: usize = 12;
/// And those 30 days.
const DAYS: i64 = 30;

/// A figure of an endpoint, with the window that it was made of.
#[derive(Debug, Clone)]
pub(in crate::web) struct EndpointFigure {
    pub key: &'static str,
    pub title: &'static str,
    pub unit: Unit,
    pub estimate: Estimate,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Behind which statistic its observations are; none: all of the window.
    statistic: Option<&'static str>,
    definition: &'static str,
}

/// All figures of one endpoint, seen from one side.
#[derive(Debug, Clone)]
pub(in crate::web) struct EndpointFigures {
    pub family: &'static str,
    pub role: Role,
    pub endpoint: String,
    pub objective: Objective,
    pub alert: Option<Urgency>,
    pub figures: Vec<EndpointFigure>,
    /// The most that was borne, if enough was seen.
    pub borne: Option<Concurrency>,
}

/// Those of the busiest endpoints and doors, and of those that have an objective of their own.
pub(in crate::web) async fn gather(
    db: &Db,
    now: Timestamp,
    objectives: &Objectives,
) -> Result<Vec<EndpointFigures>, DbError> {
    let kept = widened(db, &Window::last(now, SignedDuration::from_hours(24 * RETENTION_DAYS))).await?;
    let mut borne = HashMap::new();
    for family in FAMILIES {
        borne.insert(family, concurrency(db, family, &kept).await?);
    }
    let mut all = Vec::new();
    for (family, role, endpoint) in places(db, now, objectives).await? {
        let place = (role, endpoint);
        let borne = borne.get(family).and_then(|of| of.get(&place)).copied();
        let objective = objectives.of(&place.1);
        let (alert, mut figures) = standings(db, now, objective, (family, place.0, &place.1)).await?;
        figures.push(most(borne, &kept));
        let borne = borne.filter(|borne| borne.n >= concurrency::MINIMUM);
        let (role, endpoint) = place;
        all.push(EndpointFigures { family, role, endpoint, objective, alert, figures, borne });
    }
    Ok(all)
}

/// Who is looked at: an objective that somebody wrote down is never left out because others are busier.
async fn places(
    db: &Db,
    now: Timestamp,
    objectives: &Objectives,
) -> Result<Vec<(&'static str, Role, String)>, DbError> {
    let lately = |days: i64| Window::last(now, SignedDuration::from_hours(24 * days));
    let place = |source: Source| {
        let family = FAMILIES.into_iter().find(|family| *family == source.family)?;
        Some((family, source.role, source.endpoint))
    };
    let mut places: Vec<_> = sources(db, &lately(DAYS)).await?.into_iter().filter_map(place).take(SHOWN).collect();
    if let Some(days) = objectives.named.iter().map(|(_, objective)| i64::from(objective.days)).max() {
        let named = all_sources(db, &lately(days.max(DAYS))).await?.into_iter().filter_map(place);
        for one in named.filter(|(.., endpoint)| objectives.named.iter().any(|(name, _)| name == endpoint)) {
            if !places.contains(&one) {
                places.push(one);
            }
        }
    }
    Ok(places)
}

/// The alert of a place, its availability, what is left of its budget, and its burn rates.
async fn standings(
    db: &Db,
    now: Timestamp,
    objective: Objective,
    (family, role, endpoint): (&str, Role, &str),
) -> Result<(Option<Urgency>, Vec<EndpointFigure>), DbError> {
    let window = async |length: SignedDuration| widened(db, &Window::last(now, length).of(role).at(endpoint)).await;
    let days = window(SignedDuration::from_hours(24 * i64::from(objective.days))).await?;
    let mut long = Vec::new();
    for (minutes, ..) in RULES {
        long.push(window(SignedDuration::from_mins(minutes)).await?);
    }
    let stands = standing(db, objective, now, (family, role, endpoint)).await?;
    Ok((stands.alert, shown_of(&stands, &days, &long)))
}

fn shown_of(stands: &Standing, days: &Window, long: &[Window]) -> Vec<EndpointFigure> {
    let figure = |(key, title, unit), estimate, window: &Window| EndpointFigure {
        key,
        title,
        unit,
        estimate,
        from: window.from,
        to: window.to,
        statistic: Some("connection-success"),
        definition: "objectives",
    };
    let n = stands.availability.n;
    let left = Estimate { value: stands.left, n, enough: stands.left.is_some(), ..Estimate::default() };
    let mut figures = vec![
        figure(("availability", "Availability", Unit::Share), stands.availability, days),
        figure(("budget-left", "Error budget left", Unit::Share), left, days),
    ];
    let titles = [
        ("burn-rate-1h", "Burn rate, 1 hour"),
        ("burn-rate-6h", "Burn rate, 6 hours"),
        ("burn-rate-1d", "Burn rate, 1 day"),
        ("burn-rate-3d", "Burn rate, 3 days"),
    ];
    let burning = titles.into_iter().zip(stands.burning).zip(long);
    figures.extend(burning.map(|(((key, title), rate), window)| figure((key, title, Unit::Count), rate, window)));
    figures
}

fn most(borne: Option<Concurrency>, kept: &Window) -> EndpointFigure {
    let value = borne.and_then(|borne| u32::try_from(borne.most).ok()).map(f64::from);
    let n = borne.map_or(0, |borne| borne.n);
    // From the tries around that moment to the end of those that were held then.
    let (from, to) = borne.map_or((kept.from, kept.to), |borne| {
        let from = borne.at.saturating_sub(AROUND).unwrap_or(borne.at);
        let to = borne.until.max(borne.at.saturating_add(AROUND).unwrap_or(borne.at));
        (from, to.saturating_add(SignedDuration::from_secs(1)).unwrap_or(to))
    });
    EndpointFigure {
        key: "concurrency",
        title: "Highest sustained concurrency",
        unit: Unit::Count,
        estimate: Estimate { value, n, enough: n >= concurrency::MINIMUM, ..Estimate::default() },
        from,
        to,
        statistic: None,
        definition: "concurrency",
    }
}

impl EndpointFigure {
    /// The figure as people read it, and its interval or its reason; none: there is not enough data yet.
    pub fn said(&self, of: &EndpointFigures) -> Option<(String, String)> {
        let (value, range) = alone(&self.estimate, self.unit)?;
        if let ("concurrency", Some(borne)) = (self.key, of.borne) {
            let least = if borne.limit == Limit::Unasked { "at least " } else { "" };
            return Some((format!("{least}{}", shown::count(borne.most)), borne.limit.words().to_owned()));
        }
        Some((value, if self.estimate.low.is_some() { range } else { String::new() }))
    }

    /// Its observations.
    fn href(&self, of: &EndpointFigures) -> String {
        format!(
            "/observations?statistic={}&family={}&role={}&endpoint={}&from={}&to={}",
            self.statistic.unwrap_or_default(),
            part(of.family),
            of.role.as_str(),
            part(&of.endpoint),
            part(&instant(self.from)),
            part(&instant(self.to))
        )
    }

    /// From how many on it is shown.
    fn minimum(&self) -> u64 {
        match self.key {
            "concurrency" => concurrency::MINIMUM,
            key if key.starts_with("burn-rate") => objective::BURNING,
            _ => objective::MINIMUM,
        }
    }
}

impl EndpointFigures {
    /// What kept it from bearing more, as a sentence's end.
    pub fn limit(&self) -> Option<&'static str> {
        self.borne.map(|borne| borne.limit.words())
    }
}

/// How urgent it is, for people and scripts.
pub(in crate::web) const fn urgent(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Page => "burns: look now",
        Urgency::Ticket => "burns: look this week",
    }
}

/// A figure on the page.
#[derive(Debug, Clone)]
pub struct FigureCell {
    pub title: &'static str,
    pub definition: String,
    /// The figure; none: there is not enough data yet.
    pub value: Option<String>,
    /// Its interval, or what it means.
    pub said: String,
    pub n: String,
    pub href: String,
}

/// An endpoint on the page.
#[derive(Debug, Clone)]
pub struct EndpointRow {
    pub name: String,
    pub class: &'static str,
    pub side: String,
    pub objective: String,
    pub chip: Option<Chip>,
    pub cells: Vec<FigureCell>,
    /// When the most was borne.
    pub at: Option<Moment>,
}

#[derive(Template)]
#[template(path = "endpoints.html")]
pub(in crate::web) struct EndpointsPage {
    pub frame: Frame,
    pub rows: Vec<EndpointRow>,
}

/// `GET /reliability/endpoints`.
pub(in crate::web) async fn show(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let all = gather(&state.db, state.clock.now(), &state.objectives).await?;
    super::html(&page(&all, Frame::new(&visitor, "Objectives and limits")))
}

/// As the page has it.
pub(in crate::web) fn page(all: &[EndpointFigures], frame: Frame) -> EndpointsPage {
    EndpointsPage { frame, rows: all.iter().map(row).collect() }
}

/// The day stands in exports only: six hours and three days hold it between them.
fn on_page(figure: &&EndpointFigure) -> bool {
    figure.key != "burn-rate-1d"
}

fn row(one: &EndpointFigures) -> EndpointRow {
    EndpointRow {
        name: one.endpoint.clone(),
        class: class(one.family),
        side: format!("{}, {}", one.family, side(Some(one.role))),
        objective: one.objective.to_string(),
        chip: one.alert.map(|urgency| {
            let tone = if urgency == Urgency::Page { Tone::Bad } else { Tone::Warn };
            Chip::new(tone, urgent(urgency))
        }),
        cells: one.figures.iter().filter(on_page).map(|figure| cell(one, figure)).collect(),
        at: one.borne.map(|borne| Moment::at(borne.at)),
    }
}

fn cell(one: &EndpointFigures, figure: &EndpointFigure) -> FigureCell {
    let (value, said) = figure.said(one).unzip();
    let n = shown::count(figure.estimate.n);
    FigureCell {
        title: figure.title,
        definition: format!("/reliability/definitions#{}", figure.definition),
        n: if value.is_some() { format!("n = {n}") } else { format!("n = {n}, shown from {}", figure.minimum()) },
        href: if figure.estimate.n == 0 { String::new() } else { figure.href(one) },
        said: said.unwrap_or_default(),
        value,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Protocol;
    use crate::reliability::{Detail, End, Observation, Recorder, What};
    use crate::task::Tasks;

    /// Whoever has an objective of its own is there, however busy others are.
    #[tokio::test]
    async fn nobody_with_an_objective_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("db")).await.unwrap();
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let (tasks, end) = (Tasks::new(), End::Clean);
        let recorder = Recorder::start(db.clone(), &tasks);
        let seen = |endpoint: String, days: i64| Observation {
            at: now - SignedDuration::from_hours(24 * days) - SignedDuration::from_mins(10),
            protocol: Protocol::Sftp,
            role: Role::Client,
            endpoint,
            what: What::Connection { setup: None, phases: Vec::new(), held: Duration::from_secs(5), end },
            detail: Detail::default(),
        };
        for number in 0..110 {
            recorder.record(seen(format!("busy{number}:22"), 0));
            recorder.record(seen(format!("busy{number}:22"), 0));
        }
        recorder.record(seen("quiet:22".into(), 0));
        recorder.record(seen("rare:22".into(), 50));
        assert!(tasks.drain(Duration::from_secs(60)).await);
        let named = |name: &str, days| (name.to_owned(), Objective { target: 990_000, days });
        let mut objectives = Objectives::default();
        let names = async |objectives: &Objectives| -> Vec<String> {
            gather(&db, now, objectives).await.unwrap().into_iter().map(|one| one.endpoint).collect()
        };
        let usual = names(&objectives).await;
        assert!(usual.len() == SHOWN && usual.iter().all(|name| name.starts_with("busy")), "{usual:?}");
        objectives.named = vec![named("quiet:22", 7), named("rare:22", 90), named("busy0:22", 7)];
        let found = names(&objectives).await;
        for (name, _) in &objectives.named {
            assert_eq!(found.iter().filter(|found| *found == name).count(), 1, "{name}: {found:?}");
        }
        db.close().await;
    }
}
