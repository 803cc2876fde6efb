//! Forms that came from our own pages, and the answers to them.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::cookie;
use super::frame::Note;
use super::problem::{Problem, sentence};
use super::visitor::Visitor;
use super::widget::Tone;

/// A form whose token and origin were checked.
pub(super) struct Posted<T>(pub(super) T);

/// For forms that carry nothing but the token.
#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
struct Sealed<T> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    form: T,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Posted<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let visitor = visitor_of(&request)?;
        check_origin(request.uri(), request.headers())?;
        let Form(sealed) =
            Form::<Sealed<T>>::from_request(request, state).await.map_err(|error| not_understood(&error))?;
        if visitor.csrf_matches(&sealed.csrf) { Ok(Self(sealed.form)) } else { Err(Problem::Stale) }
    }
}

fn not_understood(error: &FormRejection) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::TooMuch;
    }
    Problem::Bad(format!("the form was not understood: {error}"))
}

pub(super) fn visitor_of(request: &Request) -> Result<Arc<Visitor>, Problem> {
    request.extensions().get::<Arc<Visitor>>().cloned().ok_or(Problem::Forbidden)
}

/// A browser says where a form was (RFC 6454): it must have been here. Programs say nothing; they need
/// the token all the same.
pub(super) fn check_origin(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|v: &axum::http::HeaderValue| v.to_str().ok());
    if text(header::HeaderName::from_static("sec-fetch-site")).is_some_and(|s| !matches!(s, "same-origin" | "none")) {
        return Err(Problem::Stale);
    }
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = uri.authority().map(axum::http::uri::Authority::as_str).or_else(|| text(header::HOST));
    let from = origin.split_once("://").map(|(_, from)| from);
    if from.is_some() && from == host { Ok(()) } else { Err(Problem::Stale) }
}

/// Goes to another page (303, RFC 9110 section 15.4.4).
pub(super) fn go(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to.to_owned())]).into_response()
}

/// Goes to another page, which says what was done.
pub(super) fn done(to: &str, text: impl Into<String>) -> Response {
    say(to, &Note { tone: Tone::Ok, text: text.into() })
}

/// Goes to another page, which says why it was not done.
pub(super) fn refused(to: &str, why: &str) -> Response {
    say(to, &Note { tone: Tone::Bad, text: sentence(why) })
}

/// Goes to another page with a note.
pub(super) fn say(to: &str, note: &Note) -> Response {
    let mut response = go(to);
    if let Ok(value) = cookie::keep(cookie::NOTE, &cookie::write_note(note), Some(60)).parse() {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// A path on this site to go back to; anything else leads to the start.
pub(super) fn local(back: &str) -> &str {
    let fine =
        back.starts_with('/') && !back.starts_with("//") && back.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if fine { back } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_host_may_post() {
        let check = |origin: Option<&str>, site: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "files.example:8443".parse().unwrap());
            origin.map(|o| headers.insert(header::ORIGIN, o.parse().unwrap()));
            site.map(|s| headers.insert("sec-fetch-site", s.parse().unwrap()));
            check_origin(&Uri::from_static("/x"), &headers).is_ok()
        };
        assert!(check(Some("https://files.example:8443"), Some("same-origin")));
        assert!(check(None, None));
        assert!(!check(Some("https://evil.example"), None));
        assert!(!check(Some("null"), None));
        assert!(!check(None, Some("cross-site")));
    }

    #[test]
    fn goes_back_only_to_this_site() {
        assert_eq!(local("/jobs/7"), "/jobs/7");
        for evil in ["//evil.example", "https://evil.example", "/\\evil", "", "/a\nb"] {
            assert_eq!(local(evil), "/");
        }
    }
}
