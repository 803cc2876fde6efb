//! What is ticked in a folder moves into another.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::browse::{folder_at, guest, path_of, why};
use super::picked::Picked;
use crate::drive::{Guest, rename};
use crate::model::{Name, RelPath};
use crate::task;
use crate::web::form::{Posted, done, refused};
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::Asks;

/// How much text the refusals may take: the note travels in a cookie.
const NOTE_BYTES: usize = 1_200;

/// `POST /move/…`: one that cannot be moved does not stop the others.
pub(in crate::web) async fn act(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    uri: Uri,
    Posted(picked): Posted<Picked>,
) -> Result<Response, Problem> {
    let folder = path_of(&uri, "/move/")?;
    let here = folder_at("/browse/", &folder);
    let guest = guest(&state, &visitor).await?;
    let read = picked.names().and_then(|names| Ok((names, target(picked.value("to"))?)));
    let (names, to) = match read {
        Ok(read) => read,
        Err(why) => return Ok(refused(&here, &why)),
    };
    let (view, at) = (guest.view.clone(), to.clone());
    if !task::blocking(move || view.stat_follow(&at).is_ok_and(|stat| stat.is_dir())).await? {
        return Ok(refused(&here, &format!("there is no folder /{}", to.display())));
    }
    let (mut moved, mut left) = (0, String::new());
    for name in names {
        match one(&state, &guest, (&folder, &to), &name).await {
            Ok(()) => moved += 1,
            Err(why) if left.len() < NOTE_BYTES => {
                let lead = if left.is_empty() { "not moved: " } else { ", " };
                left.push_str(&format!("{lead}“{}” ({why})", name.display()));
            }
            Err(_) if left.ends_with('…') => {}
            Err(_) => left.push('…'),
        }
    }
    let are = format!("{} moved to /{}", show::plural(moved, "entry is", "entries are"), to.display());
    Ok(match (moved, left.is_empty()) {
        (_, true) => done(&here, format!("{are}.")),
        (0, false) => refused(&here, &left),
        (_, false) => refused(&here, &format!("{are}; {left}")),
    })
}

fn target(typed: Option<&str>) -> Result<RelPath, String> {
    match typed.map(str::trim) {
        None | Some("") => Err("write into which folder it is to go: / is the top".to_owned()),
        Some(typed) => RelPath::lenient(typed).map_err(|error| error.to_string()),
    }
}

async fn one(state: &WebState, guest: &Guest, (folder, to): (&RelPath, &RelPath), name: &Name) -> Result<(), String> {
    let (from, to) = (folder.join(name), to.join(name));
    if from == to {
        return Err("it is there already".to_owned());
    }
    if to.starts_with(&from) {
        return Err("a folder cannot go into itself".to_owned());
    }
    rename(guest, &from, &to, state.claims.of_move(guest, &from, &to)).await.map_err(|error| why(&error))
}
