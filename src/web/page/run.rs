//! One run: progress, counts, and every path it had to do something about.

use askama::Template;

use super::Pager;
use crate::web::frame::{Frame, Note};
use crate::web::live::LiveRun;
use crate::web::widget::{Chip, Moment};

/// One number with its name.
#[derive(Debug, Clone)]
pub struct Count {
    pub label: &'static str,
    pub value: String,
    pub more: String,
    pub bad: bool,
}

/// A filter above a list.
#[derive(Debug, Clone)]
pub struct Tab {
    pub href: String,
    pub label: String,
    pub current: bool,
}

/// A fault as a page shows it.
#[derive(Debug, Clone)]
pub struct FaultShown {
    /// What happened, in plain words.
    pub plain: String,
    /// What was seen.
    pub evidence: String,
}

/// One path of the run.
#[derive(Debug, Clone)]
pub struct ItemRow {
    pub path: String,
    pub size: String,
    pub chip: Chip,
    pub fault: Option<FaultShown>,
    pub attempts: Vec<String>,
    pub attempts_label: String,
    pub sha256: Option<String>,
}

/// "Started … by the schedule".
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = "{% if let Some(at) = at %}Started {{ at }}{% else %}Not started yet{% endif %}, {{ cause }}{% if !took.is_empty() %}, took {{ took }}{% endif %}."
)]
pub struct Began {
    pub at: Option<Moment>,
    pub cause: &'static str,
    pub took: String,
}

impl askama::filters::HtmlSafe for Began {}

#[derive(Template)]
#[template(path = "run.html")]
pub(in crate::web) struct RunPage {
    pub frame: Frame,
    pub id: i64,
    pub href: String,
    pub job: String,
    pub job_href: String,
    pub chip: Chip,
    pub began: Began,
    pub live: Option<LiveRun>,
    pub said: Option<Note>,
    pub counts: Vec<Count>,
    pub doubts: Vec<String>,
    pub tabs: Vec<Tab>,
    pub items: Vec<ItemRow>,
    pub pager: Pager,
}
