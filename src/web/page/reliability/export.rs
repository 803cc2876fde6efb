//! The report as a file to keep or to mail.

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::Wanted;
use crate::web::problem::Problem;
use crate::web::report::{Format, Report, ReportError};
use crate::web::state::WebState;

/// Who opens the file from here all the same: it may show itself and do nothing.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'";

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Db(error) => error.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// How it is to be written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Written {
    format: String,
}

/// `GET /reliability/export`.
pub(in crate::web) async fn export(
    State(state): State<WebState>,
    Query(wanted): Query<Wanted>,
    Query(written): Query<Written>,
) -> Result<Response, Problem> {
    let format = Format::of_word(&written.format)
        .ok_or_else(|| Problem::Bad("a report is written as html, csv or json".to_owned()))?;
    let report = Report::gather(&state.db, state.clock.as_ref(), wanted, (&state.objectives, state.remark))
        .await
        .map_err(ReportError::Db)?;
    let day: String = report.made.chars().take(10).collect();
    let name = format!("attachment; filename=\"causeway-reliability-{day}.{}\"", format.as_str());
    let about = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((about, report.write(format)?).into_response())
}
