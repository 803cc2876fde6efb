//! Entity tags of compressed answers (RFC 9110, 8.8.3.3). Compressed bytes are other bytes, so their tag is another
//! one: the file's, with the coding behind it. A client sends back what it got, so the coding is taken off again
//! before a request is looked at: `If-Match` is about the version of the file, in whatever coding it was read.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

/// What the compression may do to an answer.
const CODINGS: &[&str] = &["gzip", "br", "zstd"];

/// Takes the codings off the tags of a request, and returns the one list of tags that a 304 must answer in kind.
/// `If-Range` stays as it is: a part of the compressed bytes cannot be had, so such a tag must not match.
pub(super) fn take_off(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let sent = headers.get(header::IF_NONE_MATCH).cloned();
    for name in [header::IF_MATCH, header::IF_NONE_MATCH, HeaderName::from_static("if")] {
        let bare: Vec<HeaderValue> = headers.get_all(&name).iter().map(bare).collect();
        headers.remove(&name);
        for value in bare {
            headers.append(&name, value);
        }
    }
    sent
}

/// Gives a compressed answer the tag of its coding, and "not modified" the tag that the client has.
pub(super) fn put_on<B>(answer: &mut Response<B>, sent: Option<&HeaderValue>) {
    let not_modified = answer.status() == StatusCode::NOT_MODIFIED;
    let headers = answer.headers_mut();
    let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return };
    let has = |coded: &String| sent.and_then(|sent| sent.to_str().ok()).is_some_and(|sent| sent.contains(coded));
    let coded = match headers.get(header::CONTENT_ENCODING).and_then(|coding| coding.to_str().ok()) {
        Some(coding) => Some(with(tag, coding)),
        None if not_modified => CODINGS.iter().map(|coding| with(tag, coding)).find(has),
        None => None,
    };
    if let Some(coded) = coded.and_then(|coded| HeaderValue::from_str(&coded).ok()) {
        headers.insert(header::ETAG, coded);
    }
}

fn with(tag: &str, coding: &str) -> String {
    match tag.strip_suffix('"') {
        Some(open) => format!("{open}-{coding}\""),
        None => tag.to_owned(),
    }
}

fn bare(value: &HeaderValue) -> HeaderValue {
    let Ok(text) = value.to_str() else { return value.clone() };
    // Our own tags are hexadecimal numbers: none of them ends like a coding.
    let text = CODINGS.iter().fold(text.to_owned(), |text, coding| text.replace(&format!("-{coding}\""), "\""));
    HeaderValue::from_str(&text).unwrap_or_else(|_| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_as_it_went() {
        let mut answer = Response::new(());
        answer.headers_mut().insert(header::ETAG, HeaderValue::from_static("\"1-2-3\""));
        put_on(&mut answer, None);
        assert_eq!(answer.headers()[header::ETAG], "\"1-2-3\"", "nothing was done to the body");
        answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        put_on(&mut answer, None);
        let mut request = HeaderMap::new();
        request.insert(header::IF_MATCH, answer.headers()[header::ETAG].clone());
        request.insert(header::IF_RANGE, answer.headers()[header::ETAG].clone());
        request.insert("if", HeaderValue::from_static("(<urn:x> [\"1-2-3-gzip\"])"));
        take_off(&mut request);
        assert_eq!(request[header::IF_MATCH], "\"1-2-3\"");
        assert_eq!(request[header::IF_RANGE], "\"1-2-3-br\"");
        assert_eq!(request["if"], "(<urn:x> [\"1-2-3\"])");
    }
}
