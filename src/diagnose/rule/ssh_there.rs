//! An SSH server answers on the port.

use super::View;
use crate::diagnose::evidence::{Fact, Greeting};
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let seen = view.ids(|fact| matches!(fact, Fact::Greeted { greeting: Greeting::Ssh, .. }));
    (!seen.is_empty()).then(|| {
        Finding::new(super::SSH_THERE, Confidence::Shown, "the port belongs to an SSH server, not to FTP", seen)
            .here("write sftp:// instead of ftp://, with this port")
            .there("server", "nothing to change")
    })
}
