//! Trash: what was deleted and can be taken back.

use std::io;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Pager;
use super::browse::{guest, reason};
use crate::account::Grant;
use crate::drive::{Eyes, Trashed, Unfinished};
use crate::model::{Access, RelPath};
use crate::net::http::status;
use crate::web::form::{Nothing, Posted, done, refused};
use crate::web::frame::Frame;
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::Moment;

const HERE: &str = "/trash";
/// Entries on one page.
const ROWS: u32 = 200;

/// Something that was deleted.
#[derive(Debug, Clone)]
pub struct TrashRow {
    pub id: i64,
    pub icon: &'static str,
    pub class: &'static str,
    /// Where it was.
    pub path: String,
    /// Empty where all are the reader's own.
    pub account: String,
    pub size: String,
    pub deleted: Moment,
    pub until: Option<Moment>,
}

#[derive(Template)]
#[template(path = "trash.html")]
pub(in crate::web) struct TrashPage {
    pub frame: Frame,
    /// What everybody deleted.
    pub all: bool,
    pub writable: bool,
    /// "30 days"; none when what is deleted is gone at once.
    pub keeps: Option<String>,
    pub rows: Vec<TrashRow>,
    pub pager: Pager,
}

/// Which of them.
#[derive(Deserialize)]
pub(in crate::web) struct Which {
    /// Those that were deleted before the one with this number.
    before: Option<i64>,
}

fn eyes(grant: &Grant) -> Eyes {
    if grant.is_admin() { Eyes::All } else { Eyes::Own }
}

/// A span as people say it.
pub(super) fn days(span: std::time::Duration) -> String {
    match span.as_secs() / 3600 {
        hours @ 0..48 => show::plural(hours, "hour", "hours"),
        hours => show::plural(hours / 24, "day", "days"),
    }
}

/// `GET /trash`: an administrator sees what everybody deleted.
pub(in crate::web) async fn list(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let grant = visitor.grant()?;
    let (guest, now) = (guest(&state, &visitor).await?, state.clock.now());
    let (found, next) = state.books.trash.list(&guest, eyes(grant), which.before, ROWS).await?;
    let keep = state.books.trash.keeps();
    let row = |row: &Trashed| TrashRow {
        id: row.id,
        icon: if row.is_dir { "files" } else { "file" },
        class: if row.is_dir { "dir" } else { "" },
        path: format!("/{}", row.path.display()),
        account: if grant.is_admin() { row.account.clone() } else { String::new() },
        size: row.weight.map(|weight| show::bytes(weight.bytes)).unwrap_or_default(),
        deleted: Moment::around(row.at, now),
        until: keep.and_then(|keep| end(row.at, keep)).map(|end| Moment::around(end, now)),
    };
    super::html(&TrashPage {
        frame: Frame::new(&visitor, "Trash"),
        all: grant.is_admin(),
        writable: grant.scope().access == Access::ReadWrite,
        keeps: keep.map(days),
        rows: found.iter().map(row).collect(),
        pager: Pager {
            newer: which.before.map(|_| HERE.to_owned()),
            newer_label: "Newest",
            older: next.map(|next| format!("{HERE}?before={next}")),
            older_label: "Older",
        },
    })
}

fn end(at: Timestamp, keep: std::time::Duration) -> Option<Timestamp> {
    at.checked_add(SignedDuration::try_from(keep).ok()?).ok()
}

/// Where it is to go.
#[derive(Deserialize)]
pub(in crate::web) struct Back {
    /// Empty: where it was.
    #[serde(default)]
    to: String,
}

/// `POST /trash/{id}/restore`.
pub(in crate::web) async fn restore(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(back): Posted<Back>,
) -> Result<Response, Problem> {
    let guest = guest(&state, &visitor).await?;
    let to = match RelPath::lenient(back.to.trim()) {
        Ok(to) => Some(to).filter(|to| !to.is_root()),
        Err(error) => return Ok(refused(HERE, &error.to_string())),
    };
    match state.books.trash.restore((&guest, eyes(visitor.grant()?)), id, to, &*state.claims).await {
        Ok(to) => Ok(done(HERE, format!("It is back: /{}", to.display()))),
        Err(Unfinished::Io(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(refused(HERE, "something has that name now and stays as it is: write another one under Restore"))
        }
        Err(Unfinished::Io(error)) => Ok(refused(HERE, reason(&error))),
        Err(error) => Ok(refused(HERE, status::sentence(error.status()))),
    }
}

/// `POST /trash/{id}/delete`.
pub(in crate::web) async fn purge(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Problem> {
    let guest = guest(&state, &visitor).await?;
    match state.books.trash.purge(&guest, eyes(visitor.grant()?), id).await {
        Ok(()) => Ok(done(HERE, "It is gone for good.")),
        Err(error) => Ok(refused(HERE, reason(&error))),
    }
}
