//! All accounts, and adding one.

use askama::Template;
use serde::Deserialize;

use crate::web::frame::Frame;
use crate::web::widget::Chip;

/// One account in the list.
#[derive(Debug, Clone)]
pub struct AccountRow {
    pub href: String,
    pub name: String,
    pub home: String,
    pub access: &'static str,
    pub keys: String,
    pub chip: Chip,
}

/// The fields of a new account.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AccountForm {
    pub name: String,
    pub password: String,
    pub home: String,
    #[serde(deserialize_with = "super::ticked")]
    pub read_only: bool,
    #[serde(deserialize_with = "super::ticked")]
    pub admin: bool,
}

#[derive(Template)]
#[template(path = "accounts.html")]
pub(in crate::web) struct AccountsPage {
    pub frame: Frame,
    pub rows: Vec<AccountRow>,
    pub open: bool,
    pub problems: Vec<String>,
    pub form: AccountForm,
}
