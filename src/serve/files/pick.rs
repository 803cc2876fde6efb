//! POST of a choice of names: the archive of a part of a folder.

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use percent_encoding::percent_decode;

use crate::drive::{Format, Guest, archive};
use crate::model::{Name, RelPath};
use crate::serve::http::{body, plain, problem, status};

/// Bytes of the longest choice.
const MOST: usize = 1 << 20;

/// Answers `POST /files/FOLDER/?zip` (or `?tar.zst`) with `name=…&name=…` in the body, as a form or
/// `curl --data-urlencode` sends it.
pub(super) async fn pick(guest: &Guest, path: &RelPath, head: &Parts, sent: Body) -> Response {
    let Some(format) = Format::wanted(head.uri.query()) else {
        return plain(StatusCode::BAD_REQUEST, "Only ?zip and ?tar.zst take a choice of names.");
    };
    let sent = match body::whole(sent, MOST).await {
        Ok(sent) => sent,
        Err(error) => return problem(status::of(&error)),
    };
    let Some(names) = chosen(&sent) else {
        return plain(StatusCode::BAD_REQUEST, "Names of this folder are wanted, each as name=…");
    };
    let sent = archive(guest, path, Some(names), format, &Method::GET).await;
    sent.unwrap_or_else(|error| problem(status::of(&error)))
}

/// The names in a form; raw bytes once it is decoded. `None` when there is none, or one that is no name.
fn chosen(form: &[u8]) -> Option<Vec<Name>> {
    let pairs = form.split(|byte| *byte == b'&');
    let values = pairs.filter_map(|pair| pair.strip_prefix(b"name="));
    let decoded = values.map(|value| {
        let spaced: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        Name::new(percent_decode(&spaced).collect::<Vec<u8>>()).ok()
    });
    decoded.collect::<Option<Vec<Name>>>().filter(|names| !names.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_form_are_bytes() {
        let names = chosen(b"name=a+b%2Bc&other=x&name=%D6%D0").unwrap();
        assert_eq!(names.iter().map(Name::as_bytes).collect::<Vec<_>>(), [b"a b+c".as_slice(), b"\xd6\xd0"]);
        assert_eq!((chosen(b""), chosen(b"name=.."), chosen(b"name=a%2Fb")), (None, None, None));
    }
}
