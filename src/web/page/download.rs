//! Downloads: whole files, or the rest of one that broke off.

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;

use super::browse::{guest, path_of};
use crate::drive::{Show, download as sent};
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::Asks;

/// `GET /download/…`: a file, always to be saved, never shown as part of this site.
pub(in crate::web) async fn download(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    head: Parts,
) -> Result<Response, Problem> {
    let path = path_of(&head.uri, "/download/")?;
    if path.is_root() {
        return Err(Problem::Missing);
    }
    let guest = guest(&state, &visitor).await?;
    Ok(sent(&guest, &path, &head.method, &head.headers, Show::Never).await?)
}
