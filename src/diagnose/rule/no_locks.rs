//! The server has no locks, and drives of Windows and macOS are read-only then.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let without = view.ids(|fact| match fact {
        Fact::Asked { method, dav: Some(dav), .. } if method == "OPTIONS" => {
            !dav.split(',').any(|class| class.trim() == "2")
        }
        _ => false,
    });
    (!without.is_empty()).then(|| {
        let sentence =
            "the server is of WebDAV class 1 only: it has no locks, and macOS and Windows mount it read-only";
        Finding::new(super::NO_LOCKS, Confidence::Shown, sentence, without)
            .here("nothing: a copy needs no locks")
            .there("Apache", "DavLockDB with a path that the server may write")
            .there("nginx", "dav_ext_lock_zone and dav_ext_lock (libnginx-mod-http-dav-ext)")
    })
}
