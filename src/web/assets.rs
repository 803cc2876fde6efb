//! The static files, inside the program. Their addresses carry a hash of the content, so a browser may
//! keep them for a year and still sees a new version at once.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;

struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static [u8],
}

const ASSETS: &[Asset] = &[
    Asset { name: "causeway.css", kind: "text/css; charset=utf-8", body: include_bytes!("../../static/causeway.css") },
    Asset {
        name: "causeway.js",
        kind: "text/javascript; charset=utf-8",
        body: include_bytes!("../../static/causeway.js"),
    },
    Asset {
        name: "tus.min.js",
        kind: "text/javascript; charset=utf-8",
        body: include_bytes!("../../static/tus.min.js"),
    },
    Asset { name: "upload.js", kind: "text/javascript; charset=utf-8", body: include_bytes!("../../static/upload.js") },
    Asset { name: "icons.svg", kind: "image/svg+xml", body: include_bytes!("../../static/icons.svg") },
    Asset { name: "mark.svg", kind: "image/svg+xml", body: include_bytes!("../../static/mark.svg") },
    Asset {
        name: "verify-manifest.py",
        kind: "text/x-python; charset=utf-8",
        body: include_bytes!("../../static/verify-manifest.py"),
    },
];

/// One address for each asset, in the order of the table.
static ADDRESSES: LazyLock<Vec<String>> =
    LazyLock::new(|| ASSETS.iter().map(|a| format!("/static/{}?v={}", a.name, tag(a.body))).collect());

/// A short hash of a content.
pub(super) fn tag(body: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
    HEXLOWER.encode(digest.as_ref().get(..8).unwrap_or_default())
}

/// The address of an asset, with its version.
#[must_use]
pub(super) fn url(name: &str) -> &'static str {
    let at = ASSETS.iter().position(|a| a.name == name);
    at.and_then(|at| ADDRESSES.get(at)).map_or("/static/missing", String::as_str)
}

/// `GET /static/{name}`.
pub(super) async fn get(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|a| a.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = format!("\"{}\"", tag(asset.body));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(&etag));
    let about = [
        (header::CONTENT_TYPE, asset.kind.to_owned()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::ETAG, etag),
    ];
    if known { (StatusCode::NOT_MODIFIED, about).into_response() } else { (about, asset.body).into_response() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_a_page_loads_stays_small() {
        // These two are for the page of files alone.
        let (uploads, all): (Vec<_>, Vec<_>) =
            ASSETS.iter().partition(|a| ["tus.min.js", "upload.js"].contains(&a.name));
        let weight = |assets: &[&Asset]| assets.iter().map(|a| a.body.len()).sum::<usize>();
        assert!(weight(&all) < 64 * 1024 && weight(&uploads) < 112 * 1024);
        assert!(url("causeway.css").starts_with("/static/causeway.css?v="));
    }
}
