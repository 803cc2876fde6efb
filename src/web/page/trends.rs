//! One statistic over time, endpoint by endpoint.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::reliability::drawn::{Drawn, TrendGroup, group};
use super::reliability::{SLICES, Wanted, class, part, side};
use super::run::Tab;
use crate::diagnose::alarm::Alarm;
use crate::reliability::{FAMILIES, STATISTICS, Source, Timeline, Window, over_time, sources, widened};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::Asks;

/// Endpoints on the page, the busiest first.
const SHOWN: usize = 12;

/// One endpoint.
struct Seen {
    source: Source,
    timeline: Timeline,
}

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct TrendsWanted {
    statistic: String,
    window: String,
    from: String,
    to: String,
    role: String,
}

#[derive(Template)]
#[template(path = "trends.html")]
pub(in crate::web) struct TrendsPage {
    pub frame: Frame,
    pub lead: String,
    /// Leads back, with the same window.
    pub back: String,
    pub statistics: Vec<(&'static str, &'static str, bool)>,
    pub wanted: Vec<(&'static str, String)>,
    pub zooms: Vec<Tab>,
    pub group: TrendGroup,
}

/// `GET /reliability/trends`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(asked): Query<TrendsWanted>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    let TrendsWanted { window, from, to, role, statistic } = asked;
    let wanted = Wanted { window, from, to, role, ..Wanted::default() }.cleaned(now);
    let chosen = |key: &str| STATISTICS.iter().find(|one| one.key == key).copied();
    let statistic = chosen(&statistic).or_else(|| chosen("setup-median")).ok_or(Problem::Missing)?;
    let window = widened(&state.db, &wanted.window(now)).await?;
    let timelines = timelines(&state, &wanted, &window).await?;
    let width = timelines.first().map(|seen| seen.timeline.width).unwrap_or_default();
    let alarms = state.alarms.within(window.from, window.to).await?;
    let drawn: Vec<_> = timelines.iter().filter_map(|seen| drawn(seen, &alarms)).collect();
    let mut group = group(statistic, &drawn, width, &wanted);
    for point in group.trends.iter_mut().flat_map(|trend| &mut trend.points) {
        point.href = format!("{}&statistic={}", point.href, statistic.key);
    }
    let zooms = wanted.zooms((window.from, window.to)).into_iter();
    super::html(&TrendsPage {
        frame: Frame::new(&visitor, statistic.title),
        lead: format!("{}, each endpoint by itself.", wanted.span(now).label),
        back: format!("/reliability{}", wanted.query()),
        statistics: STATISTICS.iter().map(|one| (one.key, one.title, one.key == statistic.key)).collect(),
        wanted: fields(&wanted),
        zooms: zooms
            .map(|tab| Tab { href: format!("{}&statistic={}", tab.href, part(statistic.key)), ..tab })
            .collect(),
        group,
    })
}

/// The window and the side, to be sent along with another statistic.
fn fields(wanted: &Wanted) -> Vec<(&'static str, String)> {
    let all = [("window", &wanted.window), ("from", &wanted.from), ("to", &wanted.to), ("role", &wanted.role)];
    all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.clone())).collect()
}

async fn timelines(state: &WebState, wanted: &Wanted, window: &Window) -> Result<Vec<Seen>, Problem> {
    let mut all = Vec::new();
    let known = |family: &str| FAMILIES.contains(&family);
    let asked = sources(&state.db, window).await?.into_iter().filter(|source| known(&source.family));
    for source in asked.filter(|source| wanted.role().is_none_or(|role| role == source.role)).take(SHOWN) {
        let there = window.clone().of(source.role).at(source.endpoint.as_str());
        let timeline = over_time(&state.db, &source.family, &there, SLICES).await?;
        all.push(Seen { source, timeline });
    }
    Ok(all)
}

fn drawn<'a>(Seen { source, timeline }: &'a Seen, alarms: &'a [Alarm]) -> Option<Drawn<'a>> {
    let here = |alarm: &&Alarm| {
        let place = &alarm.place;
        place.family == source.family && place.role == source.role && place.endpoint == source.endpoint
    };
    Some(Drawn {
        name: format!("{}, {}", source.endpoint, side(Some(source.role))),
        class: class(&source.family),
        whole: timeline.samples.first()?,
        slices: timeline.slices.first()?,
        alarms: alarms.iter().filter(here).collect(),
    })
}
