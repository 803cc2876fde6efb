//! Signing in and out.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use crate::account::{ABSOLUTE_HOURS, LoginContext, LoginError, Proofs};
use crate::model::{Door, Secret};
use crate::web::cookie;
use crate::web::form::{Nothing, Posted, go, local};
use crate::web::frame::{Frame, Theme};
use crate::web::problem::{Problem, sentence};
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};

/// The same whatever of it is wrong, or missing.
const WRONG: &str = "That name and password do not belong together, or the verification code is not the present one.";

const KEY_REQUIRED: &str = "This account requires an SSH key: it comes in over SFTP only.";

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(in crate::web) struct SignInPage {
    pub frame: Frame,
    pub problem: Option<String>,
    pub name: String,
    pub back: String,
    /// Nobody has ever signed in: say where the first password is.
    pub fresh: bool,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub(in crate::web) struct Back {
    #[serde(default)]
    back: String,
}

/// `GET /sign-in`.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(to): Query<Back>,
) -> Result<Response, Problem> {
    if visitor.who().is_some() {
        return Ok(go(local(&to.back)));
    }
    let fresh = !state.accounts.was_used().await?;
    render(&visitor, None, (String::new(), &to.back), fresh)
}

/// Name and password, and the code of an account with a second factor.
#[derive(Deserialize)]
pub(in crate::web) struct Login {
    name: String,
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    back: String,
}

/// `POST /sign-in`.
pub(in crate::web) async fn sign_in(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(login): Posted<Login>,
) -> Result<Response, Problem> {
    let context = LoginContext { door: Door::Web, peer: visitor.peer };
    let (password, code) = (Secret::new(login.password), Secret::new(login.code));
    let proofs = Proofs { password: Some(&password), code: Some(&code), key: None };
    let grant = match state.accounts.login(login.name.trim(), proofs, &context).await {
        Ok(grant) => grant,
        Err(error) => {
            let (status, said) = match &error {
                LoginError::Refused => (StatusCode::UNAUTHORIZED, WRONG.to_owned()),
                LoginError::Incomplete => (StatusCode::FORBIDDEN, KEY_REQUIRED.to_owned()),
                LoginError::Locked(_) | LoginError::PeerLocked(_) | LoginError::LinkLocked(_) | LoginError::Busy => {
                    (StatusCode::TOO_MANY_REQUESTS, sentence(&error.to_string()))
                }
                LoginError::Store(_) => return Err(Problem::Failed(error.to_string())),
            };
            let mut page = render(&visitor, Some(said), (login.name, &login.back), false)?;
            *page.status_mut() = status;
            return Ok(page);
        }
    };
    // A session of before ends: a browser holds one at most.
    end(&state, &visitor).await?;
    let token = state.sessions.create(&grant, visitor.peer).await?;
    let session = cookie::keep(cookie::SESSION, token.expose(), Some(ABSOLUTE_HOURS * 3600));
    Ok(with(go(local(&login.back)), &[session, cookie::forget(cookie::VISIT)]))
}

async fn end(state: &WebState, visitor: &Visitor) -> Result<(), Problem> {
    if let (Some(token), Some(session)) = (&visitor.token, &visitor.session) {
        state.sessions.remove(token.expose(), &session.grant).await?;
    }
    Ok(())
}

/// `POST /sign-out`.
pub(in crate::web) async fn sign_out(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    end(&state, &visitor).await?;
    let clear = HeaderValue::from_static("\"cache\"");
    let mut response = with(go("/sign-in"), &[cookie::forget(cookie::SESSION)]);
    response.headers_mut().insert(header::HeaderName::from_static("clear-site-data"), clear);
    Ok(response)
}

/// The colours.
#[derive(Deserialize)]
pub(in crate::web) struct Chosen {
    theme: String,
    #[serde(default)]
    back: String,
}

/// `POST /theme`.
pub(in crate::web) async fn theme(Posted(chosen): Posted<Chosen>) -> Response {
    let theme = Theme::of_word(&chosen.theme);
    let set = match theme {
        Theme::Auto => cookie::forget(cookie::THEME),
        Theme::Light | Theme::Dark => cookie::keep(cookie::THEME, theme.word(), Some(365 * 24 * 3600)),
    };
    with(go(local(&chosen.back)), &[set])
}

fn with(response: Response, cookies: &[String]) -> Response {
    let mut response = response;
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response.into_response()
}

fn render(
    visitor: &Visitor,
    problem: Option<String>,
    (name, back): (String, &str),
    fresh: bool,
) -> Result<Response, Problem> {
    let frame = Frame::new(visitor, "Sign in");
    super::html(&SignInPage { frame, problem, name, back: local(back).to_owned(), fresh })
}
