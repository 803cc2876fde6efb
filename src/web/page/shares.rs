//! Links for people without an account: made by whoever may see what they lead to, listed, and ended.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::Uri;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Pager;
use super::browse::{folder_at, guest, path_of};
use crate::drive::{NewShare, Share, ShareError, Standing};
use crate::model::{Access, RelPath, Secret, ShareKind, size};
use crate::task;
use crate::web::form::{Nothing, Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

const HERE: &str = "/shares";
/// Links on one page.
const ROWS: u32 = 200;
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
    /// "1.2 MB of 5 GB"; empty for what is no drop box.
    pub sent: String,
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
    pub pager: Pager,
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
    /// What may be sent by it.
    pub room: Option<String>,
}

/// Which of them.
#[derive(Deserialize)]
pub(in crate::web) struct Which {
    /// Those that were made before the one with this number.
    before: Option<i64>,
}

/// `GET /shares`: an administrator sees those of all.
pub(in crate::web) async fn list(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    let now = state.clock.now();
    let of = (!grant.is_admin()).then(|| grant.id());
    // One more than is shown tells whether there are more.
    let mut shares = state.shares.list(of, which.before, ROWS + 1).await?;
    let rows = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let more = shares.len() > rows;
    shares.truncate(rows);
    let pager = Pager {
        newer: which.before.map(|_| HERE.to_owned()),
        newer_label: "Newest",
        older: shares.last().filter(|_| more).map(|last| format!("{HERE}?before={}", last.id)),
        older_label: "Older",
    };
    let rows = shares.iter().map(|share| row(share, grant.is_admin(), now)).collect();
    super::html(&SharesPage { frame: Frame::new(&visitor, "Shared links"), all: grant.is_admin(), rows, pager })
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
        sent: match (share.kind, share.room) {
            (ShareKind::DropBox, Some(room)) => format!("{} of {}", show::bytes(share.taken), show::bytes(room)),
            (ShareKind::DropBox, None) => show::bytes(share.taken),
            _ => String::new(),
        },
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
    /// Bytes in all, for a drop box; empty = as many as the account may hold.
    #[serde(default)]
    room: String,
}

impl Wanted {
    fn read(&self, path: RelPath) -> Result<NewShare, &'static str> {
        let kind = ShareKind::of_word(&self.kind).ok_or("the form does not say what to share")?;
        let lasts = number(&self.days, "the number of days cannot be read: write a whole number above 0, or nothing")?;
        let most = number(&self.most, "the number of uses cannot be read: write a whole number above 0, or nothing")?;
        let room = match self.room.trim() {
            "" => None,
            typed => Some(
                size::parse(typed).ok_or("how much they may send cannot be read: write such as 5 GB, or nothing")?,
            ),
        };
        let password = (!self.password.is_empty()).then(|| Secret::new(self.password.as_str()));
        let lasts = lasts.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
        Ok(NewShare { path, kind, password, lasts, most, room })
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
        room: shown.room.filter(|_| shown.kind == ShareKind::DropBox).map(show::bytes),
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
