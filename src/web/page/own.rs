//! Your account: whoever is signed in may change the own password, keys and app passwords, see the own connections and
//! end them, and nothing else.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;

use super::account::{KeyRow, key_rows};
use super::app_password::{self, AppRow};
use super::connections::{self, ConnectionRow};
use super::usage::Usage;
use crate::account::{ABSOLUTE_HOURS, Account, AccountError, LoginContext, LoginError, Proofs, Required};
use crate::model::{Access, Door, Secret};
use crate::web::cookie;
use crate::web::form::{Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};

pub(super) const HERE: &str = "/account";

#[derive(Template)]
#[template(path = "own.html")]
pub(in crate::web) struct OwnPage {
    pub frame: Frame,
    pub name: String,
    pub home: String,
    pub read_only: bool,
    pub usage: Option<Usage>,
    pub keys: Vec<KeyRow>,
    pub app_passwords: Vec<AppRow>,
    pub second_factor: bool,
    pub required: Option<String>,
    pub connections: Vec<ConnectionRow>,
}

/// `GET /account`.
pub(in crate::web) async fn show(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let account = state.accounts.get(visitor.grant()?.name()).await?.ok_or(Problem::Missing)?;
    super::html(&OwnPage {
        frame: Frame::new(&visitor, "Your account"),
        home: format!("/{}", account.scope.home.display()),
        read_only: account.scope.access == Access::ReadOnly,
        usage: Usage::of(&state, &account.scope).await,
        keys: key_rows(&account, state.clock.now()),
        app_passwords: app_password::rows(&account, state.clock.now()),
        second_factor: account.second_factor,
        required: required(&account),
        connections: connections::of(&state, &account.name),
        name: account.name,
    })
}

/// The present password and a new one.
#[derive(Deserialize)]
pub(in crate::web) struct Passwords {
    old: String,
    password: String,
}

/// The present password, and a line of an `authorized_keys` file or the fingerprint of a key that is there.
#[derive(Deserialize)]
pub(in crate::web) struct OwnKey {
    old: String,
    key: String,
}

/// `POST /account/password`.
pub(in crate::web) async fn password(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<Passwords>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    if let Err(refusal) = confirm(&state, &visitor, form.old).await? {
        return Ok(refusal);
    }
    let result = state.accounts.set_password(&grant.actor(), grant.name(), &Secret::new(form.password)).await;
    let account = state.accounts.get(grant.name()).await?.ok_or(Problem::Missing)?;
    let good = format!("The new password is set. Every other session of yours has ended. {}", still_open(&account));
    match answer(result, &good) {
        Ok((response, true)) => stay(&state, &visitor, response).await,
        other => other.map(|(response, _)| response),
    }
}

/// `POST /account/keys`.
pub(in crate::web) async fn add_key(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<OwnKey>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    if let Err(refusal) = confirm(&state, &visitor, form.old).await? {
        return Ok(refusal);
    }
    let result = state.accounts.add_key(&grant.actor(), grant.name(), &form.key).await;
    answer(result.map(drop), "The key is added.").map(|(response, _)| response)
}

/// `POST /account/keys/remove`.
pub(in crate::web) async fn remove_key(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<OwnKey>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    if let Err(refusal) = confirm(&state, &visitor, form.old).await? {
        return Ok(refusal);
    }
    let result = state.accounts.remove_key(&grant.actor(), grant.name(), &form.key).await;
    answer(result, "The key is removed.").map(|(response, _)| response)
}

/// Asks for the present password, and counts guesses at it like those of a sign-in: a browser that was left
/// open is not enough to take an account over. The inner error is the answer to send.
pub(super) async fn confirm(
    state: &WebState,
    visitor: &Visitor,
    present: String,
) -> Result<Result<(), Response>, Problem> {
    let context = LoginContext { door: Door::Web, peer: visitor.peer };
    let present = Secret::new(present);
    // A step is enough: whatever else is required was shown when the session began.
    match state.accounts.step(visitor.grant()?.name(), Proofs::password(&present), None, &context).await {
        Ok(_) => Ok(Ok(())),
        Err(LoginError::Refused) => Ok(Err(refused(HERE, "the present password is not right: nothing was changed"))),
        Err(LoginError::Store(error)) => Err(Problem::Failed(error.to_string())),
        Err(error) => Ok(Err(refused(HERE, &error.to_string()))),
    }
}

/// What every login must show, when that is more than usual.
pub(super) fn required(account: &Account) -> Option<String> {
    label(&account.required.to_string())
}

/// What a word that is not "any" of [`Required`] asks for.
pub(super) fn label(word: &str) -> Option<String> {
    (word != Required::default().to_string()).then(|| word.replace('+', ", "))
}

/// What a new password does not close.
pub(super) fn still_open(account: &Account) -> String {
    let keys = match account.keys.len() {
        0 => "No SSH key opens this account.".to_owned(),
        1 => "One SSH key still opens this account: remove it if you do not know it.".to_owned(),
        many => format!("{many} SSH keys still open this account: remove those that you do not know."),
    };
    match account.app_passwords.len() {
        0 => keys,
        1 => format!("{keys} One app password still opens its files."),
        many => format!("{keys} {many} app passwords still open its files."),
    }
}

/// The answer to who would change the own password, keys or app passwords on the page of all accounts, which asks for no
/// password; none for the account of somebody else.
pub(super) fn elsewhere(visitor: &Visitor, name: &str) -> Result<Option<Response>, Problem> {
    let own = visitor.grant()?.name() == name;
    let why = "your own password, keys and app passwords are changed here, with the present password";
    Ok(own.then(|| refused(HERE, why)))
}

/// Back to the page; true when it was done.
pub(super) fn answer(result: Result<(), AccountError>, good: &str) -> Result<(Response, bool), Problem> {
    match result {
        Ok(()) => Ok((done(HERE, good), true)),
        Err(AccountError::Store(error)) => Err(error.into()),
        Err(error) => Ok((refused(HERE, &error.to_string()), false)),
    }
}

/// A new password or second factor ends every session of the account; the one who set it begins another.
pub(super) async fn stay(state: &WebState, visitor: &Visitor, mut response: Response) -> Result<Response, Problem> {
    let token = state.sessions.create(visitor.grant()?, visitor.peer).await?;
    let session = cookie::keep(cookie::SESSION, token.expose(), Some(ABSOLUTE_HOURS * 3600));
    if let Ok(value) = HeaderValue::from_str(&session) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}
