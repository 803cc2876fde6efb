//! PUT, as `/files/` and WebDAV answer it.

use std::io;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;

use crate::drive::{Claims, Guest, Integrity, Terms, Unfinished, Upload};
use crate::model::RelPath;
use crate::net::http::date;
use crate::serve::http::{body, plain, problem, status};
use crate::task;
use crate::tree::{Replace, Stat};

/// The modification time that the client wants (`X-OC-Mtime`, seconds since 1970, as rclone and
/// ownCloud clients send it).
fn wanted_mtime(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get("x-oc-mtime")?.to_str().ok()?.trim();
    let seconds = text.split('.').next()?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

/// How long the body will be, when the client says so. The Finder of macOS, which sends in chunks, says it in a header
/// of its own.
fn announced(headers: &HeaderMap) -> Option<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    number(CONTENT_LENGTH.as_str()).or_else(|| number("x-expected-entity-length"))
}

/// Answers PUT of the file `path`: 201 or 204 with the new entity tag.
pub async fn put(guest: &Guest, path: &RelPath, headers: &HeaderMap, body: Body, claims: &dyn Claims) -> Response {
    match take(guest, path, headers, body, claims).await {
        Ok((stat, created)) => {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
            let date = date::print(stat.mtime).unwrap_or_default();
            for (name, value) in [(ETAG, stat.etag()), (LAST_MODIFIED, date)] {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    answer.headers_mut().insert(name, value);
                }
            }
            if wanted_mtime(headers).is_some() {
                answer.headers_mut().insert("x-oc-mtime", HeaderValue::from_static("accepted"));
            }
            answer
        }
        Err(Unfinished::Mismatch(mismatch)) => plain(StatusCode::BAD_REQUEST, &mismatch.to_string()),
        Err(error) => problem(error.status()),
    }
}

async fn take(
    guest: &Guest,
    path: &RelPath,
    headers: &HeaderMap,
    mut sent: Body,
    claims: &dyn Claims,
) -> Result<(Stat, bool), Unfinished> {
    // RFC 9110, 14.5: a server that does not do partial PUT must refuse it, or it would store a piece
    // as the whole.
    if headers.contains_key(CONTENT_RANGE) || path.is_root() {
        return Err(if path.is_root() { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::BAD_REQUEST }.into());
    }
    let integrity = Integrity::of(headers)?;
    let is_new = begin(guest, path, claims.of_put(guest, path, headers)).await?;
    let mut upload = Upload::begin(guest, path, integrity).await.map_err(|error| match error.kind() {
        // The folder above is missing (RFC 4918, 9.7.1).
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StatusCode::CONFLICT,
        _ => status::of(&error),
    })?;
    // Before the first byte of it: what does not fit is not sent for nothing.
    if let Some(len) = announced(headers) {
        upload.expect(len).await?;
    }
    while let Some(bytes) = body::next(&mut sent).await? {
        upload.write(&bytes).await?;
    }
    // `If-None-Match: *` holds until the very end: two who create the same name cannot both win.
    let only_new = headers.get(http::header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    let replace = if only_new { Replace::No } else { Replace::Yes };
    let terms = claims.of_put(guest, path, headers);
    let stat =
        upload.finish(announced(headers), wanted_mtime(headers), replace, terms).await.map_err(
            |error| match error {
                Unfinished::Io(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {
                    StatusCode::PRECONDITION_FAILED.into()
                }
                error => error,
            },
        )?;
    Ok((stat, is_new))
}

/// Is it a new file? And do the terms hold, as far as can be said before the body?
async fn begin(guest: &Guest, path: &RelPath, terms: Terms) -> Result<bool, StatusCode> {
    let (view, at) = (guest.view.clone(), path.clone());
    let begun = task::blocking(move || {
        let current = match view.stat_follow(&at) {
            Ok(stat) => Some(stat),
            // What lies below a file is as good as what lies below nothing.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
            Err(error) => return Err(status::of(&error)),
        };
        terms.hold(current.as_ref()).map(|_| current.is_none())
    });
    begun.await.unwrap_or_else(|lost| Err(status::of(&io::Error::other(lost))))
}
