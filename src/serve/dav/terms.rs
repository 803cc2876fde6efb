//! What must still hold when a PUT takes its name: the preconditions of its headers, and the locks. Minutes may
//! have passed since the request began, with somebody else's change in between.

use http::{HeaderMap, Method, StatusCode};

use super::if_header::If;
use super::locks::Locks;
use crate::drive::{Claims, Guest, Terms, conditional};
use crate::model::RelPath;

/// Nothing is asked.
pub(super) fn none() -> Terms {
    Terms::new(|_| Ok(()))
}

impl Claims for Locks {
    fn of_put(&self, guest: &Guest, path: &RelPath, headers: &HeaderMap) -> Terms {
        self.terms(guest, path, headers, Method::PUT)
    }

    fn of_removal(&self, guest: &Guest, path: &RelPath, headers: &HeaderMap) -> Terms {
        self.terms(guest, path, headers, Method::DELETE)
    }

    fn of_move(&self, guest: &Guest, from: &RelPath, to: &RelPath) -> Terms {
        let (locks, from, to) = (self.seen_by(guest), from.clone(), to.clone());
        Terms::new(move |_| {
            let kept = locks.publishing();
            if locks.allow(&from, true, &[]) && locks.allow(&to, false, &[]) {
                Ok(kept)
            } else {
                Err(StatusCode::LOCKED)
            }
        })
    }
}

impl Locks {
    fn terms(&self, guest: &Guest, path: &RelPath, headers: &HeaderMap, method: Method) -> Terms {
        let (headers, asked) = (headers.clone(), If::of(headers));
        let (locks, view, path) = (self.seen_by(guest), guest.view.clone(), path.clone());
        Terms::new(move |now| {
            // First: a lock that is granted from here on waits until the name is taken.
            let kept = locks.publishing();
            conditional::check(&headers, &method, now)?;
            let tag_of = |path: &RelPath| view.stat_follow(path).ok().map(|stat| stat.etag());
            if !asked.holds(&path, |path, token| locks.is_locked_with(path, token), tag_of) {
                return Err(StatusCode::PRECONDITION_FAILED);
            }
            if locks.allow(&path, method == Method::DELETE, &asked.tokens()) {
                Ok(kept)
            } else {
                Err(StatusCode::LOCKED)
            }
        })
    }
}
