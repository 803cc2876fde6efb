//! The report: everything that a survey found, as it is stored, sent as JSON and shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::census::{Census, shown};
use super::clock;
use super::eta::Estimate;
use super::findings::Finding;
use super::names::Names;
use super::usage::Usage;
use super::walk::hides;
use crate::model::{Fault, RelPath};
use crate::remote::{Doubt, Traits};

/// What a survey found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The version of Causeway that wrote it.
    pub version: String,
    /// The address, without a password.
    pub endpoint: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// So many connections it was allowed to use.
    pub connections: u16,
    /// Was everything read? If not, the figures are those of a part.
    pub whole: bool,
    /// Why it ended early.
    pub stopped: Option<Stopped>,
    /// Folders that were not read.
    pub unread: Unread,
    /// Folders whose listing may not name everything.
    pub doubtful: Doubtful,
    /// The other side.
    pub server: Traits,
    /// Its clock.
    pub clock: clock::Verdict,
    /// In which character set names are, in words.
    pub charset: String,
    /// What there is.
    pub census: Census,
    /// Names that make trouble.
    pub names: Names,
    /// What cannot be migrated, what wants a decision, and what is good to know.
    pub findings: Vec<Finding>,
    /// How long a mirror would take.
    pub estimate: Estimate,
    /// Who uses it, by its logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// Where a survey ended early, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stopped {
    /// Why.
    pub why: Why,
    /// The folder that would have been next, for people.
    pub next: String,
    /// Folders that were known and not read; what lies below them is not known.
    pub folders_left: u64,
}

/// Why a survey ended early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Why {
    /// The time was up.
    Time {
        /// How much it had been given.
        seconds: u64,
    },
    /// There were too many entries.
    Entries {
        /// How many were allowed.
        entries: u64,
    },
    /// Somebody stopped it.
    Asked,
    /// The server went away.
    Gone {
        /// What was seen of it.
        fault: String,
    },
}

impl Stopped {
    /// As a sentence without its end.
    #[must_use]
    pub fn sentence(&self) -> String {
        let why = match &self.why {
            Why::Time { seconds } => format!("its {seconds} seconds were over"),
            Why::Entries { entries } => format!("it had seen {entries} entries"),
            Why::Asked => "it was told to stop".to_owned(),
            Why::Gone { fault } => format!("the server went away ({fault})"),
        };
        format!(
            "the survey stopped at {} because {why}; at least {} folders were not read",
            self.next, self.folders_left
        )
    }
}

/// A folder and what was wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trouble {
    /// For people.
    pub path: String,
    /// In words.
    pub why: String,
}

/// Folders that were not read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Unread {
    /// How many failed.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Trouble>,
    /// How many were not entered because too many others waited.
    pub not_entered: u64,
    /// Tries that failed and were repeated.
    pub tried_again: u64,
    /// The failure after which the server was out of reach.
    #[serde(skip)]
    pub(super) gone: Option<Fault>,
}

impl Unread {
    pub(super) fn note(&mut self, path: &RelPath, fault: &Fault, most: usize) {
        self.count += 1;
        if self.examples.len() < most {
            self.examples.push(Trouble { path: shown(path), why: fault.to_string() });
        }
    }
}

/// Folders whose listing may not name everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Doubtful {
    /// Folders of which something is missing, for all that is known.
    pub hiding: u64,
    /// The first few.
    pub examples: Vec<Trouble>,
    /// Folders of which it could not be proven that nothing is missing.
    pub unproven: u64,
    /// Why, of the first of them.
    pub unproven_why: Option<String>,
}

impl Doubtful {
    pub(super) fn note(&mut self, path: &RelPath, doubts: &[Doubt], most: usize) {
        let why = || doubts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        if !hides(doubts) {
            self.unproven += 1;
            self.unproven_why.get_or_insert_with(why);
            return;
        }
        self.hiding += 1;
        if self.examples.len() < most {
            self.examples.push(Trouble { path: shown(path), why: why() });
        }
    }
}
