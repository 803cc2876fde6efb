//! Live progress: the same fragments that a page holds at first, sent again as server-sent events.

use askama::Template;

use super::widget::Chip;

/// A run under way, ready to be shown.
#[derive(Debug, Clone)]
pub struct LiveRun {
    /// The run's page.
    pub href: String,
    /// The job's name.
    pub job: String,
    /// What it does now.
    pub chip: Chip,
    /// None while nobody knows how much there is to do.
    pub percent: Option<u64>,
    /// "312 of 480 files".
    pub files: String,
    /// "1.2 of 3.4 GB".
    pub bytes: String,
    /// "24 MB/s".
    pub rate: Option<String>,
    /// "about 2 min left".
    pub left: Option<String>,
    /// "3 failed".
    pub failed: Option<String>,
    /// What is being copied at this moment.
    pub now: Vec<String>,
}

#[derive(Template)]
#[template(path = "part/meter.html")]
pub(in crate::web) struct MeterPart {
    pub live: LiveRun,
}
