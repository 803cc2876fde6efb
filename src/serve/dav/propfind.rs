//! PROPFIND (RFC 4918, 9.1), streamed: a folder of a hundred thousand entries begins to arrive at once
//! and costs one buffer of memory. Properties that are asked for and missing are said to be missing.

use std::collections::HashMap;
use std::io;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::locks::{Held, Locks};
use super::properties::{Dead, Properties};
use super::{MOUNT, xml};
use crate::model::{EntryKind, RelPath};
use crate::serve::http::{Guest, body, href, problem, status};
use crate::task;
use crate::tree::{DirReader, Space, Stat, View};

mod asked;
mod live;

pub(super) use asked::Asked;

/// Bytes per piece of the answer.
const PIECE: usize = 64 * 1024;
/// Bodies are small; larger ones are no PROPFIND.
const MAX_XML: usize = 512 * 1024;
/// Entries in one answer with `Depth: infinity`, after which folders are named as not looked into; a
/// `Depth: 1` is never cut.
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
    let body = match body::whole(body, MAX_XML).await {
        Ok(body) => body,
        Err(error) => return problem(status::of(&error)),
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
    // A folder that cannot be read is an error; the status says so as long as nothing was sent.
    let (first, walker) = match advance(walker).await {
        Ok(begun) => begun,
        Err(error) => return problem(status::of(&error)),
    };
    // Later, only a body that breaks off says that the listing is not complete.
    let rest = stream::try_unfold(walker, |walker| async move {
        match walker {
            Some(walker) => advance(walker).await.map(Some),
            None => Ok(None),
        }
    });
    let pieces = stream::once(std::future::ready(Ok::<_, io::Error>(first))).chain(rest);
    let mut answer = Response::new(Body::from_stream(pieces));
    *answer.status_mut() = StatusCode::MULTI_STATUS;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    answer
}

/// The next piece, and the walker as long as there are more.
async fn advance(mut walker: Walker) -> io::Result<(Bytes, Option<Walker>)> {
    task::blocking(move || {
        let piece = walker.piece()?;
        Ok((piece, if walker.done { None } else { Some(walker) }))
    })
    .await
    .map_err(io::Error::other)?
}

/// What is the same for all entries of one answer.
struct Facts {
    asked: Asked,
    dead: HashMap<RelPath, Vec<Dead>>,
    locks: Vec<Held>,
    space: Option<Space>,
    home: RelPath,
}

fn leads_nowhere(error: &io::Error) -> bool {
    let circle = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    circle
        || matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory
        )
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
    fn piece(&mut self) -> io::Result<Bytes> {
        let mut out = String::with_capacity(PIECE + 4096);
        if let Some((path, stat)) = self.start.take() {
            out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\" xmlns:A=\"");
            out.push_str(xml::APACHE_NS);
            out.push_str("\" xmlns:Z=\"");
            out.push_str(xml::MS_NS);
            out.push_str("\">");
            self.entry(&mut out, &path, &stat);
            if stat.is_dir() && self.depth != Depth::Zero {
                let reader = self.view.read_dir(&path)?;
                self.open.push((path, reader));
            }
        }
        while out.len() < PIECE {
            if !self.step(&mut out)? {
                out.push_str("</D:multistatus>\n");
                self.done = true;
                break;
            }
        }
        Ok(Bytes::from(out))
    }

    /// One more entry; false at the end.
    fn step(&mut self, out: &mut String) -> io::Result<bool> {
        let Some((folder, reader)) = self.open.last_mut() else { return Ok(false) };
        let entry = match reader.next() {
            None => {
                self.open.pop();
                return Ok(true);
            }
            // Whoever deletes what a listing does not name must not be told that it is complete.
            Some(entry) => entry?,
        };
        let path = folder.join(&entry.name);
        let stat = match entry.stat.kind {
            EntryKind::File | EntryKind::Dir => entry.stat,
            EntryKind::Symlink(_) => match self.view.stat_follow(&path) {
                // A link to a folder is shown, but a walk does not follow it: it could lead in a circle.
                Ok(stat) if stat.is_file() || stat.is_dir() => {
                    self.entry(out, &path, &stat);
                    return Ok(true);
                }
                Ok(_) => return Ok(true),
                // It leads out, or nowhere, or to itself.
                Err(error) if leads_nowhere(&error) => return Ok(true),
                Err(error) => return Err(error),
            },
            EntryKind::Special | EntryKind::Unknown => return Ok(true),
        };
        if self.depth != Depth::Infinity || !stat.is_dir() {
            self.entry(out, &path, &stat);
        } else if self.written >= MOST {
            Self::refused(out, &path, StatusCode::INSUFFICIENT_STORAGE);
        } else {
            self.descend(out, path, &stat);
        }
        Ok(true)
    }

    fn descend(&mut self, out: &mut String, path: RelPath, stat: &Stat) {
        match self.view.read_dir(&path) {
            Ok(reader) => {
                self.entry(out, &path, stat);
                self.open.push((path, reader));
            }
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
