//! The single observations behind a figure: who does not believe it works it out again from here.

mod question;
mod rows;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

pub(in crate::web) use question::{Choices, Question};
pub(in crate::web) use rows::ObservationRow;
use rows::{json, row};

use super::Pager;
use super::reliability::{alone, side};
use crate::db::Db;
use crate::reliability::basis::{Filter, Kept, kept, traced};
use crate::reliability::rollup::{KEEP_DAYS, KEEP_HOURS, KEEP_MINUTES, read};
use crate::reliability::stat::Sample;
use crate::reliability::{Estimate, FAMILIES, RETENTION_DAYS, Statistic, widened};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::Asks;

/// Observations on one page.
const SHOWN: u32 = 50;
/// And in one answer to a script.
const ANSWERED: u32 = 1000;

/// The figure that the observations are behind.
#[derive(Debug, Clone)]
pub struct FigureShown {
    pub title: &'static str,
    pub key: &'static str,
    /// Of whom: "FTP, our client".
    pub whose: String,
    /// Value and interval; none while there are too few.
    pub value: Option<(String, String)>,
    pub n: String,
}

#[derive(Template)]
#[template(path = "observations.html")]
pub(in crate::web) struct ObservationsPage {
    pub frame: Frame,
    pub lead: String,
    pub figure: Option<FigureShown>,
    /// What is not here any more, and what is left of it.
    pub gone: String,
    pub question: Question,
    pub choices: Choices,
    /// Is more asked for than a figure?
    pub narrowed: bool,
    pub heading: &'static str,
    pub rows: Vec<ObservationRow>,
    pub pager: Pager,
}

/// What was asked for, and what there is of it.
struct Found {
    question: Question,
    filter: Filter,
    statistic: Option<&'static Statistic>,
    figure: Option<Estimate>,
    kept: Kept,
}

impl Found {
    async fn of(state: &WebState, question: Question) -> Result<Self, Problem> {
        let now = state.clock.now();
        let statistic = question.statistic();
        let mut filter = question.filter(now);
        filter.window = widened(&state.db, &filter.window).await?;
        let figure = match statistic {
            Some(statistic) if !question.is_narrowed() => figure(&state.db, statistic, &filter).await?,
            _ => None,
        };
        let kept = kept(&state.db, &filter).await?;
        Ok(Self { question: question.at(&filter.window), filter, statistic, figure, kept })
    }
}

/// The figure as the reliability page has it: from the roll-ups.
async fn figure(db: &Db, statistic: &Statistic, filter: &Filter) -> Result<Option<Estimate>, Problem> {
    let Some(family) = filter.family.as_deref().filter(|family| FAMILIES.contains(family)) else { return Ok(None) };
    Ok(Some((statistic.compute)(&Sample::of(read(db, family, &filter.window).await?))))
}

/// `GET /observations`, as a page or, for scripts, as JSON.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(question): Query<Question>,
) -> Result<Response, Problem> {
    let found = Found::of(&state, question).await?;
    let most = if visitor.json { ANSWERED } else { SHOWN };
    let mut rows = traced(&state.db, &found.filter, found.question.after(), most + 1).await?;
    let more = rows.len() > usize::try_from(most).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let older = rows.last().filter(|_| more).map(|last| found.question.behind(last));
    if visitor.json {
        return json(&found, &rows, older);
    }
    super::html(&ObservationsPage {
        frame: Frame::new(&visitor, "Observations"),
        lead: lead(&found),
        gone: gone(&found),
        narrowed: found.question.is_narrowed(),
        heading: found.statistic.map_or("", |statistic| rows::heading(statistic.basis)),
        choices: found.question.choices(),
        rows: rows.iter().map(|one| row(one, found.statistic)).collect(),
        pager: Pager {
            newer: found.question.after().map(|_| found.question.query()),
            newer_label: "Newest observations",
            older,
            older_label: "Older observations",
        },
        figure: found.statistic.zip(found.figure).map(|(statistic, estimate)| shown(&found, statistic, &estimate)),
        question: found.question,
    })
}

fn shown(found: &Found, statistic: &'static Statistic, estimate: &Estimate) -> FigureShown {
    let family = found.filter.family.clone().unwrap_or_default();
    FigureShown {
        title: statistic.title,
        key: statistic.key,
        whose: format!("{family}, {}", side(found.filter.window.role)),
        value: alone(estimate, statistic.unit),
        n: show::count(estimate.n),
    }
}

/// "120 observations, from 12:00 to 13:00 UTC".
fn lead(found: &Found) -> String {
    let minute = "%Y-%m-%d %H:%M";
    let window = &found.filter.window;
    let count = match found.kept {
        Kept { more: true, count, .. } => format!("More than {} observations", show::count(count)),
        Kept { count, .. } => show::plural(count, "observation", "observations"),
    };
    let of = found.filter.window.endpoint.as_ref().map(|endpoint| format!(" with {endpoint}")).unwrap_or_default();
    if found.filter.round.is_some() {
        return format!("{count} of one round of a comparison.");
    }
    format!("{count}{of}, from {} to {} UTC.", window.from.strftime(minute), window.to.strftime(minute))
}

/// What a figure rests on and cannot be shown one by one any more.
fn gone(found: &Found) -> String {
    let missing = match found.figure {
        Some(estimate) if !found.kept.more => estimate.n.saturating_sub(found.kept.count),
        _ => return String::new(),
    };
    if missing == 0 {
        return String::new();
    }
    let since = found
        .kept
        .since
        .map(|since| format!(" The oldest that is left is of {}.", since.strftime("%Y-%m-%d %H:%M UTC")));
    format!(
        "{} of those that the figure rests on cannot be shown one by one any more: single observations are kept for \
         {RETENTION_DAYS} days.{} What remains of them are their sums and histograms, by the minute for {KEEP_MINUTES} days, \
         by the hour for {KEEP_HOURS} days, by the day for {} years.",
        show::count(missing),
        since.unwrap_or_default(),
        KEEP_DAYS / 366
    )
}
