//! Reading a file: GET, from an offset by a range (RFC 9110, section 14). The headers tell the version; who reads on
//! gets the version that was begun, or a fault.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use http::HeaderValue;
use http::header::ACCEPT_RANGES;

use super::entry::{ByteRange, of_headers, range, text, unsatisfied};
use super::exchange::{Answer, Ask, Body, ask};
use super::server::{Server, shown};
use crate::model::{Entry, Fault, FaultKind, Name, Phase, RelPath};
use crate::reliability::{Direction, End, What};
use crate::remote::Source;

/// A file being read.
pub(super) struct DavSource {
    server: Arc<Server>,
    path: RelPath,
    what: String,
    opened: Entry,
    state: State,
    /// Bytes that come although they were not asked for: the server ignored the range.
    skip: u64,
    /// Bytes that are to come, where the server tells.
    left: Option<u64>,
    received: u64,
    started: Instant,
}

enum State {
    Reading(Box<Body>),
    Ended,
    Failed,
}

/// What the answer to a GET holds.
struct Found {
    /// Of the bytes that were not asked for.
    skip: u64,
    left: Option<u64>,
}

impl DavSource {
    pub(super) async fn open(server: Arc<Server>, path: &RelPath, name: Name, offset: u64) -> Result<Self, Fault> {
        let started = Instant::now();
        let what = format!("reading {}", shown(path));
        let (learned, deadlines) = (server.learned(), server.pool.shared.deadlines());
        let begun = learned.version(path).filter(|_| offset > 0);
        let mut question = Ask::new("GET", server.names.file(path), Phase::Open, &what, deadlines.command);
        if offset > 0 {
            question = question.with("range", number(&format!("bytes={offset}-"))?);
        }
        if let Some(tag) = begun.as_ref().and_then(|tag| HeaderValue::from_str(&format!("\"{tag}\"")).ok()) {
            question = question.with("if-match", tag);
        }
        let answer = ask(&server.pool, &question).await?;
        if answer.status == 412 {
            answer.body.drain().await;
            return Err(changed(&what));
        }
        if !matches!(answer.status, 200 | 206 | 416) {
            return Err(answer.refusal().await);
        }
        if text(&answer.headers, &ACCEPT_RANGES).is_some_and(|units| units.eq_ignore_ascii_case("none")) {
            learned.no_ranges.store(true, Ordering::Relaxed);
        }
        let mut opened = of_headers(name, &answer.headers);
        if answer.status == 416 {
            opened.size = unsatisfied(&answer.headers);
        }
        let found = found(&answer, &opened, offset, &what)?;
        if begun.is_some() && opened.unique.is_some() && begun != opened.unique {
            return Err(changed(&what));
        }
        if offset == 0 {
            learned.begun(path, opened.unique.as_deref());
        } else if answer.status == 200 {
            learned.no_ranges.store(true, Ordering::Relaxed);
        }
        let state = if answer.status == 416 {
            answer.body.drain().await;
            State::Ended
        } else {
            State::Reading(Box::new(answer.body.within(Phase::Transfer, deadlines.stall)))
        };
        let (path, Found { skip, left }) = (path.clone(), found);
        Ok(Self { server, path, what, opened, state, skip, left, received: 0, started })
    }

    async fn step(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let next = match &mut self.state {
                State::Reading(body) => body.next().await?,
                State::Ended => None,
                State::Failed => return Err(over()),
            };
            let Some(mut bytes) = next else {
                if let Some(left) = self.left.filter(|left| *left > 0) {
                    let why = format!("{}: the answer ended {left} bytes before its end", self.what);
                    return Err(Fault::new(Phase::Transfer, FaultKind::ClosedEarly, why));
                }
                self.state = State::Ended;
                return Ok(None);
            };
            let unwanted = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= unwanted as u64;
            bytes.advance(unwanted);
            if bytes.is_empty() {
                continue;
            }
            let length = bytes.len() as u64;
            self.left = match self.left {
                Some(left) if left < length => {
                    let why = format!("{}: more bytes came than were announced", self.what);
                    return Err(Fault::new(Phase::Transfer, FaultKind::Protocol, why));
                }
                left => left.map(|left| left - length),
            };
            self.received += length;
            return Ok(Some(bytes));
        }
    }

    fn record(&self, fault: Option<&Fault>) {
        let (bytes, duration, end) = (self.received, self.started.elapsed(), End::by(fault));
        let what = What::Transfer { direction: Direction::Download, bytes, duration, end };
        let shared = &self.server.pool.shared;
        shared.record(what, shared.moved(&self.path, fault));
    }
}

fn number(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text).map_err(|error| Fault::new(Phase::Open, FaultKind::Protocol, error.to_string()))
}

fn over() -> Fault {
    Fault::new(Phase::Transfer, FaultKind::Cancelled, "the transfer had failed already")
}

fn changed(what: &str) -> Fault {
    let why = format!("{what}: another version lies there than the one that was begun");
    Fault::new(Phase::Open, FaultKind::Changed, why)
}

/// Does the answer give what was asked for, and where does it begin?
fn found(answer: &Answer, opened: &Entry, offset: u64, what: &str) -> Result<Found, Fault> {
    let wrong = |why: &str| Err(Fault::new(Phase::Open, FaultKind::Protocol, format!("{what}: {why}")));
    match (answer.status, range(&answer.headers)) {
        // Just behind the end nothing is left; further behind, the file is another one.
        (416, _) => match unsatisfied(&answer.headers) {
            Some(whole) if whole == offset => Ok(Found { skip: 0, left: Some(0) }),
            _ => {
                let why = format!("{what}: the file there is shorter than {offset} bytes");
                Err(Fault::new(Phase::Open, FaultKind::Mismatch, why))
            }
        },
        (206, Some(ByteRange { first, last, whole })) if first == offset && offset > 0 => {
            // To the end of the file, as asked for; a server may stop earlier, and then says so.
            match whole {
                Some(whole) if last + 1 != whole => wrong("the server gives less than was asked for"),
                _ => Ok(Found { skip: 0, left: Some(last + 1 - first) }),
            }
        }
        (206, _) => wrong("the server gives other bytes than were asked for"),
        _ => match opened.size {
            Some(size) if size < offset => {
                let why = format!("{what}: the file there is shorter than {offset} bytes");
                Err(Fault::new(Phase::Open, FaultKind::Mismatch, why))
            }
            size => Ok(Found { skip: offset, left: size.map(|size| size - offset) }),
        },
    }
}

#[async_trait]
impl Source for DavSource {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let failed_before = matches!(self.state, State::Failed);
        self.step().await.map_err(|fault| {
            let fault = fault.bytes(self.received);
            self.state = State::Failed;
            if !failed_before {
                self.record(Some(&fault));
            }
            fault
        })
    }

    fn opened(&self) -> Option<&Entry> {
        Some(&self.opened)
    }

    async fn finish(self: Box<Self>) -> Result<Option<Entry>, Fault> {
        if !matches!(self.state, State::Ended) {
            return Err(Fault::new(Phase::Finish, FaultKind::Cancelled, "the file was not read to its end"));
        }
        self.server.learned().ended(&self.path);
        self.record(None);
        Ok(None)
    }
}
