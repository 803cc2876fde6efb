//! The server wants TLS before a password.

use super::View;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::diagnose::finding::{Confidence, Finding};

/// Does a refusal speak of TLS?
pub(super) fn wants_tls(outcome: &Outcome) -> bool {
    let words = outcome.words.to_lowercase();
    ["tls", "ssl", "encrypt", "secure", "cleartext"].iter().any(|word| words.contains(word))
}

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let refused = view.ids(|fact| match fact {
        Fact::LoggedIn { tls: false, outcome } if !outcome.is_well() => wants_tls(outcome),
        _ => false,
    });
    (!refused.is_empty()).then(|| {
        Finding::new(super::CLEAR_REFUSED, Confidence::Shown, "the server lets nobody in without TLS", refused)
            .here("write ftp+tls:// instead of ftp://")
            .there("server", "nothing to change")
    })
}
