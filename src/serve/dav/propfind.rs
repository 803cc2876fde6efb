//! PROPFIND (RFC 4918, 9.1), streamed: a folder of a hundred thousand entries begins to arrive at once
//! and costs one buffer of memory. Properties that are asked for and missing are said to be missing.

use std::collections::HashMap;
use std::io;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::locks::{Held, Locks};
use super::properties::{Dead, Properties};
use super::{MOUNT, xml};
use crate::model::{EntryKind, RelPath};
use crate::serve::http::{Guest, href, problem, status};
use crate::task;
use crate::tree::{DirReader, Space, Stat, View};

mod asked;
mod live;

pub(super) use asked::Asked;

/// Bytes per piece of the answer.
const PIECE: usize = 64 * 1024;
/// Bodies are small; larger ones are no PROPFIND.
const MAX_XML: usize = 512 * 1024;
/// Entries in one answer with `Depth: infinity`; a `Depth: 1` is never cut.
const MOST: usize = 250_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Zero,
    One,
    Infinity,
}

pub(super) async fn answer(
    guest: &Guest,
    locks: &Locks,
    properties: &Properties,
    path: &RelPath,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let depth = match headers.get("depth").map(HeaderValue::as_bytes) {
        Some(b"0") => Depth::Zero,
        Some(b"1") => Depth::One,
        None => Depth::Infinity,
        Some(text) if text.eq_ignore_ascii_case(b"infinity") => Depth::Infinity,
        Some(_) => return problem(StatusCode::BAD_REQUEST),
    };
    let Ok(body) = axum::body::to_bytes(body, MAX_XML).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let Some(asked) = Asked::parse(&body) else { return problem(StatusCode::BAD_REQUEST) };
    let (view, at) = (guest.view.clone(), path.clone());
    let (stat, space) = match task::blocking(move || Ok((view.stat_follow(&at)?, view.space().ok()))).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return problem(status::of(&error)),
        Err(lost) => return problem(status::of(&io::Error::other(lost))),
    };
    let whole = guest.whole(path);
    let dead = match properties.around(&whole, depth != Depth::Zero).await {
        Ok(dead) => dead,
        Err(error) => {
            tracing::warn!(db.error = %error, "WebDAV properties cannot be read");
            HashMap::new()
        }
    };
    let locks = locks.around(&whole, depth != Depth::Zero);
    let facts = Facts { asked, dead, locks, space, home: guest.view.prefix().clone() };
    let walker = Walker::new(guest.view.clone(), facts, depth, path.clone(), stat);
    let pieces = stream::try_unfold(Some(walker), |walker| async move {
        let Some(mut walker) = walker else { return Ok(None) };
        let (walker, piece) = task::blocking(move || {
            let piece = walker.piece();
            (walker, piece)
        })
        .await
        .map_err(io::Error::other)?;
        let walker = if walker.done { None } else { Some(walker) };
        Ok::<_, io::Error>(Some((piece, walker)))
    });
    let mut answer = Response::new(Body::from_stream(pieces));
    *answer.status_mut() = StatusCode::MULTI_STATUS;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    answer
}

/// What is the same for all entries of one answer.
struct Facts {
    asked: Asked,
    dead: HashMap<RelPath, Vec<Dead>>,
    locks: Vec<Held>,
    space: Option<Space>,
    home: RelPath,
}

/// Walks and writes, piece by piece.
struct Walker {
    view: View,
    facts: Facts,
    depth: Depth,
    start: Option<(RelPath, Stat)>,
    open: Vec<(RelPath, DirReader)>,
    written: usize,
    done: bool,
}

impl Walker {
    fn new(view: View, facts: Facts, depth: Depth, path: RelPath, stat: Stat) -> Self {
        Self { view, facts, depth, start: Some((path, stat)), open: Vec::new(), written: 0, done: false }
    }

    /// The next piece. Blocking.
    fn piece(&mut self) -> Bytes {
        let mut out = String::with_capacity(PIECE + 4096);
        if let Some((path, stat)) = self.start.take() {
            out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\" xmlns:A=\"");
            out.push_str(xml::APACHE_NS);
            out.push_str("\" xmlns:Z=\"");
            out.push_str(xml::MS_NS);
            out.push_str("\">");
            self.entry(&mut out, &path, &stat);
            if stat.is_dir() && self.depth != Depth::Zero {
                self.descend(&mut out, path);
            }
        }
        while out.len() < PIECE {
            if !self.step(&mut out) {
                out.push_str("</D:multistatus>\n");
                self.done = true;
                break;
            }
        }
        Bytes::from(out)
    }

    /// One more entry; false at the end.
    fn step(&mut self, out: &mut String) -> bool {
        let Some((folder, reader)) = self.open.last_mut() else { return false };
        let entry = match reader.next() {
            None => {
                self.open.pop();
                return true;
            }
            // What cannot be looked at is not there for this client.
            Some(Err(error)) => {
                tracing::debug!(io.error = %error, "an entry is left out of a listing");
                return true;
            }
            Some(Ok(entry)) => entry,
        };
        let path = folder.join(&entry.name);
        let stat = match entry.stat.kind {
            EntryKind::File | EntryKind::Dir => entry.stat,
            EntryKind::Symlink(_) => match self.view.stat_follow(&path) {
                // A link to a folder is shown, but a walk does not follow it: it could lead in a circle.
                Ok(stat) if stat.is_file() || stat.is_dir() => {
                    self.entry(out, &path, &stat);
                    return true;
                }
                _ => return true,
            },
            EntryKind::Special | EntryKind::Unknown => return true,
        };
        self.entry(out, &path, &stat);
        if self.depth == Depth::Infinity && stat.is_dir() {
            if self.written >= MOST {
                Self::refused(out, &path, StatusCode::INSUFFICIENT_STORAGE);
                self.open.clear();
                return true;
            }
            self.descend(out, path);
        }
        true
    }

    fn descend(&mut self, out: &mut String, path: RelPath) {
        match self.view.read_dir(&path) {
            Ok(reader) => self.open.push((path, reader)),
            Err(error) => Self::refused(out, &path, status::of(&error)),
        }
    }

    fn refused(out: &mut String, path: &RelPath, status: StatusCode) {
        let href = href::path(MOUNT, path, true);
        out.push_str(&format!(
            "<D:response><D:href>{href}</D:href><D:status>HTTP/1.1 {status}</D:status></D:response>"
        ));
    }

    fn entry(&mut self, out: &mut String, path: &RelPath, stat: &Stat) {
        self.written += 1;
        live::response(out, &self.facts.asked, path, stat, &self.facts);
    }
}
