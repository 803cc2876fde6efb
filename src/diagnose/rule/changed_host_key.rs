//! The host key is not the one that was pinned, or nothing was pinned yet.

use super::View;
use crate::diagnose::evidence::Fact;
use crate::diagnose::finding::{Confidence, Finding};

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let bad = view.all().iter().find_map(|seen| match &seen.fact {
        Fact::Secured { outcome, .. } if outcome.words.contains("host key") => Some((seen.id, &outcome.words)),
        _ => None,
    });
    let (id, words) = bad?;
    Some(
        Finding::new(
            super::CHANGED_HOST_KEY,
            Confidence::Shown,
            format!("the server's host key is not trusted: {words}"),
            vec![id],
        )
        .or("somebody on the way who pretends to be the server")
        .here("ask its owner for the fingerprint on another way before it is pinned anew")
        .there(
            "OpenSSH",
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub tells the fingerprint; HostKey lines say which are shown",
        ),
    )
}
