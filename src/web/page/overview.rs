//! The first page: how things stand, what runs now, what is missing, and where the doors are.

use askama::Template;

use crate::web::frame::Frame;
use crate::web::live::LiveRun;
use crate::web::widget::{Chip, Moment, Tone};

/// The state of the house in one sentence.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Good or bad.
    pub tone: Tone,
    /// The sentence.
    pub headline: String,
    /// What stands behind it.
    pub detail: String,
}

/// A job whose last run could not bring everything.
#[derive(Debug, Clone)]
pub struct MissingRow {
    /// The run's page.
    pub href: String,
    /// The job's name.
    pub job: String,
    /// How many paths.
    pub count: String,
    /// The most frequent reason in plain words.
    pub why: String,
}

/// One ended run.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// The run's page.
    pub href: String,
    /// The run's number.
    pub id: i64,
    /// The job's name.
    pub job: String,
    /// When it began.
    pub started: Moment,
    /// How long it took.
    pub took: String,
    /// What it copied.
    pub copied: String,
    /// What it could not copy.
    pub missing: String,
    /// How it ended.
    pub chip: Chip,
}

/// Space of the served tree's file system.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Used, in percent.
    pub percent: u64,
    /// Free space.
    pub free: String,
    /// All space.
    pub total: String,
}

/// One way in for people and programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Which symbol.
    pub icon: &'static str,
    /// "SFTP".
    pub name: String,
    /// An address or command to paste.
    pub address: String,
    /// Of the host key or certificate.
    pub fingerprint: Option<String>,
}

#[derive(Template)]
#[template(path = "overview.html")]
pub(in crate::web) struct OverviewPage {
    pub frame: Frame,
    pub verdict: Verdict,
    pub running: Vec<LiveRun>,
    pub idle: String,
    pub missing: Vec<MissingRow>,
    pub recent: Vec<RunRow>,
    pub storage: Option<Storage>,
    pub doors: Vec<Door>,
}

#[derive(Template)]
#[template(path = "part/running.html")]
pub(in crate::web) struct RunningPart {
    pub running: Vec<LiveRun>,
    pub idle: String,
}
