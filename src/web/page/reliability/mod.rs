//! FTP, SFTP and WebDAV side by side, from what really happened.
//!
//! A column is one protocol seen from one side: what our jobs measure as clients and what our doors
//! measure of the clients of others are different stretches and are never put together.

pub(in crate::web) mod drawn;
mod export;
pub(in crate::web) mod figures;
mod json;
pub(in crate::web) mod verdict;
mod wanted;
mod week;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

use drawn::TrendGroup;
pub(in crate::web) use export::export;
use figures::StatRow;
pub(in crate::web) use figures::{alone, called};
pub(super) use figures::{class, scale, side};
pub(super) use json::answer;
pub(in crate::web) use json::json;
use verdict::Headline;
pub(in crate::web) use wanted::Wanted;
pub(in crate::web) use wanted::instant;
pub(super) use wanted::part;

use super::alarm::{self, AlarmRow};
use super::incident::IncidentRow;
use super::run::Tab;
use crate::db::{Db, DbError};
use crate::diagnose::alarm::{Alarm, within};
use crate::model::SetId;
use crate::probe::{Answers, Told, answers};
use crate::reliability::alarm::ABOUT;
use crate::reliability::{
    self, Column, Comparison, FAMILIES, Role, Source, Timeline, Window, compare_over_time, sources,
};
use crate::web::chart::{ResetHours, Survival, Waterfall};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::Asks;

/// Slices of a window, at most.
pub(super) const SLICES: i64 = 30;

/// A column.
#[derive(Debug, Clone)]
pub struct Family {
    pub name: &'static str,
    pub class: &'static str,
    /// From which side.
    pub side: &'static str,
    pub seen: String,
}

/// Incidents on the page; the doctor's has more.
const INCIDENTS: usize = 5;
/// Alarms on the page.
const ALARMS: usize = 10;

/// One other side or door.
#[derive(Debug, Clone)]
pub struct SourceRow {
    pub href: String,
    pub current: bool,
    pub endpoint: String,
    pub family: String,
    pub side: &'static str,
    pub connections: String,
    pub transfers: String,
    pub failed: String,
}

/// One answer of a comparison.
#[derive(Debug, Clone)]
pub struct PairedRow {
    /// Is a difference shown?
    pub shown: bool,
    pub sentence: String,
    /// Leads to the pairs behind it.
    pub href: String,
    /// "n = 120 pairs".
    pub n: String,
}

#[derive(Template)]
#[template(path = "reliability.html")]
pub(in crate::web) struct ReliabilityPage {
    pub frame: Frame,
    pub lead: String,
    pub caveat: &'static str,
    pub remark: Option<&'static str>,
    pub windows: Vec<Tab>,
    pub roles: Vec<Tab>,
    /// The answer at a glance, of each comparison.
    pub headlines: Vec<Headline>,
    /// What kept going wrong, lately.
    pub incidents: Vec<IncidentRow>,
    /// What changes for the worse.
    pub alarms: Vec<AlarmRow>,
    /// Who is watched for that.
    pub watched: String,
    /// How.
    pub about: &'static [(&'static str, &'static str)],
    pub families: Vec<Family>,
    pub rows: Vec<StatRow>,
    pub sources: Vec<SourceRow>,
    /// Leads away from one endpoint.
    pub all: Option<String>,
    /// What the rounds of each comparison say.
    pub paired: Vec<(String, Vec<PairedRow>)>,
    /// The figures over time.
    pub trends: Vec<TrendGroup>,
    /// Earlier, later, nearer, farther.
    pub zooms: Vec<Tab>,
    /// The question of this page, for what else it is asked of.
    pub query: String,
    pub waterfall: Option<Waterfall>,
    pub survival: Option<Survival>,
    pub week: ResetHours,
}

/// What the page, the JSON and the report are made of.
pub(in crate::web) struct Found {
    wanted: Wanted,
    pub label: String,
    /// To the whole minute, as the figures have it.
    window: Window,
    pub compared: Comparison,
    timeline: Timeline,
    columns: Vec<Column>,
    sources: Vec<Source>,
    pub sets: Vec<Answers>,
    /// That went on in the window, of what is asked for.
    pub alarms: Vec<Alarm>,
}

impl Found {
    async fn of(state: &WebState, wanted: Wanted) -> Result<Self, Problem> {
        Ok(Self::read(&state.db, state.clock.now(), wanted).await?)
    }

    /// What is wanted, from the store alone.
    pub async fn read(db: &Db, now: Timestamp, wanted: Wanted) -> Result<Self, DbError> {
        let (wanted, label) = (wanted.clone().cleaned(now), wanted.span(now).label);
        let window = reliability::widened(db, &wanted.window(now)).await?;
        let sources = sources(db, &window).await?;
        let columns = columns(&sources, &wanted);
        let sets = answers(db, (window.from, window.to)).await?;
        let (compared, timeline) = compare_over_time(db, window.clone(), &columns, SLICES).await?;
        let here = |alarm: &Alarm| {
            wanted.role().is_none_or(|role| role == alarm.place.role)
                && (wanted.endpoint.is_empty() || wanted.endpoint == alarm.place.endpoint)
        };
        let mut alarms = within(db, window.from, window.to).await?;
        alarms.retain(here);
        Ok(Self { wanted, label, window, compared, timeline, columns, sources, sets, alarms })
    }

    /// The window as addresses have it.
    pub fn bounds(&self) -> (String, String) {
        (instant(self.window.from), instant(self.window.to))
    }

    /// The end of an address: window and endpoint.
    fn link(&self) -> String {
        let (from, to) = self.bounds();
        format!("&endpoint={}&from={}&to={}", part(&self.wanted.endpoint), part(&from), part(&to))
    }

    fn paired(&self) -> Vec<(String, Vec<PairedRow>)> {
        let (from, to) = self.bounds();
        let row = |set: SetId, told: &Told| PairedRow {
            shown: told.finding.shown,
            sentence: format!("{}.", told.finding.sentence),
            href: format!(
                "/comparisons/{set}/pairs?question={}&other={}&from={}&to={}",
                told.question.as_str(),
                told.other,
                part(&from),
                part(&to)
            ),
            n: shown::plural(told.finding.difference.n, "pair", "pairs"),
        };
        let told = self.sets.iter().filter(|set| !set.told.is_empty());
        told.map(|set| (set.name.clone(), set.told.iter().map(|told| row(set.set, told)).collect())).collect()
    }
}

/// Each family from each side that was seen; a family that was not seen at all has a column, too.
fn columns(sources: &[Source], wanted: &Wanted) -> Vec<Column> {
    let mut columns = Vec::new();
    for family in FAMILIES {
        let asked = |role: Role| wanted.role().is_none_or(|only| only == role);
        let seen = |role: Role| {
            let here = |s: &&Source| wanted.endpoint.is_empty() || s.endpoint == wanted.endpoint;
            sources.iter().filter(here).any(|s| s.family == family && s.role == role)
        };
        let sides: Vec<_> = [Role::Client, Role::Door].into_iter().filter(|r| asked(*r) && seen(*r)).collect();
        match sides.as_slice() {
            [] => columns.push(Column { family, role: wanted.role() }),
            sides => columns.extend(sides.iter().map(|role| Column { family, role: Some(*role) })),
        }
    }
    columns
}

/// `GET /reliability`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let found = Found::of(&state, wanted).await?;
    let (wanted, compared, columns) = (&found.wanted, &found.compared, &found.columns);
    // The first row counts every connection of its column.
    let tried = |at: usize| compared.rows.first().and_then(|row| row.cells.get(at)).map_or(0, |c| c.estimate.n);
    let all: u64 = (0..columns.len()).map(tried).sum();
    let lost = match compared.dropped {
        0 => String::new(),
        lost => format!(" {} could not be stored, because too many came at once.", shown::plural(lost, "more", "more")),
    };
    let families = columns.iter().enumerate().map(|(at, column)| Family {
        name: column.family,
        class: class(column.family),
        side: if tried(at) == 0 { "nothing seen" } else { side(column.role) },
        seen: shown::plural(tried(at), "connection", "connections"),
    });
    let now = state.clock.now();
    let incidents = state.incidents.list(alarm::INCIDENTS).await?;
    let lately = incidents.iter().filter(|one| one.closed.is_none() || one.last >= found.window.from).take(INCIDENTS);
    let alarms = found.alarms.iter().take(ALARMS).map(|one| AlarmRow::of(one, &incidents, now));
    let watched = state.alarms.watched(now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now)).await?;
    let of = if wanted.endpoint.is_empty() { String::new() } else { format!(" with {}", wanted.endpoint) };
    super::html(&ReliabilityPage {
        frame: Frame::new(&visitor, "Reliability"),
        lead: format!(
            "{}: from {}{of} that really took place.{lost}",
            found.label,
            shown::plural(all, "connection", "connections")
        ),
        caveat: compared.caveat,
        remark: state.remark,
        windows: wanted.windows(),
        roles: wanted.roles(),
        headlines: found.sets.iter().filter_map(|set| verdict::headline(&set.name, &set.told)).collect(),
        incidents: lately.map(|incident| IncidentRow::of(incident, now)).collect(),
        alarms: alarms.collect(),
        watched: alarm::watched(&watched),
        about: &ABOUT,
        families: families.collect(),
        rows: figures::rows(&compared.rows, &found.link()),
        sources: found
            .sources
            .iter()
            .filter(|source| FAMILIES.contains(&source.family.as_str()))
            .map(|one| source(one, wanted))
            .collect(),
        all: (!wanted.endpoint.is_empty()).then(|| Wanted { endpoint: String::new(), ..wanted.clone() }.query()),
        paired: found.paired(),
        trends: drawn::trends(columns, &found.timeline, &found.alarms, wanted),
        zooms: wanted.zooms((found.window.from, found.window.to)),
        query: wanted.query(),
        waterfall: drawn::waterfall(&compared.rows),
        survival: drawn::survival(columns, &found.timeline.samples),
        week: week::resets(&state, &found.window).await?,
    })
}

fn source(source: &Source, wanted: &Wanted) -> SourceRow {
    let to = Wanted { endpoint: source.endpoint.clone(), ..wanted.clone() };
    SourceRow {
        href: to.query(),
        current: source.endpoint == wanted.endpoint,
        endpoint: source.endpoint.clone(),
        family: source.family.clone(),
        side: side(Some(source.role)),
        connections: shown::count(source.connections),
        transfers: shown::count(source.transfers),
        failed: shown::count(source.failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_never_put_together() {
        let source = |family: &str, role, endpoint: &str| Source {
            family: family.into(),
            role,
            endpoint: endpoint.into(),
            connections: 1,
            transfers: 0,
            failed: 0,
        };
        let seen = [
            source("FTP", Role::Client, "a:21"),
            source("SFTP", Role::Door, "door"),
            source("SFTP", Role::Client, "b:22"),
        ];
        let of = |wanted: Wanted| columns(&seen, &wanted).iter().map(|c| (c.family, c.role)).collect::<Vec<_>>();
        assert_eq!(
            of(Wanted::default()),
            [("FTP", Some(Role::Client)), ("SFTP", Some(Role::Client)), ("SFTP", Some(Role::Door)), ("WebDAV", None)]
        );
        let doors = Wanted { role: "door".into(), ..Wanted::default() };
        assert_eq!(of(doors), [("FTP", Some(Role::Door)), ("SFTP", Some(Role::Door)), ("WebDAV", Some(Role::Door))]);
        let one = Wanted { endpoint: "b:22".into(), ..Wanted::default() };
        assert_eq!(of(one), [("FTP", None), ("SFTP", Some(Role::Client)), ("WebDAV", None)]);
    }
}
