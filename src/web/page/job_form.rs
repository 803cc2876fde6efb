//! Adding and editing a job.

use askama::Template;
use serde::Deserialize;

use crate::web::frame::Frame;

/// The fields as a browser sends them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct JobForm {
    pub name: String,
    pub source: String,
    pub source_password: String,
    pub charset: String,
    pub target: String,
    pub schedule: String,
    pub cron: String,
    pub zone: String,
    pub at: String,
    pub at_zone: String,
    pub include: String,
    pub exclude: String,
    pub deletions: String,
    pub deletion_cap: String,
    pub connections: String,
    pub bandwidth: String,
    #[serde(deserialize_with = "super::ticked")]
    pub dry_run: bool,
}

impl Default for JobForm {
    fn default() -> Self {
        Self {
            name: String::new(),
            source: String::new(),
            source_password: String::new(),
            charset: String::new(),
            target: String::new(),
            schedule: "manual".to_owned(),
            cron: String::new(),
            zone: "UTC".to_owned(),
            at: String::new(),
            at_zone: "UTC".to_owned(),
            include: String::new(),
            exclude: String::new(),
            deletions: "keep".to_owned(),
            deletion_cap: String::new(),
            connections: "8".to_owned(),
            bandwidth: String::new(),
            dry_run: false,
        }
    }
}

/// One kind of schedule.
pub(in crate::web) struct Choice {
    pub value: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
}

pub(in crate::web) const SCHEDULES: &[Choice] = &[
    Choice { value: "manual", label: "By hand", hint: "Only when somebody says so." },
    Choice { value: "now", label: "At once", hint: "Once, as soon as it is saved." },
    Choice { value: "once", label: "Once, at a time", hint: "For a planned cut-over." },
    Choice { value: "cron", label: "Again and again", hint: "By a cron expression." },
];

#[derive(Template)]
#[template(path = "job_form.html")]
pub(in crate::web) struct JobFormPage {
    pub frame: Frame,
    pub action: String,
    pub back: String,
    pub editing: bool,
    pub target_hint: String,
    pub problems: Vec<String>,
    pub schedules: &'static [Choice],
    pub form: JobForm,
}
