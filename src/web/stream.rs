//! Live pages by server-sent events. `part` carries the HTML of the live element, `look` says that the
//! rest of the page is out of date (the script fetches it again and takes what changed), `say` is for
//! screen readers, `end` and `bye` are the last words: the run is over, the session is.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;

use super::live::{self, LiveRun, MeterPart};
use super::page::connections::ConnectionsPart;
use super::page::diagnosis::GlimpsePart;
use super::page::overview::RunningPart;
use super::page::survey::ProgressPart;
use super::problem::Problem;
use super::state::WebState;
use super::visitor::Asks;
use super::words;
use crate::job::JobRow;
use crate::model::{DiagnosisId, JobId, RunId, Secret, SurveyId};

/// How often progress is looked at.
const BEAT: Duration = Duration::from_millis(700);
/// Beats between two looks at the session.
const SESSION_BEATS: u32 = 3;
/// Percent between two announcements to screen readers.
const SAY_EVERY: u64 = 25;

/// What a page shows of the jobs, as one word: when it changes, the page is out of date.
pub(super) fn seen<'a>(rows: impl IntoIterator<Item = &'a JobRow>) -> String {
    let mut all = String::new();
    for JobRow { job, active, last, skipped } in rows {
        let run = |run: &Option<crate::job::Run>| run.as_ref().map(|run| (run.id.0, run.state.as_str()));
        all.push_str(&format!("{}{:?}{:?}{:?};", job.id, job.changed, run(active), (run(last), run(skipped))));
    }
    super::assets::tag(all.as_bytes())
}

/// What a page was made of.
#[derive(Deserialize)]
pub(super) struct Since {
    #[serde(default)]
    seen: String,
}

/// `GET /live/overview`: the running jobs; `look` when one started or ended.
pub(super) async fn overview(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(since): Query<Since>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let first = Shown { seen: since.seen, ..Shown::default() };
    beats(state, visitor.token.clone(), first, |state: WebState, shown: Shown| async move {
        let rows = state.jobs.list(true).await.ok()?;
        let mut events = changes(&rows, &shown);
        let running = live::running(&state, &rows);
        let part = RunningPart { running, idle: live::IDLE.to_owned() }.render().ok()?;
        if part != shown.part {
            events.push(Event::default().event("part").data(&part));
        }
        Some((events, Some(Shown { seen: seen(&rows), runs: runs(&rows), part })))
    })
}

/// `GET /live/connections`: who is connected.
pub(super) async fn connections(
    State(state): State<WebState>,
    Asks(visitor): Asks,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let csrf = visitor.csrf.clone();
    beats(state, visitor.token.clone(), String::new(), move |state: WebState, shown: String| {
        let csrf = csrf.clone();
        async move {
            let part = ConnectionsPart::of(&state, csrf).render().ok()?;
            let events = if part == shown { Vec::new() } else { vec![Event::default().event("part").data(&part)] };
            Some((events, Some(part)))
        }
    })
}

/// `GET /live/jobs`: `look` when a job started, ended or changed.
pub(super) async fn jobs(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(since): Query<Since>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let first = Shown { seen: since.seen, ..Shown::default() };
    beats(state, visitor.token.clone(), first, |state: WebState, shown: Shown| async move {
        let rows = state.jobs.list(false).await.ok()?;
        let events = changes(&rows, &shown);
        Some((events, Some(Shown { seen: seen(&rows), runs: runs(&rows), part: String::new() })))
    })
}

/// `GET /jobs/{id}/live`: the same for one job.
pub(super) async fn job(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Query(since): Query<Since>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let first = Shown { seen: since.seen, ..Shown::default() };
    beats(state, visitor.token.clone(), first, move |state: WebState, shown: Shown| async move {
        let rows: Vec<_> =
            state.jobs.list(true).await.ok()?.into_iter().filter(|row| row.job.id == JobId(id)).collect();
        let events = changes(&rows, &shown);
        Some((events, Some(Shown { seen: seen(&rows), runs: runs(&rows), part: String::new() })))
    })
}

/// What was sent last.
#[derive(Default)]
struct Shown {
    seen: String,
    /// The runs under way, with the names of their jobs.
    runs: Vec<(RunId, String)>,
    part: String,
}

fn runs(rows: &[JobRow]) -> Vec<(RunId, String)> {
    rows.iter().filter_map(|row| row.active.as_ref().map(|run| (run.id, row.job.name.clone()))).collect()
}

/// A look at the page when it is out of date, and a sentence for each run that ended or began since.
fn changes(rows: &[JobRow], shown: &Shown) -> Vec<Event> {
    if seen(rows) == shown.seen {
        return Vec::new();
    }
    let now = runs(rows);
    let ended = shown.runs.iter().filter(|run| !now.contains(run)).map(|(id, job)| {
        let last = rows.iter().filter_map(|row| row.last.as_ref()).find(|run| run.id == *id);
        format!("{job}: {}", last.map_or("ended", |run| words::run_word(run)))
    });
    let begun = now.iter().filter(|run| !shown.runs.is_empty() && !shown.runs.contains(run));
    let said: Vec<_> = ended.chain(begun.map(|(_, job)| format!("{job}: started"))).collect();
    let mut events = vec![Event::default().event("look").data("changed")];
    if !said.is_empty() {
        events.push(Event::default().event("say").data(said.join(". ")));
    }
    events
}

/// `GET /runs/{id}/live`: one run, until it is over.
pub(super) async fn run(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let page = state.jobs.run_page(RunId(id)).await?;
    let job = page.job.name;
    let first = Metered { state: page.run.state, percent: 0, part: String::new() };
    Ok(beats(state, visitor.token.clone(), first, move |state: WebState, shown: Metered| {
        let job = job.clone();
        async move {
            let run = state.jobs.run(RunId(id)).await.ok()?;
            if run.state.is_over() {
                let said = Event::default().event("say").data(format!("{job}: {}", words::run_word(&run)));
                return Some((vec![said, Event::default().event("end").data("over")], None));
            }
            let live = live::of_run(&state, &run, &job);
            let (events, next) = shown.follow(&run, live)?;
            Some((events, Some(next)))
        }
    }))
}

/// What was sent last of a run.
struct Metered {
    state: crate::job::RunState,
    percent: u64,
    part: String,
}

impl Metered {
    fn follow(self, run: &crate::job::Run, live: LiveRun) -> Option<(Vec<Event>, Self)> {
        // Screen readers hear of quarters only; everything else would talk over the page.
        let percent = live.percent.map_or(0, |percent| percent / SAY_EVERY * SAY_EVERY);
        let part = MeterPart { live }.render().ok()?;
        let mut events = Vec::new();
        if run.state != self.state {
            events.push(Event::default().event("look").data("changed"));
        }
        if part != self.part {
            events.push(Event::default().event("part").data(&part));
        }
        if percent > self.percent {
            events.push(Event::default().event("say").data(format!("{percent} percent")));
        }
        Some((events, Self { state: run.state, percent, part }))
    }
}

/// `GET /surveys/{id}/live`: one survey, until it is over.
pub(super) async fn survey(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let id = SurveyId(id);
    state.surveys.get(id).await?;
    Ok(beats(state, visitor.token.clone(), String::new(), move |state: WebState, shown: String| async move {
        let Some(snapshot) = state.surveys.live(id) else {
            let said = Event::default().event("say").data("The survey is over");
            return Some((vec![said, Event::default().event("end").data("over")], None));
        };
        let part = ProgressPart::of(&snapshot).render().ok()?;
        let events = if part == shown { Vec::new() } else { vec![Event::default().event("part").data(&part)] };
        Some((events, Some(part)))
    }))
}

/// `GET /doctor/{id}/live`: one diagnosis, or the trial of a remedy, until it is over.
pub(super) async fn diagnosis(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let id = DiagnosisId(id);
    state.diagnoses.get(id).await?;
    Ok(beats(state, visitor.token.clone(), String::new(), move |state: WebState, shown: String| async move {
        let Some(glimpse) = state.diagnoses.live(id) else {
            let said = Event::default().event("say").data("It is over");
            return Some((vec![said, Event::default().event("end").data("over")], None));
        };
        let part = GlimpsePart::of(&glimpse).render().ok()?;
        let events = if part == shown { Vec::new() } else { vec![Event::default().event("part").data(&part)] };
        Some((events, Some(part)))
    }))
}

/// Asks `beat` again and again with what it returned last; no more of it ends the stream, and so does the
/// end of the visitor's session or rights.
fn beats<S, F, W>(
    state: WebState,
    token: Option<Secret>,
    first: S,
    beat: F,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>>
where
    S: Send + 'static,
    F: Fn(WebState, S) -> W + Send + Clone + 'static,
    W: Future<Output = Option<(Vec<Event>, Option<S>)>> + Send,
{
    let stream = stream::unfold((Some(first), 0_u32), move |(shown, count)| {
        let (state, beat, token) = (state.clone(), beat.clone(), token.clone());
        async move {
            let shown = shown?;
            if count > 0 {
                tokio::select! {
                    () = state.stop.cancelled() => return None,
                    () = tokio::time::sleep(BEAT) => {}
                }
            }
            if count % SESSION_BEATS == 0 && !may_go_on(&state, token.as_ref()).await {
                return Some((vec![Event::default().event("bye").data("signed out")], (None, count)));
            }
            let (events, next) = beat(state, shown).await?;
            Some((events, (next, count.wrapping_add(1))))
        }
    });
    Sse::new(stream.flat_map(|events| stream::iter(events.into_iter().map(Ok)))).keep_alive(KeepAlive::default())
}

/// Is the session still there, and an administrator's? Every live page is for administrators. An open page
/// is no use of the session: it must not keep it alive.
async fn may_go_on(state: &WebState, token: Option<&Secret>) -> bool {
    let Some(token) = token else { return false };
    matches!(state.sessions.look(token.expose()).await, Ok(Some(session)) if session.grant.is_admin())
}
