//! Resumable uploads at `/files/.tus/`: tus 1.0.0 with creation, creation-with-upload, termination, expiration and
//! checksum (<https://tus.io/protocols/resumable-upload>).

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::Files;
use crate::drive::{Claims, Entry, Guest, Integrity, Metadata, Resumable, Unfinished, Writer};
use crate::model::{Algorithm, Checksum, Door};
use crate::net::http::date;
use crate::serve::http::{body, peer_of, plain, problem};

/// Where uploads are announced; each one's own address is below.
pub(super) const MOUNT: &str = "/files/.tus/";
const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,creation-with-upload,termination,expiration,checksum";
/// What `Upload-Checksum` may be computed by.
const ALGORITHMS: &str = "sha1,sha256";
/// The body of a request that brings bytes.
const BYTES: &str = "application/offset+octet-stream";

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const SUPPORTED: HeaderName = HeaderName::from_static("tus-version");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

/// Who asks, with what, and where uploads are.
struct Asked {
    uploads: Resumable,
    claims: Arc<dyn Claims>,
    guest: Guest,
    headers: HeaderMap,
}

/// Answers everything below [`MOUNT`].
pub(super) async fn answer(State(files): State<Files>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let guest = match files.doorman.admit(&head, Door::Files).await {
        Ok(guest) => guest,
        Err(refusal) => return refusal,
    };
    peer_of(&head).mark_door(&guest.books);
    let id = head.uri.path().strip_prefix(MOUNT).unwrap_or_default().to_owned();
    let (method, is_spoken) = (method(&head), text(&head.headers, &RESUMABLE) == Some(VERSION));
    let asked = Asked { uploads: files.resumable, claims: files.claims, guest, headers: head.headers };
    let mut answer = match method {
        Method::OPTIONS => asked.about(),
        _ if !is_spoken => {
            let mut answer = plain(StatusCode::PRECONDITION_FAILED, "say Tus-Resumable: 1.0.0");
            set(&mut answer, SUPPORTED, VERSION);
            answer
        }
        Method::POST if id.is_empty() => asked.create(body).await,
        Method::HEAD if !id.is_empty() => asked.look(&id).await,
        Method::PATCH if !id.is_empty() => asked.go_on(&id, body).await,
        Method::DELETE if !id.is_empty() => asked.remove(&id).await,
        _ => {
            let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED);
            set(&mut answer, ALLOW, if id.is_empty() { "POST, OPTIONS" } else { "HEAD, PATCH, DELETE, OPTIONS" });
            answer
        }
    };
    set(&mut answer, RESUMABLE, VERSION);
    set(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

/// What is meant: behind some proxies only POST comes through. A GET stays one, whatever it says: it changes nothing.
fn method(head: &Parts) -> Method {
    let meant = || text(&head.headers, &HeaderName::from_static("x-http-method-override"))?.parse().ok();
    if head.method == Method::POST { meant().unwrap_or(Method::POST) } else { head.method.clone() }
}

impl Asked {
    fn about(&self) -> Response {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        set(&mut answer, SUPPORTED, VERSION);
        set(&mut answer, HeaderName::from_static("tus-extension"), EXTENSIONS);
        set(&mut answer, HeaderName::from_static("tus-checksum-algorithm"), ALGORITHMS);
        set(&mut answer, HeaderName::from_static("tus-max-size"), &self.guest.books.max_upload.to_string());
        answer
    }

    async fn create(self, body: Body) -> Response {
        let Some(size) = number(&self.headers, &LENGTH) else {
            return plain(StatusCode::BAD_REQUEST, "say how many bytes the file has: Upload-Length");
        };
        let raw = text(&self.headers, &METADATA).unwrap_or_default().to_owned();
        let metadata = match Metadata::of(&raw) {
            Ok(metadata) => metadata,
            Err(why) => return plain(StatusCode::BAD_REQUEST, &why.to_string()),
        };
        let terms = self.claims.of_put(&self.guest, &metadata.path, &self.headers);
        let entry = match self.uploads.announce(&self.guest, size, (&metadata, &raw), terms).await {
            Ok(entry) => entry,
            Err(error) => return refusal(&error),
        };
        let location = format!("{MOUNT}{}", entry.id);
        // A file without a byte is complete.
        let sent = if self.brings_bytes() || size == 0 { self.take(&entry.id, 0, body).await } else { Ok(entry) };
        let mut answer = match sent {
            Ok(entry) => told(StatusCode::CREATED, &entry),
            Err(error) => refusal(&error),
        };
        // Also when its first bytes were refused: it is there.
        set(&mut answer, LOCATION, &location);
        answer
    }

    async fn look(self, id: &str) -> Response {
        match self.uploads.look(&self.guest, id).await {
            Ok(entry) => {
                let mut answer = told(StatusCode::OK, &entry);
                set(&mut answer, LENGTH, &entry.size.to_string());
                set(&mut answer, METADATA, &entry.metadata);
                answer
            }
            Err(error) => refusal(&error),
        }
    }

    async fn go_on(self, id: &str, body: Body) -> Response {
        if !self.brings_bytes() {
            let mut answer =
                plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "say Content-Type: application/offset+octet-stream");
            set(&mut answer, HeaderName::from_static("accept-patch"), BYTES);
            return answer;
        }
        let Some(offset) = number(&self.headers, &OFFSET) else {
            return plain(StatusCode::BAD_REQUEST, "say where the bytes belong: Upload-Offset");
        };
        match self.take(id, offset, body).await {
            Ok(entry) => told(StatusCode::NO_CONTENT, &entry),
            Err(error) => refusal(&error),
        }
    }

    async fn remove(self, id: &str) -> Response {
        match self.uploads.remove(&self.guest, id).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(error) => refusal(&error),
        }
    }

    fn brings_bytes(&self) -> bool {
        text(&self.headers, &CONTENT_TYPE) == Some(BYTES)
    }

    /// Takes the body. A client that hangs up ends the body, not this: what came is kept.
    async fn take(self, id: &str, offset: u64, body: Body) -> Result<Entry, Unfinished> {
        let (tasks, id) = (self.guest.books.tasks.clone(), id.to_owned());
        let taken = tasks.spawn("resumable upload", async move {
            let integrity = integrity(&self.headers)?;
            let mut writer = self.uploads.go_on(&self.guest, &id, offset, integrity).await?;
            if let Err(error) = pour(&mut writer, body).await {
                writer.stop().await;
                return Err(error.into());
            }
            let terms = self.claims.of_put(&self.guest, writer.path(), &self.headers);
            writer.end(terms).await
        });
        taken.await.map_err(io::Error::other)?
    }
}

async fn pour(writer: &mut Writer, mut sent: Body) -> io::Result<()> {
    while let Some(bytes) = body::next(&mut sent).await? {
        writer.write(&bytes).await?;
    }
    Ok(())
}

/// By `Upload-Checksum`: an algorithm and, in Base64, what it gives for the bytes of this request.
fn integrity(headers: &HeaderMap) -> Result<Integrity, StatusCode> {
    let Some(value) = headers.get(CHECKSUM) else { return Ok(Integrity::default()) };
    let read = || {
        let (name, digest) = value.to_str().ok()?.trim().split_once(' ')?;
        let algorithm = Algorithm::of(name).filter(|_| ALGORITHMS.split(',').any(|known| known == name))?;
        Checksum::new(algorithm, &BASE64.decode(digest.trim().as_bytes()).ok()?).ok()
    };
    Ok(Integrity::said(vec![read().ok_or(StatusCode::BAD_REQUEST)?]))
}

/// Where the upload stands, and until when.
fn told(status: StatusCode, entry: &Entry) -> Response {
    let mut answer = status.into_response();
    set(&mut answer, OFFSET, &entry.offset.to_string());
    if let Some(date) = date::print(entry.expires).filter(|_| entry.offset < entry.size) {
        set(&mut answer, EXPIRES, &date);
    }
    answer
}

fn refusal(error: &Unfinished) -> Response {
    let status = match error {
        // "Checksum Mismatch" of tus.
        Unfinished::Mismatch(_) => StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST),
        other => other.status(),
    };
    let sentence = match (error, status) {
        (Unfinished::Mismatch(mismatch), _) => mismatch.to_string(),
        (_, StatusCode::NOT_FOUND) => "there is no such upload, or no longer: begin again".to_owned(),
        (_, StatusCode::CONFLICT) => "the upload stands at another offset: ask where, and go on there".to_owned(),
        (_, StatusCode::PRECONDITION_FAILED) => {
            "something of that name is there already, or not the version that you know: nothing was changed".to_owned()
        }
        (_, StatusCode::TOO_MANY_REQUESTS) => "too many uploads are under way: end some of them first".to_owned(),
        _ => return problem(status),
    };
    plain(status, &sentence)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

fn set(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
