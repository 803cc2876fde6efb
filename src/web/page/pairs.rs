//! The pairs behind one answer of a comparison: what both endpoints did in each round.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Pager;
use super::reliability::{Wanted, answer, instant, part};
use crate::model::{EndpointId, SetId};
use crate::probe::{Pair, Question, Side, Told};
use crate::reliability::widened;
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};
use crate::web::widget::Moment;

/// Pairs on one page.
const SHOWN: usize = 100;

/// Which pairs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct PairsWanted {
    question: String,
    other: i64,
    from: String,
    to: String,
    window: String,
    /// Rounds before this one.
    before: Option<i64>,
}

/// One round.
#[derive(Debug, Clone)]
pub struct PairRow {
    pub at: Moment,
    pub first: String,
    pub other: String,
    pub difference: String,
    /// All that was observed in the round.
    pub href: String,
}

#[derive(Template)]
#[template(path = "pairs.html")]
pub(in crate::web) struct PairsPage {
    pub frame: Frame,
    pub set: String,
    pub href: String,
    pub sentence: String,
    /// Where it is told what the figure says.
    pub definition: &'static str,
    pub count: String,
    pub names: (String, String),
    pub rows: Vec<PairRow>,
    pub pager: Pager,
}

#[derive(Serialize)]
struct PairJson {
    round: i64,
    at: String,
    /// Seconds, where it ended well.
    first: Option<f64>,
    other: Option<f64>,
    /// Did it end well?
    first_well: bool,
    other_well: bool,
}

#[derive(Serialize)]
struct PairsJson {
    question: &'static str,
    from: String,
    to: String,
    sentence: String,
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    n: u64,
    pairs: Vec<PairJson>,
}

/// The answer that was asked for, and its comparison.
async fn found(state: &WebState, id: i64, wanted: &PairsWanted) -> Result<(String, Told), Problem> {
    let set = state.probes.get(SetId(id)).await?;
    let span =
        Wanted { from: wanted.from.clone(), to: wanted.to.clone(), window: wanted.window.clone(), ..Wanted::default() };
    let window = widened(&state.db, &span.window(state.clock.now())).await?;
    let question = Question::of_word(&wanted.question).ok_or(Problem::Missing)?;
    let told = state.probes.findings(&set, (window.from, window.to)).await?;
    let is_asked = |told: &Told| told.question == question && told.other == EndpointId(wanted.other);
    Ok((set.name, told.into_iter().find(is_asked).ok_or(Problem::Missing)?))
}

/// `GET /comparisons/{id}/pairs`, as a page or, for scripts, as JSON of all of them.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Query(wanted): Query<PairsWanted>,
) -> Result<Response, Problem> {
    let (set, told) = found(&state, id, &wanted).await?;
    if visitor.json {
        return json(&told);
    }
    super::html(&page(&visitor, (id, set), &wanted, &told))
}

fn page(visitor: &Visitor, (id, set): (i64, String), wanted: &PairsWanted, told: &Told) -> PairsPage {
    let finding = &told.finding;
    let older = told.pairs.iter().rev().filter(|pair| wanted.before.is_none_or(|before| pair.round < before));
    let page: Vec<_> = older.clone().take(SHOWN).collect();
    let more = older.count() > page.len();
    let query = |before: String| {
        format!(
            "?question={}&other={}&from={}&to={}&window={}{before}",
            part(&wanted.question),
            wanted.other,
            part(&wanted.from),
            part(&wanted.to),
            part(&wanted.window)
        )
    };
    PairsPage {
        frame: Frame::new(visitor, "Pairs"),
        set,
        href: format!("/comparisons/{id}"),
        sentence: format!("{}.", finding.sentence),
        definition: match told.question {
            Question::Time(_) => "pairs-time",
            Question::Connecting | Question::Moving => "pairs-share",
        },
        count: show::plural(u64::try_from(told.pairs.len()).unwrap_or(u64::MAX), "pair", "pairs"),
        names: (finding.from.clone(), finding.to.clone()),
        rows: page.iter().map(|pair| row(pair, told.question)).collect(),
        pager: Pager {
            newer: wanted.before.map(|_| query(String::new())),
            newer_label: "Newest pairs",
            older: page.last().filter(|_| more).map(|last| query(format!("&before={}", last.round))),
            older_label: "Older pairs",
        },
    }
}

fn row(pair: &Pair, question: Question) -> PairRow {
    let timed = matches!(question, Question::Time(_));
    let side = |side: Side| match side {
        Side::Well(seconds, _) if timed => milliseconds(seconds),
        Side::Well(..) => "went well".to_owned(),
        Side::Badly => "failed".to_owned(),
        Side::Unknown => "not tried".to_owned(),
    };
    let difference = match (pair.first, pair.other) {
        (Side::Well(one, _), Side::Well(other, _)) if timed => {
            let by = other - one;
            format!("{}{}", if by < 0.0 { "−" } else { "+" }, milliseconds(by.abs()))
        }
        (Side::Well(..), Side::Badly) => "worse".to_owned(),
        (Side::Badly, Side::Well(..)) => "better".to_owned(),
        _ => "the same".to_owned(),
    };
    PairRow {
        at: Moment::exact(pair.at),
        first: side(pair.first),
        other: side(pair.other),
        difference,
        href: format!("/observations?round={}", pair.at.as_microsecond()),
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{} ms", show::figure(seconds * 1000.0))
}

fn json(told: &Told) -> Result<Response, Problem> {
    let seconds = |side: Side| if let Side::Well(seconds, _) = side { Some(seconds) } else { None };
    let pairs = told.pairs.iter().map(|pair| PairJson {
        round: pair.round,
        at: instant(pair.at),
        first: seconds(pair.first),
        other: seconds(pair.other),
        first_well: matches!(pair.first, Side::Well(..)),
        other_well: matches!(pair.other, Side::Well(..)),
    });
    let difference = told.finding.difference;
    let ends = (told.pairs.first(), told.pairs.last());
    answer(&PairsJson {
        question: told.question.as_str(),
        from: ends.0.map(|pair| instant(pair.at)).unwrap_or_default(),
        to: ends.1.map(|pair| instant(pair.at)).unwrap_or_default(),
        sentence: told.finding.sentence.clone(),
        value: difference.value,
        low: difference.low,
        high: difference.high,
        n: difference.n,
        pairs: pairs.collect(),
    })
}
