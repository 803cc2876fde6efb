//! GET and HEAD of one file: ranges, validators, and a body that never lies about its length.

use std::collections::VecDeque;
use std::io;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::body::{FileBody, Piece};
use super::range::{Wanted, wanted};
use super::wanted_digest::Wanted as WantedDigest;
use super::{Guest, conditional, media};
use crate::model::RelPath;
use crate::net::http::{date, status};
use crate::reliability::Direction;
use crate::task::DiskUse;
use crate::tree::Stat;

/// How a browser should treat the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// As WebDAV clients expect it: no hint at all.
    Plain,
    /// In place when that is safe, else as a download.
    IfSafe,
    /// As a download.
    Never,
}

/// Answers GET or HEAD of the file `path`: whole, in ranges, or that the client has it already.
///
/// # Errors
/// Those of [`crate::tree::View::open_read`], of a folder [`io::ErrorKind::IsADirectory`]; when a digest was asked for, those of reading.
pub async fn download(
    guest: &Guest,
    path: &RelPath,
    method: &Method,
    headers: &HeaderMap,
    show: Show,
) -> io::Result<Response> {
    let (view, at) = (guest.view.clone(), path.clone());
    let opened =
        guest.books.spot.run(DiskUse::Light, move || view.open_read(&at)).await.map_err(io::Error::other)??;
    let stat = opened.opened().clone();
    let mut answer = describe(path, &stat, show);
    if let Err(status) = conditional::check(headers, method, Some(&stat)) {
        *answer.status_mut() = status;
        answer.headers_mut().remove(CONTENT_TYPE);
        return Ok(answer);
    }
    let asked = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let wanted = match asked.filter(|_| method == Method::GET && conditional::range_applies(headers, &stat)) {
        Some(value) => wanted(value, stat.size),
        None => Wanted::Whole,
    };
    let content_type = media::of(path.name().map(|name| name.as_bytes().to_vec()).unwrap_or_default().as_slice());
    let pieces = match wanted {
        Wanted::Whole => VecDeque::from([Piece::File { at: 0, left: stat.size }]),
        Wanted::Unsatisfiable => {
            let refused = StatusCode::RANGE_NOT_SATISFIABLE;
            let mut answer = Response::new(Body::from(format!("{}\n", status::sentence(refused))));
            *answer.status_mut() = refused;
            set(&mut answer, CONTENT_TYPE, "text/plain; charset=utf-8");
            set(&mut answer, CONTENT_RANGE, &format!("bytes */{}", stat.size));
            return Ok(answer);
        }
        Wanted::Parts(parts) => {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            partial(&mut answer, &parts, content_type, stat.size)
        }
    };
    let length = pieces.iter().map(Piece::len).sum::<u64>();
    set(&mut answer, CONTENT_LENGTH, &length.to_string());
    let digest = WantedDigest::of(headers);
    if method == Method::HEAD {
        let Some(digest) = digest else { return Ok(answer) };
        return Ok(with(answer, digest.computed(&guest.books.digests, opened).await?));
    }
    if let Some(digest) = digest {
        answer = with(answer, digest.known(&guest.books.digests, &stat).await);
    }
    let body = FileBody::new(opened, pieces, Some(guest.measure(path, Direction::Download)));
    Ok(answer.map(|_| Body::new(body)))
}

/// Status 200 and every header that does not depend on the range.
fn describe(path: &RelPath, stat: &Stat, show: Show) -> Response {
    let name = path.name();
    let bytes = name.as_ref().map(|name| name.as_bytes()).unwrap_or_default();
    let content_type = media::of(bytes);
    let mut answer = Response::new(Body::empty());
    set(&mut answer, CONTENT_TYPE, content_type);
    set(&mut answer, ETAG, &stat.etag());
    set(&mut answer, ACCEPT_RANGES, "bytes");
    // Always ask again: the tag makes that cheap, and no proxy may keep what needs a login.
    set(&mut answer, CACHE_CONTROL, "private, no-cache");
    if let Some(date) = date::print(stat.mtime) {
        set(&mut answer, LAST_MODIFIED, &date);
    }
    // An uploaded page must not become a page of ours, with our cookies.
    set(&mut answer, CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    let disposition = match show {
        Show::Plain => return answer,
        Show::IfSafe if media::shows_safely(content_type) => "inline",
        Show::IfSafe | Show::Never => "attachment",
    };
    disposed(&mut answer, disposition, bytes);
    answer
}

/// Says what a browser is to do with the answer, and the name of the file (RFC 6266): the plain form for old clients,
/// the exact one in UTF-8.
pub(super) fn disposed(answer: &mut Response, disposition: &str, name: &[u8]) {
    let plain: String = String::from_utf8_lossy(name)
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let exact = percent_encode(name, NON_ALPHANUMERIC);
    let value = match std::str::from_utf8(name) {
        Ok(_) => format!("{disposition}; filename=\"{plain}\"; filename*=UTF-8''{exact}"),
        Err(_) => format!("{disposition}; filename=\"{plain}\""),
    };
    set(answer, CONTENT_DISPOSITION, &value);
}

fn with(mut answer: Response, header: Option<(HeaderName, HeaderValue)>) -> Response {
    answer.headers_mut().extend(header);
    answer
}

fn set(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// Headers and pieces of a 206: one part as it is, several as `multipart/byteranges`.
fn partial(answer: &mut Response, parts: &[(u64, u64)], content_type: &str, size: u64) -> VecDeque<Piece> {
    if let [(at, left)] = *parts {
        set(answer, CONTENT_RANGE, &format!("bytes {at}-{}/{size}", at + left - 1));
        return VecDeque::from([Piece::File { at, left }]);
    }
    let mut random = [0; 12];
    // Without randomness the boundary is a fixed one: legal, only guessable.
    let _filled = crate::random::fill(&mut random).is_ok();
    let boundary = data_encoding::HEXLOWER.encode(&random);
    set(answer, CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
    let mut pieces = VecDeque::new();
    for (at, left) in parts.iter().copied() {
        let last = at + left - 1;
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: bytes {at}-{last}/{size}\r\n\r\n"
        );
        pieces.push_back(Piece::Text(Bytes::from(head)));
        pieces.push_back(Piece::File { at, left });
    }
    pieces.push_back(Piece::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
    pieces
}
