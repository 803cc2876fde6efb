//! What people without an account see who have a link: a file, a folder, or a box to put files into.
//!
//! The first page counts nothing and gives nothing away but names: programs that show previews of links fetch it, too.

use std::io;

use askama::Template;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::Pager;
use super::browse::{self, Crumb};
use super::upload::{self, Naming};
use crate::account::LoginError;
use crate::drive::{Format, Guest, Opened, ShareError, Show, Taken, archive, download};
use crate::model::{RelPath, Secret, ShareKind};
use crate::task;
use crate::tree::View;
use crate::web::cookie;
use crate::web::form::{self, Posted, go};
use crate::web::frame::Frame;
use crate::web::problem::{Problem, sentence};
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::{Asks, Visitor};
use crate::web::widget::Moment;

/// Where links lead.
pub(in crate::web) const MOUNT: &str = "/s/";

/// What is behind the link.
#[derive(Debug, Clone)]
pub enum Inside {
    /// Nothing is said before the password.
    Closed { problem: Option<String> },
    /// One file.
    File(SharedRow),
    /// A folder.
    Folder { crumbs: Vec<Crumb>, rows: Vec<SharedRow>, cut: bool, pager: Pager, archive: String },
    /// A box.
    DropBox,
}

/// One name.
#[derive(Debug, Clone)]
pub struct SharedRow {
    pub icon: &'static str,
    pub class: &'static str,
    pub name: String,
    pub href: String,
    pub size: String,
    pub changed: Moment,
}

#[derive(Template)]
#[template(path = "shared.html")]
pub(in crate::web) struct SharedPage {
    pub frame: Frame,
    /// The address of the link.
    pub link: String,
    /// Who shares it; empty before the password.
    pub owner: String,
    pub inside: Inside,
    pub ends: Option<Moment>,
    /// "2 more uses".
    pub left: Option<String>,
    /// What the box still takes.
    pub room: Option<String>,
}

/// The link's secret and what comes behind it in the address.
fn parts(uri: &Uri) -> Result<(Secret, RelPath), Problem> {
    let rest = uri.path().strip_prefix(MOUNT).unwrap_or_default();
    let secret = rest.split('/').next().unwrap_or_default();
    let path = browse::path_of(uri, &format!("{MOUNT}{secret}"))?;
    Ok((Secret::new(secret), path))
}

fn visit_of(headers: &HeaderMap) -> Option<Secret> {
    cookie::Jar::of(headers).get(cookie::SHARE).map(Secret::new)
}

impl From<ShareError> for Problem {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Missing => Self::Missing,
            ShareError::Over(_) | ShareError::Place(_) => Self::Gone(error.to_string()),
            ShareError::Closed => Self::Forbidden,
            ShareError::Login(LoginError::Busy) => Self::Busy,
            ShareError::Io(error) => error.into(),
            ShareError::Store(error) => error.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// `GET /s/{secret}` and below: a page; a file is sent, and counts.
pub(in crate::web) async fn show(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(which): Query<browse::Wanted>,
    head: Parts,
) -> Result<Response, Problem> {
    let (secret, path) = parts(&head.uri)?;
    let visit = visit_of(&head.headers);
    let opened = match state.shares.look(&secret, visit.as_ref(), visitor.peer).await {
        Ok(opened) => opened,
        Err(ShareError::Closed) => return closed(&visitor, &secret, None),
        Err(error) => return Err(error.into()),
    };
    let wanted = match (&opened.file, path.is_root()) {
        (Some(name), false) if RelPath::root().join(name) == path => Some(path.clone()),
        (Some(_), false) => return Err(Problem::Missing),
        (None, false) if opened.share.kind == ShareKind::Folder => {
            let (view, at) = (opened.guest.view.clone(), path.clone());
            let stat = task::blocking(move || view.stat_follow(&at)).await??;
            (!stat.is_dir()).then(|| path.clone())
        }
        (None, false) => return Err(Problem::Missing),
        (_, true) => None,
    };
    let is_folder = opened.share.kind == ShareKind::Folder && wanted.is_none();
    let format = Format::wanted(head.uri.query()).filter(|_| is_folder);
    if wanted.is_none() && format.is_none() {
        return page(&state, &visitor, opened, &secret, (&path, which)).await;
    }
    // To look at what would come is no use.
    if head.method == Method::HEAD {
        return Ok(private(send(&opened.guest, (&path, format), &head).await?));
    }
    fetch(&state, &visitor, (&secret, visit), (&path, format), &head).await
}

async fn send(guest: &Guest, (path, format): (&RelPath, Option<Format>), head: &Parts) -> io::Result<Response> {
    match format {
        Some(format) => archive(guest, path, None, format, &head.method).await,
        None => download(guest, path, &head.method, &head.headers, Show::Never).await,
    }
}

/// Sends a file, or a folder in a format, and with it the cookie that makes what the browser fetches again the same use.
async fn fetch(
    state: &WebState,
    visitor: &Visitor,
    (secret, visit): (&Secret, Option<Secret>),
    (path, format): (&RelPath, Option<Format>),
    head: &Parts,
) -> Result<Response, Problem> {
    let Taken { opened, visit } = match state.shares.take(secret, visit.as_ref(), visitor.peer).await {
        // It has opened another link before, not this one.
        Err(ShareError::Closed) => return Ok(go(&address(secret))),
        taken => taken?,
    };
    // Who may fetch is no stranger, who would be sent away before a large file is there.
    (state.welcome)(&head.extensions);
    let sent = send(&opened.guest, (path, format), head).await;
    Ok(keep(private(sent.map_err(Problem::from).into_response()), &visit))
}

fn address(secret: &Secret) -> String {
    format!("{MOUNT}{}", secret.expose())
}

/// Pages and files that only the link leads to are found by no search engine.
fn private(mut response: Response) -> Response {
    let robots = HeaderValue::from_static("noindex, nofollow");
    response.headers_mut().insert(HeaderName::from_static("x-robots-tag"), robots);
    response
}

fn keep(mut response: Response, visit: &Secret) -> Response {
    if let Ok(value) = HeaderValue::from_str(&cookie::keep(cookie::SHARE, visit.expose(), Some(24 * 3600))) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

fn closed(visitor: &Visitor, secret: &Secret, problem: Option<String>) -> Result<Response, Problem> {
    let frame = Frame::new(visitor, "A shared link");
    let (link, inside) = (address(secret), Inside::Closed { problem });
    super::html(&SharedPage { frame, link, owner: String::new(), inside, ends: None, left: None, room: None })
        .map(private)
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    opened: Opened,
    secret: &Secret,
    (path, which): (&RelPath, browse::Wanted),
) -> Result<Response, Problem> {
    let (link, now) = (address(secret), state.clock.now());
    let Opened { share, guest, file } = opened;
    let inside = match share.kind {
        ShareKind::DropBox => Inside::DropBox,
        ShareKind::File => {
            let (view, link) = (guest.view.clone(), link.clone());
            let name = RelPath::root().join(&file.ok_or(Problem::Missing)?);
            Inside::File(task::blocking(move || one(&view, &link, &name)).await??)
        }
        ShareKind::Folder => {
            let (view, link, at) = (guest.view.clone(), link.clone(), path.clone());
            task::blocking(move || folder(&view, &link, &at, which)).await??
        }
    };
    let title = match share.kind {
        ShareKind::DropBox => "Send files".to_owned(),
        _ => path.name().or_else(|| share.path.name()).map_or_else(|| "Files".to_owned(), |n| n.display().into_owned()),
    };
    let left = share.most.map(|most| show::plural(most.saturating_sub(share.used).into(), "more use", "more uses"));
    super::html(&SharedPage {
        frame: Frame::new(visitor, title),
        link,
        owner: share.owner,
        inside,
        ends: share.expires.map(|end| Moment::around(end, now)),
        left,
        room: share.room.map(|room| show::bytes(room.saturating_sub(share.taken))),
    })
    .map(private)
}

fn one(view: &View, link: &str, path: &RelPath) -> io::Result<SharedRow> {
    let stat = view.stat(path)?;
    Ok(SharedRow {
        icon: "file",
        class: "",
        name: path.display().into_owned(),
        href: browse::file_at(&format!("{link}/"), path),
        size: show::bytes(stat.size),
        changed: Moment::at(stat.mtime),
    })
}

fn folder(view: &View, link: &str, path: &RelPath, which: browse::Wanted) -> io::Result<Inside> {
    let mount = format!("{link}/");
    let (found, cut) = browse::read(view, path)?;
    let mut crumbs = Vec::new();
    let mut so_far = RelPath::root();
    for name in path.parent().unwrap_or_default().names() {
        so_far = so_far.join(&name);
        crumbs.push(Crumb { href: browse::folder_at(&mount, &so_far), label: name.display().into_owned() });
    }
    if !path.is_root() {
        crumbs.insert(0, Crumb { href: link.to_owned(), label: "Start".to_owned() });
    }
    // What leads out of the folder, or nowhere, is nobody's business here.
    let shown: Vec<_> = found.iter().filter(|found| found.seen().is_dir() || found.seen().is_file()).collect();
    let pager = which.pager(shown.len());
    let rows = which.page(&shown).iter().map(|found| {
        let (at, stat) = (path.join(&found.name), found.seen());
        let is_dir = stat.is_dir();
        SharedRow {
            icon: if is_dir { "files" } else { "file" },
            class: if is_dir { "dir" } else { "" },
            name: found.name.display().into_owned(),
            href: if is_dir { browse::folder_at(&mount, &at) } else { browse::file_at(&mount, &at) },
            size: if is_dir { String::new() } else { show::bytes(stat.size) },
            changed: Moment::at(stat.mtime),
        }
    });
    let archive = if path.is_root() { link.to_owned() } else { browse::folder_at(&mount, path) };
    Ok(Inside::Folder { crumbs, rows: rows.collect(), cut, pager, archive })
}

/// The password of the link.
#[derive(Deserialize)]
pub(in crate::web) struct Word {
    password: String,
}

/// `POST /s/{secret}`: the password.
pub(in crate::web) async fn open(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    uri: Uri,
    headers: HeaderMap,
    Posted(form): Posted<Word>,
) -> Result<Response, Problem> {
    let (secret, _) = parts(&uri)?;
    let (password, before) = (Secret::new(form.password), visit_of(&headers));
    let entered = state.shares.enter(&secret, Some(&password), before.as_ref(), visitor.peer).await;
    let (status, said) = match entered {
        Ok(visit) => return Ok(keep(go(&address(&secret)), &visit)),
        Err(ShareError::Login(LoginError::Refused)) => {
            (StatusCode::FORBIDDEN, "That is not the password of this link.".to_owned())
        }
        Err(ShareError::Login(error @ (LoginError::PeerLocked(_) | LoginError::LinkLocked(_) | LoginError::Busy))) => {
            (StatusCode::TOO_MANY_REQUESTS, sentence(&error.to_string()))
        }
        Err(error) => return Err(error.into()),
    };
    Ok((status, closed(&visitor, &secret, Some(said))?).into_response())
}

/// `POST /s/{secret}/`: files for the box. The first of them is what counts, not a form that is refused before.
pub(in crate::web) async fn receive(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    request: Request,
) -> Result<Response, Problem> {
    form::check_origin(request.uri(), request.headers())?;
    let (secret, _) = parts(request.uri())?;
    let mut visit = visit_of(request.headers());
    let looked = state.shares.look(&secret, visit.as_ref(), visitor.peer).await?;
    if looked.share.kind != ShareKind::DropBox {
        return Err(Problem::Forbidden);
    }
    // Who may send files is no stranger, of whom only a sign-in is taken.
    (state.welcome)(request.extensions());
    let taken = async {
        let Taken { opened, visit: known } = state.shares.take(&secret, visit.as_ref(), visitor.peer).await?;
        visit = Some(known);
        Ok(opened.guest)
    };
    let outcome =
        upload::receive(&state, &visitor, taken, (&RelPath::root(), Naming::Free { link: looked.share.id }), request)
            .await;
    let answer =
        outcome.map(|outcome| upload::answer(&address(&secret), &outcome.note(), visitor.json)).into_response();
    Ok(match &visit {
        Some(visit) => keep(answer, visit),
        None => answer,
    })
}
