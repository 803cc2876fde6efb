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
use super::{MOUNT, checksums, xml};
use crate::digests::{Digests, Known};
use crate::drive::{Guest, Junk};
use crate::model::{EntryKind, RelPath};
use crate::serve::http::{body, href, problem, status};
use crate::task;
use crate::tree::{DirReader, Space, Stat, View};

mod asked;
mod live;

pub(super) use asked::Asked;

/// Entries per piece of the answer, which then has some 64 KiB.
const BATCH: usize = 128;
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
    /// As [`Depth::One`], but without the folder itself: Microsoft's Web Folders ask so.
    OneWithoutRoot,
}

impl Depth {
    /// None when it says something else.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let Some(text) = headers.get("depth") else { return Some(Self::Infinity) };
        match text.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
            "0" => Some(Self::Zero),
            "1" => Some(Self::One),
            "infinity" => Some(Self::Infinity),
            "1,noroot" => Some(Self::OneWithoutRoot),
            _ => None,
        }
    }
}

pub(super) async fn answer(
    guest: &Guest,
    locks: &Locks,
    properties: &Properties,
    path: &RelPath,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let Some(depth) = Depth::of(headers) else { return problem(StatusCode::BAD_REQUEST) };
    let body = match body::whole(body, MAX_XML).await {
        Ok(body) => body,
        Err(error) => return problem(status::of(&error)),
    };
    let Some(asked) = Asked::parse(&body) else { return problem(StatusCode::BAD_REQUEST) };
    // Where there is a quota, what is used may have to be counted.
    let counts = live::QUOTA.iter().any(|name| asked.may_have(xml::DAV_NS, name));
    let (view, at) = (guest.view.clone(), path.clone());
    let look = move || Ok((view.stat_follow(&at)?, counts.then(|| view.space().ok()).flatten()));
    let (stat, space) = match task::blocking(look).await {
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
    let digests = guest.books.digests.clone();
    let facts = Facts { asked, dead, locks, digests, space, home: guest.view.prefix().clone(), junk: guest.books.junk };
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
    let found = task::blocking(move || walker.find().map(|found| (walker, found)));
    let (walker, found) = found.await.map_err(io::Error::other)??;
    let known = walker.facts.known(&found).await;
    Ok(walker.written(&found, &known))
}

/// What is the same for all entries of one answer.
struct Facts {
    asked: Asked,
    dead: HashMap<RelPath, Vec<Dead>>,
    locks: Vec<Held>,
    digests: Digests,
    space: Option<Space>,
    home: RelPath,
    junk: Junk,
}

impl Facts {
    /// The checksums of what was found, if anybody asked for them.
    async fn known(&self, found: &[Found]) -> Known {
        if !self.asked.may_have(xml::OC_NS, checksums::NAME) {
            return Known::default();
        }
        let stats: Vec<&Stat> = found.iter().filter_map(|found| found.what.as_ref().ok()).collect();
        self.digests.of(&stats).await
    }
}

fn leads_nowhere(error: &io::Error) -> bool {
    let circle = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    circle
        || matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory
        )
}

/// One entry of the answer: what it is, or why it was not looked into.
struct Found {
    path: RelPath,
    what: Result<Stat, StatusCode>,
}

/// Walks and writes, piece by piece.
struct Walker {
    view: View,
    facts: Facts,
    depth: Depth,
    /// Entries in the answer before folders are not looked into any more.
    most: usize,
    start: Option<(RelPath, Stat)>,
    open: Vec<(RelPath, DirReader)>,
    count: usize,
    begun: bool,
}

impl Walker {
    fn new(view: View, facts: Facts, depth: Depth, path: RelPath, stat: Stat) -> Self {
        let start = Some((path, stat));
        Self { view, facts, depth, most: MOST, start, open: Vec::new(), count: 0, begun: false }
    }

    /// The next entries. Blocking.
    fn find(&mut self) -> io::Result<Vec<Found>> {
        let mut found = Vec::with_capacity(BATCH);
        if let Some((path, stat)) = self.start.take() {
            if stat.is_dir() && self.depth != Depth::Zero {
                let reader = self.view.read_dir(&path)?;
                self.open.push((path.clone(), reader));
            }
            if self.depth != Depth::OneWithoutRoot {
                found.push(Found { path, what: Ok(stat) });
            }
        }
        while found.len() < BATCH
            && let Some((folder, reader)) = self.open.last_mut()
        {
            match reader.next() {
                None => drop(self.open.pop()),
                Some(entry) => {
                    // Whoever deletes what a listing does not name must not be told that it is complete.
                    let entry = entry?;
                    let path = folder.join(&entry.name);
                    if !self.facts.junk.shows(&path) {
                        continue;
                    }
                    found.extend(self.look_at(path, entry.stat)?);
                }
            }
        }
        Ok(found)
    }

    fn look_at(&mut self, path: RelPath, stat: Stat) -> io::Result<Option<Found>> {
        let what = match stat.kind {
            EntryKind::File => Ok(stat),
            EntryKind::Dir if self.depth != Depth::Infinity => Ok(stat),
            EntryKind::Dir if self.count >= self.most => Err(StatusCode::INSUFFICIENT_STORAGE),
            EntryKind::Dir => match self.view.read_dir(&path) {
                Ok(reader) => {
                    self.open.push((path.clone(), reader));
                    Ok(stat)
                }
                Err(error) => Err(status::of(&error)),
            },
            EntryKind::Symlink(_) => match self.view.stat_follow(&path) {
                // A link to a folder is shown, but a walk does not follow it: it could lead in a circle.
                Ok(stat) if stat.is_file() || stat.is_dir() => Ok(stat),
                Ok(_) => return Ok(None),
                // It leads out, or nowhere, or to itself.
                Err(error) if leads_nowhere(&error) => return Ok(None),
                Err(error) => return Err(error),
            },
            EntryKind::Special | EntryKind::Unknown => return Ok(None),
        };
        self.count += 1;
        Ok(Some(Found { path, what }))
    }

    /// The piece of the answer for what was found, and the walker as long as there is more to find.
    fn written(mut self, found: &[Found], known: &Known) -> (Bytes, Option<Self>) {
        let mut out = String::with_capacity(found.len() * 600 + 200);
        if !std::mem::replace(&mut self.begun, true) {
            out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\" xmlns:A=\"");
            out.push_str(xml::APACHE_NS);
            out.push_str("\" xmlns:Z=\"");
            out.push_str(xml::MS_NS);
            out.push_str("\">");
        }
        for Found { path, what } in found {
            match what {
                Ok(stat) => live::response(&mut out, path, stat, known.of(stat), &self.facts),
                Err(status) => {
                    let href = href::path(MOUNT, path, true);
                    out.push_str(&format!(
                        "<D:response><D:href>{href}</D:href><D:status>HTTP/1.1 {status}</D:status></D:response>"
                    ));
                }
            }
        }
        let more = !self.open.is_empty();
        if !more {
            out.push_str("</D:multistatus>\n");
        }
        (Bytes::from(out), more.then_some(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::model::Scope;
    use crate::tree::Tree;

    #[tokio::test]
    async fn a_deep_listing_ends_at_its_bound_and_says_what_it_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        for number in 0..100 {
            let inner = root.join(format!("d{}", number / 10));
            std::fs::create_dir_all(&inner).unwrap();
            std::fs::write(inner.join(number.to_string()), "").unwrap();
        }
        let view = Tree::open(&root).unwrap().view(&Scope::whole()).unwrap();
        let facts = Facts {
            asked: Asked::These(vec![("DAV:".to_owned(), "getetag".to_owned())]),
            dead: HashMap::new(),
            locks: Vec::new(),
            digests: Digests::new(Db::open(&folder.path().join("causeway.db")).await.unwrap()),
            space: None,
            home: RelPath::root(),
            junk: Junk::Keep,
        };
        let top = view.stat(&RelPath::root()).unwrap();
        let walker = Walker::new(view, facts, Depth::Infinity, RelPath::root(), top);
        let mut walker = Some(Walker { most: 25, ..walker });
        let mut text = Vec::new();
        while let Some(now) = walker {
            let (piece, rest) = advance(now).await.unwrap();
            text.extend_from_slice(&piece);
            walker = rest;
        }
        let answer = xmltree::Element::parse(text.as_slice()).unwrap();
        let responses: Vec<String> = answer
            .children
            .iter()
            .filter_map(|node| node.as_element())
            .map(|response| {
                let href = response.get_child("href").unwrap().get_text().unwrap().into_owned();
                let left_out = response.get_child("status").map(|status| status.get_text().unwrap().into_owned());
                format!("{href} {}", left_out.unwrap_or_default())
            })
            .collect();
        let count = |test: &dyn Fn(&str) -> bool| responses.iter().filter(|text| test(text)).count();
        // Three folders of eleven entries each are more than 25.
        assert_eq!(count(&|text| text.ends_with("/ HTTP/1.1 507 Insufficient Storage")), 7, "{responses:?}");
        assert_eq!(count(&|text| text.ends_with("/ ") && text.contains("/d")), 3 + 1, "three, and /dav/ itself");
        assert_eq!(responses.len(), 1 + 10 + 30);
    }
}
