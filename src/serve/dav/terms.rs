//! What must still hold when a PUT takes its name: the preconditions of its headers, and the locks. Minutes may
//! have passed since `dav-server` looked at them, with somebody else's change in between.

use http::{HeaderMap, Method, StatusCode};

use super::if_header::If;
use super::locks::SeenLocks;
use crate::model::RelPath;
use crate::serve::files::{Terms, conditional};
use crate::tree::View;

/// Nothing is asked.
pub(super) fn none() -> Terms {
    Terms::new(|_| Ok(()))
}

/// The terms of one PUT to `path`.
pub(super) fn of_put(headers: &HeaderMap, locks: SeenLocks, view: View, path: RelPath) -> Terms {
    let (headers, asked) = (headers.clone(), If::of(headers));
    Terms::new(move |now| {
        // First: a lock that is granted from here on waits until the name is taken.
        let kept = locks.publishing();
        conditional::check(&headers, &Method::PUT, now)?;
        let tag_of = |path: &RelPath| view.stat_follow(path).ok().map(|stat| stat.etag());
        if !asked.holds(&path, |path, token| locks.is_locked_with(path, token), tag_of) {
            return Err(StatusCode::PRECONDITION_FAILED);
        }
        if !locks.allow(&path, &asked.tokens()) {
            return Err(StatusCode::LOCKED);
        }
        Ok(kept)
    })
}
