//! Files: look around, download, upload, make folders, rename and delete.

use askama::Template;

use super::Pager;
use crate::web::frame::Frame;

/// One step of the path above a listing.
#[derive(Debug, Clone)]
pub struct Crumb {
    pub href: String,
    pub label: String,
}

/// One name in the folder.
#[derive(Debug, Clone)]
pub struct EntryRow {
    pub icon: &'static str,
    pub class: &'static str,
    pub name: String,
    /// The raw name, percent-encoded, for forms.
    pub raw: String,
    pub href: Option<String>,
    pub download: Option<String>,
    pub about: String,
    pub size: String,
    pub changed: String,
    pub deletion: &'static str,
}

#[derive(Template)]
#[template(path = "browse.html")]
pub(in crate::web) struct BrowsePage {
    pub frame: Frame,
    pub here_name: String,
    pub crumbs: Vec<Crumb>,
    pub action: String,
    pub writable: bool,
    pub entries: Vec<EntryRow>,
    pub summary: String,
    pub pager: Pager,
}
