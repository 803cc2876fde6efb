//! The pages: one file each, one row each in the table below. The router, the navigation and the tests
//! go through the table.

pub(super) mod account;
pub(super) mod accounts;
pub(super) mod audit;
pub(super) mod browse;
pub(super) mod job;
pub(super) mod job_form;
pub(super) mod jobs;
pub(super) mod overview;
pub(super) mod reliability;
pub(super) mod run;
pub(super) mod sign_in;

use serde::{Deserialize, Deserializer};

/// Who may see a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    Public,
    /// Whoever is signed in.
    Account,
    /// Administrators.
    Admin,
}

pub struct Page { pub path: &'static str, pub audience: Audience, pub nav: Option<&'static str> }
pub const PAGES: &[Page] = &[
Page { path: "/", audience: Audience::Admin, nav: Some("Overview") },
Page { path: "/jobs", audience: Audience::Admin, nav: Some("Jobs") },
Page { path: "/browse", audience: Audience::Account, nav: Some("Files") },
Page { path: "/reliability", audience: Audience::Admin, nav: Some("Reliability") },
Page { path: "/audit", audience: Audience::Admin, nav: Some("Audit log") },
Page { path: "/accounts", audience: Audience::Admin, nav: Some("Accounts") },
];

pub fn navigation() -> impl Iterator<Item = (&'static Page, &'static str)> { PAGES.iter().filter_map(|p| p.nav.map(|l| (p, l))) }

/// Links to the neighbouring pages of a long list.
#[derive(Debug, Clone, Default)]
pub struct Pager {
    pub newer: Option<String>,
    pub newer_label: &'static str,
    pub older: Option<String>,
    pub older_label: &'static str,
}

/// A checkbox: there and not empty means yes.
fn ticked<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    Ok(!String::deserialize(value)?.is_empty())
}
