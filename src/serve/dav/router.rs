//! `/dav/`: who asks, for what, and which part answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use dav_server::DavHandler;
use dav_server::fs::FsError;
use http::header::LOCATION;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;

use super::fs::{DavFs, Inner};
use super::locks::Locks;
use super::properties::Properties;
use super::status::Remark;
use super::{mkcol, mtime, propfind, request, xml};
use crate::db::{Db, DbError};
use crate::drive::{Claims, Guest, Show, download};
use crate::model::{Access, Door, RelPath};
use crate::serve::files::{self, Page};
use crate::serve::http::{Doorman, body, href, peer_of, plain, problem, status};
use crate::task;

/// Where this door is.
pub const MOUNT: &str = "/dav/";
/// `dav-server` reads no larger body.
pub(super) const MAX_XML: usize = 64 * 1024;
/// Why junk is not taken.
const REFUSED: &str =
    "what systems leave beside files ('._*', '.DS_Store', 'Thumbs.db') is not taken here: your files are";
/// Deleting or copying a large folder takes its time; a client that waits longer is told to look again.
const LONGEST: Duration = Duration::from_secs(3600);

/// What the door needs.
#[derive(Clone)]
pub struct Dav {
    doorman: Arc<dyn Doorman>,
    locks: Locks,
    properties: Properties,
}

impl std::fmt::Debug for Dav {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dav")
    }
}

impl Dav {
    /// Opens the door; locks that were held before a restart are held again.
    ///
    /// # Errors
    /// What the store says.
    pub async fn open(db: Db, doorman: Arc<dyn Doorman>, clock: Arc<dyn crate::model::Clock>) -> Result<Self, DbError> {
        let locks = Locks::load(db.clone(), clock).await?;
        Ok(Self { doorman, locks, properties: Properties::new(db) })
    }

    /// The locks, for other doors: they hold there as well.
    #[must_use]
    pub fn claims(&self) -> Arc<dyn Claims> {
        Arc::new(self.locks.clone())
    }
}

/// The routes of `/dav/`.
pub fn router(dav: Dav) -> Router {
    Router::new()
        .route("/dav", any(answer))
        .route("/dav/", any(answer))
        .route("/dav/{*path}", any(answer))
        .with_state(dav)
}

async fn answer(State(dav): State<Dav>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let guest = match dav.doorman.admit(&head, Door::Dav).await {
        Ok(guest) => guest,
        Err(refusal) => return refusal,
    };
    peer_of(&head).mark_door(&guest.books);
    if head.uri.path() == "/dav" {
        // Clients that mount "…/dav" mean the folder.
        match "/dav/".parse() {
            Ok(uri) => head.uri = uri,
            Err(_) => return (StatusCode::PERMANENT_REDIRECT, [(LOCATION, MOUNT)]).into_response(),
        }
    }
    let path = match href::parse(MOUNT, head.uri.path()) {
        Ok(path) => path,
        Err(href::HrefError::Outside) => return problem(StatusCode::FORBIDDEN),
        Err(href::HrefError::Name(_)) => return problem(StatusCode::BAD_REQUEST),
    };
    if request::changes(&head.method) && guest.view.access() == Access::ReadOnly {
        return problem(StatusCode::FORBIDDEN);
    }
    let junk = guest.books.junk;
    if junk.refuses(&path) {
        match head.method.as_str() {
            // What lies there from before can be taken away.
            "OPTIONS" | "DELETE" | "UNLOCK" => {}
            "PUT" | "MKCOL" | "LOCK" | "PROPPATCH" => return plain(StatusCode::FORBIDDEN, REFUSED),
            _ => return problem(StatusCode::NOT_FOUND),
        }
    }
    match head.method.as_str() {
        "GET" | "HEAD" => get(&guest, &path, &head).await,
        "PROPFIND" => propfind::answer(&guest, &dav.locks, &dav.properties, &path, &head.headers, body).await,
        // A name that ends in a slash is a folder's.
        "PUT" if head.uri.path().ends_with('/') => options(problem(StatusCode::METHOD_NOT_ALLOWED)),
        "PUT" => {
            let answer = files::put(&guest, &path, &head.headers, body, &dav.locks).await;
            if answer.status() == StatusCode::CREATED {
                // Of what had the name before and went past WebDAV.
                dav.properties.removed(&guest.whole(&path)).await;
            }
            answer
        }
        "MKCOL" => mkcol::answer(guest, &dav.locks, &dav.properties, &path, &head, body).await,
        "OPTIONS" | "DELETE" | "COPY" | "MOVE" | "LOCK" | "UNLOCK" | "PROPPATCH" => {
            change(&dav, guest, &path, head, body).await
        }
        _ => options(problem(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

async fn get(guest: &Guest, path: &RelPath, head: &Parts) -> Response {
    match download(guest, path, &head.method, &head.headers, Show::Plain).await {
        Ok(answer) => return answer,
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
        Err(error) => return problem(status::of(&error)),
    }
    if !head.uri.path().ends_with('/') {
        return (StatusCode::PERMANENT_REDIRECT, [(LOCATION, href::path(MOUNT, path, true))]).into_response();
    }
    let (view, at, junk, page) = (guest.view.clone(), path.clone(), guest.books.junk, Page::wanted(head.uri.query()));
    // A browser at the WebDAV address sees a plain page.
    match task::blocking(move || files::listing(&view, &at, page, |path| junk.shows(path))).await {
        Ok(Ok(listing)) => {
            let answer = files::plain_page(&listing);
            if head.method == Method::HEAD { answer.map(|_| Body::empty()) } else { answer }
        }
        Ok(Err(error)) => problem(status::of(&error)),
        Err(lost) => problem(status::of(&io::Error::other(lost))),
    }
}

/// Everything that goes through `dav-server`.
async fn change(dav: &Dav, guest: Guest, path: &RelPath, head: Parts, body: Body) -> Response {
    let method = head.method.clone();
    let body = match body::whole(body, MAX_XML).await {
        Ok(bytes) if !xml::is_modest(&bytes) => return problem(StatusCode::BAD_REQUEST),
        Ok(bytes) if method.as_str() == "PROPPATCH" => Body::from(mtime::redirected(bytes)),
        Ok(bytes) => Body::from(bytes),
        Err(error) => return problem(status::of(&error)),
    };
    // With the body at hand: what is staged from here on is ended by whoever carries it out.
    let (view, at, copied, junk) = (guest.view.clone(), path.clone(), head.clone(), guest.books.junk);
    let intent = match task::blocking(move || request::intent(&view, &copied, &at, junk)).await {
        Ok(Ok(intent)) => intent,
        Ok(Err(status)) => return problem(status),
        Err(lost) => return problem(status::of(&io::Error::other(lost))),
    };
    let locks = dav.locks.seen_by(&guest).replacing(intent.destination.as_ref());
    let account = guest.account.clone();
    let tasks = guest.books.tasks.clone();
    let inner = Inner { guest, properties: dav.properties.clone(), intent, remark: Remark::default() };
    let fs = DavFs(Arc::new(inner));
    let settled = fs.clone();
    let handler: DavHandler = DavHandler::builder()
        .filesystem(Box::new(fs))
        .locksystem(Box::new(locks))
        .strip_prefix(MOUNT)
        .principal(account)
        .build_handler();
    let request = http::Request::from_parts(head, body);
    // A client that hangs up must not cut a change in half, or keep it out of the log.
    let handled = tasks.spawn("webdav change", carried_out(handler, request, settled));
    match tokio::time::timeout(LONGEST, handled).await {
        Ok(Ok(answer)) if method == Method::OPTIONS => options(answer),
        Ok(Ok(answer)) => answer,
        Ok(Err(lost)) => problem(status::of(&io::Error::other(lost))),
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// The whole change, with the answer's body: `dav-server` works on while it is read.
async fn carried_out(handler: DavHandler, request: http::Request<Body>, fs: DavFs) -> Response {
    let (head, body) = handler.handle(request).await.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes);
    let well = body.is_ok() && matches!(head.status, StatusCode::CREATED | StatusCode::NO_CONTENT);
    match (fs.settle(well).await, body) {
        (Ok(()), Ok(body)) => Response::from_parts(head, Body::from(fs.0.remark.added_to(body))),
        (Err(error), _) => {
            tracing::warn!(dav.error = ?error, "a copy could not take its place");
            problem(match error {
                FsError::Exists if !fs.0.intent.overwrite => StatusCode::PRECONDITION_FAILED,
                FsError::InsufficientStorage => StatusCode::INSUFFICIENT_STORAGE,
                FsError::Forbidden => StatusCode::FORBIDDEN,
                _ => StatusCode::CONFLICT,
            })
        }
        (_, Err(error)) => problem(status::of(&io::Error::other(error))),
    }
}

/// What we are (RFC 4918, 18).
fn options(mut answer: Response) -> Response {
    let allow = "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, MKCOL, COPY, MOVE, LOCK, UNLOCK";
    for (name, value) in [("dav", "1, 2, 3, extended-mkcol"), ("ms-author-via", "DAV"), ("allow", allow)] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
