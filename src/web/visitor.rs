//! Who asks: found out once per request, before any page.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::cookie;
use super::frame::{Note, Theme};
use super::problem::{self, Problem};
use super::state::WebState;
use crate::account::{Grant, Session, mask};
use crate::model::Secret;

/// What a frame needs to know about the one who signed in.
#[derive(Debug, Clone)]
pub struct Who {
    /// The account's name.
    pub name: String,
    /// May it see every page?
    pub admin: bool,
}

/// The sender of a request.
#[derive(Debug)]
pub struct Visitor {
    pub(super) who: Option<Who>,
    pub(super) session: Option<Session>,
    pub(super) token: Option<Secret>,
    pub(super) theme: Theme,
    pub(super) path: String,
    /// Where to come back to: the path with its query.
    pub(super) here: String,
    /// Under which name and port the service was asked.
    pub(super) authority: Authority,
    /// The secret that forms send back, as this page shows it.
    pub(super) csrf: String,
    pub(super) note: Option<Note>,
    pub(super) peer: SocketAddr,
    /// A script asks, and wants no page.
    pub(super) json: bool,
}

impl Visitor {
    /// Who signed in.
    #[must_use]
    pub fn who(&self) -> Option<&Who> {
        self.who.as_ref()
    }

    /// The proof of it.
    ///
    /// # Errors
    /// [`Problem::Forbidden`]: nobody did. The gate before the pages has seen to it already.
    pub(super) fn grant(&self) -> Result<&Grant, Problem> {
        self.session.as_ref().map(|s| &s.grant).ok_or(Problem::Forbidden)
    }

    /// Does the form carry what our page put into it?
    #[must_use]
    pub fn csrf_matches(&self, sent: &str) -> bool {
        let secret = mask::unmasked(&self.csrf).unwrap_or_default();
        String::from_utf8(secret).is_ok_and(|secret| mask::is_masked(&secret, sent))
    }
}

/// A handler's way to the visitor.
pub(super) struct Asks(pub(super) Arc<Visitor>);

impl<S: Send + Sync> FromRequestParts<S> for Asks {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Arc<Visitor>>().cloned();
        found.map(Self).ok_or_else(|| Problem::Failed("a page without a visitor".to_owned()))
    }
}

/// Middleware: finds the visitor, lets the page answer, dresses errors, and keeps the cookies.
pub(super) async fn greet(State(state): State<WebState>, mut request: Request, next: Next) -> Response {
    let jar = cookie::Jar::of(request.headers());
    let token = jar.get(cookie::SESSION).map(Secret::new);
    let session = match &token {
        Some(token) => state.sessions.find(token.expose()).await.unwrap_or_else(|error| {
            tracing::warn!(error = %error, "a session could not be looked up");
            None
        }),
        None => None,
    };
    if session.is_some() {
        (state.welcome)(request.extensions());
    }
    // Before signing in a random cookie takes the place of the session for the forms' sake.
    let (visit, is_new) = match jar.get(cookie::VISIT).filter(|v| v.len() >= 32) {
        Some(visit) => (visit.to_owned(), false),
        None => (cookie::random().unwrap_or_default(), true),
    };
    let note = jar.get(cookie::NOTE).and_then(cookie::read_note);
    let visitor = Arc::new(Visitor {
        who: session.as_ref().map(|s| Who { name: s.grant.name().to_owned(), admin: s.grant.is_admin() }),
        csrf: session.as_ref().map_or_else(|| mask::masked(&visit), Session::csrf_shown),
        token,
        theme: jar.get(cookie::THEME).map(Theme::of_word).unwrap_or_default(),
        path: request.uri().path().to_owned(),
        here: request.uri().path_and_query().map_or("/", |at| at.as_str()).to_owned(),
        authority: authority(&request),
        note,
        peer: (state.peer_of)(request.extensions()),
        json: wants_json(&request),
        session,
    });
    request.extensions_mut().insert(visitor.clone());
    let mut response = problem::dressed(&visitor, next.run(request).await);
    let is_html = response.headers().get(header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/html"));
    let mut set = |cookie: String| {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    };
    if is_html && visitor.note.is_some() {
        set(cookie::forget(cookie::NOTE));
    }
    if is_html && is_new && visitor.session.is_none() {
        set(cookie::keep(cookie::VISIT, &visit, None));
    }
    response
}

/// As the client wrote it: HTTP/2 in `:authority`, HTTP/1.1 in `Host` (RFC 9110, 7.2).
fn authority(request: &Request) -> Authority {
    let host = || request.headers().get(header::HOST)?.to_str().ok()?.parse().ok();
    request.uri().authority().cloned().or_else(host).unwrap_or_else(|| Authority::from_static("localhost"))
}

/// Scripts of ours say what they understand; under `/api/` everybody is a script.
fn wants_json(request: &Request) -> bool {
    let mut accepts = request.headers().get_all(header::ACCEPT).iter();
    accepts.any(|accept| accept.as_bytes().starts_with(b"application/json"))
        || request.uri().path().starts_with("/api/")
}
