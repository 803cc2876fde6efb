//! `/files/`: who asks, for what, and which function answers.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};

use super::delete::delete;
use super::pick::pick;
use super::{Listing, Page, listing, page, put, tus};
use crate::drive::{Claims, Format, Guest, Resumable, Show, archive, download};
use crate::model::{Door, RelPath};
use crate::serve::http::{Doorman, href, peer_of, problem, status};
use crate::task;

/// Where this door is.
pub const MOUNT: &str = "/files/";

/// Draws a listing for people. The dashboard brings its own.
pub type Render = Arc<dyn Fn(&Guest, &Listing, &Parts) -> Response + Send + Sync>;

/// What the door needs.
#[derive(Clone)]
pub struct Files {
    /// Lets people in.
    pub doorman: Arc<dyn Doorman>,
    /// Draws listings; `None` for a plain page.
    pub render: Option<Render>,
    /// What others hold: WebDAV's locks.
    pub claims: Arc<dyn Claims>,
    /// Uploads that can be gone on with.
    pub resumable: Resumable,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Files")
    }
}

/// The routes of `/files/`.
pub fn router(files: Files) -> Router {
    Router::new()
        .route("/files", any(answer))
        .route("/files/", any(answer))
        .route(tus::MOUNT, any(tus::answer))
        .route("/files/.tus/{id}", any(tus::answer))
        .route("/files/{*path}", any(answer))
        .with_state(files)
}

async fn answer(State(files): State<Files>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let guest = match files.doorman.admit(&head, Door::Files).await {
        Ok(guest) => guest,
        Err(refusal) => return refusal,
    };
    peer_of(&head).mark_door(&guest.books);
    let path = match href::parse(MOUNT, head.uri.path()) {
        Ok(path) => path,
        Err(href::HrefError::Outside) => return problem(StatusCode::FORBIDDEN),
        Err(href::HrefError::Name(_)) => return problem(StatusCode::BAD_REQUEST),
    };
    match head.method {
        Method::GET | Method::HEAD => get(&files, &guest, &path, &head).await,
        Method::PUT if head.uri.path().ends_with('/') => allow(problem(StatusCode::METHOD_NOT_ALLOWED)),
        Method::PUT => put(&guest, &path, &head.headers, body, &*files.claims).await,
        Method::DELETE => delete(&guest, &path, &head.headers, &*files.claims).await,
        Method::POST => pick(&guest, &path, &head, body).await,
        Method::OPTIONS => allow(StatusCode::NO_CONTENT.into_response()),
        _ => allow(problem(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

fn allow(mut answer: Response) -> Response {
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS"));
    answer
}

async fn get(files: &Files, guest: &Guest, path: &RelPath, head: &Parts) -> Response {
    let show = if asks(head, "download") { Show::Never } else { Show::IfSafe };
    match download(guest, path, &head.method, &head.headers, show).await {
        Ok(answer) => return answer,
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
        Err(error) => return problem(status::of(&error)),
    }
    if let Some(format) = Format::wanted(head.uri.query()) {
        let sent = archive(guest, path, None, format, &head.method).await;
        return sent.unwrap_or_else(|error| problem(status::of(&error)));
    }
    if !head.uri.path().ends_with('/') {
        let to = href::path(MOUNT, path, true);
        return (StatusCode::PERMANENT_REDIRECT, [(LOCATION, to)]).into_response();
    }
    let (view, at, wanted) = (guest.view.clone(), path.clone(), Page::wanted(head.uri.query()));
    let listing = match task::blocking(move || listing(&view, &at, wanted, |_| true)).await {
        Ok(Ok(listing)) => listing,
        Ok(Err(error)) => return problem(status::of(&error)),
        Err(lost) => return problem(status::of(&io::Error::other(lost))),
    };
    let json = head.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let mut answer = match &files.render {
        _ if json.is_some_and(|accept| accept.starts_with("application/json")) => page::json(&listing),
        Some(render) => render(guest, &listing, head),
        None => page::html(&listing),
    };
    answer.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    if head.method == Method::HEAD { answer.map(|_| Body::empty()) } else { answer }
}

fn asks(head: &Parts, key: &str) -> bool {
    head.uri.query().unwrap_or_default().split('&').any(|pair| pair.split('=').next() == Some(key))
}
