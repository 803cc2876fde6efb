//! Files: look around, download, upload, make folders, rename and delete.

use std::io;

use askama::Template;
use axum::body::Body;
use axum::extract::{Multipart, Query, Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::Deserialize;

use super::Pager;
use crate::account::Grant;
use crate::audit::Event;
use crate::model::{Access, Door, EntryKind, Name, RelPath};
use crate::task;
use crate::tree::{FileReader, Replace, Stat, View};
use crate::web::form::{self, Posted, done, go, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::Asks;

/// Entries on one page.
const ENTRIES: usize = 200;
/// A folder with more is cut, and says so: sorting needs the names in memory.
const MOST: usize = 50_000;
/// How much of a file is read at once.
const BLOCK: usize = 256 * 1024;
/// What stays as it is in a path of a URL.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// There is a trash for what a job deletes, none for what a person does.
const GONE: &str = "It is gone at once: the trash is only for what jobs delete.";

/// One step of the path above a listing.
#[derive(Debug, Clone)]
pub struct Crumb {
    pub href: String,
    pub label: String,
}

/// One name in the folder.
#[derive(Debug, Clone)]
pub struct EntryRow {
    pub icon: &'static str,
    pub class: &'static str,
    pub name: String,
    /// The raw name, percent-encoded, for forms.
    pub raw: String,
    pub href: Option<String>,
    pub download: Option<String>,
    pub about: String,
    pub size: String,
    pub changed: String,
    pub deletion: &'static str,
}

#[derive(Template)]
#[template(path = "browse.html")]
pub(in crate::web) struct BrowsePage {
    pub frame: Frame,
    pub here_name: String,
    pub crumbs: Vec<Crumb>,
    pub action: String,
    pub upload: String,
    pub writable: bool,
    pub entries: Vec<EntryRow>,
    pub summary: String,
    pub pager: Pager,
}

/// Which entries.
#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
    #[serde(default)]
    from: usize,
}

/// The path behind a mount point; the raw bytes of every segment.
fn path_of(uri: &Uri, mount: &str) -> Result<RelPath, Problem> {
    let rest = uri.path().strip_prefix(mount).unwrap_or_default();
    let bytes: Vec<u8> = percent_decode_str(rest).collect();
    RelPath::lenient(bytes).map_err(|_| Problem::Missing)
}

fn encoded(path: &RelPath) -> String {
    path.names().map(|name| percent_encode(name.as_bytes(), SEGMENT).to_string()).collect::<Vec<_>>().join("/")
}

/// The address of a folder under `/browse/` or `/upload/`.
fn folder_at(mount: &str, path: &RelPath) -> String {
    if path.is_root() { mount.to_owned() } else { format!("{mount}{}/", encoded(path)) }
}

fn look(state: &WebState, grant: &Grant) -> impl Fn() -> io::Result<View> + Send + 'static {
    let (tree, grant) = (state.tree.clone(), grant.clone());
    move || grant.view(&tree)
}

/// `GET /browse/…`: a folder; a file is sent.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(wanted): Query<Wanted>,
    uri: Uri,
) -> Result<Response, Problem> {
    let path = path_of(&uri, "/browse/")?;
    let view = look(&state, visitor.grant()?);
    let at = path.clone();
    let (found, cut) = match task::blocking(move || read(&view()?, &at)).await? {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Ok(go(&format!("/download/{}", encoded(&path))));
        }
        Err(error) => return Err(error.into()),
    };
    let total = found.len();
    let next = wanted.from.saturating_add(ENTRIES);
    let page = found.iter().skip(wanted.from).take(ENTRIES);
    let mut crumbs = vec![Crumb { href: "/browse/".to_owned(), label: "All files".to_owned() }];
    let mut so_far = RelPath::root();
    for name in path.parent().unwrap_or_default().names() {
        so_far = so_far.join(&name);
        crumbs.push(Crumb { href: folder_at("/browse/", &so_far), label: name.display().into_owned() });
    }
    super::html(&BrowsePage {
        frame: Frame::new(&visitor, "Files"),
        here_name: path.name().map_or_else(|| "All files".to_owned(), |name| name.display().into_owned()),
        crumbs: if path.is_root() { Vec::new() } else { crumbs },
        action: folder_at("/browse/", &path),
        upload: folder_at("/upload/", &path),
        writable: visitor.grant()?.scope().access == Access::ReadWrite,
        entries: page.map(|found| entry(&path, found)).collect(),
        summary: summary(&found, cut),
        pager: Pager {
            newer: (wanted.from > 0).then(|| format!("?from={}", wanted.from.saturating_sub(ENTRIES))),
            newer_label: "Back",
            older: (next < total).then(|| format!("?from={next}")),
            older_label: "More",
        },
    })
}

/// One name: what it is itself, and what it leads to when it is a link that stays inside.
struct Found {
    name: Name,
    stat: Stat,
    leads_to: Option<Stat>,
}

impl Found {
    fn seen(&self) -> &Stat {
        self.leads_to.as_ref().unwrap_or(&self.stat)
    }
}

fn read(view: &View, path: &RelPath) -> io::Result<(Vec<Found>, bool)> {
    let mut found = Vec::new();
    for entry in view.read_dir(path)? {
        let entry = entry?;
        if found.len() >= MOST {
            return Ok((found, true));
        }
        let is_link = matches!(entry.stat.kind, EntryKind::Symlink(_));
        let leads_to = if is_link { view.stat_follow(&path.join(&entry.name)).ok() } else { None };
        found.push(Found { name: entry.name, stat: entry.stat, leads_to });
    }
    found.sort_by(|a, b| b.seen().is_dir().cmp(&a.seen().is_dir()).then_with(|| a.name.cmp(&b.name)));
    Ok((found, false))
}

fn entry(folder: &RelPath, found: &Found) -> EntryRow {
    let path = folder.join(&found.name);
    let seen = found.seen();
    let (is_dir, is_file) = (seen.is_dir(), seen.is_file());
    let mut about = Vec::new();
    if let EntryKind::Symlink(target) = &found.stat.kind {
        let target = target.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        about.push(if found.leads_to.is_some() {
            format!("link to {target}")
        } else {
            format!("link to {target}, which leads nowhere here")
        });
    } else if !is_dir && !is_file {
        about.push("neither a file nor a folder".to_owned());
    }
    if std::str::from_utf8(found.name.as_bytes()).is_err() {
        about.push("the name is not UTF-8".to_owned());
    }
    EntryRow {
        icon: if is_dir {
            "files"
        } else if matches!(found.stat.kind, EntryKind::Symlink(_)) {
            "link"
        } else {
            "file"
        },
        class: if is_dir { "dir" } else { "" },
        name: found.name.display().into_owned(),
        raw: percent_encode(found.name.as_bytes(), SEGMENT).to_string(),
        href: if is_dir {
            Some(folder_at("/browse/", &path))
        } else {
            is_file.then(|| format!("/download/{}", encoded(&path)))
        },
        download: is_file.then(|| format!("/download/{}", encoded(&path))),
        about: about.join(", "),
        size: if is_file { shown::bytes(seen.size) } else { String::new() },
        changed: seen.mtime.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        deletion: if found.stat.is_dir() { "Only an empty folder can be deleted." } else { GONE },
    }
}

fn summary(found: &[Found], cut: bool) -> String {
    let folders = found.iter().filter(|f| f.seen().is_dir()).count();
    let files = found.len() - folders;
    let bytes: u64 = found.iter().filter(|f| f.seen().is_file()).map(|f| f.seen().size).sum();
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let more = if cut { ". There are more: use SFTP or WebDAV to see them all" } else { "" };
    format!(
        "{}, {}, {}{more}.",
        shown::plural(number(folders), "folder", "folders"),
        shown::plural(number(files), "file", "files"),
        shown::bytes(bytes)
    )
}

/// What to do in a folder.
#[derive(Deserialize)]
pub(in crate::web) struct Act {
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    from: String,
}

/// What is to be done with the account's view, off the async threads.
type Change = Box<dyn FnOnce(&View) -> io::Result<()> + Send>;

/// `POST /browse/…`: makes a folder, renames, deletes.
pub(in crate::web) async fn act(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    uri: Uri,
    Posted(act): Posted<Act>,
) -> Result<Response, Problem> {
    let folder = path_of(&uri, "/browse/")?;
    let here = folder_at("/browse/", &folder);
    let grant = visitor.grant()?;
    let named = |text: &str| Name::new(text.as_bytes()).map(|name| folder.join(&name));
    let raw: Vec<u8> = percent_decode_str(&act.from).collect();
    let from = Name::new(raw).map(|name| folder.join(&name));
    let account = grant.name().to_owned();
    let (event, work): (Event, Change) = match act.what.as_str() {
        "folder" => match named(act.name.trim()) {
            Ok(path) => (
                Event::DoorDirMade { door: Door::Web, account, path: grant.in_tree(&path) },
                Box::new(move |view| view.make_dir(&path)),
            ),
            Err(error) => return Ok(refused(&here, &error.to_string())),
        },
        "rename" => match (from, named(act.name.trim())) {
            (Ok(from), Ok(to)) => (
                Event::DoorRenamed { door: Door::Web, account, from: grant.in_tree(&from), to: grant.in_tree(&to) },
                Box::new(move |view| view.rename(&from, &to, Replace::No)),
            ),
            (Err(error), _) | (_, Err(error)) => return Ok(refused(&here, &error.to_string())),
        },
        "delete" => match from {
            Ok(path) => (
                Event::DoorRemoved { door: Door::Web, account, path: grant.in_tree(&path) },
                Box::new(
                    move |view| {
                        if view.stat(&path)?.is_dir() { view.remove_dir(&path) } else { view.remove_file(&path) }
                    },
                ),
            ),
            Err(error) => return Ok(refused(&here, &error.to_string())),
        },
        _ => return Err(Problem::Bad("this form asks for something unknown".to_owned())),
    };
    let view = look(&state, grant);
    let worked = recorded(&state, grant, move || work(&view()?), |()| event);
    match worked.await? {
        Ok(()) => Ok(done(
            &here,
            match act.what.as_str() {
                "folder" => "The folder is made.",
                "rename" => "It has its new name.",
                _ => "It is deleted.",
            },
        )),
        Err(error) => Ok(refused(&here, reason(&error))),
    }
}

/// Does the work and writes it into the log, both or (when it fails) neither, also when the browser hangs
/// up in between.
async fn recorded<T: Send + 'static>(
    state: &WebState,
    grant: &Grant,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
    event: impl FnOnce(&T) -> Event + Send + 'static,
) -> Result<io::Result<T>, Problem> {
    let (audit, actor) = (state.audit.clone(), grant.actor());
    let change = state.tasks.spawn("change from the dashboard", async move {
        let done = task::blocking(work).await?;
        if let Ok(done) = &done {
            audit.record(&actor, &event(done)).await?;
        }
        Ok(done)
    });
    change.await.unwrap_or_else(|error| Ok(Err(io::Error::other(error))))
}

fn reason(error: &io::Error) -> &'static str {
    use io::ErrorKind as E;
    match error.kind() {
        E::AlreadyExists => "something of that name is there already",
        E::DirectoryNotEmpty => "the folder is not empty: delete what is in it first",
        E::NotFound => "it is not there any more",
        E::PermissionDenied | E::ReadOnlyFilesystem => "your account may not change this",
        E::StorageFull | E::QuotaExceeded => "there is no room left",
        E::InvalidFilename => "the name is too long",
        _ => "the file system refused, the server's log says more",
    }
}

/// `POST /upload/…`: a multipart form, first its token, then the files. A file has its name only when it
/// is complete.
pub(in crate::web) async fn upload(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    request: Request,
) -> Result<Response, Problem> {
    use axum::extract::FromRequest as _;
    form::check_origin(request.uri(), request.headers())?;
    let folder = path_of(request.uri(), "/upload/")?;
    let here = folder_at("/browse/", &folder);
    let mut request = request;
    axum::extract::DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &state)
        .await
        .map_err(|error| Problem::Bad(format!("the upload was not understood: {error}")))?;
    let broken =
        |error: axum::extract::multipart::MultipartError| Problem::Bad(format!("the upload broke off: {error}"));
    let mut proven = false;
    let mut taken = 0;
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        if field.name() == Some("csrf") {
            proven = visitor.csrf_matches(&field.text().await.map_err(broken)?);
            continue;
        }
        if !proven {
            return Err(Problem::Stale);
        }
        // Some browsers send a path; the last part is the name.
        let name = field.file_name().unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        let Ok(name) = Name::new(name.as_bytes()) else { continue };
        let grant = visitor.grant()?;
        let path = folder.join(&name);
        let (view, at) = (look(&state, grant), path.clone());
        let key = crate::web::cookie::random().unwrap_or_default();
        let part = task::blocking(move || {
            let mut part = view()?.part(&at, &key)?;
            part.ephemeral();
            Ok::<_, io::Error>(part)
        });
        let mut part = match part.await? {
            Ok(part) => part,
            Err(error) => return Ok(refused(&here, reason(&error))),
        };
        let mut size = 0_u64;
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            let length = u64::try_from(chunk.len()).unwrap_or(0);
            if size.saturating_add(length) > state.max_upload {
                return Ok(refused(&here, &format!("{}: it is larger than uploads may be here", name.display())));
            }
            let (back, written) = task::blocking(move || {
                let written = part.write_at(&chunk, size);
                (part, written)
            })
            .await?;
            part = back;
            if let Err(error) = written {
                return Ok(refused(&here, reason(&error)));
            }
            size += length;
        }
        let (account, path) = (grant.name().to_owned(), grant.in_tree(&path));
        let event = move |_: &Stat| Event::DoorUploaded { door: Door::Web, account, path, size };
        match recorded(&state, grant, move || part.publish(Replace::No), event).await? {
            Ok(_) => taken += 1,
            Err(error) => return Ok(refused(&here, &format!("{}: {}", name.display(), reason(&error)))),
        }
    }
    Ok(done(&here, format!("{} uploaded.", shown::plural(taken, "file is", "files are"))))
}

/// `GET /download/…`: a file, always to be saved, never shown as part of this site.
pub(in crate::web) async fn download(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let path = path_of(&uri, "/download/")?;
    let name = path.name().ok_or(Problem::Missing)?;
    let view = look(&state, visitor.grant()?);
    let reader = task::blocking(move || view()?.open_read(&path)).await??;
    let etag = reader.opened().etag();
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes()) {
        return Ok(axum::http::StatusCode::NOT_MODIFIED.into_response());
    }
    let plain: String = name
        .display()
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' })
        .collect();
    let whole = percent_encode(name.as_bytes(), SEGMENT);
    let about = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, reader.len().to_string()),
        // RFC 6266: the plain name for old clients, the exact bytes for the others.
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")),
        (header::ETAG, etag),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    Ok((about, Body::from_stream(body(reader))).into_response())
}

/// The file's bytes. One that shrinks while it is read breaks the connection off: a short answer must not
/// look like a whole one.
fn body(reader: FileReader) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((reader, 0_u64), |(reader, at)| async move {
        let left = reader.len().saturating_sub(at);
        if left == 0 {
            return Ok(None);
        }
        let wanted = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let (reader, block) = task::blocking(move || {
            let mut block = vec![0; wanted];
            let read = reader.read_at(&mut block, at).map(|count| {
                block.truncate(count);
                block
            });
            (reader, read)
        })
        .await
        .map_err(io::Error::other)?;
        let block = block?;
        if block.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let next = at + u64::try_from(block.len()).unwrap_or(0);
        Ok(Some((Bytes::from(block), (reader, next))))
    })
}
