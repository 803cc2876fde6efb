//! All accounts, and adding one.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::account::{Account, AccountError, NewAccount};
use crate::model::{Access, Quota, Scope, Secret, size};
use crate::web::form::{Posted, done};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};
use crate::web::widget::{Chip, Problems, Tone};

/// One account in the list.
#[derive(Debug, Clone)]
pub struct AccountRow {
    pub href: String,
    pub name: String,
    pub home: String,
    pub access: &'static str,
    pub keys: String,
    pub role: &'static str,
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
    pub quota: String,
    pub quota_files: String,
    #[serde(deserialize_with = "super::ticked")]
    pub admin: bool,
}

#[derive(Template)]
#[template(path = "accounts.html")]
pub(in crate::web) struct AccountsPage {
    pub frame: Frame,
    pub rows: Vec<AccountRow>,
    pub open: bool,
    pub problems: Problems,
    pub form: AccountForm,
}

/// `GET /accounts`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    render(&state, &visitor, AccountForm::default(), Problems::default(), wanted.new.is_some()).await
}

/// Is the form to be open?
#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
    new: Option<String>,
}

/// `POST /accounts`.
pub(in crate::web) async fn create(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<AccountForm>,
) -> Result<Response, Problem> {
    let scope = match scope(&form.home, form.read_only, (&form.quota, &form.quota_files)) {
        Ok(scope) => scope,
        Err((field, why)) => return render(&state, &visitor, form, Problems::one(field, &why), true).await,
    };
    let new = NewAccount {
        name: form.name.trim().to_owned(),
        password: Some(form.password.as_str()).filter(|p| !p.is_empty()).map(Secret::new),
        scope,
        admin: form.admin,
    };
    match state.accounts.create(&visitor.grant()?.actor(), &new).await {
        Ok(_) => Ok(done(&address(&new.name), format!("The account “{}” is added.", new.name))),
        Err(AccountError::Store(error)) => Err(error.into()),
        Err(error) => {
            let field = match &error {
                AccountError::Name(_) | AccountError::Exists(_) => "name",
                AccountError::Password(_) => "password",
                AccountError::Home => "home",
                _ => "",
            };
            render(&state, &visitor, form, Problems::one(field, &error.to_string()), true).await
        }
    }
}

async fn render(
    state: &WebState,
    visitor: &Visitor,
    form: AccountForm,
    problems: Problems,
    open: bool,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    let rows = state.accounts.list().await?.iter().map(|account| row(account, now)).collect();
    super::html(&AccountsPage {
        frame: Frame::new(visitor, if problems.is_empty() { "Accounts" } else { "Error: Accounts" }),
        rows,
        open,
        problems,
        form: AccountForm { password: String::new(), ..form },
    })
}

fn row(account: &Account, now: jiff::Timestamp) -> AccountRow {
    AccountRow {
        href: address(&account.name),
        name: account.name.clone(),
        home: format!("/{}", account.scope.home.display()),
        access: match account.scope.access {
            Access::ReadOnly => "read",
            Access::ReadWrite => "read and write",
        },
        keys: account.keys.len().to_string(),
        role: if account.admin { "Administrator" } else { "Account" },
        chip: chip(account, now),
    }
}

/// How an account stands.
pub(in crate::web) fn chip(account: &Account, now: jiff::Timestamp) -> Chip {
    if account.disabled {
        Chip::new(Tone::Idle, "Switched off")
    } else if account.locked_until.is_some_and(|until| until > now) {
        Chip::new(Tone::Bad, "Locked")
    } else {
        Chip::new(Tone::Ok, "Active")
    }
}

/// The page of an account.
pub(in crate::web) fn address(name: &str) -> String {
    format!("/accounts/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

/// Folder, rights and quota as a form has them; or the field that is wrong, and why.
pub(in crate::web) fn scope(
    home: &str,
    read_only: bool,
    (bytes, files): (&str, &str),
) -> Result<Scope, (&'static str, String)> {
    let home = super::folder(home).map_err(|e| ("home", format!("home folder: {e}")))?;
    let wrong =
        |field, then: &'static str| move || (field, format!("the limit cannot be read: write {then}, or nothing"));
    let bytes = limit(bytes, size::parse).ok_or_else(wrong("quota", "for example 20 GiB or 500 MB"))?;
    let number = |text: &str| text.replace(',', "").parse().ok().filter(|count| *count > 0);
    let files = limit(files, number).ok_or_else(wrong("quota_files", "a number above 0"))?;
    let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
    Ok(Scope { home, access, quota: Quota { bytes, files } })
}

/// Nothing is no limit; none when it is not one.
fn limit(text: &str, read: impl Fn(&str) -> Option<u64>) -> Option<Option<u64>> {
    match text.trim() {
        "" => Some(None),
        text => read(text).map(Some),
    }
}
