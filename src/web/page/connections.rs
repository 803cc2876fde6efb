//! Who is connected to the SFTP door, what they move, a way to end a connection, and what the doors refused.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::Serialize;

use super::refused::{self, CountersShown};
use crate::audit::Event;
use crate::presence::{Moved, Seen};
use crate::reliability::Direction;
use crate::web::form::{Posted, done};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};
use crate::web::widget::Moment;

/// One connection.
#[derive(Debug, Clone)]
pub struct ConnectionRow {
    pub id: u64,
    pub account: String,
    pub account_href: String,
    pub door: String,
    pub peer: String,
    pub client: String,
    /// Key exchange and cipher.
    pub secured: String,
    pub since: Moment,
    /// Of all files, in both directions.
    pub moved: Option<String>,
    pub moving: Vec<MovingRow>,
    /// Open files that are not shown.
    pub more: usize,
}

/// One open file.
#[derive(Debug, Clone)]
pub struct MovingRow {
    pub verb: &'static str,
    pub path: String,
    pub bytes: String,
    pub since: Moment,
}

/// Open files that are shown of one connection.
const FILES: usize = 5;

/// The part of the page that is kept up to date.
#[derive(Template)]
#[template(path = "part/connections.html")]
pub(in crate::web) struct ConnectionsPart {
    pub rows: Vec<ConnectionRow>,
    pub csrf: String,
}

#[derive(Template)]
#[template(path = "connections.html")]
pub(in crate::web) struct ConnectionsPage {
    pub frame: Frame,
    pub part: ConnectionsPart,
    pub counters: CountersShown,
}

impl ConnectionsPart {
    /// As things are now.
    pub(in crate::web) fn of(state: &WebState, csrf: String) -> Self {
        let now = state.clock.now();
        Self { rows: state.presence.list().into_iter().map(|seen| row(seen, now)).collect(), csrf }
    }
}

/// `GET /connections`.
pub(in crate::web) async fn show(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let part = ConnectionsPart::of(&state, visitor.csrf.clone());
    let counters = CountersShown::of(&state.counters);
    super::html(&ConnectionsPage { frame: Frame::new(&visitor, "Connections"), part, counters })
}

/// Who is connected, and what the doors refused.
#[derive(Serialize)]
struct All {
    connections: Vec<Seen>,
    doors: serde_json::Value,
}

/// `GET /api/connections`.
pub(in crate::web) async fn json(State(state): State<WebState>) -> Result<Response, Problem> {
    let all = All { connections: state.presence.list(), doors: refused::json(&state.counters) };
    let body = serde_json::to_string(&all).map_err(|error| Problem::Failed(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Nothing is asked beside the number in the path.
#[derive(serde::Deserialize)]
pub(in crate::web) struct Nothing {}

/// `POST /connections/{id}/end`.
pub(in crate::web) async fn end(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<u64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    let account = show_out(&state, &visitor, (id, None)).await?;
    let said = account.map(|account| format!("The connection of “{account}” is being ended."));
    Ok(done("/connections", said.unwrap_or_else(|| GONE.to_owned())))
}

const GONE: &str = "That connection had ended already.";

/// `POST /account/connections/{id}/end`: one of the visitor's own.
pub(in crate::web) async fn end_own(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<u64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    let ended = show_out(&state, &visitor, (id, Some(visitor.grant()?.name()))).await?;
    Ok(done(super::own::HERE, if ended.is_some() { "The connection is being ended." } else { GONE }))
}

/// Ends a connection, one of an account if that is given, and writes down who did. Returns whose it is.
async fn show_out(
    state: &WebState,
    visitor: &Visitor,
    (id, of): (u64, Option<&str>),
) -> Result<Option<String>, Problem> {
    let Some(who) = state.presence.show_out(id, of) else { return Ok(None) };
    let event = Event::Disconnected { account: who.account.clone(), door: who.door, peer: who.peer.to_string() };
    state.audit.record(&visitor.grant()?.actor(), &event).await?;
    Ok(Some(who.account))
}

/// The connections of one account.
pub(super) fn of(state: &WebState, account: &str) -> Vec<ConnectionRow> {
    let now = state.clock.now();
    let own = state.presence.list().into_iter().filter(|seen| seen.who.account == account);
    own.map(|seen| row(seen, now)).collect()
}

/// Both directions, as far as anything was moved.
fn moved(uploaded: u64, downloaded: u64) -> Option<String> {
    let told = |bytes, verb| (bytes > 0).then(|| format!("{} {verb}", show::bytes(bytes)));
    let both: Vec<_> = [told(uploaded, "sent"), told(downloaded, "fetched")].into_iter().flatten().collect();
    (!both.is_empty()).then(|| both.join(", "))
}

fn row(seen: Seen, now: Timestamp) -> ConnectionRow {
    let who = seen.who;
    ConnectionRow {
        id: seen.id,
        account_href: super::accounts::address(&who.account),
        account: who.account,
        door: who.door.to_string().to_uppercase(),
        peer: who.peer.to_string(),
        client: who.client.trim_start_matches("SSH-2.0-").to_owned(),
        secured: [who.kex, who.cipher].into_iter().flatten().collect::<Vec<_>>().join(", "),
        since: Moment::around(who.since, now),
        moved: moved(seen.uploaded, seen.downloaded),
        more: seen.moving.len().saturating_sub(FILES),
        moving: seen.moving.iter().take(FILES).map(|file| moving(file, now)).collect(),
    }
}

fn moving(file: &Moved, now: Timestamp) -> MovingRow {
    MovingRow {
        verb: match file.direction {
            Direction::Upload => "sends",
            Direction::Download => "fetches",
        },
        path: format!("/{}", file.path),
        bytes: show::bytes(file.bytes),
        since: Moment::around(file.since, now),
    }
}
