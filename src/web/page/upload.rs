//! Uploads: a multipart form, first its token, then the files.

use std::io;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::browse::{folder_at, guest, path_of, reason};
use crate::drive::{Guest, Integrity, Unfinished, Upload};
use crate::model::{Access, Name, RelPath};
use crate::net::http::status;
use crate::task;
use crate::tree::Replace;
use crate::web::form::{self, say};
use crate::web::frame::Note;
use crate::web::parts::{self, Parts};
use crate::web::problem::Problem;
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};
use crate::web::widget::Tone;

/// How much text the refusals may take: the note travels in a cookie.
const NOTE_BYTES: usize = 1_800;

/// Why a box takes no more.
const FULL: &str = "more than can be sent by this link: ask whoever gave it to you";

/// What became of the files of one form.
#[derive(Default)]
pub(super) struct Outcome {
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
    if visitor.grant()?.scope().access == Access::ReadOnly {
        return Err(Problem::Forbidden);
    }
    let folder = path_of(request.uri(), "/upload/")?;
    let outcome = receive(&state, &visitor, guest(&state, &visitor), (&folder, Naming::AsSent), request).await?;
    Ok(answer(&folder_at("/browse/", &folder), &outcome.note(), visitor.json))
}

/// What a file is called of whose name there is one already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// It is refused: whoever sends it sees what is there.
    AsSent,
    /// By a number behind its name: whoever sends it, by a link with this number, sees nothing of what is there.
    Free {
        /// What is sent by it counts.
        link: i64,
    },
}

/// Takes the files of a form whose first part is the token of the page that it was on. Whose they are is asked when the
/// first file comes: a form that is refused before has no consequence.
pub(super) async fn receive(
    state: &WebState,
    visitor: &Visitor,
    guest: impl Future<Output = Result<Guest, Problem>>,
    (folder, naming): (&RelPath, Naming),
    request: Request,
) -> Result<Outcome, Problem> {
    let mut form = Parts::of(request).await?;
    let (mut proven, mut outcome) = (false, Outcome::default());
    let (mut asked, mut known) = (Some(guest), None);
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
            if let Some(guest) = asked.take() {
                known = Some(guest.await?);
            }
            let guest = known.as_ref().ok_or(Problem::Forbidden)?;
            match take(state, guest, (folder, naming), &name, &mut field).await {
                Ok(Ok(())) => outcome.taken += 1,
                Ok(Err(why)) => outcome.refused.push((name, why)),
                Err(Broken::Upload(error)) => return Err(broken(&outcome, &error)),
                Err(Broken::Here(problem)) => return Err(problem),
            }
        }
        parts::skip(field).await.map_err(|error| broken(&outcome, &error))?;
    }
    Ok(outcome)
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

/// One file: it has its name when it is complete. The inner error is why it was refused.
async fn take(
    state: &WebState,
    guest: &Guest,
    (folder, naming): (&RelPath, Naming),
    name: &str,
    field: &mut Field<'_>,
) -> Result<Result<(), String>, Broken> {
    let name = match Name::new(name.as_bytes()) {
        Ok(name) => name,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let path = folder.join(&name);
    let begun = match naming {
        Naming::AsSent => begin(guest, &path).await?,
        Naming::Free { .. } => Upload::begin(guest, &free(guest, &path).await?, Integrity::default()).await,
    };
    let mut upload = match begun {
        Ok(upload) => upload,
        Err(error) => return Ok(Err(reason(&error).to_owned())),
    };
    let mut arriving = match naming {
        Naming::Free { link } => Some(state.shares.arriving(link)),
        Naming::AsSent => None,
    };
    while let Some(chunk) = field.chunk().await.map_err(Broken::Upload)? {
        if let Some(arriving) = &mut arriving
            && !arriving.grow(u64::try_from(chunk.len()).unwrap_or(u64::MAX)).await?
        {
            return Ok(Err(FULL.to_owned()));
        }
        if let Err(error) = upload.write(&chunk).await {
            return Ok(Err(reason(&error).to_owned()));
        }
    }
    // Another file may have taken the name while this one came. One after the other asks which is free now.
    let mut turn = None;
    let length = upload.len();
    if let Some(arriving) = arriving {
        turn = Some(state.naming.lock().await);
        let path = free(guest, &path).await?;
        if let Err(error) = upload.rename(&path).await {
            return Ok(Err(reason(&error).to_owned()));
        }
        if !arriving.book().await? {
            return Ok(Err(FULL.to_owned()));
        }
    }
    let terms = state.claims.of_put(guest, upload.path(), &HeaderMap::new());
    let finished = upload.finish(None, None, Replace::No, terms).await;
    drop(turn);
    if let (Naming::Free { link }, Err(_)) = (naming, &finished) {
        state.shares.unfill(link, length).await?;
    }
    Ok(match finished {
        Ok(_) => Ok(()),
        Err(Unfinished::Io(error)) => Err(reason(&error).to_owned()),
        Err(error) => Err(status::sentence(error.status()).to_owned()),
    })
}

/// The name, or the first with a number behind it that nothing has.
async fn free(guest: &Guest, path: &RelPath) -> Result<RelPath, Problem> {
    let (view, path) = (guest.view.clone(), path.clone());
    let free = task::blocking(move || {
        let (folder, name) = (path.parent().unwrap_or_default(), path.name()?);
        let numbered = (2..1_000_u32).filter_map(|number| Name::new(with_number(name.as_bytes(), number)).ok());
        let others = numbered.map(|name| folder.join(&name));
        std::iter::once(path.clone()).chain(others).find(|path| view.stat(path).is_err())
    });
    free.await?.ok_or_else(|| Problem::Bad("there are too many files of that name".to_owned()))
}

/// `report.txt` as `report~2.txt`.
fn with_number(name: &[u8], number: u32) -> Vec<u8> {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0).unwrap_or(name.len());
    let (stem, ending) = name.split_at(dot);
    [stem, format!("~{number}").as_bytes(), ending].concat()
}

/// To a name that is free: who uploads a large file learns of a taken name before, not after it.
async fn begin(guest: &Guest, path: &RelPath) -> Result<io::Result<Upload>, Problem> {
    let (view, at) = (guest.view.clone(), path.clone());
    if task::blocking(move || view.stat(&at).is_ok()).await? {
        return Ok(Err(io::ErrorKind::AlreadyExists.into()));
    }
    Ok(Upload::begin(guest, path, Integrity::default()).await)
}

impl Outcome {
    /// One sentence for what is here now, one that names every file that is not, and why.
    pub(super) fn note(&self) -> Note {
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
pub(super) fn answer(here: &str, note: &Note, json: bool) -> Response {
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
