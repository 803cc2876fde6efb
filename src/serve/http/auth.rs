//! The header `Authorization`, for programs: WebDAV clients, curl, rclone. Basic (RFC 7617), with the password of the
//! account or an app password, and Bearer (RFC 6750), with an app password.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use axum::response::Response;
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::{Budget, Doorman, peer_of, plain, problem, status};
use crate::account::{Accounts, Grant, LoginContext, LoginError};
use crate::drive::{Books, Guest};
use crate::model::{Door, Secret};
use crate::task::DiskUse;
use crate::tree::Tree;

/// Lets in who shows in every request that it may.
#[derive(Debug, Clone)]
pub struct HeaderAuth {
    /// Who may come in.
    pub accounts: Accounts,
    /// Where to.
    pub tree: Arc<Tree>,
    /// Where it is written down.
    pub books: Books,
    /// How often they may ask.
    pub budget: Budget,
}

impl HeaderAuth {
    /// A guest for a login that passed some other way (the dashboard's session).
    ///
    /// # Errors
    /// The answer to send when the home folder cannot be opened, or the account asks too often.
    pub async fn guest(&self, grant: &Grant, head: &Parts, door: Door) -> Result<Guest, Response> {
        if let Some(refused) = self.budget.spend(grant.name()) {
            return Err(refused);
        }
        let (granted, tree) = (grant.clone(), Arc::clone(&self.tree));
        let view = match self.books.spot.run(DiskUse::Light, move || granted.view(&tree)).await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return Err(homeless(grant, &error)),
            Err(lost) => return Err(homeless(grant, &io::Error::other(lost))),
        };
        peer_of(head).welcome();
        Ok(Guest {
            account: grant.name().to_owned(),
            actor: grant.actor(),
            view,
            door,
            peer: peer_of(head).address,
            books: self.books.clone(),
        })
    }
}

fn homeless(grant: &Grant, error: &io::Error) -> Response {
    if grant.is_narrowed() && error.kind() == io::ErrorKind::NotFound {
        // It is not made as a home is: an empty folder would tell programs that keep two sides alike to remove everything
        // on theirs.
        return plain(StatusCode::NOT_FOUND, "the folder that this app password is for is not there any more");
    }
    tracing::error!(account.name = grant.name(), io.error = %error, "the home folder of an account cannot be opened");
    problem(status::of(error))
}

#[async_trait]
impl Doorman for HeaderAuth {
    async fn admit(&self, head: &Parts, door: Door) -> Result<Guest, Response> {
        let Some(shown) = credentials(head) else { return Err(challenge()) };
        let context = LoginContext { door, peer: peer_of(head).address };
        let login = match &shown {
            Credentials::Basic(name, password) => self.accounts.login_request(name, password, &context).await,
            Credentials::Bearer(token) => self.accounts.login_bearer(token, &context).await,
        };
        match (login, shown) {
            (Ok(grant), _) => self.guest(&grant, head, door).await,
            (Err(LoginError::Refused), Credentials::Bearer(_)) => Err(invalid_token()),
            (Err(error), _) => Err(refusal(&error)),
        }
    }
}

/// The answer for a login that did not pass.
fn refusal(error: &LoginError) -> Response {
    match error {
        LoginError::Refused => challenge(),
        // RFC 9110, section 15.5.4: the credentials are right and not enough, so asking again would not help.
        LoginError::Incomplete => plain(StatusCode::FORBIDDEN, &error.to_string()),
        LoginError::Locked(_) | LoginError::PeerLocked(_) | LoginError::LinkLocked(_) => {
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

/// 401: come again with a name and a password. Of tokens it says nothing: some clients understand no second challenge.
#[must_use]
pub fn challenge() -> Response {
    unauthorized("Basic realm=\"Causeway\", charset=\"UTF-8\"")
}

/// 401 for whoever came with a token (RFC 6750, section 3.1).
fn invalid_token() -> Response {
    unauthorized("Bearer realm=\"Causeway\", error=\"invalid_token\"")
}

fn unauthorized(challenge: &'static str) -> Response {
    let mut answer = problem(StatusCode::UNAUTHORIZED);
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    answer
}

/// What a request shows.
#[derive(Debug, PartialEq)]
enum Credentials {
    /// A name and a password.
    Basic(String, Secret),
    /// A token, which needs no name.
    Bearer(Secret),
}

/// What the request shows, when we understand it. A token in the URL (RFC 6750, section 2.3) is not looked for: URLs are
/// written into logs.
fn credentials(head: &Parts) -> Option<Credentials> {
    let value = head.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, shown) = value.split_once(' ')?;
    let shown = shown.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(Secret::new(shown)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(shown.as_bytes()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some(Credentials::Basic(name.to_owned(), Secret::new(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_shown() {
        let head = |value: &str| http::Request::builder().header(AUTHORIZATION, value).body(()).unwrap().into_parts().0;
        let basic = Credentials::Basic("anna".to_owned(), Secret::new("pa:ss"));
        assert_eq!(credentials(&head("basic YW5uYTpwYTpzcw==")), Some(basic));
        assert_eq!(credentials(&head("bearer  cway_x")), Some(Credentials::Bearer(Secret::new("cway_x"))));
        for other in ["Basic ???", "Basic", "Digest username=\"anna\"", "cway_x"] {
            assert_eq!(credentials(&head(other)), None, "{other}");
        }
    }
}
