//! Uploads: a multipart form, first its token, then the files.

use std::io;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::browse::{folder_at, look, path_of, reason, recorded};
use crate::account::Grant;
use crate::audit::Event;
use crate::model::{Access, Door, Name, RelPath};
use crate::task;
use crate::tree::{PartFile, Replace, Stat};
use crate::web::form::{self, say};
use crate::web::frame::Note;
use crate::web::parts::{self, Parts};
use crate::web::problem::Problem;
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::Tone;

/// How much text the refusals may take: the note travels in a cookie.
const NOTE_BYTES: usize = 1_800;

/// What became of the files of one form.
#[derive(Default)]
struct Outcome {
    taken: u64,
    /// Name and reason.
    refused: Vec<(String, String)>,
}

/// The answer for scripts, which see no redirect.
#[derive(Serialize)]
struct Told<'a> {
    to: &'a str,
    text: &'a str,
}

/// `POST /upload/…`. A file has its name only when it is complete; one that is refused does not stop the
/// others. A script that asks for JSON is told where to go on; the note is on the page there.
pub(in crate::web) async fn upload(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    request: Request,
) -> Result<Response, Problem> {
    form::check_origin(request.uri(), request.headers())?;
    let grant = visitor.grant()?;
    if grant.scope().access == Access::ReadOnly {
        return Err(Problem::Forbidden);
    }
    let folder = path_of(request.uri(), "/upload/")?;
    let here = folder_at("/browse/", &folder);
    let mut form = Parts::of(request).await?;
    let (mut proven, mut outcome) = (false, Outcome::default());
    while let Some(mut field) = form.next().await.map_err(|error| broken(&outcome, &error))? {
        if field.name() == Some("csrf") {
            let sent = parts::text(field).await.map_err(|error| broken(&outcome, &error))?;
            if !sent.is_some_and(|sent| visitor.csrf_matches(&sent)) {
                return Err(Problem::Stale);
            }
            proven = true;
            continue;
        }
        if !proven {
            return Err(Problem::Stale);
        }
        // A folder that is uploaded as a whole sends paths; the last part is the name.
        let name = field.file_name().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
        if !name.is_empty() {
            match take(&state, grant, &folder, &name, &mut field).await {
                Ok(Ok(())) => outcome.taken += 1,
                Ok(Err(why)) => outcome.refused.push((name, why)),
                Err(Broken::Upload(error)) => return Err(broken(&outcome, &error)),
                Err(Broken::Here(problem)) => return Err(problem),
            }
        }
        parts::skip(field).await.map_err(|error| broken(&outcome, &error))?;
    }
    Ok(answer(&here, &outcome.note(), visitor.json))
}

/// What ends the whole upload.
enum Broken {
    /// The browser's side.
    Upload(MultipartError),
    /// Ours.
    Here(Problem),
}

impl<E: Into<Problem>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Here(error.into())
    }
}

fn broken(outcome: &Outcome, error: &MultipartError) -> Problem {
    let files = shown::plural(outcome.taken, "file had", "files had");
    Problem::Bad(format!("the upload broke off ({error}); {files} arrived before"))
}

/// One file: written to a part, published when complete. The inner error is why it was refused.
async fn take(
    state: &WebState,
    grant: &Grant,
    folder: &RelPath,
    name: &str,
    field: &mut Field<'_>,
) -> Result<Result<(), String>, Broken> {
    let name = match Name::new(name.as_bytes()) {
        Ok(name) => name,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let path = folder.join(&name);
    let mut part = match begin(state, grant, path.clone()).await? {
        Ok(part) => part,
        Err(error) => return Ok(Err(reason(&error).to_owned())),
    };
    let mut size = 0;
    while let Some(chunk) = field.chunk().await.map_err(Broken::Upload)? {
        let length = u64::try_from(chunk.len()).unwrap_or(0);
        if length.saturating_add(size) > state.max_upload {
            return Ok(Err("it is larger than uploads may be here".to_owned()));
        }
        let (back, written) = task::blocking(move || {
            let written = part.write_at(&chunk, size);
            (part, written)
        })
        .await?;
        part = back;
        if let Err(error) = written {
            return Ok(Err(reason(&error).to_owned()));
        }
        size += length;
    }
    let (account, path) = (grant.name().to_owned(), grant.in_tree(&path));
    let event = move |_: &Stat| Event::DoorUploaded { door: Door::Web, account, path, size };
    let published = recorded(state, grant, move || part.publish(Replace::No), event).await?;
    Ok(published.map(drop).map_err(|error| reason(&error).to_owned()))
}

/// A part for a name that is free: who uploads a large file learns of a taken name before, not after it.
async fn begin(state: &WebState, grant: &Grant, path: RelPath) -> Result<io::Result<PartFile>, Problem> {
    let view = look(state, grant);
    let key = crate::web::cookie::random().unwrap_or_default();
    let made = task::blocking(move || {
        let view = view()?;
        if view.stat(&path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut part = view.part(&path, &key)?;
        part.ephemeral();
        Ok(part)
    });
    Ok(made.await?)
}

impl Outcome {
    /// One sentence for what is here now, one that names every file that is not, and why.
    fn note(&self) -> Note {
        let mut text = String::new();
        if self.taken > 0 {
            text = format!("{} uploaded.", shown::plural(self.taken, "file is", "files are"));
        } else if self.refused.is_empty() {
            return Note { tone: Tone::Bad, text: "No file was chosen.".to_owned() };
        }
        for (number, (name, why)) in self.refused.iter().enumerate() {
            let more = self.refused.len() - number;
            if text.len() + name.len() + why.len() > NOTE_BYTES {
                text.push_str(&format!(", and {more} more"));
                break;
            }
            let lead = match (number, text.is_empty()) {
                (0, true) => "Not uploaded: ",
                (0, false) => " Not uploaded: ",
                _ => ", ",
            };
            text.push_str(&format!("{lead}“{name}” ({why})"));
        }
        if !self.refused.is_empty() {
            text.push('.');
        }
        Note { tone: if self.refused.is_empty() { Tone::Ok } else { Tone::Bad }, text }
    }
}

/// The page of the folder, with the note; or for a script its address.
fn answer(here: &str, note: &Note, json: bool) -> Response {
    let mut response = say(here, note);
    if json {
        let body = serde_json::to_string(&Told { to: here, text: &note.text }).unwrap_or_default();
        let cookies = response.headers_mut().remove(header::SET_COOKIE);
        let status = if note.tone == Tone::Ok { StatusCode::OK } else { StatusCode::CONFLICT };
        response =
            (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response();
        response.headers_mut().extend(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_file_is_named() {
        let refused =
            |number: usize| ("é".repeat(120) + &number.to_string(), "something of that name is there".to_owned());
        let note = Outcome { taken: 2, refused: (0..40).map(refused).collect() }.note();
        assert_eq!(note.tone, Tone::Bad);
        assert!(note.text.starts_with("2 files are uploaded. Not uploaded: “éé") && note.text.ends_with(" more."));
        // The note survives the cookie whole.
        assert_eq!(crate::web::cookie::read_note(&crate::web::cookie::write_note(&note)), Some(note));
        assert_eq!(Outcome::default().note().tone, Tone::Bad);
        assert_eq!(Outcome { taken: 1, refused: vec![] }.note().text, "1 file is uploaded.");
    }
}
