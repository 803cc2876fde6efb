//! One account: rights, password, keys.

use askama::Template;

use crate::web::frame::Frame;
use crate::web::widget::{Chip, Moment};

/// An SSH key.
#[derive(Debug, Clone)]
pub struct KeyRow {
    pub id: String,
    pub label: String,
    pub fingerprint: String,
    pub added: Moment,
}

#[derive(Template)]
#[template(path = "account.html")]
pub(in crate::web) struct AccountPage {
    pub frame: Frame,
    pub href: String,
    pub name: String,
    pub chip: Chip,
    pub own: bool,
    pub locked: bool,
    pub home: String,
    pub read_only: bool,
    pub admin: bool,
    pub keys: Vec<KeyRow>,
}
