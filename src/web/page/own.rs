//! Your account: whoever is signed in may change the own password and keys, and nothing else.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;

use super::account::{Key, KeyRow, key_rows};
use crate::account::{ABSOLUTE_HOURS, AccountError, LoginContext, LoginError};
use crate::model::{Access, Door, Secret};
use crate::web::cookie;
use crate::web::form::{Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};

const HERE: &str = "/account";

#[derive(Template)]
#[template(path = "own.html")]
pub(in crate::web) struct OwnPage {
    pub frame: Frame,
    pub name: String,
    pub home: String,
    pub read_only: bool,
    pub keys: Vec<KeyRow>,
}

/// `GET /account`.
pub(in crate::web) async fn show(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let account = state.accounts.get(visitor.grant()?.name()).await?.ok_or(Problem::Missing)?;
    super::html(&OwnPage {
        frame: Frame::new(&visitor, "Your account"),
        home: format!("/{}", account.scope.home.display()),
        read_only: account.scope.access == Access::ReadOnly,
        keys: key_rows(&account, state.clock.now()),
        name: account.name,
    })
}

/// The old password and a new one.
#[derive(Deserialize)]
pub(in crate::web) struct Passwords {
    old: String,
    password: String,
}

/// `POST /account/password`. The old one is asked for, and guesses at it count: a browser that was left
/// open is not enough to take an account over.
pub(in crate::web) async fn password(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<Passwords>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    let context = LoginContext { door: Door::Web, peer: visitor.peer };
    match state.accounts.login_password(grant.name(), &Secret::new(form.old), &context).await {
        Ok(_) => {}
        Err(LoginError::Refused) => return Ok(refused(HERE, "the old password is not right: nothing was changed")),
        Err(LoginError::Store(error)) => return Err(Problem::Failed(error.to_string())),
        Err(error) => return Ok(refused(HERE, &error.to_string())),
    }
    let result = state.accounts.set_password(&grant.actor(), grant.name(), &Secret::new(form.password)).await;
    match answer(result, "The new password is set. Every other session of yours has ended.") {
        Ok((response, true)) => stay(&state, &visitor, response).await,
        other => other.map(|(response, _)| response),
    }
}

/// `POST /account/keys`.
pub(in crate::web) async fn add_key(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<Key>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    let result = state.accounts.add_key(&grant.actor(), grant.name(), &form.key).await;
    answer(result.map(drop), "The key is added.").map(|(response, _)| response)
}

/// `POST /account/keys/remove`.
pub(in crate::web) async fn remove_key(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<Key>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    let result = state.accounts.remove_key(&grant.actor(), grant.name(), &form.key).await;
    answer(result, "The key is removed.").map(|(response, _)| response)
}

/// Back to the page; true when it was done.
fn answer(result: Result<(), AccountError>, good: &str) -> Result<(Response, bool), Problem> {
    match result {
        Ok(()) => Ok((done(HERE, good), true)),
        Err(AccountError::Store(error)) => Err(error.into()),
        Err(error) => Ok((refused(HERE, &error.to_string()), false)),
    }
}

/// A new password ends every session of the account; the one who set it begins another.
pub(super) async fn stay(state: &WebState, visitor: &Visitor, mut response: Response) -> Result<Response, Problem> {
    let token = state.sessions.create(visitor.grant()?, visitor.peer).await?;
    let session = cookie::keep(cookie::SESSION, token.expose(), Some(ABSOLUTE_HOURS * 3600));
    if let Ok(value) = HeaderValue::from_str(&session) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}
