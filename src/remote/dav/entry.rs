//! From a server's properties and headers to what we say of a file.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED};
use jiff::Timestamp;

use super::multistatus::{Known, Response};
use crate::model::{Entry, EntryKind, Mtime, Name, Precision, TimeSource};
use crate::net::http::date;

/// What the properties in `response` say of `name`. What they do not say stays unknown.
pub(super) fn of_properties(name: Name, response: &Response) -> Entry {
    let kind = match response.get(Known::Kind) {
        Some("collection") => EntryKind::Dir,
        Some(_) => EntryKind::File,
        None => EntryKind::Unknown,
    };
    // Of a folder some servers tell the bytes of its own blocks, and a tag that each change in it changes.
    let file = kind != EntryKind::Dir;
    Entry {
        name,
        kind,
        size: response.get(Known::Length).and_then(|text| text.parse().ok()).filter(|_| file),
        mtime: response.get(Known::Modified).and_then(mtime),
        mode: None,
        unique: response.get(Known::Tag).and_then(strong).filter(|_| file),
    }
}

/// What the headers of an answer to GET say of the file `name`.
pub(super) fn of_headers(name: Name, headers: &HeaderMap) -> Entry {
    let size = match range(headers) {
        Some(range) => range.whole,
        None => text(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok()),
    };
    Entry {
        name,
        kind: EntryKind::File,
        size,
        mtime: text(headers, &LAST_MODIFIED).and_then(mtime),
        mode: None,
        unique: text(headers, &ETAG).and_then(strong),
    }
}

/// The value of a header, when it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn mtime(text: &str) -> Option<Mtime> {
    date::parse(text).map(of_http)
}

/// A time as this protocol tells it.
pub(super) fn of_http(at: Timestamp) -> Mtime {
    Mtime { at, precision: Precision::Second, source: TimeSource::WebDav }
}

/// A tag that names one version for sure (RFC 9110, section 8.8.1), without the quotes that some servers forget.
fn strong(tag: &str) -> Option<String> {
    let bare = tag.trim_matches('"');
    (!tag.starts_with("W/") && !bare.is_empty()).then(|| bare.to_owned())
}

/// Which bytes of how many a partial answer holds (RFC 9110, section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) whole: Option<u64>,
}

/// What `Content-Range` says; `None` for none, or one that makes no sense.
pub(super) fn range(headers: &HeaderMap) -> Option<ByteRange> {
    let (range, whole) = text(headers, &CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let whole = whole.trim().parse().ok();
    (first <= last && whole.is_none_or(|whole| last < whole)).then_some(ByteRange { first, last, whole })
}

/// How long the file is that a range does not lie in: `bytes */N` of a 416 (RFC 9110, section 15.5.17).
pub(super) fn unsatisfied(headers: &HeaderMap) -> Option<u64> {
    text(headers, &CONTENT_RANGE)?.strip_prefix("bytes */")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::multistatus::Property;
    use super::*;

    fn response(properties: &[(Known, u16, &str)]) -> Response {
        let property = |&(known, status, text): &(Known, u16, &str)| Property { known, status, text: text.to_owned() };
        Response { properties: properties.iter().map(property).collect(), ..Response::default() }
    }

    #[test]
    fn what_is_not_said_stays_unknown() {
        let of = |properties: &[(Known, u16, &str)]| of_properties(Name::new("a").unwrap(), &response(properties));
        let nothing = of(&[(Known::Kind, 404, ""), (Known::Length, 0, "3")]);
        assert_eq!((nothing.kind, nothing.size, nothing.mtime, nothing.unique), (EntryKind::Unknown, None, None, None));
        let file = of(&[
            (Known::Kind, 200, ""),
            (Known::Length, 200, "12"),
            (Known::Modified, 200, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (Known::Tag, 200, "\"x-1\""),
        ]);
        assert_eq!((file.kind, file.size, file.unique.as_deref()), (EntryKind::File, Some(12), Some("x-1")));
        assert_eq!(file.mtime.unwrap().at.as_second(), 784_111_777);
        let folder = of(&[(Known::Kind, 200, "collection"), (Known::Length, 200, "4096"), (Known::Tag, 200, "\"x\"")]);
        assert_eq!((folder.kind, folder.size, folder.unique), (EntryKind::Dir, None, None));
        assert_eq!(of(&[(Known::Kind, 200, ""), (Known::Tag, 200, "W/\"x\"")]).unique, None);
        assert_eq!(of(&[(Known::Kind, 200, ""), (Known::Length, 200, "-1")]).size, None);
    }

    #[test]
    fn headers_tell_the_whole_file() {
        let of = |pairs: &[(&'static str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
            pairs.collect::<HeaderMap>()
        };
        let partial = of(&[("content-range", "bytes 5-9/20"), ("content-length", "5"), ("etag", "\"t\"")]);
        let entry = of_headers(Name::new("a").unwrap(), &partial);
        assert_eq!((entry.size, entry.unique.as_deref()), (Some(20), Some("t")));
        assert_eq!(range(&partial), Some(ByteRange { first: 5, last: 9, whole: Some(20) }));
        assert_eq!(range(&of(&[("content-range", "bytes 5-9/*")])).unwrap().whole, None);
        for wrong in ["bytes 9-5/20", "bytes 5-20/20", "items 1-2/3", "bytes */20", "bytes 5/20"] {
            assert_eq!(range(&of(&[("content-range", wrong)])), None, "{wrong}");
        }
        assert_eq!(unsatisfied(&of(&[("content-range", "bytes */20")])), Some(20));
        assert_eq!(of_headers(Name::new("a").unwrap(), &of(&[("content-length", "7")])).size, Some(7));
    }
}
