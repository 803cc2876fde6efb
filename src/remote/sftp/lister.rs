//! Reading a directory: OPENDIR, then several READDIRs on their way, until the server says that nothing follows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::channel::{Asked, Expect as _, Handle};
use super::connection::Connection;
use super::entry::entry;
use super::names::Names;
use super::remote::within_phase;
use crate::model::{Entry, EntryKind, Fault, FaultKind, Phase};
use crate::net::sftp::{Answer, NameLine, Request};
use crate::remote::{Completeness, Doubt, Lister};

/// Answers that are asked for ahead; each holds about a hundred names.
const AHEAD: usize = 4;
/// So many answers in a row may name nothing in the folder. The draft (section 6.7) wants one name at least in each:
/// whoever goes on like that never ends.
const MOST_EMPTY: usize = 2 * AHEAD;

/// A directory being read.
pub(super) struct SftpLister {
    connection: Arc<Connection>,
    names: Names,
    dir: Bytes,
    what: String,
    handle: Option<Handle>,
    asked: VecDeque<Asked>,
    within: Duration,
    ended: bool,
    /// Answers that named nothing, in a row.
    empty: usize,
    /// Names that were seen, `.` and `..` among them.
    seen: u64,
    bad: u64,
    first_bad: String,
}

impl SftpLister {
    pub(super) async fn open(
        connection: Arc<Connection>,
        names: Names,
        dir: Bytes,
        what: String,
        within: Duration,
    ) -> Result<Self, Fault> {
        let answer = connection.channel.ask(Request::Opendir { path: dir.clone() }, within).await;
        let handle = answer.map_err(|f| within_phase(Phase::List, f))?.opened(Phase::List, &what)?;
        let handle = Some(connection.channel.handle(handle));
        let (asked, ended, empty, seen, bad, first_bad) = (VecDeque::new(), false, 0, 0, 0, String::new());
        Ok(Self { connection, names, dir, what, handle, asked, within, ended, empty, seen, bad, first_bad })
    }

    async fn batch(&mut self) -> Result<Option<Vec<NameLine>>, Fault> {
        while !self.ended && self.asked.len() < AHEAD {
            let Some(handle) = &self.handle else { break };
            let request = Request::Readdir { handle: handle.id() };
            self.asked.push_back(self.connection.channel.send(request, self.within).await?);
        }
        let Some(asked) = self.asked.pop_front() else { return Ok(None) };
        let Some(lines) = asked.wait(self.within).await?.names(Phase::List, &self.what)? else {
            // What was asked for behind it is still waited for: some servers answer out of order.
            self.ended = true;
            return Ok(Some(Vec::new()));
        };
        self.empty = if lines.iter().all(is_dots) { self.empty + 1 } else { 0 };
        if self.empty > MOST_EMPTY {
            let why = format!("{}: the server goes on without naming anything", self.what);
            return Err(Fault::new(Phase::List, FaultKind::Protocol, why));
        }
        Ok(Some(lines))
    }

    fn take(&mut self, lines: Vec<NameLine>) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(lines.len());
        for line in lines {
            self.seen += 1;
            if is_dots(&line) {
                continue;
            }
            match self.names.inward(&line.name) {
                Ok(name) => entries.push(entry(name, &line.attributes)),
                Err(_) => {
                    self.bad += 1;
                    if self.first_bad.is_empty() {
                        self.first_bad = String::from_utf8_lossy(&line.name).into_owned();
                    }
                }
            }
        }
        entries
    }

    /// Where the links of a batch point, asked for together.
    async fn targets(&self, entries: &mut [Entry]) -> Result<(), Fault> {
        let mut asked = Vec::new();
        for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| is_link(entry)) {
            let outward = self.names.outward(&entry.name);
            let path = Bytes::from([self.dir.as_ref(), b"/", &outward].concat());
            asked.push((at, self.connection.channel.send(Request::Readlink { path }, self.within).await?));
        }
        for (at, asked) in asked {
            let target = link_target(asked.wait(self.within).await?);
            if let Some(entry) = entries.get_mut(at) {
                entry.kind = EntryKind::Symlink(target);
            }
        }
        Ok(())
    }

    /// Nothing at all, not even `.`: a server that may not search a directory lists it as empty. Looking through it
    /// tells.
    async fn is_searchable(&self) -> Result<bool, Fault> {
        let inside = Bytes::from([self.dir.as_ref(), b"/."].concat());
        let answer = self.connection.channel.ask(Request::Stat { path: inside }, self.within).await?;
        Ok(matches!(answer, Answer::Attributes(_)))
    }
}

fn is_dots(line: &NameLine) -> bool {
    matches!(line.name.as_ref(), b"." | b"..")
}

fn is_link(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::Symlink(_))
}

/// Where a link points; unknown when it cannot be read.
pub(super) fn link_target(answer: Answer) -> Option<Vec<u8>> {
    match answer {
        Answer::Names(names) => names.into_iter().next().map(|line| line.name.to_vec()),
        _ => None,
    }
}

#[async_trait]
impl Lister for SftpLister {
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        while let Some(lines) = self.batch().await.map_err(|f| within_phase(Phase::List, f))? {
            let mut entries = self.take(lines);
            if !entries.is_empty() {
                self.targets(&mut entries).await.map_err(|f| within_phase(Phase::List, f))?;
                return Ok(Some(entries));
            }
        }
        Ok(None)
    }

    async fn finish(mut self: Box<Self>) -> Result<Completeness, Fault> {
        if !self.ended || !self.asked.is_empty() {
            let why = format!("{}: it was not read to its end", self.what);
            return Err(Fault::new(Phase::List, FaultKind::Incomplete, why));
        }
        let mut doubts = Vec::new();
        if self.bad > 0 {
            doubts.push(Doubt::BadNames { count: self.bad, first: std::mem::take(&mut self.first_bad) });
        }
        if self.seen == 0 && !self.is_searchable().await.map_err(|f| within_phase(Phase::List, f))? {
            doubts.push(Doubt::UnconfirmedEmpty);
        }
        Ok(Completeness::from_doubts(doubts, "READDIR to its end"))
    }
}
