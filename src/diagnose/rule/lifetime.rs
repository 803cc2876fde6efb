//! Sessions live only so long, whatever is said on them.

use super::View;
use crate::diagnose::evidence::Keep;
use crate::diagnose::finding::{Confidence, Finding};
use crate::manners::Remedy;

pub(super) fn judge(view: &View<'_>) -> Option<Finding> {
    let held = view.ages()?;
    let awake = |noop: bool| {
        view.held().filter(move |one| matches!(one.keep, Keep::Noop(_)) == noop && one.keep != Keep::Nothing)
    };
    let (noop, alive): (Vec<_>, Vec<_>) = (
        awake(true).filter(|one| !one.outcome.is_well()).collect(),
        awake(false).filter(|one| !one.outcome.is_well()).collect(),
    );
    if noop.is_empty() || alive.is_empty() || awake(true).any(|one| one.outcome.is_well()) {
        return None;
    }
    let seconds = super::whole(held.least);
    let evidence = held.ids().chain(noop.iter().chain(&alive).map(|one| one.id)).collect();
    let rest = super::third(held.least) * 2;
    Some(
        Finding::new(
            super::LIFETIME,
            Confidence::Shown,
            format!("every connection ends after {seconds} s, whatever is said on it"),
            evidence,
        )
        .here("broken transfers go on where they were; short sessions are used")
        .remedy(Remedy::Rest { seconds: rest }, Vec::new())
        .there("proftpd", "TimeoutSession 0, or long enough for the largest file")
        .there("firewall", "remove the limit of a connection's life for this server")
        .there("load balancer", "remove the limit of a connection's life (HAProxy: timeout tunnel)"),
    )
}
