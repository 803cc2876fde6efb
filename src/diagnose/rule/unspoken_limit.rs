//! Connections above a number break without a word: not the server's limit, but somebody's on the way.

use super::View;
use crate::diagnose::finding::{Confidence, Finding};
use crate::manners::Remedy;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let broken = view.opened().filter(|(_, _, outcome)| outcome.is_broken()).collect::<Vec<_>>();
    let first = broken.iter().map(|(_, number, _)| *number).min()?;
    let most = first.saturating_sub(1);
    // Twice at the same number, and well again with one given back: no bad luck.
    let again = view.opened().filter(|(_, number, outcome)| *number == most && outcome.is_well()).map(|(id, ..)| id);
    let again: Vec<usize> = again.collect();
    if broken.len() < 2 || most == 0 || again.len() < 2 {
        return None;
    }
    let evidence = broken.iter().map(|(id, ..)| *id).chain(again.iter().copied()).collect();
    let ours = most.saturating_sub(1).max(1);
    Some(
        Finding::new(
            super::UNSPOKEN_LIMIT,
            Confidence::Shown,
            format!("above {most} connections at once new ones break without a word: a limit of a firewall or load balancer on the way"),
            evidence,
        )
        .or("a server that closes instead of saying 421")
        .here(format!("use at most {ours} connections"))
        .remedy(Remedy::Connections { most: ours }, again)
        .there("firewall", "raise the limit of connections per source address for this host (iptables connlimit, hashlimit; SYN flood protection)")
        .there("load balancer", "raise the connections per client"),
    )
}
