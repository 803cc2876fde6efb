//! Data connections reach the server from another address than the control connection.

use super::View;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let blames = |outcome: &Outcome| {
        let words = outcome.words.to_lowercase();
        outcome.code == Some(425)
            && ["bad ip", "theft", "address mismatch", "not from the same"].iter().any(|word| words.contains(word))
    };
    let refused = view.ids(|fact| match fact {
        Fact::Moved(moved) => blames(&moved.outcome) || moved.closing.as_ref().is_some_and(blames),
        Fact::Burst { outcome, .. } | Fact::DataPort { outcome, .. } => blames(outcome),
        _ => false,
    });
    if refused.is_empty() {
        return None;
    }
    let sentence =
        "data connections reach the server from another address than the control connection, and it refuses them";
    Some(
        Finding::new(super::OTHER_SOURCE, Confidence::Shown, sentence, refused)
            .here("leave through one address: a proxy for the control port alone, or a NAT with several addresses, is in the way")
            .there("vsftpd", "pasv_promiscuous=YES, if that is wanted (it gives up a protection)")
            .there("proftpd", "AllowForeignAddress on, if that is wanted (it gives up a protection)")
            .there("firewall", "give all connections of one client to this server the same address (Cisco: PAT pool with paired pooling)"),
    )
}
