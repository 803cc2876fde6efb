//! What answers is a web server, and no WebDAV folder.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let refused = view.ids(|fact| {
        matches!(fact, Fact::Asked { method, outcome, .. } if method == "PROPFIND"
            && matches!(outcome.failed, Some(FaultKind::Unsupported | FaultKind::Missing)))
    });
    let missing = view.any(|fact| {
        matches!(fact, Fact::Asked { method, outcome, .. } if method == "PROPFIND" && outcome.is(FaultKind::Missing))
    });
    let silent = view.ids(|fact| matches!(fact, Fact::Asked { method, dav: None, .. } if method == "OPTIONS"));
    if refused.is_empty() || view.any(|fact| matches!(fact, Fact::Listed { .. })) {
        return None;
    }
    let sentence = if missing && silent.is_empty() {
        "the server speaks WebDAV, and there is no such folder"
    } else {
        "what answers is a web server, and the address no WebDAV folder"
    };
    Some(
        Finding::new(super::NO_DAV, Confidence::Shown, sentence, [refused, silent].concat())
            .here("check the path of the address; many servers have WebDAV below a path of their own (/dav/, /remote.php/dav/files/USER/)")
            .there("Apache", "Dav On in the Location, with mod_dav and mod_dav_fs loaded")
            .there("nginx", "dav_methods and dav_ext_methods (libnginx-mod-http-dav-ext) in the location"),
    )
}
