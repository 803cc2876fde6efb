//! Shared links.

use super::*;
use crate::web::page::shared::{Inside, SharedPage, SharedRow};
use crate::web::page::shares::{NewSharePage, ShareMadePage, ShareRow, SharesPage};

pub(super) fn list() -> SharesPage {
    let row = |id: i64, path: &str, about: &str, standing, open, used: &str| ShareRow {
        id,
        path: path.into(),
        about: about.into(),
        owner: "scanner".into(),
        standing,
        open,
        used: used.into(),
        sent: if id == 2 { "1.2 MB of 5.0 GB".into() } else { String::new() },
        last: Some(ago(80)),
        ends: Some(ago(-40_000)),
    };
    SharesPage {
        frame: frame("Shared links", "/shares"),
        all: true,
        rows: vec![
            row(3, "/reports/Angebote für Köln", "A folder, to read", Chip::new(Tone::Ok, "Open"), true, "7"),
            row(2, "/in", "A drop box, with a password", Chip::new(Tone::Ok, "Open"), true, "1 of 5"),
            row(1, "/figures <final>.xlsx", "A file", Chip::new(Tone::Idle, "Ended"), false, "2"),
        ],
        pager: Pager { older: Some("?before=1".into()), older_label: "Older", ..Pager::default() },
    }
}

pub(super) fn new() -> NewSharePage {
    NewSharePage {
        frame: frame("Share", "/browse"),
        path: "/reports/Angebote für Köln".into(),
        action: "#".into(),
        back: "/browse/reports/".into(),
        folder: true,
        writable: true,
    }
}

pub(super) fn made() -> ShareMadePage {
    ShareMadePage {
        frame: frame("The link", "/shares"),
        path: "/figures <final>.xlsx".into(),
        link: format!("https://files.example.org:8443/s/{}", "aB3-".repeat(10)),
        about: "A file, with a password".into(),
        ends: Some(ago(-40_000)),
        most: "5 uses".into(),
        room: Some("5.0 GB".into()),
    }
}

fn shared(title: &str, inside: Inside) -> SharedPage {
    let frame = Frame { nav: vec![], who: String::new(), ..frame(title, "/s/x") };
    let (ends, left, room) = (Some(ago(-40_000)), Some("2 more uses".into()), Some("3.8 GB".into()));
    SharedPage { frame, link: "/s/x".into(), owner: "Jörg <home>".into(), inside, ends, left, room }
}

fn row(icon: &'static str, name: &str, size: &str) -> SharedRow {
    SharedRow {
        icon,
        class: if icon == "files" { "dir" } else { "" },
        name: name.into(),
        href: "#".into(),
        size: size.into(),
        changed: ago(3_000),
    }
}

pub(super) fn closed() -> SharedPage {
    shared("A shared link", Inside::Closed { problem: Some("That is not the password of this link.".into()) })
}

pub(super) fn file() -> SharedPage {
    shared("figures <final>.xlsx", Inside::File(row("file", "figures <final>.xlsx", "1.2 MB")))
}

pub(super) fn folder() -> SharedPage {
    let rows = vec![row("files", "报告", ""), row("file", "-rf #1 100%.txt", "0 B")];
    let crumbs = vec![Crumb { href: "#".into(), label: "Start".into() }];
    shared(
        "Angebote für Köln",
        Inside::Folder { crumbs, rows, cut: true, pager: Pager::default(), archive: "/s/x/".into() },
    )
}

pub(super) fn drop_box() -> SharedPage {
    shared("Send files", Inside::DropBox)
}
