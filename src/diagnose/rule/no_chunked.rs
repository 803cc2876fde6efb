//! An upload whose length is not said beforehand does not arrive.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};
use crate::diagnose::step::writes::{CHUNKED, PUT};
use crate::model::FaultKind;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let tries = |is: fn(FaultKind) -> bool| {
        view.ids(|fact| match fact {
            Fact::Asked { method, outcome, .. } => method == CHUNKED && outcome.failed.is_some_and(is),
            _ => false,
        })
    };
    // Who may not write there, or not now, said nothing about chunks.
    let refused = tries(|kind| {
        !matches!(
            kind,
            FaultKind::Auth | FaultKind::Permission | FaultKind::Missing | FaultKind::Limit | FaultKind::DiskFull
        )
    });
    // Nor did who takes none with its length either.
    if view.any(|fact| matches!(fact, Fact::Asked { method, outcome, .. } if method == PUT && !outcome.is_well())) {
        return None;
    }
    let lost = tries(|kind| kind == FaultKind::Mismatch);
    let sentence = if lost.is_empty() {
        "the server does not take an upload whose length is not said beforehand: macOS and many programs cannot write there"
    } else {
        "the server says yes to an upload whose length is not said beforehand, and does not keep what was sent: macOS and \
         many programs LOSE what they write there"
    };
    (!refused.is_empty()).then(|| {
        Finding::new(super::NO_CHUNKED, Confidence::Shown, sentence, refused)
            .here("a copy says how long its files are: it is not touched")
            .there("nginx", "1.3.9 or later; before an upstream: proxy_request_buffering on")
            .there("Apache", "before FastCGI: SetEnv proxy-sendcl 1 (mod_proxy), mod_proxy_fcgi instead of mod_fcgid")
    })
}
