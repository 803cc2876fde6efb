//! Basic authentication (RFC 7617), for programs: WebDAV clients, curl, rclone.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use axum::response::Response;
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::{Books, Doorman, Guest, peer_of, plain, problem, status};
use crate::account::{Accounts, Grant, LoginContext, LoginError};
use crate::model::{Door, Secret};
use crate::task;
use crate::tree::Tree;

/// Lets people in by name and password in every request.
#[derive(Debug, Clone)]
pub struct BasicAuth {
    /// Who may come in.
    pub accounts: Accounts,
    /// Where to.
    pub tree: Arc<Tree>,
    /// Where it is written down.
    pub books: Books,
}

impl BasicAuth {
    /// A guest for a login that passed some other way (the dashboard's session).
    ///
    /// # Errors
    /// The answer to send when the home folder cannot be opened.
    pub async fn guest(&self, grant: &Grant, head: &Parts, door: Door) -> Result<Guest, Response> {
        let (granted, tree) = (grant.clone(), Arc::clone(&self.tree));
        let view = match task::blocking(move || granted.view(&tree)).await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return Err(homeless(grant, &error)),
            Err(lost) => return Err(homeless(grant, &io::Error::other(lost))),
        };
        peer_of(head).welcome();
        Ok(Guest {
            account: grant.name().to_owned(),
            view,
            door,
            peer: peer_of(head).address,
            books: self.books.clone(),
        })
    }
}

fn homeless(grant: &Grant, error: &io::Error) -> Response {
    tracing::error!(account.name = grant.name(), io.error = %error, "the home folder of an account cannot be opened");
    problem(status::of(error))
}

#[async_trait]
impl Doorman for BasicAuth {
    async fn admit(&self, head: &Parts, door: Door) -> Result<Guest, Response> {
        let Some((name, password)) = credentials(head) else { return Err(challenge()) };
        let context = LoginContext { door, peer: peer_of(head).address };
        match self.accounts.login_request(&name, &password, &context).await {
            Ok(grant) => self.guest(&grant, head, door).await,
            Err(error) => Err(refusal(&error)),
        }
    }
}

/// The answer for a login that did not pass.
fn refusal(error: &LoginError) -> Response {
    match error {
        LoginError::Refused => challenge(),
        // RFC 9110, section 15.5.4: the credentials are right and not enough, so asking again would not help.
        LoginError::Incomplete => plain(StatusCode::FORBIDDEN, &error.to_string()),
        LoginError::Locked(_) | LoginError::PeerLocked(_) => {
            let mut answer = problem(StatusCode::TOO_MANY_REQUESTS);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
            answer
        }
        LoginError::Busy => {
            let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
            answer
        }
        LoginError::Store(source) => {
            tracing::error!(db.error = %source, "a login could not be checked");
            problem(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// 401: come again with a name and a password.
#[must_use]
pub fn challenge() -> Response {
    let mut answer = problem(StatusCode::UNAUTHORIZED);
    let value = HeaderValue::from_static("Basic realm=\"Causeway\", charset=\"UTF-8\"");
    answer.headers_mut().insert(WWW_AUTHENTICATE, value);
    answer
}

/// Name and password of the request, when it has them.
fn credentials(head: &Parts) -> Option<(String, Secret)> {
    let value = head.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(encoded.trim().as_bytes()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), Secret::new(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_name_and_password() {
        let head = |value: &str| http::Request::builder().header(AUTHORIZATION, value).body(()).unwrap().into_parts().0;
        let (name, password) = credentials(&head("basic YW5uYTpwYTpzcw==")).unwrap();
        assert_eq!((name.as_str(), password.expose()), ("anna", "pa:ss"));
        assert!(credentials(&head("Basic ???")).is_none());
        assert!(credentials(&head("Bearer x")).is_none());
    }
}
