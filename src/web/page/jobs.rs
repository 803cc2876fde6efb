//! The list of jobs.

use askama::Template;

use crate::web::frame::Frame;
use crate::web::widget::{Chip, Moment};

/// One job in the list.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// The job's page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// Where it reads.
    pub source: String,
    /// Where it writes.
    pub target: String,
    /// When, in words.
    pub schedule: String,
    /// When it starts next.
    pub next: Option<Moment>,
    /// How it stands.
    pub chip: Chip,
}

#[derive(Template)]
#[template(path = "jobs.html")]
pub(in crate::web) struct JobsPage {
    pub frame: Frame,
    pub rows: Vec<JobRow>,
}
