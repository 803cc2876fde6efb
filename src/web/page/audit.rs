//! The audit log, with a check of its chain.

use askama::Template;
use serde::Deserialize;

use super::Pager;
use crate::web::frame::{Frame, Note};
use crate::web::widget::Moment;

/// What to show.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    pub actor: String,
    pub action: String,
    pub since: String,
    pub until: String,
    pub before: String,
}

/// One entry.
#[derive(Debug, Clone)]
pub struct AuditRow {
    pub number: i64,
    pub at: Moment,
    pub actor: String,
    pub action: String,
    pub detail: String,
    pub hash: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
pub(in crate::web) struct AuditPage {
    pub frame: Frame,
    pub verified: Option<Note>,
    pub filter: Filter,
    pub actions: Vec<String>,
    pub rows: Vec<AuditRow>,
    pub pager: Pager,
}
