//! The server says that it has locks, and does not grant or keep them.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::diagnose::step::writes::{AGAINST_LOCK, LOCK};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let promised = view.ids(|fact| match fact {
        Fact::Asked { dav: Some(dav), .. } => dav.split(',').any(|class| class.trim() == "2"),
        _ => false,
    });
    let not_granted = view.ids(|fact| match fact {
        Fact::Asked { method, outcome, .. } => {
            method == LOCK && matches!(outcome.failed, Some(FaultKind::Unsupported | FaultKind::Protocol))
        }
        _ => false,
    });
    let not_kept = view
        .ids(|fact| matches!(fact, Fact::Asked { method, outcome, .. } if method == AGAINST_LOCK && outcome.is_well()));
    let sentence = if not_kept.is_empty() {
        "the server says that it is of WebDAV class 2, and grants no lock: drives of Windows and macOS cannot write"
    } else {
        "the server grants a lock and lets others write all the same: two people overwrite each other's work unseen"
    };
    let evidence: Vec<usize> = promised.iter().chain(&not_granted).chain(&not_kept).copied().collect();
    (!promised.is_empty() && not_granted.len() + not_kept.len() > 0).then(|| {
        Finding::new(super::IDLE_LOCKS, Confidence::Shown, sentence, evidence)
            .here("nothing: a copy needs no locks")
            .there("Apache", "DavLockDB with a path that the server may write, the same for all of its processes")
            .there("nginx", "dav_ext_lock zone=… at every location that writes (libnginx-mod-http-dav-ext)")
    })
}
