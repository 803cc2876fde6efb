//! Reading a folder: PROPFIND with `Depth: 1` (RFC 4918, section 9.1), entry by entry as they come.
//!
//! It is complete when the answer was closed properly and named the folder itself, which also confirms an empty one.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;

use super::entry::of_properties;
use super::exchange::{Ask, Reader, ask, damaged};
use super::fault;
use super::multistatus::{Known, Multistatus, Response};
use super::names::{Around, Place};
use super::server::{ENTRY, Server, shown};
use crate::model::{Entry, EntryKind, Fault, FaultKind, Name, Phase, RelPath};
use crate::remote::{Completeness, Doubt, Lister};

/// Entries in one batch.
const BATCH: usize = 256;
/// The server could not say all (RFC 4918, section 11.5).
const TOO_MANY: u16 = 507;

/// A folder being read.
pub(super) struct DavLister {
    around: Around,
    what: String,
    responses: Multistatus<Reader>,
    waiting: VecDeque<Entry>,
    /// The folder itself was named.
    confirmed: bool,
    ended: bool,
    cut: bool,
    bad: u64,
    first_bad: String,
}

impl DavLister {
    pub(super) async fn open(server: &Arc<Server>, dir: &RelPath) -> Result<Self, Fault> {
        let deadlines = server.pool.shared.deadlines();
        let what = format!("listing {}", shown(dir));
        let question = Ask::new("PROPFIND", server.names.folder(dir), Phase::List, &what, deadlines.listing)
            .with("depth", HeaderValue::from_static("1"))
            .xml(ENTRY);
        let mut answer = ask(&server.pool, &question).await?;
        answer.body = answer.body.within(Phase::List, deadlines.stall);
        let responses = answer.multistatus().await?;
        Ok(Self {
            around: server.names.around(dir),
            what,
            responses,
            waiting: VecDeque::new(),
            confirmed: false,
            ended: false,
            cut: false,
            bad: 0,
            first_bad: String::new(),
        })
    }

    fn take(&mut self, response: &Response) -> Result<(), Fault> {
        for href in &response.hrefs {
            match self.around.place(href) {
                Place::Itself => self.folder(response)?,
                Place::Child(name) => self.waiting.extend(child(name, response)),
                Place::BadName => {
                    self.bad += 1;
                    if self.first_bad.is_empty() {
                        self.first_bad.clone_from(href);
                    }
                }
                Place::Elsewhere => {
                    let href: String = href.chars().filter(|c| !c.is_control()).take(200).collect();
                    let why = format!("{}: the server names “{href}”, which does not lie there", self.what);
                    return Err(Fault::new(Phase::List, FaultKind::Protocol, why));
                }
            }
        }
        Ok(())
    }

    /// What the answer says of the folder itself.
    fn folder(&mut self, response: &Response) -> Result<(), Fault> {
        match response.status {
            Some(TOO_MANY) => self.cut = true,
            Some(status) if !(200..300).contains(&status) => {
                return Err(fault::of_status(Phase::List, &self.what, status, ""));
            }
            _ => match response.get(Known::Kind) {
                Some("collection") | None => self.confirmed = true,
                Some(_) => {
                    let why = format!("{}: it is no folder", self.what);
                    return Err(Fault::new(Phase::List, FaultKind::Unsupported, why));
                }
            },
        }
        Ok(())
    }
}

/// What the answer says of something in the folder.
fn child(name: Name, response: &Response) -> Option<Entry> {
    match response.status {
        // It went away while the folder was read.
        Some(404 | 410) => None,
        Some(status) if !(200..300).contains(&status) => {
            // It is there, and nobody may know more.
            Some(Entry { name, kind: EntryKind::Unknown, size: None, mtime: None, mode: None, unique: None })
        }
        _ => Some(of_properties(name, response)),
    }
}

#[async_trait]
impl Lister for DavLister {
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        while !self.ended && self.waiting.len() < BATCH {
            match self.responses.next().await.map_err(|damage| damaged(Phase::List, &self.what, damage))? {
                Some(response) => self.take(&response)?,
                None => self.ended = true,
            }
        }
        let batch: Vec<Entry> = self.waiting.drain(..).collect();
        Ok((!batch.is_empty()).then_some(batch))
    }

    async fn finish(mut self: Box<Self>) -> Result<Completeness, Fault> {
        if !self.ended {
            let why = format!("{}: it was not read to its end", self.what);
            return Err(Fault::new(Phase::List, FaultKind::Incomplete, why));
        }
        let mut doubts = Vec::new();
        if self.bad > 0 {
            doubts.push(Doubt::BadNames { count: self.bad, first: std::mem::take(&mut self.first_bad) });
        }
        if self.cut {
            doubts.push(Doubt::ClosingReply { text: format!("{TOO_MANY} of the folder itself") });
        } else if !self.confirmed {
            doubts.push(Doubt::UnconfirmedEmpty);
        }
        Ok(Completeness::from_doubts(doubts, "PROPFIND to its end, with the folder itself"))
    }
}
