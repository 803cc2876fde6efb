//! One account: rights, password, keys, and what a login must show.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use super::accounts::{address, chip, scope};
use super::app_password::{self, AppRow};
use super::own;
use super::usage::Usage;
use crate::account::{Account, AccountError, Change, Required, StoredKey};
use crate::model::{Access, Scope, Secret, size};
use crate::web::form::{Nothing, Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
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
    pub quota: String,
    pub quota_files: String,
    pub usage: Option<Usage>,
    pub admin: bool,
    pub disabled: bool,
    pub keys: Vec<KeyRow>,
    pub app_passwords: Vec<AppRow>,
    pub second_factor: bool,
    pub required: Vec<RequireRow>,
}

/// What a login may have to show.
#[derive(Debug, Clone)]
pub struct RequireRow {
    pub word: &'static str,
    pub label: String,
    pub chosen: bool,
}

/// `GET /accounts/{name}`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let account = state.accounts.get(&name).await?.ok_or(Problem::Missing)?;
    let now = state.clock.now();
    super::html(&AccountPage {
        frame: Frame::new(&visitor, &account.name),
        href: address(&account.name),
        chip: chip(&account, now),
        own: visitor.grant()?.id() == account.id,
        locked: account.locked_until.is_some_and(|until| until > now),
        home: account.scope.home.display().into_owned(),
        read_only: account.scope.access == Access::ReadOnly,
        quota: account.scope.quota.bytes.map(size::exact).unwrap_or_default(),
        quota_files: account.scope.quota.files.map(|files| files.to_string()).unwrap_or_default(),
        usage: Usage::of(&state, &account.scope).await,
        admin: account.admin,
        disabled: account.disabled,
        keys: key_rows(&account, now),
        app_passwords: app_password::rows(&account, now),
        second_factor: account.second_factor,
        required: require_rows(&account),
        name: account.name,
    })
}

/// The keys of an account as pages list them.
pub(super) fn key_rows(account: &Account, now: Timestamp) -> Vec<KeyRow> {
    let row = |key: &StoredKey| KeyRow {
        id: key.fingerprint.clone(),
        label: format!("{} {}", key.algorithm, key.comment).trim_end().to_owned(),
        fingerprint: key.fingerprint.clone(),
        added: Moment::around(key.added, now),
    };
    account.keys.iter().map(row).collect()
}

fn require_rows(account: &Account) -> Vec<RequireRow> {
    let now = account.required.to_string();
    let row = |word: &'static str| RequireRow {
        word,
        label: own::label(word).unwrap_or_else(|| "a key or the password".to_owned()),
        chosen: word == now,
    };
    Required::words().map(row).collect()
}

/// Back to the page with good news, or with the reason why not.
pub(super) fn answer(name: &str, result: Result<(), AccountError>, good: &str) -> Result<Response, Problem> {
    match result {
        Ok(()) => Ok(done(&address(name), good)),
        Err(AccountError::Store(error)) => Err(error.into()),
        Err(AccountError::Missing(_)) => Err(Problem::Missing),
        Err(error) => Ok(refused(&address(name), &error.to_string())),
    }
}

/// Folder and rights.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Rights {
    home: String,
    #[serde(deserialize_with = "super::ticked")]
    read_only: bool,
    quota: String,
    quota_files: String,
    #[serde(deserialize_with = "super::ticked")]
    admin: bool,
}

/// `POST /accounts/{name}`.
pub(in crate::web) async fn rights(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(form): Posted<Rights>,
) -> Result<Response, Problem> {
    let Scope { home, access, quota } = match scope(&form.home, form.read_only, (&form.quota, &form.quota_files)) {
        Ok(scope) => scope,
        Err((_, why)) => return Ok(refused(&address(&name), &why)),
    };
    let change = Change {
        home: Some(home),
        access: Some(access),
        quota: Some(quota),
        admin: Some(form.admin),
        ..Change::default()
    };
    let result = state.accounts.change(&visitor.grant()?.actor(), &name, &change).await;
    answer(&name, result, "The rights are saved. They hold from the next sign-in on, here at once.")
}

/// A new password.
#[derive(Deserialize)]
pub(in crate::web) struct NewPassword {
    password: String,
}

/// `POST /accounts/{name}/password`.
pub(in crate::web) async fn password(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(form): Posted<NewPassword>,
) -> Result<Response, Problem> {
    if let Some(refusal) = own::elsewhere(&visitor, &name)? {
        return Ok(refusal);
    }
    let new = Secret::new(form.password);
    let result = state.accounts.set_password(&visitor.grant()?.actor(), &name, &new).await;
    let account = state.accounts.get(&name).await?.ok_or(Problem::Missing)?;
    answer(&name, result, &format!("The new password is set. {}", own::still_open(&account)))
}

/// What every login must show.
#[derive(Deserialize)]
pub(in crate::web) struct Require {
    required: String,
}

/// `POST /accounts/{name}/require`.
pub(in crate::web) async fn require(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(form): Posted<Require>,
) -> Result<Response, Problem> {
    if visitor.grant()?.name() == name {
        let why = "what your own login must show is set by another administrator, or on the command line";
        return Ok(refused(&address(&name), why));
    }
    let required = match form.required.parse::<Required>() {
        Ok(required) => required,
        Err(error) => return Ok(refused(&address(&name), &error.to_string())),
    };
    let change = Change { required: Some(required), ..Change::default() };
    let result = state.accounts.change(&visitor.grant()?.actor(), &name, &change).await;
    answer(&name, result, "What a login must show is saved. Sessions that began with less have ended.")
}

/// A line of an `authorized_keys` file, or the fingerprint of a key that is there.
#[derive(Deserialize)]
pub(in crate::web) struct Key {
    key: String,
}

/// `POST /accounts/{name}/keys`.
pub(in crate::web) async fn add_key(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(form): Posted<Key>,
) -> Result<Response, Problem> {
    if let Some(refusal) = own::elsewhere(&visitor, &name)? {
        return Ok(refusal);
    }
    let result = state.accounts.add_key(&visitor.grant()?.actor(), &name, &form.key).await;
    answer(&name, result.map(drop), "The key is added.")
}

/// `POST /accounts/{name}/keys/remove`.
pub(in crate::web) async fn remove_key(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(form): Posted<Key>,
) -> Result<Response, Problem> {
    if let Some(refusal) = own::elsewhere(&visitor, &name)? {
        return Ok(refusal);
    }
    let result = state.accounts.remove_key(&visitor.grant()?.actor(), &name, &form.key).await;
    answer(&name, result, "The key is removed.")
}

/// `POST /accounts/{name}/second-factor/remove`: for an owner who has lost the app.
pub(in crate::web) async fn remove_second_factor(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    if let Some(refusal) = own::elsewhere(&visitor, &name)? {
        return Ok(refusal);
    }
    let result = state.accounts.remove_second_factor(&visitor.grant()?.actor(), &name).await;
    answer(&name, result, "The second factor is removed.")
}

/// `POST /accounts/{name}/unlock`.
pub(in crate::web) async fn unlock(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    let result = state.accounts.unlock(&visitor.grant()?.actor(), &name).await;
    answer(&name, result, "The account is unlocked.")
}

/// Should the account be open?
#[derive(Deserialize)]
pub(in crate::web) struct Switch {
    #[serde(deserialize_with = "super::ticked")]
    on: bool,
}

/// `POST /accounts/{name}/switch`: off, nobody comes in by it; its sessions end at once.
pub(in crate::web) async fn switch(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(form): Posted<Switch>,
) -> Result<Response, Problem> {
    let change = Change { disabled: Some(!form.on), ..Change::default() };
    let result = state.accounts.change(&visitor.grant()?.actor(), &name, &change).await;
    let good =
        if form.on { "The account is switched on." } else { "The account is switched off. Nobody comes in by it." };
    answer(&name, result, good)
}

/// `POST /accounts/{name}/delete`.
pub(in crate::web) async fn delete(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    match state.accounts.remove(&visitor.grant()?.actor(), &name).await {
        Ok(()) => Ok(done("/accounts", format!("The account “{name}” is deleted. Its files stay."))),
        Err(error) => answer(&name, Err(error), ""),
    }
}
