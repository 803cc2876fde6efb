//! Preconditions of requests (RFC 9110, section 13). Entity tags only, where bytes are put together:
//! a date has a resolution of one second, and a file can change twice in one.

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::net::http::date;
use crate::tree::Stat;

/// What the preconditions say about the present version (`None`: there is no file). `Err` holds the
/// status to answer with: 304 or 412.
///
/// # Errors
/// The status when the request must not be carried out.
pub fn check(headers: &HeaderMap, method: &Method, current: Option<&Stat>) -> Result<(), StatusCode> {
    let tag = current.map(Stat::etag);
    let reading = method == Method::GET || method == Method::HEAD;
    // HTTP dates have whole seconds; so has the comparison.
    let second = current.map(|stat| stat.mtime.as_second());
    let since = |name: HeaderName| Some(date::parse(text(headers, &name)?)?.as_second());
    if headers.contains_key(IF_MATCH) {
        if !listed(headers, &IF_MATCH, tag.as_deref(), Strength::Strong) {
            return Err(StatusCode::PRECONDITION_FAILED);
        }
    } else if let Some(limit) = since(IF_UNMODIFIED_SINCE)
        && second.is_none_or(|second| second > limit)
    {
        return Err(StatusCode::PRECONDITION_FAILED);
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if listed(headers, &IF_NONE_MATCH, tag.as_deref(), Strength::Weak) {
            return Err(if reading { StatusCode::NOT_MODIFIED } else { StatusCode::PRECONDITION_FAILED });
        }
    } else if reading
        && let Some(limit) = since(IF_MODIFIED_SINCE)
        && second.is_some_and(|second| second <= limit)
    {
        return Err(StatusCode::NOT_MODIFIED);
    }
    Ok(())
}

/// May the `Range` header be honoured, as far as `If-Range` is concerned?
pub(super) fn range_applies(headers: &HeaderMap, current: &Stat) -> bool {
    !headers.contains_key(IF_RANGE) || text(headers, &IF_RANGE).is_some_and(|tag| tag.trim() == current.etag())
}

#[derive(Clone, Copy, PartialEq)]
enum Strength {
    Strong,
    Weak,
}

fn listed(headers: &HeaderMap, name: &HeaderName, tag: Option<&str>, strength: Strength) -> bool {
    let Some(tag) = tag else { return false };
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        // Our tags hold no comma, so one that holds some cannot be ours.
        list.split(',').map(str::trim).any(|one| {
            let bare = if strength == Strength::Weak { one.strip_prefix("W/").unwrap_or(one) } else { one };
            one == "*" || bare == tag
        })
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;
    use crate::tree::Tree;

    fn stat() -> Stat {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), "x").unwrap();
        let view = Tree::open(folder.path()).unwrap().view(&Scope::whole()).unwrap();
        view.stat(&crate::model::RelPath::new("f").unwrap()).unwrap()
    }

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        [(name, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn tags_decide() {
        let stat = stat();
        let tag = stat.etag();
        let weak = format!("W/{tag}");
        let on = |name, value: &str, method| check(&headers(name, value), &method, Some(&stat));
        assert_eq!(on(IF_NONE_MATCH, &tag, Method::GET), Err(StatusCode::NOT_MODIFIED));
        assert_eq!(on(IF_NONE_MATCH, &weak, Method::GET), Err(StatusCode::NOT_MODIFIED));
        assert_eq!(on(IF_NONE_MATCH, "*", Method::PUT), Err(StatusCode::PRECONDITION_FAILED));
        assert_eq!(on(IF_MATCH, &tag, Method::PUT), Ok(()));
        assert_eq!(on(IF_MATCH, &weak, Method::PUT), Err(StatusCode::PRECONDITION_FAILED));
        assert_eq!(on(IF_MATCH, "\"other\"", Method::PUT), Err(StatusCode::PRECONDITION_FAILED));
        assert_eq!(check(&headers(IF_MATCH, "*"), &Method::PUT, None), Err(StatusCode::PRECONDITION_FAILED));
        assert_eq!(check(&headers(IF_NONE_MATCH, "*"), &Method::PUT, None), Ok(()));
        assert!(range_applies(&headers(IF_RANGE, &tag), &stat));
        assert!(!range_applies(&headers(IF_RANGE, &date::print(stat.mtime).unwrap()), &stat));
    }
}
