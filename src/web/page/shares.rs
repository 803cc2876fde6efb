//! Links for people without an account: made by whoever may see what they lead to, listed, and ended.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::browse::{folder_at, guest, path_of};
use crate::drive::{NewShare, Share, ShareError, Standing};
use crate::model::{Access, RelPath, Secret, ShareKind};
use crate::task;
use crate::web::form::{Nothing, Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

const HERE: &str = "/shares";
/// Where a link to something is made.
const NEW: &str = "/shares/new/";

/// A link in the list.
#[derive(Debug, Clone)]
pub struct ShareRow {
    pub id: i64,
    pub path: String,
    /// "file, with a password".
    pub about: String,
    /// Empty where all are the reader's own.
    pub owner: String,
    pub standing: Chip,
    /// Can it still be ended?
    pub open: bool,
    /// "2 of 5".
    pub used: String,
    pub last: Option<Moment>,
    pub ends: Option<Moment>,
}

#[derive(Template)]
#[template(path = "shares.html")]
pub(in crate::web) struct SharesPage {
    pub frame: Frame,
    /// Those of everybody.
    pub all: bool,
    pub rows: Vec<ShareRow>,
}

#[derive(Template)]
#[template(path = "share_new.html")]
pub(in crate::web) struct NewSharePage {
    pub frame: Frame,
    pub path: String,
    pub action: String,
    pub back: String,
    pub folder: bool,
    pub writable: bool,
}

#[derive(Template)]
#[template(path = "share_made.html")]
pub(in crate::web) struct ShareMadePage {
    pub frame: Frame,
    pub path: String,
    /// Shown once.
    pub link: String,
    pub about: String,
    pub ends: Option<Moment>,
    pub most: String,
}

/// `GET /shares`: an administrator sees those of all.
pub(in crate::web) async fn list(State(state): State<WebState>, Asks(visitor): Asks) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    let now = state.clock.now();
    let shares = state.shares.list((!grant.is_admin()).then(|| grant.id())).await?;
    let rows = shares.iter().map(|share| row(share, grant.is_admin(), now)).collect();
    super::html(&SharesPage { frame: Frame::new(&visitor, "Shared links"), all: grant.is_admin(), rows })
}

fn row(share: &Share, all: bool, now: Timestamp) -> ShareRow {
    let standing = share.standing(now);
    let chip = match standing {
        Standing::Open => Chip::new(Tone::Ok, "Open"),
        Standing::UsedUp => Chip::new(Tone::Idle, "Used up"),
        Standing::Expired => Chip::new(Tone::Idle, "Expired"),
        Standing::Ended => Chip::new(Tone::Idle, "Ended"),
    };
    ShareRow {
        id: share.id,
        path: format!("/{}", share.path.display()),
        about: about(share.kind, share.with_password),
        owner: if all { share.owner.clone() } else { String::new() },
        open: matches!(standing, Standing::Open | Standing::UsedUp),
        standing: chip,
        used: share.most.map_or_else(|| share.used.to_string(), |most| format!("{} of {most}", share.used)),
        last: share.last_used.map(|at| Moment::around(at, now)),
        ends: share.expires.map(|end| Moment::around(end, now)),
    }
}

fn about(kind: ShareKind, with_password: bool) -> String {
    let what = match kind {
        ShareKind::File => "A file",
        ShareKind::Folder => "A folder, to read",
        ShareKind::DropBox => "A drop box",
    };
    if with_password { format!("{what}, with a password") } else { what.to_owned() }
}

/// `GET /shares/new/…`: the form for a link to that file or folder.
pub(in crate::web) async fn add(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    uri: Uri,
) -> Result<Response, Problem> {
    let path = path_of(&uri, NEW)?;
    let (view, at) = (guest(&state, &visitor).await?.view, path.clone());
    let stat = task::blocking(move || view.stat(&at)).await??;
    if !stat.is_dir() && !stat.is_file() {
        return Ok(refused(&back(&path), "only files and folders can be shared, not links nor anything else"));
    }
    super::html(&NewSharePage {
        frame: Frame::new(&visitor, "Share"),
        path: format!("/{}", path.display()),
        action: uri.path().to_owned(),
        back: back(&path),
        folder: stat.is_dir(),
        writable: visitor.grant()?.scope().access == Access::ReadWrite,
    })
}

fn back(path: &RelPath) -> String {
    folder_at("/browse/", &path.parent().unwrap_or_default())
}

/// What the link is to be.
#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
    kind: String,
    #[serde(default)]
    password: String,
    /// Days until it ends; empty = it does not.
    #[serde(default)]
    days: String,
    /// Uses; empty = any number.
    #[serde(default)]
    most: String,
}

impl Wanted {
    fn read(&self, path: RelPath) -> Result<NewShare, &'static str> {
        let kind = ShareKind::of_word(&self.kind).ok_or("the form does not say what to share")?;
        let lasts = number(&self.days, "the number of days cannot be read: write a whole number above 0, or nothing")?;
        let most = number(&self.most, "the number of uses cannot be read: write a whole number above 0, or nothing")?;
        let password = (!self.password.is_empty()).then(|| Secret::new(self.password.as_str()));
        let lasts = lasts.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
        Ok(NewShare { path, kind, password, lasts, most })
    }
}

fn number(typed: &str, why: &'static str) -> Result<Option<u32>, &'static str> {
    match typed.trim() {
        "" => Ok(None),
        digits => digits.parse().ok().filter(|number| (1..=100_000).contains(number)).map(Some).ok_or(why),
    }
}

/// `POST /shares/new/…`.
pub(in crate::web) async fn make(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    uri: Uri,
    Posted(form): Posted<Wanted>,
) -> Result<Response, Problem> {
    let path = path_of(&uri, NEW)?;
    let new = match form.read(path.clone()) {
        Ok(new) => new,
        Err(why) => return Ok(refused(uri.path(), why)),
    };
    let (now, shown) = (state.clock.now(), new.clone());
    let secret = match state.shares.make(visitor.grant()?, new).await {
        Ok(secret) => secret,
        Err(ShareError::Store(error)) => return Err(error.into()),
        Err(ShareError::Io(error)) => return Err(error.into()),
        Err(error) => return Ok(refused(uri.path(), &error.to_string())),
    };
    super::html(&ShareMadePage {
        frame: Frame::new(&visitor, "The link"),
        path: format!("/{}", path.display()),
        link: format!("https://{}{}{}", visitor.authority, super::shared::MOUNT, secret.expose()),
        about: about(shown.kind, shown.password.is_some()),
        ends: shown.lasts.and_then(|lasts| now.checked_add(lasts).ok()).map(|end| Moment::around(end, now)),
        most: shown
            .most
            .map_or_else(|| "any number of times".to_owned(), |most| show::plural(most.into(), "use", "uses")),
    })
}

/// `POST /shares/{id}/end`.
pub(in crate::web) async fn end(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    match state.shares.end(&grant.actor(), id, (!grant.is_admin()).then(|| grant.id())).await {
        Ok(()) => Ok(done(HERE, "The link opens nothing any more.")),
        Err(ShareError::Store(error)) => Err(error.into()),
        Err(_) => Err(Problem::Missing),
    }
}
