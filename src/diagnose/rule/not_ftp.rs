//! Something else than FTP answers on the port.

use super::View;
use crate::diagnose::evidence::{Fact, Greeting};
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let seen = view.ids(|fact| matches!(fact, Fact::Greeted { greeting: Greeting::Other, .. }));
    (!seen.is_empty()).then(|| {
        Finding::new(super::NOT_FTP, Confidence::Shown, "what answers on the port does not speak FTP", seen)
            .here("check host and port of the address")
            .there("server", "nothing to change, unless the FTP service should be on this port")
    })
}
