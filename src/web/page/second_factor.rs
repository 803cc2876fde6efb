//! The own second factor: made here, shown once, and held only after its first code.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::own::{self, HERE, answer, stay};
use crate::account::{AccountError, LoginContext, LoginError, Proofs};
use crate::model::{Door, Secret};
use crate::web::form::{Posted, refused};
use crate::web::frame::Frame;
use crate::web::problem::{Problem, sentence};
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};

#[derive(Template)]
#[template(path = "second_factor.html")]
pub(in crate::web) struct SecondFactorPage {
    pub frame: Frame,
    /// For the app: the secret, and the same as a link. Shown once.
    pub shared: Option<(String, String)>,
    pub problem: Option<String>,
}

/// The present password.
#[derive(Deserialize)]
pub(in crate::web) struct Present {
    old: String,
}

/// The code that the app shows.
#[derive(Deserialize)]
pub(in crate::web) struct Code {
    code: String,
}

/// The present password and a code.
#[derive(Deserialize)]
pub(in crate::web) struct Both {
    old: String,
    code: String,
}

/// `POST /account/second-factor`.
pub(in crate::web) async fn begin(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<Present>,
) -> Result<Response, Problem> {
    if let Err(refusal) = own::confirm(&state, &visitor, form.old).await? {
        return Ok(refusal);
    }
    match state.accounts.begin_second_factor(visitor.grant()?.name()).await {
        Ok(shared) => {
            let shared = (shared.base32.expose().to_owned(), shared.uri.expose().to_owned());
            render(&visitor, Some(shared), None)
        }
        Err(error) => answer(Err(error), "").map(|(response, _)| response),
    }
}

/// `POST /account/second-factor/confirm`.
pub(in crate::web) async fn confirm(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<Code>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    let result = state.accounts.confirm_second_factor(&grant.actor(), grant.name(), &Secret::new(form.code)).await;
    if let Err(error @ AccountError::WrongCode) = &result {
        return render(&visitor, None, Some(sentence(&error.to_string())));
    }
    match answer(result, "The second factor holds. Every other session of yours has ended.")? {
        (response, true) => stay(&state, &visitor, response).await,
        (response, false) => Ok(response),
    }
}

/// `POST /account/second-factor/remove`.
pub(in crate::web) async fn remove(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(form): Posted<Both>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    let context = LoginContext { door: Door::Web, peer: visitor.peer };
    let (password, code) = (Secret::new(form.old), Secret::new(form.code));
    let proofs = Proofs { password: Some(&password), code: Some(&code), key: None };
    match state.accounts.login(grant.name(), proofs, &context).await {
        Ok(_) => {}
        Err(LoginError::Store(error)) => return Err(Problem::Failed(error.to_string())),
        Err(LoginError::Refused) => {
            return Ok(refused(HERE, "the present password or the code is not right: nothing was changed"));
        }
        Err(error) => return Ok(refused(HERE, &error.to_string())),
    }
    let result = state.accounts.remove_second_factor(&grant.actor(), grant.name()).await;
    answer(result, "The second factor is removed.").map(|(response, _)| response)
}

fn render(visitor: &Visitor, shared: Option<(String, String)>, problem: Option<String>) -> Result<Response, Problem> {
    super::html(&SecondFactorPage { frame: Frame::new(visitor, "Second factor"), shared, problem })
}
