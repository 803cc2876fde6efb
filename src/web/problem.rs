//! Why a page cannot do as asked, and how that looks.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::frame::Frame;
use super::visitor::Visitor;
use super::widget::Tone;
use crate::account::AccountError;
use crate::db::DbError;
use crate::job::JobError;
use crate::survey::SurveyError;
use crate::task::Lost;

/// A failed request. What a person reads stands in [`Said`]; what went wrong inside is logged once, here.
#[derive(Debug)]
pub(super) enum Problem {
    /// There is no such thing.
    Missing,
    /// There was; says why it is gone.
    Gone(String),
    /// Not for this account.
    Forbidden,
    /// The form did not come from a page of ours, or too late.
    Stale,
    /// The request makes no sense; says why.
    Bad(String),
    /// The form holds more than one may.
    TooMuch,
    /// Too much at once; try again.
    Busy,
    /// Something failed inside.
    Failed(String),
}

/// The sentence for people, carried in the response's extensions until a frame is put around it.
#[derive(Debug, Clone)]
struct Said(String);

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Missing => StatusCode::NOT_FOUND,
            Self::Gone(_) => StatusCode::GONE,
            Self::Forbidden | Self::Stale => StatusCode::FORBIDDEN,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::TooMuch => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let said = match self {
            Self::Stale => Some(
                "The form is out of date, or did not come from this page. Go back, reload the page and send it again."
                    .to_owned(),
            ),
            Self::Bad(why) => Some(why),
            Self::Gone(why) => Some(sentence(&why)),
            Self::Failed(why) => {
                tracing::error!(error = %why, "a page could not be made");
                None
            }
            Self::Missing | Self::Forbidden | Self::TooMuch | Self::Busy => None,
        };
        let mut response = status.into_response();
        if let Some(said) = said {
            response.extensions_mut().insert(Said(said));
        }
        response
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Missing => Self::Missing,
            DbError::Busy => Self::Busy,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        match error {
            JobError::NoJob(_) | JobError::NoRun(_) | JobError::NoEndpoint(_) => Self::Missing,
            JobError::Db(error) => error.into(),
            other => Self::Bad(other.to_string()),
        }
    }
}

impl From<SurveyError> for Problem {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::Db(error) => error.into(),
            other => Self::Bad(other.to_string()),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Missing(_) => Self::Missing,
            AccountError::Store(error) => error.into(),
            other => Self::Bad(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        match error.kind() {
            E::NotFound | E::NotADirectory => Self::Missing,
            E::PermissionDenied | E::ReadOnlyFilesystem => Self::Forbidden,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<Lost> for Problem {
    fn from(error: Lost) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<askama::Error> for Problem {
    fn from(error: askama::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
pub(in crate::web) struct ProblemPage {
    pub frame: Frame,
    pub tone: Tone,
    pub text: String,
}

/// Puts the frame around a bare error, or says it in JSON to a script; everything else passes.
pub(super) fn dressed(visitor: &Visitor, response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let is_answer = kind.starts_with(b"text/html") || kind.starts_with(b"application/json");
    if is_answer || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (title, usual) = words(status);
    let text = response.extensions().get::<Said>().map_or_else(|| usual.to_owned(), |said| sentence(&said.0));
    if visitor.json {
        let body = serde_json::json!({ "error": title, "text": text }).to_string();
        let about = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        return (status, about, body).into_response();
    }
    let tone = if status.is_server_error() { Tone::Bad } else { Tone::Warn };
    match (ProblemPage { frame: Frame::new(visitor, title), tone, text }).render() {
        // It holds the visitor's token, as every page does.
        Ok(page) => (status, [(header::CACHE_CONTROL, "no-store")], Html(page)).into_response(),
        Err(_) => response,
    }
}

fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("There is no such page", "The address may be mistyped, or what was here is gone."),
        StatusCode::GONE => ("This is gone", "Ask whoever gave you the address for another."),
        StatusCode::FORBIDDEN => ("This is not open to your account", "Ask an administrator if you need it."),
        StatusCode::METHOD_NOT_ALLOWED => ("That cannot be done here", "Go back and use the buttons of the page."),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "That is too much at once",
            "A form may hold 256 KiB. Go back and shorten what you wrote; files go through the upload of a folder.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => ("Too much at once", "Try again in a moment."),
        status if status.is_server_error() => {
            ("Something failed here", "It was written to the log of the server. Nothing was changed.")
        }
        _ => ("That request was not understood", "Go back, reload the page and try again."),
    }
}

/// Errors are written in lower case without a full stop; a page speaks in sentences.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?', '…']) || text.is_empty() { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_in_sentences() {
        assert_eq!(sentence("there is no job 7"), "There is no job 7.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), "");
    }
}
