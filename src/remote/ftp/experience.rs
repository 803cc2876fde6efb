//! What was found out about a server, in earlier runs and in this one.
//!
//! A server is the same one as long as it greets and says what it can do (FEAT, RFC 2389) in the same words; otherwise
//! nothing is known about it. The greeting comes first: by it a session may begin as earlier runs ended, and FEAT must
//! bear it out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;

use super::reply::Reply;
use crate::manners::{Finding, Identity, Known, Manner, Manners, Term};
use crate::model::{Clock, Endpoint, Fault, FaultKind};
use crate::remote::Context;

/// One server, as it was met.
#[derive(Debug)]
pub struct Experience {
    manners: Manners,
    clock: Arc<dyn Clock>,
    server: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// From earlier runs, until the server turns out to be another.
    earlier: Option<Known>,
    /// Who it is; known from the first answer to FEAT on.
    identity: Option<Identity>,
    /// Of this run.
    own: Vec<Finding>,
}

impl State {
    /// What counts, the latest word about each manner.
    fn findings(&self) -> Vec<Finding> {
        let told = |manner: &Manner| {
            let of = |found: &&Finding| found.manner == *manner;
            let earlier = self.earlier.iter().flat_map(|known| &known.findings).find(of);
            self.own.iter().rfind(of).or(earlier).cloned()
        };
        Manner::ALL.iter().filter_map(told).collect()
    }
}

impl Experience {
    /// What earlier runs know about the server of `endpoint`. The folder plays no part in it, and neither does what it
    /// is used for: nothing can be mirrored to an FTP server.
    pub async fn recall(endpoint: &Endpoint, ctx: &Context) -> Self {
        let server = endpoint.server();
        let now = ctx.clock.now();
        let mut earlier = ctx.manners.of(&server).await;
        if let Some(known) = &mut earlier {
            known.findings.retain(|found| found.counts(now));
        }
        let state = Mutex::new(State { earlier, ..State::default() });
        Self { manners: ctx.manners.clone(), clock: Arc::clone(&ctx.clock), server, state }
    }

    /// The server greets. With other words than earlier it is another.
    pub fn greeted(&self, greeting: &str) {
        let print = print(&without_counters(greeting));
        self.lock().earlier.take_if(|known| known.identity.greeting != print);
    }

    /// The server said what it can do. False: it greets as one that is known, and is another all the same.
    pub fn introduced(&self, greeting: &str, features: &Reply) -> bool {
        let identity = Identity { greeting: print(&without_counters(greeting)), features: print(&said(features)) };
        let mut state = self.lock();
        let another = state.earlier.take_if(|known| known.identity != identity).is_some();
        state.identity = Some(identity.clone());
        for found in &state.own {
            self.manners.note(&self.server, &identity, found.clone());
        }
        !another
    }

    /// Does the server bear `manner`? None: nobody knows.
    #[must_use]
    pub fn bears(&self, manner: Manner) -> Option<bool> {
        self.findings().iter().find(|found| found.manner == manner).map(|found| found.loss.is_none())
    }

    /// All that is known.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.lock().findings()
    }

    /// It bears `manner`.
    pub fn won(&self, manner: Manner) {
        if self.bears(manner) != Some(true) {
            self.found(Finding::won(manner, self.clock.now()));
        }
    }

    /// It does not.
    pub fn lost(&self, manner: Manner, why: &str, term: Term) {
        self.found(Finding::lost(manner, self.clock.now(), why, term));
    }

    fn found(&self, finding: Finding) {
        let mut state = self.lock();
        if let Some(identity) = &state.identity {
            self.manners.note(&self.server, identity, finding.clone());
        }
        state.own.push(finding);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a loss is held against a server. What it says is about itself; a connection that breaks or falls silent may be
/// the network's doing.
pub(super) fn term(fault: &Fault) -> Term {
    let said = fault.evidence.code.is_some() || fault.kind == FaultKind::Protocol;
    match said {
        _ if says_goodbye(fault) => Term::Run,
        true => Term::Month,
        false => Term::Day,
    }
}

/// The server is full, or wants to rest: no word about what was asked.
pub(super) fn says_goodbye(fault: &Fault) -> bool {
    fault.kind == FaultKind::Limit || fault.evidence.code == Some(421)
}

fn print(text: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
}

fn said(features: &Reply) -> String {
    let lines = features.lines.iter().map(|line| String::from_utf8_lossy(line).trim().to_owned());
    lines.fold(features.code.to_string(), |all, line| all + "\n" + &line)
}

/// The greeting with `#` for its numbers: "user number 3 of 50", "local time is now 13:21". Versions and addresses,
/// such as 3.0.5, stay.
fn without_counters(greeting: &str) -> String {
    let words = greeting.split_whitespace().map(|word| {
        let bytes = word.as_bytes();
        let version = bytes.windows(3).any(|w| matches!(w, [a, b'.', c] if a.is_ascii_digit() && c.is_ascii_digit()));
        if version {
            return word.to_owned();
        }
        word.chars().fold(String::new(), |mut all, c| {
            match c.is_ascii_digit() {
                true if all.ends_with('#') => {}
                true => all.push('#'),
                false => all.push(c),
            }
            all
        })
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_words_and_not_by_its_clock() {
        let pure = |user: u32, time: &str| {
            let lines = format!("You are user number {user} of 50 allowed. Local time is now {time}. Server port: 21.");
            without_counters(&lines)
        };
        assert_eq!(pure(1, "13:21"), pure(49, "07:05"));
        assert_ne!(without_counters("(vsFTPd 3.0.3)"), without_counters("(vsFTPd 3.0.5)"));
    }
}
