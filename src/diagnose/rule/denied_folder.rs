//! Logged in, and not allowed to read.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let denied = view.ids(|fact| matches!(fact, Fact::Moved(moved) if moved.outcome.is(FaultKind::Permission)));
    (!denied.is_empty()).then(|| {
        Finding::new(
            super::DENIED,
            Confidence::Shown,
            "the server lets us in and refuses a listing or a file: the account may not read it",
            denied,
        )
        .here("use an account that may read the folder")
        .there("server", "give the account the right to read the folder and its files, and to enter each folder above")
        .there("vsftpd", "hide_file, deny_file, download_enable, cmds_denied")
        .there("proftpd", "<Limit READ> and <Limit DIRS>")
    })
}
