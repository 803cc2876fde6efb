//! Downloads: whole files, or the rest of one that broke off; folders, or some names of one, as an archive.

use axum::extract::State;
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::Response;

use super::browse::{folder_at, guest, path_of, reason};
use super::picked::Picked;
use crate::drive::{Format, Show, archive, download as sent};
use crate::web::form::{Posted, go, refused};
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::Asks;

/// `GET /download/…`: a file, always to be saved, never shown as part of this site; with `?zip` or `?tar.zst` a folder.
pub(in crate::web) async fn download(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    head: Parts,
) -> Result<Response, Problem> {
    let path = path_of(&head.uri, "/download/")?;
    let guest = guest(&state, &visitor).await?;
    if let Some(format) = Format::wanted(head.uri.query()) {
        return Ok(archive(&guest, &path, None, format, &head.method).await?);
    }
    if path.is_root() {
        return Ok(go("/browse/"));
    }
    Ok(sent(&guest, &path, &head.method, &head.headers, Show::Never).await?)
}

/// `POST /download/…`: what was ticked in a folder, as an archive.
pub(in crate::web) async fn pick(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    uri: Uri,
    Posted(picked): Posted<Picked>,
) -> Result<Response, Problem> {
    let path = path_of(&uri, "/download/")?;
    let here = folder_at("/browse/", &path);
    let format = picked.value("as").and_then(Format::named);
    let format = format.ok_or_else(|| Problem::Bad("this form asks for something unknown".to_owned()))?;
    let names = match picked.names() {
        Ok(names) => names,
        Err(why) => return Ok(refused(&here, &why)),
    };
    let guest = guest(&state, &visitor).await?;
    let sent = archive(&guest, &path, Some(names), format, &axum::http::Method::GET).await;
    Ok(sent.unwrap_or_else(|error| refused(&here, reason(&error))))
}
