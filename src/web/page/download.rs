//! Downloads: whole files, or the rest of one that broke off.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use percent_encoding::percent_encode;

use super::browse::{SEGMENT, look, path_of};
use crate::model::Name;
use crate::task;
use crate::tree::FileReader;
use crate::web::problem::Problem;
use crate::web::state::WebState;
use crate::web::visitor::Asks;

/// How much of a file is read at once.
const BLOCK: usize = 256 * 1024;

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
    let (etag, whole) = (reader.opened().etag(), reader.len());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let (first, end) = match wanted(&headers, &etag, whole) {
        Wanted::Whole => (0, whole),
        Wanted::Part(first, end) => (first, end),
        Wanted::Nothing => {
            let length = [(header::CONTENT_RANGE, format!("bytes */{whole}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, length).into_response());
        }
    };
    let about = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, (end - first).to_string()),
        (header::CONTENT_DISPOSITION, disposition(&name)),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, etag),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    let mut response = (about, Body::from_stream(body(reader, first, end))).into_response();
    if end - first < whole {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(range) = format!("bytes {first}-{}/{whole}", end.saturating_sub(1)).parse() {
            response.headers_mut().insert(header::CONTENT_RANGE, range);
        }
    }
    Ok(response)
}

/// RFC 6266: the plain name for old clients, the exact bytes for the others.
fn disposition(name: &Name) -> String {
    let kept = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ';
    let plain: String = name.display().chars().map(|c| if kept(c) { c } else { '_' }).collect();
    let exact = percent_encode(name.as_bytes(), SEGMENT);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

/// What a request asks for; the end of a part is exclusive.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(u64, u64),
    Nothing,
}

/// One range (RFC 9110, section 14.2), as browsers send it to go on; a list of ranges is answered whole.
/// `If-Range` (section 13.1.5): of another version of the file everything is sent.
fn wanted(headers: &HeaderMap, etag: &str, len: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|tag| tag != etag) {
        return Wanted::Whole;
    }
    let Some((first, last)) =
        text(header::RANGE).and_then(|r| r.strip_prefix("bytes=")).and_then(|r| r.split_once('-'))
    else {
        return Wanted::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return Wanted::Whole;
    }
    // A number too large for us lies behind every end.
    let number = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX));
    match (number(first), number(last)) {
        (None, None) => Wanted::Whole,
        (Some(first), Some(last)) if last < first => Wanted::Whole,
        (Some(first), _) if first >= len => Wanted::Nothing,
        (Some(first), last) => Wanted::Part(first, last.unwrap_or(u64::MAX).saturating_add(1).min(len)),
        (None, Some(suffix)) if suffix == 0 || len == 0 => Wanted::Nothing,
        (None, Some(suffix)) => Wanted::Part(len.saturating_sub(suffix), len),
    }
}

/// The file's bytes. One that shrinks while it is read breaks the connection off: a short answer must not
/// look like a whole one.
pub(super) fn body(reader: FileReader, first: u64, end: u64) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((reader, first), move |(reader, at)| async move {
        let left = end.saturating_sub(at);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_where_a_download_broke_off() {
        let ask = |range: &str, only_if: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            only_if.map(|tag| headers.insert(header::IF_RANGE, tag.parse().unwrap()));
            wanted(&headers, "\"v1\"", 10)
        };
        assert_eq!(ask("bytes=4-", None), Wanted::Part(4, 10));
        assert_eq!(ask("bytes=4-5", Some("\"v1\"")), Wanted::Part(4, 6));
        assert_eq!(ask("bytes=-3", None), Wanted::Part(7, 10));
        assert_eq!(ask("bytes=4-", Some("\"v0\"")), Wanted::Whole);
        assert_eq!(ask("bytes=10-", None), Wanted::Nothing);
        for whole in ["bytes=0-1,4-5", "items=1-2", "bytes=-", "bytes=5-4", "bytes=x-"] {
            assert_eq!(ask(whole, None), Wanted::Whole, "{whole}");
        }
    }
}
