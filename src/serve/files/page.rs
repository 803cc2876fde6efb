//! A listing without the dashboard: a page that any browser shows, and JSON for scripts.

use axum::response::{Html, IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::Listing;
use super::router::MOUNT;
use crate::serve::http::href;

/// Names, sizes and times as JSON. A name that is not UTF-8 is shown escaped; `href` is always exact.
pub(super) fn json(listing: &Listing) -> Response {
    let entries: Vec<_> = listing
        .rows
        .iter()
        .map(|row| {
            json!({
                "name": row.name.display(),
                "href": row.href,
                "folder": row.stat.is_dir(),
                "size": row.stat.size,
                "modified": row.stat.mtime.to_string(),
            })
        })
        .collect();
    let (path, total) = (listing.path.display(), listing.total);
    let body = json!({ "path": path, "total": total, "truncated": listing.truncated, "entries": entries });
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// A plain page, without the dashboard's looks.
#[must_use]
pub fn html(listing: &Listing) -> Response {
    let title = escape(&format!("/{}", listing.path.display()));
    let mut rows = String::new();
    if !listing.path.is_root() {
        rows.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for row in &listing.rows {
        let (name, slash) = (escape(&row.name.display()), if row.stat.is_dir() { "/" } else { "" });
        let size = if row.stat.is_dir() { String::new() } else { row.stat.size.to_string() };
        let time = row.stat.mtime.strftime("%Y-%m-%d %H:%M:%S UTC");
        rows.push_str(&format!(
            "<tr><td><a href=\"{}\">{name}{slash}</a></td><td>{size}</td><td>{time}</td></tr>\n",
            row.href
        ));
    }
    let (pages, whole) = (pages(listing), href::path(MOUNT, &listing.path, true));
    Html(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title></head>\n<body><h1>{title}</h1>\n<table>\
         <thead><tr><th>Name</th><th>Bytes</th><th>Changed</th></tr></thead>\n<tbody>\n{rows}</tbody></table>\n\
         {pages}<p>All of this folder: <a href=\"{whole}?zip\">ZIP</a> <a href=\"{whole}?tar.zst\">tar.zst</a></p>\n</body></html>\n"
    ))
    .into_response()
}

/// Which rows these are, and the way to the others; nothing when they are all.
fn pages(listing: &Listing) -> String {
    let (earlier, later) = (listing.earlier(), listing.later());
    if earlier.is_none() && later.is_none() {
        return String::new();
    }
    let link = |query: Option<String>, rel: &str, word: &str| {
        query.map(|query| format!(" <a href=\"{}\" rel=\"{rel}\">{word}</a>", escape(&query))).unwrap_or_default()
    };
    let first = listing.page.offset + 1;
    let last = listing.page.offset + listing.rows.len();
    let seen = if listing.truncated { "the first " } else { "" };
    format!(
        "<p>{first} to {last} of {seen}{} entries.{}{}</p>\n",
        listing.total,
        link(earlier, "prev", "Earlier"),
        link(later, "next", "Later")
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
