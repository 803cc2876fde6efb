//! The server insists on TLS sessions being taken up on data connections.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let refused = view.ids(|fact| match fact {
        Fact::Moved(moved) => [Some(&moved.outcome), moved.closing.as_ref()].into_iter().flatten().any(|outcome| {
            let words = outcome.words.to_lowercase();
            matches!(outcome.code, Some(425 | 522))
                && ["reuse", "resum", "session"].iter().any(|word| words.contains(word))
        }),
        _ => false,
    });
    if refused.is_empty() {
        return None;
    }
    let resumed =
        view.ids(|fact| matches!(fact, Fact::Moved(moved) if moved.resumed == Some(true) && moved.outcome.is_well()));
    let sentence = "the server wants the TLS session of the control connection taken up on each data connection, and did not recognise ours";
    Some(
        Finding::new(super::SESSION_REUSE, Confidence::Shown, sentence, refused)
            .against(resumed)
            .here("sessions are taken up where the server gives out enough tickets; TLS 1.2 would not run out of them")
            .there("vsftpd", "require_ssl_reuse=NO")
            .there("proftpd", "TLSOptions NoSessionReuseRequired")
            .there("pure-ftpd", "nothing to set: it does not insist"),
    )
}
