//! One job: how it works and what its runs did.

use askama::Template;

use super::overview::RunRow;
use crate::web::frame::Frame;
use crate::web::widget::Chip;

#[derive(Template)]
#[template(path = "job.html")]
pub(in crate::web) struct JobPage {
    pub frame: Frame,
    pub href: String,
    pub name: String,
    pub chip: Chip,
    pub source: String,
    pub target: String,
    pub paused: bool,
    pub facts: Vec<(&'static str, String)>,
    pub runs: Vec<RunRow>,
    pub older: Option<String>,
}
