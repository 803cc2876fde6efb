//! DELETE: into the trash, in one step.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};

use crate::drive::{Claims, Guest};
use crate::model::RelPath;
use crate::serve::http::problem;

/// Deletes a file, or a folder with all that is in it, if the preconditions and the locks of others allow it.
pub(super) async fn delete(guest: &Guest, path: &RelPath, headers: &HeaderMap, claims: &dyn Claims) -> Response {
    let terms = claims.of_removal(guest, path, headers);
    match guest.books.trash.delete(guest, path, terms).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => problem(error.status()),
    }
}
