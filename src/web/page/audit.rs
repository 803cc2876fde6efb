//! The audit log, with a check of its chain.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Pager, events};
use crate::audit::{self as log, Record};
use crate::web::form::{Nothing, Posted, say};
use crate::web::frame::{Frame, Note};
use crate::web::problem::Problem;
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};
use crate::web::widget::{Moment, Tone};

/// Entries on one page.
const ENTRIES: u32 = 50;
/// Damages that the page lists.
const DAMAGES: usize = 5;

/// The words to filter by: every kind of event. A test holds the list to the events.
pub(super) const ACTIONS: &[&str] = &[
    "login-succeeded",
    "login-partial",
    "login-failed",
    "signed-out",
    "account-locked",
    "peer-locked",
    "unlocked",
    "account-created",
    "account-changed",
    "password-changed",
    "account-removed",
    "key-added",
    "key-removed",
    "outdated-client",
    "disconnected",
    "second-factor-added",
    "second-factor-removed",
    "app-password-made",
    "app-password-removed",
    "share-made",
    "share-ended",
    "share-locked",
    "share-used",
    "host-key-changed",
    "authority-added",
    "authority-removed",
    "certificate-revoked",
    "endpoint-created",
    "endpoint-changed",
    "endpoint-removed",
    "job-created",
    "job-changed",
    "job-paused",
    "job-resumed",
    "job-removed",
    "job-drilled",
    "run-queued",
    "run-started",
    "run-paused",
    "run-resumed",
    "run-cancelled",
    "run-ended",
    "start-skipped",
    "file-published",
    "file-adopted",
    "file-trashed",
    "manifest-written",
    "survey-started",
    "diagnosis-started",
    "remedy-tried",
    "incident-opened",
    "incident-closed",
    "alarm-began",
    "alarm-ended",
    "comparison-made",
    "comparison-changed",
    "comparison-removed",
    "dir-made",
    "mode-set",
    "parts-removed",
    "runs-forgotten",
    "link-made",
    "door-uploaded",
    "door-archived",
    "door-removed",
    "door-trashed",
    "door-restored",
    "trash-emptied",
    "door-renamed",
    "door-copied",
    "door-dir-made",
    "door-linked",
    "door-attributes",
    "service-started",
    "service-stopped",
    "checkpoint-written",
];

/// What to show.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    pub actor: String,
    pub action: String,
    pub since: String,
    pub until: String,
    pub before: String,
}

/// One entry.
#[derive(Debug, Clone)]
pub struct AuditRow {
    pub number: i64,
    pub at: Moment,
    pub actor: String,
    pub action: String,
    pub detail: String,
    pub hash: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
pub(in crate::web) struct AuditPage {
    pub frame: Frame,
    pub filter: Filter,
    pub actions: Vec<(&'static str, String)>,
    pub rows: Vec<AuditRow>,
    pub pager: Pager,
}

/// `GET /audit`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    render(&state, &visitor, filter).await
}

/// `POST /audit/verify`: reads the whole chain.
pub(in crate::web) async fn verify(
    State(state): State<WebState>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    let found = state.audit.verify(None).await?;
    let entries = shown::plural(found.entries, "entry", "entries");
    let note = if found.is_sound() {
        let hash = found.head.hash_hex();
        Note {
            tone: Tone::Ok,
            text: format!(
                "The chain is whole: {entries}, each sealed by the one before. The last hash is {hash}. Only a checkpoint kept elsewhere shows that nothing was cut off at the end."
            ),
        }
    } else {
        let list: Vec<_> = found.damages.iter().take(DAMAGES).map(ToString::to_string).collect();
        Note {
            tone: Tone::Bad,
            text: format!(
                "The log was tampered with or damaged, in {} of {entries}: {}.",
                shown::plural(found.damaged, "place", "places"),
                list.join("; ")
            ),
        }
    };
    Ok(say("/audit", &note))
}

/// `GET /audit/checkpoint`: the head of the chain, to be kept elsewhere.
pub(in crate::web) async fn checkpoint(State(state): State<WebState>) -> Result<Response, Problem> {
    let head = state.audit.head().await?;
    let name = format!("attachment; filename=\"causeway-audit-{}.txt\"", head.seq);
    Ok((
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)],
        head.to_string(),
    )
        .into_response())
}

async fn render(state: &WebState, visitor: &Visitor, filter: Filter) -> Result<Response, Problem> {
    let mut actor = filter.actor.trim().to_owned();
    // The log compares exactly; people do not.
    if let Some(name) = state.accounts.spelling(&actor).await? {
        actor = name;
    }
    let wanted = log::Filter {
        actor: (!actor.is_empty()).then(|| actor_of(&actor)),
        action: Some(filter.action.clone()).filter(|a| !a.is_empty()),
        text: None,
        from: midnight(&filter.since, 0),
        to: midnight(&filter.until, 1),
        before: filter.before.parse().ok(),
        limit: ENTRIES,
    };
    let records = state.audit.page(&wanted).await?;
    let more = records.len() >= usize::try_from(ENTRIES).unwrap_or(usize::MAX);
    let query = |before: Option<i64>| {
        let part =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let before = before.map(|seq| format!("&before={seq}")).unwrap_or_default();
        format!(
            "/audit?actor={}&action={}&since={}&until={}{before}",
            part(&filter.actor),
            part(&filter.action),
            part(&filter.since),
            part(&filter.until)
        )
    };
    let pager = Pager {
        newer: wanted.before.map(|_| query(None)),
        newer_label: "Newest entries",
        older: records.last().filter(|_| more).map(|last| query(Some(last.seq))),
        older_label: "Older entries",
    };
    super::html(&AuditPage {
        frame: Frame::new(visitor, "Audit log"),
        actions: ACTIONS.iter().map(|action| (*action, events::kind(action))).collect(),
        rows: records.iter().map(row).collect(),
        pager,
        filter,
    })
}

/// An actor as the log writes it, from what the table shows or a person types.
fn actor_of(typed: &str) -> String {
    let lower = typed.to_ascii_lowercase();
    match lower.split_once(' ') {
        _ if lower == "system" => lower,
        _ if typed.contains(':') => typed.to_owned(),
        Some((kind @ ("job" | "share" | "operator"), number)) => format!("{kind}:{}", number.trim()),
        _ => format!("account:{typed}"),
    }
}

fn row(record: &Record) -> AuditRow {
    let (kind, name) = record.actor.split_once(':').unwrap_or(("", &record.actor));
    AuditRow {
        number: record.seq,
        at: Moment::exact(record.at),
        actor: if matches!(kind, "job" | "share" | "operator") { format!("{kind} {name}") } else { name.to_owned() },
        action: events::kind(&record.action),
        detail: record.event.as_ref().map_or_else(|| record.entry.clone(), events::told),
        hash: record.hash.chars().take(12).collect(),
    }
}

/// Midnight (UTC) of a date, some days later.
fn midnight(date: &str, days: i64) -> Option<Timestamp> {
    let date: Date = date.parse().ok()?;
    let date = date.checked_add(jiff::Span::new().days(days)).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_event_can_be_filtered() {
        // Serde names the variants that it would have understood.
        let said = serde_json::from_str::<crate::audit::Event>(r#"{"action":"?"}"#).unwrap_err().to_string();
        let mut known: Vec<_> = said.split('`').skip(3).step_by(2).collect();
        known.sort_unstable();
        let mut listed = ACTIONS.to_vec();
        listed.sort_unstable();
        assert_eq!(listed, known, "{said}");
    }

    #[test]
    fn finds_what_the_table_shows() {
        for (typed, meant) in
            [("Job 1", "job:1"), ("Anna", "account:Anna"), ("System", "system"), ("operator 0", "operator:0")]
        {
            assert_eq!(actor_of(typed), meant);
        }
    }
}
