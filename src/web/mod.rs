//! The dashboard: server-rendered pages that work without scripts and come alive with them.
//!
//! A request passes three things before its page: [`headers`](headers::add) (what every answer carries),
//! [`visitor`](visitor::greet) (session, colours, error pages) and [`gate`](gate::keep) (may this visitor
//! see this page). Every form carries a token and is refused without it; see `form`.

mod assets;
mod chart;
mod connect;
mod cookie;
mod form;
mod frame;
mod gate;
mod headers;
mod live;
mod page;
mod parts;
mod problem;
mod report;
mod show;
mod state;
mod stream;
mod visitor;
mod widget;
mod words;

#[cfg(test)]
mod gallery;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderMap;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::get;

/// For templates.
use assets::url as asset;
/// For templates.
use widget::icon;

pub use report::{Format as ReportFormat, ReportError, report};
pub use state::{DoorShown, DoorsAt, PeerOf, Reach, ReachNow, SftpReach, WebState, Welcome};

/// Shown at the foot of every page.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Forms are small; uploads raise this for themselves.
const FORM_BYTES: usize = 256 * 1024;

/// All pages, at `/`.
pub fn router(state: WebState) -> Router {
    let mut router = Router::new();
    for page in page::PAGES {
        router = router.route(page.path, (page.routes)().layer(from_fn_with_state(page.audience, gate::keep)));
    }
    router
        .route("/static/{name}", get(assets::get))
        .fallback(|| async { problem::Problem::Missing })
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(from_fn_with_state(state.clone(), visitor::greet))
        .layer(map_response(headers::add))
        .with_state(state)
}

/// The routes that show or answer something, as the router has them; for tests that go through all of them.
pub fn pages() -> impl Iterator<Item = &'static str> {
    page::PAGES.iter().map(|page| page.path)
}

/// The session token in a request's cookies, for doors that let dashboard sessions in. The cookie is
/// `SameSite=Lax`: other sites cannot make a browser send it with anything but a plain visit.
#[must_use]
pub fn session_token(headers: &HeaderMap) -> Option<String> {
    cookie::Jar::of(headers).get(cookie::SESSION).map(str::to_owned)
}
