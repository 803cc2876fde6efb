//! App passwords: made by their owner, shown once, and removed by the owner or an administrator.

use std::io;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::own::{self, HERE};
use crate::account::{Account, AccountError, AppPassword, NewAppPassword};
use crate::model::{Access, RelPath};
use crate::task;
use crate::web::form::{Posted, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

/// An app password in a list.
#[derive(Debug, Clone)]
pub struct AppRow {
    pub label: String,
    /// What it may, and where.
    pub may: String,
    /// When it was last used, and from where.
    pub used: Option<(Moment, String)>,
    pub ends: Option<Moment>,
    /// It has ended.
    pub over: Option<Chip>,
}

#[derive(Template)]
#[template(path = "app_password.html")]
pub(in crate::web) struct AppPasswordPage {
    pub frame: Frame,
    pub label: String,
    /// Shown once.
    pub secret: String,
    pub name: String,
    /// `https://` and the name and port under which the dashboard was asked.
    pub origin: String,
    pub may: String,
    pub ends: Option<Moment>,
}

/// The present password, and what the new one is to be.
#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
    old: String,
    label: String,
    #[serde(default)]
    folder: String,
    #[serde(default, deserialize_with = "super::ticked")]
    read_only: bool,
    /// Days until it ends; empty = it does not.
    #[serde(default)]
    days: String,
}

/// The present password, and which one.
#[derive(Deserialize)]
pub(in crate::web) struct Which {
    old: String,
    label: String,
}

/// Which one.
#[derive(Deserialize)]
pub(in crate::web) struct Label {
    label: String,
}

/// `POST /account/app-passwords`.
pub(in crate::web) async fn make(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<Wanted>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    let wanted = form.read();
    if let Err(refusal) = own::confirm(&state, &visitor, form.old).await? {
        return Ok(refusal);
    }
    let new = match wanted {
        Ok(new) => new,
        Err(why) => return Ok(refused(HERE, &why)),
    };
    let (granted, tree, folder, access) = (grant.clone(), state.tree.clone(), new.folder.clone(), new.access);
    if let Err(error) = task::blocking(move || granted.view(&tree)?.narrowed(&folder, access)).await? {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "it is not there".to_owned(),
            io::ErrorKind::NotADirectory => "it is no folder".to_owned(),
            _ => error.to_string(),
        };
        return Ok(refused(HERE, &format!("the folder “{}” cannot be used: {why}", form.folder)));
    }
    let secret = match state.accounts.add_app_password(&grant.actor(), grant.name(), &new).await {
        Ok(secret) => secret,
        Err(AccountError::Store(error)) => return Err(error.into()),
        Err(error) => return Ok(refused(HERE, &error.to_string())),
    };
    let now = state.clock.now();
    super::html(&AppPasswordPage {
        frame: Frame::new(&visitor, "App password"),
        secret: secret.expose().to_owned(),
        name: grant.name().to_owned(),
        origin: format!("https://{}", visitor.authority),
        may: may(&new.folder, new.access.min(grant.scope().access)),
        ends: new.lasts.and_then(|lasts| now.checked_add(lasts).ok()).map(|end| Moment::around(end, now)),
        label: new.label,
    })
}

impl Wanted {
    fn read(&self) -> Result<NewAppPassword, String> {
        let folder = super::folder(&self.folder).map_err(|why| format!("folder: {why}"))?;
        let lasts = match self.days.trim() {
            "" => None,
            days => {
                let days = days.parse::<u16>().ok().filter(|days| *days > 0);
                let days = days.ok_or("the number of days cannot be read: write a whole number above 0, or nothing")?;
                Some(SignedDuration::from_hours(24 * i64::from(days)))
            }
        };
        let access = if self.read_only { Access::ReadOnly } else { Access::ReadWrite };
        Ok(NewAppPassword { label: self.label.trim().to_owned(), folder, access, lasts })
    }
}

/// `POST /account/app-passwords/remove`.
pub(in crate::web) async fn remove(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<Which>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    if let Err(refusal) = own::confirm(&state, &visitor, form.old).await? {
        return Ok(refusal);
    }
    let result = state.accounts.remove_app_password(&grant.actor(), grant.name(), &form.label).await;
    own::answer(result, GONE).map(|(response, _)| response)
}

/// `POST /accounts/{name}/app-passwords/remove`.
pub(in crate::web) async fn remove_of(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(name): Path<String>,
    Posted(form): Posted<Label>,
) -> Result<Response, Problem> {
    if let Some(refusal) = own::elsewhere(&visitor, &name)? {
        return Ok(refusal);
    }
    let result = state.accounts.remove_app_password(&visitor.grant()?.actor(), &name, &form.label).await;
    super::account::answer(&name, result, GONE)
}

const GONE: &str = "The app password is removed. The next request with it is refused.";

/// The app passwords of an account as pages list them.
pub(super) fn rows(account: &Account, now: Timestamp) -> Vec<AppRow> {
    let row = |app: &AppPassword| AppRow {
        label: app.label.clone(),
        may: may(&app.folder, app.access.min(account.scope.access)),
        used: app.last_used.map(|at| (Moment::around(at, now), app.last_peer.clone().unwrap_or_default())),
        ends: app.expires.map(|end| Moment::around(end, now)),
        over: app.is_over(now).then(|| Chip::new(Tone::Idle, "Expired")),
    };
    account.app_passwords.iter().map(row).collect()
}

fn may(folder: &RelPath, access: Access) -> String {
    let what = match access {
        Access::ReadOnly => "May read",
        Access::ReadWrite => "May read and write",
    };
    if folder.is_root() { format!("{what} everything") } else { format!("{what} in {}", folder.display()) }
}
