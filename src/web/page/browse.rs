//! Files: look around, make folders, rename and delete.

use std::io;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::Deserialize;

use super::Pager;
use super::trash::days;
use crate::account::Grant;
use crate::audit::Event;
use crate::drive::{Guest, Unfinished, rename};
use crate::model::{Access, Door, EntryKind, Name, RelPath};
use crate::net::http::status;
use crate::task;
use crate::tree::{Stat, View};
use crate::web::form::{Posted, done, go, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show as shown;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};
use crate::web::widget::Moment;

/// Entries on one page.
const ENTRIES: usize = 200;
/// A folder with more is cut, and says so: sorting needs the names in memory.
const MOST: usize = 50_000;
/// What stays as it is in a path of a URL.
pub(super) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

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
    /// What the form for renaming begins with: empty when the name cannot be written as text.
    pub new_name: String,
    /// The raw name, percent-encoded, for forms.
    pub raw: String,
    pub href: Option<String>,
    pub download: Option<String>,
    /// Where a link to it for others is made.
    pub share: Option<String>,
    pub about: String,
    pub size: String,
    pub changed: Moment,
}

#[derive(Template)]
#[template(path = "browse.html")]
pub(in crate::web) struct BrowsePage {
    pub frame: Frame,
    pub here_name: String,
    pub crumbs: Vec<Crumb>,
    pub action: String,
    pub upload: String,
    /// Where what is ticked is moved.
    pub moving: String,
    /// What becomes of what is deleted.
    pub deletion: String,
    /// Where the folder can be fetched.
    pub archive: String,
    pub writable: bool,
    pub entries: Vec<EntryRow>,
    pub summary: String,
    pub pager: Pager,
}

/// Which entries.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(in crate::web) struct Wanted {
    #[serde(default)]
    from: usize,
}

impl Wanted {
    /// Those of one page.
    pub(super) fn page<T>(self, all: &[T]) -> &[T] {
        let rest = all.get(self.from..).unwrap_or_default();
        rest.get(..ENTRIES).unwrap_or(rest)
    }

    /// The way to the pages before and behind it, of `total` entries.
    pub(super) fn pager(self, total: usize) -> Pager {
        let next = self.from.saturating_add(ENTRIES);
        Pager {
            newer: (self.from > 0).then(|| format!("?from={}", self.from.saturating_sub(ENTRIES))),
            newer_label: "Back",
            older: (next < total).then(|| format!("?from={next}")),
            older_label: "More",
        }
    }
}

/// The path behind a mount point; the raw bytes of every segment.
pub(super) fn path_of(uri: &Uri, mount: &str) -> Result<RelPath, Problem> {
    let rest = uri.path().strip_prefix(mount).unwrap_or_default();
    let bytes: Vec<u8> = percent_decode_str(rest).collect();
    RelPath::lenient(bytes).map_err(|_| Problem::Missing)
}

fn encoded(path: &RelPath) -> String {
    path.names().map(|name| percent_encode(name.as_bytes(), SEGMENT).to_string()).collect::<Vec<_>>().join("/")
}

/// The address of a folder under `/browse/` or `/upload/`.
pub(super) fn folder_at(mount: &str, path: &RelPath) -> String {
    if path.is_root() { mount.to_owned() } else { format!("{mount}{}/", encoded(path)) }
}

/// The address of a file below `mount`.
pub(super) fn file_at(mount: &str, path: &RelPath) -> String {
    format!("{mount}{}", encoded(path))
}

pub(super) fn look(state: &WebState, grant: &Grant) -> impl Fn() -> io::Result<View> + Send + 'static {
    let (tree, grant) = (state.tree.clone(), grant.clone());
    move || grant.view(&tree)
}

/// The visitor, as the drive knows people who come over HTTP.
pub(super) async fn guest(state: &WebState, visitor: &Visitor) -> Result<Guest, Problem> {
    let grant = visitor.grant()?;
    let view = task::blocking(look(state, grant)).await??;
    let (account, books) = (grant.name().to_owned(), state.books.clone());
    Ok(Guest { account, actor: grant.actor(), view, door: Door::Web, peer: visitor.peer, books })
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
        moving: folder_at("/move/", &path),
        deletion: match state.books.trash.keeps() {
            Some(keep) => {
                format!("It can be restored from the trash for {}, a folder with all that is in it.", days(keep))
            }
            None => "It is gone at once. Only an empty folder can be deleted.".to_owned(),
        },
        archive: folder_at("/download/", &path),
        writable: visitor.grant()?.scope().access == Access::ReadWrite,
        entries: wanted.page(&found).iter().map(|found| entry(&path, found)).collect(),
        summary: summary(&found, cut),
        pager: wanted.pager(found.len()),
    })
}

/// One name: what it is itself, and what it leads to when it is a link that stays inside.
pub(super) struct Found {
    pub(super) name: Name,
    stat: Stat,
    leads_to: Option<Stat>,
}

impl Found {
    pub(super) fn seen(&self) -> &Stat {
        self.leads_to.as_ref().unwrap_or(&self.stat)
    }
}

pub(super) fn read(view: &View, path: &RelPath) -> io::Result<(Vec<Found>, bool)> {
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
    about.extend(oddities(found.name.as_bytes()).map(str::to_owned));
    EntryRow {
        icon: if is_dir {
            "files"
        } else if matches!(found.stat.kind, EntryKind::Symlink(_)) {
            "link"
        } else {
            "file"
        },
        class: if is_dir { "dir" } else { "" },
        new_name: std::str::from_utf8(found.name.as_bytes()).unwrap_or_default().to_owned(),
        name: found.name.display().into_owned(),
        raw: percent_encode(found.name.as_bytes(), SEGMENT).to_string(),
        href: if is_dir {
            Some(folder_at("/browse/", &path))
        } else {
            is_file.then(|| format!("/download/{}", encoded(&path)))
        },
        download: if is_dir {
            Some(format!("{}?zip", folder_at("/download/", &path)))
        } else {
            is_file.then(|| format!("/download/{}", encoded(&path)))
        },
        share: (is_dir || found.stat.is_file()).then(|| file_at("/shares/new/", &path)),
        about: about.join(", "),
        size: if is_file { shown::bytes(seen.size) } else { String::new() },
        changed: Moment::at(seen.mtime),
    }
}

/// What a reader cannot see in a name, although it is there.
fn oddities(name: &[u8]) -> impl Iterator<Item = &'static str> {
    let text = std::str::from_utf8(name).ok();
    let odd = [
        (text.is_none(), "the name is not UTF-8"),
        (text.is_some_and(|t| t.starts_with(char::is_whitespace)), "the name begins with a space"),
        (text.is_some_and(|t| t.ends_with(char::is_whitespace)), "the name ends with a space"),
        (text.is_some_and(|t| t.chars().any(combines)), "with letters in two parts (NFD)"),
        (text.is_some_and(|t| t.chars().any(char::is_control)), "the name holds a control character"),
    ];
    odd.into_iter().filter_map(|(is_so, said)| is_so.then_some(said))
}

/// Is it an accent that is written after its letter? Then another name may look the same.
const fn combines(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
}

fn summary(found: &[Found], cut: bool) -> String {
    let folders = found.iter().filter(|f| f.seen().is_dir()).count();
    let files = found.len() - folders;
    let bytes: u64 = found.iter().filter(|f| f.seen().is_file()).map(|f| f.seen().size).sum();
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let more = if cut { ". There are more: use SFTP or WebDAV to see them all" } else { "" };
    let mut parts = Vec::new();
    if folders > 0 {
        parts.push(shown::plural(number(folders), "folder", "folders"));
    }
    if files > 0 {
        parts.push(format!("{}, {}", shown::plural(number(files), "file", "files"), shown::bytes(bytes)));
    }
    if parts.is_empty() { "Nothing is in it.".to_owned() } else { format!("{}{more}.", parts.join(", ")) }
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
    /// The name as the form showed it: sent back unchanged, nothing is to be done.
    #[serde(default)]
    shown: String,
}

/// `POST /browse/…`: makes a folder, renames, deletes.
pub(in crate::web) async fn act(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    uri: Uri,
    Posted(act): Posted<Act>,
) -> Result<Response, Problem> {
    let folder = path_of(&uri, "/browse/")?;
    let here = folder_at("/browse/", &folder);
    let guest = guest(&state, &visitor).await?;
    let named = |bytes: &[u8]| Name::new(bytes).map(|name| folder.join(&name)).map_err(|error| error.to_string());
    let from = named(&percent_decode_str(&act.from).collect::<Vec<u8>>());
    let said = match act.what.as_str() {
        "folder" => match named(act.name.trim().as_bytes()) {
            Ok(path) => made(&state, visitor.grant()?, path).await?.map(|()| "The folder is made."),
            Err(why) => Err(why),
        },
        // The shown form of a name that is not UTF-8 is not the name: sent back as it was, it means no change.
        "rename" if act.name == act.shown => Ok("Nothing was changed: it has that name already."),
        "rename" => match (from, named(act.name.as_bytes())) {
            (Ok(from), Ok(to)) => {
                let renamed = rename(&guest, &from, &to, state.claims.of_move(&guest, &from, &to)).await;
                renamed.map(|()| "It has its new name.").map_err(|error| why(&error))
            }
            (Err(why), _) | (_, Err(why)) => Err(why),
        },
        "delete" => match from {
            Ok(path) => {
                let terms = state.claims.of_removal(&guest, &path, &HeaderMap::new());
                let deleted = state.books.trash.delete(&guest, &path, terms).await;
                deleted.map(|()| "It is deleted.").map_err(|error| why(&error))
            }
            Err(why) => Err(why),
        },
        _ => return Err(Problem::Bad("this form asks for something unknown".to_owned())),
    };
    Ok(match said {
        Ok(text) => done(&here, text),
        Err(why) => refused(&here, &why),
    })
}

async fn made(state: &WebState, grant: &Grant, path: RelPath) -> Result<Result<(), String>, Problem> {
    let (door, account, view) = (Door::Web, grant.name().to_owned(), look(state, grant));
    let event = Event::DoorDirMade { door, account, path: grant.in_tree(&path) };
    let made = recorded(state, grant, move || view()?.make_dir(&path), |()| event).await?;
    Ok(made.map_err(|error| reason(&error).to_owned()))
}

/// Why a change was not made.
pub(super) fn why(error: &Unfinished) -> String {
    match error {
        Unfinished::Io(error) => reason(error).to_owned(),
        other => status::sentence(other.status()).to_owned(),
    }
}

/// Does the work and writes it into the log, both or (when it fails) neither, also when the browser hangs
/// up in between.
pub(super) async fn recorded<T: Send + 'static>(
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

pub(super) fn reason(error: &io::Error) -> &'static str {
    use io::ErrorKind as E;
    match error.kind() {
        E::AlreadyExists => "something of that name is there already",
        E::DirectoryNotEmpty => "the folder is not empty: delete what is in it first",
        E::NotFound => "it is not there any more",
        E::PermissionDenied | E::ReadOnlyFilesystem => "your account may not change this",
        E::StorageFull | E::QuotaExceeded => "there is no room left",
        E::FileTooLarge => "it is larger than uploads may be here",
        E::InvalidFilename => "the name is too long",
        E::CrossesDevices => "it lies on another disk, and cannot be moved from there",
        _ => "the file system refused, the server's log says more",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_cannot_be_seen_in_a_name() {
        let said = |name: &[u8]| oddities(name).collect::<Vec<_>>().join(", ");
        assert_eq!(said("café.txt".as_bytes()), "");
        assert_eq!(said("cafe\u{301}.txt".as_bytes()), "with letters in two parts (NFD)");
        assert_eq!(said(b" a "), "the name begins with a space, the name ends with a space");
        assert_eq!(said(b"\xd6\xd0.txt"), "the name is not UTF-8");
    }
}
