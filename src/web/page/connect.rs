//! "Connect this computer": steps and files for the system that asks, and for every other.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::run::Tab;
use crate::web::connect::{self, Place, System, Way};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};

#[derive(Template)]
#[template(path = "connect.html")]
pub(in crate::web) struct ConnectPage {
    pub frame: Frame,
    pub system: System,
    /// The browser's system, and not one that was chosen.
    pub detected: bool,
    pub tabs: Vec<Tab>,
    pub place: Place,
    pub ways: Vec<Way>,
}

/// Which system, if not the one that asks.
#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
    #[serde(default)]
    system: String,
}

impl ConnectPage {
    pub(in crate::web) fn new(frame: Frame, system: System, detected: bool, place: Place) -> Self {
        let tab = |&other: &System| Tab {
            href: format!("/connect?system={}", other.word()),
            label: other.label().to_owned(),
            current: other == system,
        };
        let ways = connect::ways(system, &place);
        Self { frame, system, detected, tabs: System::ALL.iter().map(tab).collect(), place, ways }
    }
}

/// `GET /connect`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let chosen = System::of_word(&wanted.system);
    let system = chosen.unwrap_or_else(|| System::of(&headers));
    let frame = Frame::new(&visitor, "Connect this computer");
    super::html(&ConnectPage::new(frame, system, chosen.is_none(), place(&state, &visitor)?))
}

/// `GET /connect/{file}`: one of the files, to be saved.
pub(in crate::web) async fn download(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let content = connect::file(&name, &place(&state, &visitor)?).ok_or(Problem::Missing)?;
    let about = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((about, content).into_response())
}

fn place(state: &WebState, visitor: &Visitor) -> Result<Place, Problem> {
    let place = Place::new(&visitor.authority, visitor.grant()?.name(), (state.reach)());
    place.ok_or_else(|| Problem::Bad("This page was asked for under a name that is no server's name.".to_owned()))
}
